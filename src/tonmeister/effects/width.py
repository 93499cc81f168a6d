"""Width: left = m + width s, right = m - width s, with m = (left + right) / 2, s = (left - right) / 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.dsp.filter_design import butterworth
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_stereo
from tonmeister.units import FloatArray, Range


@dataclass(frozen=True)
class Width(Parameters):
    """How far apart the sides are: 0 is mono, 1 as it was, 2 twice the difference."""

    kind: ClassVar[str] = "width"
    needs_stereo: ClassVar[bool] = True
    width: float = parameter(1.0, Range(0.0, 2.0))
    mono_below_hz: float = parameter(0.0, Range(0.0, 500.0, "Hz"))
    """A second-order high-pass takes the bass out of the difference; 0 is off, below 10 Hz counts as 10 Hz."""

    def processor(self) -> Processor:
        return WidthProcessor(self)


class WidthProcessor:
    """Middle and side; the memory of the side's filter."""

    latency_frames = 0

    def __init__(self, effect: Width) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.biquad import filter_cascade

        check_stereo("width", channels)
        self._filter = filter_cascade
        cutoff_hz = self._effect.mono_below_hz
        self._sections = butterworth("high_pass", max(cutoff_hz, 10.0), 2, sample_rate)
        self.state = np.zeros((1, 1, 2))

    def process(self, block: FloatArray) -> FloatArray:
        middle = 0.5 * (block[0].astype(np.float64) + block[1])
        side = 0.5 * (block[:1].astype(np.float64) - block[1])
        if self._effect.mono_below_hz:
            narrow = side.astype(np.float32)
            self._filter(narrow, narrow, self._sections, self.state)
            side = narrow.astype(np.float64)
        side *= self._effect.width
        block[0] = middle + side[0]
        block[1] = middle - side[0]
        return block

    def reset(self) -> None:
        self.state.fill(0.0)

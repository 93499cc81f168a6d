"""Pan: left = x_left * l(pan), right = x_right * r(pan), with the law of `dsp.panning`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.dsp.panning import pan_gains
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_stereo
from tonmeister.units import FloatArray, Range


@dataclass(frozen=True)
class Pan(Parameters):
    """A place between left (-1) and right (1); a balance control for what is stereo already."""

    kind: ClassVar[str] = "pan"
    needs_stereo: ClassVar[bool] = True
    pan: float = parameter(0.0, Range(-1.0, 1.0))

    def processor(self) -> Processor:
        return PanProcessor(self)


class PanProcessor:
    """Multiplies each channel; no state."""

    latency_frames = 0

    def __init__(self, effect: Pan) -> None:
        self._gains = np.array(pan_gains(effect.pan), np.float32)[:, None]

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        check_stereo("pan", channels)

    def process(self, block: FloatArray) -> FloatArray:
        return np.multiply(block, self._gains, out=block)

    def reset(self) -> None:
        """Nothing to forget."""

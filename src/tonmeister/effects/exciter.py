"""Exciter: overtones made from what lies above a corner, mixed under the signal.

    y[n] = x[n - D] + m tanh(d h[n - D]) / d,  h = high-passed x,  m = 10^(mix_db / 20),  d = 10^(drive_db / 20)

D are the 62 frames of the oversampled saturation. After the block AE of Matz, Cano & Abesser, ISMIR 2015, as
reconstructed: high-pass 4 kHz, soft saturation, mixed at -18 dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.dsp.filter_design import butterworth
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.saturation import Saturation, SaturationProcessor
from tonmeister.units import FloatArray, Range, db_to_gain

__all__ = ["Exciter"]


@dataclass(frozen=True)
class Exciter(Parameters):
    """Brightness where a recording has none; the lowest mix is off."""

    kind: ClassVar[str] = "exciter"
    cutoff_hz: float = parameter(4000.0, Range(1000.0, 12000.0, "Hz", "log"))
    drive_db: float = parameter(12.0, Range(0.0, 36.0, "dB"))
    mix_db: float = parameter(-18.0, Range(-96.0, 0.0, "dB"))

    def processor(self) -> Processor:
        return ExciterProcessor(self)


class ExciterProcessor:
    """The memory of the high-pass, of the saturation, and of the delay of the dry signal."""

    latency_frames = 0

    def __init__(self, effect: Exciter) -> None:
        self._effect = effect
        self.saturation = SaturationProcessor(Saturation(effect.drive_db, 1.0))

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.biquad import filter_cascade
        from tonmeister.dsp.delay_lines import delay

        self._filter, self._delay = filter_cascade, delay
        self._sections = butterworth("high_pass", self._effect.cutoff_hz, 2, sample_rate)
        self._mix = np.float32(db_to_gain(self._effect.mix_db))
        self.saturation.prepare(sample_rate, channels, max_frames)
        self.latency_frames = self.saturation.latency_frames
        self.state = np.zeros((channels, 1, 2))
        self._ring = np.zeros((channels, self.latency_frames), np.float32)
        self._position = 0

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        high = np.empty_like(block)
        self._filter(block, high, self._sections, self.state)
        high = self.saturation.process(high)
        self._position = self._delay(block, self._ring, self._position)
        block += self._mix * high
        return block

    def reset(self) -> None:
        self.state.fill(0.0)
        self._ring.fill(0.0)
        self._position = 0
        self.saturation.reset()

"""Saturation: y = (1 - mix) x + mix tanh(d x) / d, d = 10^(drive_db / 20), four times oversampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.units import FloatArray, Range, db_to_gain


@dataclass(frozen=True)
class Saturation(Parameters):
    """Odd harmonics that grow with the level; small signals keep their level whatever the drive."""

    kind: ClassVar[str] = "saturation"
    drive_db: float = parameter(0.0, Range(-24.0, 48.0, "dB"))
    mix: float = parameter(1.0, Range(0.0, 1.0))

    def processor(self) -> Processor:
        return SaturationProcessor(self)


class SaturationProcessor:
    """Histories of the two resamplers; see `dsp.oversampling`."""

    latency_frames = 0

    def __init__(self, effect: Saturation) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp import oversampling

        self.latency_frames = oversampling.LATENCY_FRAMES
        self._saturate = oversampling.saturate
        self._phases = np.array(oversampling.resampler())
        self._drive = db_to_gain(self._effect.drive_db)
        taps = oversampling.TAPS
        self._inputs = np.zeros((channels, taps - 1 + max_frames))
        self._shaped = np.zeros((channels, oversampling.FACTOR, taps + max_frames))
        self._total = np.zeros(max_frames)

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        mix = float(self._effect.mix)
        self._saturate(block, self._drive, mix, self._phases, self._inputs, self._shaped, self._total)
        return block

    def reset(self) -> None:
        self._inputs.fill(0.0)
        self._shaped.fill(0.0)

"""Gain: y = x * 10^(gain_db / 20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.units import ComplexArray, DoubleArray, FloatArray, Range, db_to_gain


@dataclass(frozen=True)
class Gain(Parameters):
    """A change of level."""

    kind: ClassVar[str] = "gain"
    gain_db: float = parameter(0.0, Range(-96.0, 48.0, "dB"))

    def processor(self) -> Processor:
        return GainProcessor(self)

    def response(self, frequency_hz: DoubleArray, sample_rate: int) -> ComplexArray:
        return np.full(len(frequency_hz), db_to_gain(self.gain_db), dtype=np.complex128)


class GainProcessor:
    """Multiplies; no state."""

    latency_frames = 0

    def __init__(self, effect: Gain) -> None:
        self._gain = np.float32(db_to_gain(effect.gain_db))

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        """Nothing to allocate."""

    def process(self, block: FloatArray) -> FloatArray:
        return np.multiply(block, self._gain, out=block)

    def reset(self) -> None:
        """Nothing to forget."""

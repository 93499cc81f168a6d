"""Alignment: y[n] = s x[n - D], D = delay_ms fs / 1000 rounded to whole frames, s = -1 when inverted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_flag
from tonmeister.units import ComplexArray, DoubleArray, FloatArray, Range


@dataclass(frozen=True)
class Alignment(Parameters):
    """Polarity and delay of one microphone against another.

    The delay is wanted, so it is no latency: nothing may compensate it away.
    """

    kind: ClassVar[str] = "alignment"
    inverted: bool = False
    delay_ms: float = parameter(0.0, Range(0.0, 200.0, "ms"))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("alignment.inverted", self.inverted)

    def delay_frames(self, sample_rate: int) -> int:
        """The delay in whole frames, the nearest."""
        return round(self.delay_ms * sample_rate / 1000.0)

    def processor(self) -> Processor:
        return AlignmentProcessor(self)

    def response(self, frequency_hz: DoubleArray, sample_rate: int) -> ComplexArray:
        turn = -2j * np.pi * np.asarray(frequency_hz) / sample_rate * self.delay_frames(sample_rate)
        return np.asarray((-1.0 if self.inverted else 1.0) * np.exp(turn))


class AlignmentProcessor:
    """A ring of past frames."""

    latency_frames = 0

    def __init__(self, effect: Alignment) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.delay_lines import delay

        self._delay = delay
        self._ring = np.zeros((channels, self._effect.delay_frames(sample_rate)), np.float32)
        self._position: int = 0
        self.reset()

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        self._position = self._delay(block, self._ring, self._position)
        return np.negative(block, out=block) if self._effect.inverted else block

    def reset(self) -> None:
        self._ring.fill(0.0)
        self._position = 0

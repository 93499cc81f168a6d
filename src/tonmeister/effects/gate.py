"""Gate: an expander with hysteresis and hold; see `dsp.dynamics.gate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.units import FloatArray, Range

FOLLOWER_MS: Final = 10.0
"""Time constant of the level follower: it falls by 8.7 dB over a half wave of 50 Hz."""


@dataclass(frozen=True)
class Gate(Parameters):
    """Turns down what is below the threshold, by (ratio - 1) dB per dB, never by more than the range.

    It starts closed. The times are time constants (63 % of a step); detection is linked over channels.
    """

    kind: ClassVar[str] = "gate"
    threshold_db: float = parameter(-60.0, Range(-100.0, 0.0, "dB"))
    ratio: float = parameter(1.0, Range(1.0, 100.0, "", "log"))
    range_db: float = parameter(0.0, Range(0.0, 96.0, "dB"))
    """The most it takes away."""
    attack_ms: float = parameter(1.0, Range(0.01, 1000.0, "ms", "log"))
    """Of opening."""
    hold_ms: float = parameter(0.0, Range(0.0, 2000.0, "ms"))
    release_ms: float = parameter(100.0, Range(1.0, 5000.0, "ms", "log"))
    """Of closing."""
    hysteresis_db: float = parameter(0.0, Range(0.0, 24.0, "dB"))
    """It closes this far below the threshold at which it opens."""

    def processor(self) -> Processor:
        return GateProcessor(self)


class GateProcessor:
    """Follower, gain, whether it is open, and what is left of the hold."""

    latency_frames = 0

    def __init__(self, effect: Gate) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.dynamics import gate, time_coefficient

        effect, per_ms = self._effect, sample_rate / 1000.0
        self._gate = gate
        self._decay = time_coefficient(FOLLOWER_MS * per_ms)
        self._attack = time_coefficient(effect.attack_ms * per_ms)
        self._release = time_coefficient(effect.release_ms * per_ms)
        self._hold_frames = round(effect.hold_ms * per_ms)
        self.state = np.zeros(4)
        self.reset()

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        effect = self._effect
        self._gate(
            block, effect.threshold_db, effect.hysteresis_db, effect.ratio, effect.range_db,
            self._decay, self._attack, self._hold_frames, self._release, self.state,
        )  # fmt: skip
        return block

    def reset(self) -> None:
        closed_db = -self._effect.range_db if self._effect.ratio > 1.0 else 0.0
        self.state[:] = (0.0, closed_db, 0.0, 0.0)

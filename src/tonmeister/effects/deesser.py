"""De-esser: a high shelf that goes down while the treble is loud; see `dsp.dynamics.deess`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.dsp.filter_design import corner
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.units import FloatArray, Range


@dataclass(frozen=True)
class Deesser(Parameters):
    """Turns down sibilance, and leaves the signal bit for bit as it is while there is none.

    The times are time constants (63 % of a step); detection is linked over channels.
    """

    kind: ClassVar[str] = "deesser"
    frequency_hz: float = parameter(6000.0, Range(1000.0, 16000.0, "Hz", "log"))
    threshold_db: float = parameter(0.0, Range(-80.0, 0.0, "dB"))
    """Peak level of the treble alone."""
    ratio: float = parameter(1.0, Range(1.0, 100.0, "", "log"))
    range_db: float = parameter(24.0, Range(0.0, 48.0, "dB"))
    """The most it takes away."""
    attack_ms: float = parameter(1.0, Range(0.01, 100.0, "ms", "log"))
    release_ms: float = parameter(50.0, Range(1.0, 1000.0, "ms", "log"))

    def processor(self) -> Processor:
        return DeesserProcessor(self)


class DeesserProcessor:
    """Integrators of the splitting filter, and the gain in dB."""

    latency_frames = 0

    def __init__(self, effect: Deesser) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.dynamics import deess, time_coefficient

        effect, per_ms = self._effect, sample_rate / 1000.0
        self._deess = deess
        self._step = math.tan(corner(effect.frequency_hz, sample_rate) / 2.0)
        self._times = (
            time_coefficient(effect.attack_ms * per_ms),
            time_coefficient(effect.release_ms * per_ms),
        )
        self.state = np.zeros((channels, 2))
        self._gain_db = np.zeros(1)

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        effect = self._effect
        self._deess(
            block, self._step, effect.threshold_db, effect.ratio, effect.range_db, *self._times,
            self.state, self._gain_db,
        )  # fmt: skip
        return block

    def reset(self) -> None:
        self.state.fill(0.0)
        self._gain_db.fill(0.0)

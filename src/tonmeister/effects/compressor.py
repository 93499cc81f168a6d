"""Compressor: y = x makeup 10^(g / 20), g the smoothed static curve of the level; see `dsp.dynamics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.dsp.filter_design import butterworth
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.units import DoubleArray, FloatArray, Range, db_to_gain


@dataclass(frozen=True)
class Compressor(Parameters):
    """Turns down what is above the threshold: feed-forward, soft knee, detection linked over channels.

    The times are time constants (63 % of a step). Ratio 1 compresses nothing, 100 is limiting.
    """

    kind: ClassVar[str] = "compressor"
    threshold_db: float = parameter(0.0, Range(-80.0, 0.0, "dB"))
    ratio: float = parameter(1.0, Range(1.0, 100.0, "", "log"))
    knee_db: float = parameter(0.0, Range(0.0, 40.0, "dB"))
    attack_ms: float = parameter(10.0, Range(0.01, 1000.0, "ms", "log"))
    release_ms: float = parameter(100.0, Range(1.0, 5000.0, "ms", "log"))
    makeup_db: float = parameter(0.0, Range(-24.0, 48.0, "dB"))
    sidechain_high_pass_hz: float = parameter(0.0, Range(0.0, 2000.0, "Hz"))
    """Second-order high-pass before the detector only; 0 is off, below 10 Hz counts as 10 Hz."""

    def processor(self) -> Processor:
        return CompressorProcessor(self)


class CompressorProcessor:
    """Gain in dB and the memory of the sidechain filter."""

    latency_frames = 0

    def __init__(self, effect: Compressor) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.biquad import filter_cascade
        from tonmeister.dsp.dynamics import compress, time_coefficient

        effect, per_ms = self._effect, sample_rate / 1000.0
        self._filter, self._compress = filter_cascade, compress
        self._times = (
            time_coefficient(effect.attack_ms * per_ms),
            time_coefficient(effect.release_ms * per_ms),
        )
        self._makeup = db_to_gain(effect.makeup_db)
        self._sidechain = self._sections(sample_rate)
        self._memory = np.zeros((channels, len(self._sidechain), 2))
        self._gain_db = np.zeros(1)

    def _sections(self, sample_rate: int) -> DoubleArray:
        cutoff_hz = self._effect.sidechain_high_pass_hz
        return (
            butterworth("high_pass", max(cutoff_hz, 10.0), 2, sample_rate) if cutoff_hz else np.empty((0, 5))
        )

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        effect, detector = self._effect, block
        if len(self._sidechain):
            detector = np.empty_like(block)
            self._filter(block, detector, self._sidechain, self._memory)
        self._compress(
            block, detector, effect.threshold_db, effect.ratio, effect.knee_db, *self._times,
            self._makeup, self._gain_db,
        )  # fmt: skip
        return block

    def reset(self) -> None:
        self._memory.fill(0.0)
        self._gain_db.fill(0.0)

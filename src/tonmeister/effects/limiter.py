"""Limiter: no true peak above the ceiling, and not a bit changed where none would be; see `dsp.limiting`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_flag
from tonmeister.units import DoubleArray, FloatArray, Range, db_to_gain

SHORTEST_FRAMES: Final = 32
"""Of the look-ahead: a gain that moved faster would make new peaks between the samples."""
MARGIN_FRAMES: Final = 8
"""The gain is down this long before and after a peak between samples, which its neighbors make.

Over hot noise, squares and bursts the worst excess was 0.02 dB without it and 0.0005 dB with it.
"""


@dataclass(frozen=True)
class Limiter(Parameters):
    """Look-ahead peak limiter, linked over channels."""

    kind: ClassVar[str] = "limiter"
    ceiling_dbtp: float = parameter(-1.0, Range(-20.0, 0.0, "dBTP"))
    release_ms: float = parameter(100.0, Range(1.0, 2000.0, "ms", "log"))
    """Time constant, 63 % of a step."""
    lookahead_ms: float = parameter(5.0, Range(1.0, 10.0, "ms"))
    """Duration of the fade down to a peak; never less than 32 frames."""
    true_peak: bool = True
    """Whether peaks between the samples count (ITU-R BS.1770-4, annex 2)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("limiter.true_peak", self.true_peak)

    def processor(self) -> Processor:
        return LimiterProcessor(self)


class LimiterProcessor:
    """Detector history, gain window and the delay that both need.

    A peak between the samples is known 15 to 16 frames after it; the fade and the margin come on top.
    """

    latency_frames = 0

    def __init__(self, effect: Limiter) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp import limiting, true_peak
        from tonmeister.dsp.dynamics import time_coefficient

        effect, per_ms = self._effect, sample_rate / 1000.0
        fade = max(round(effect.lookahead_ms * per_ms), SHORTEST_FRAMES)
        late, margin = (true_peak.DELAY_FRAMES, MARGIN_FRAMES) if effect.true_peak else (0, 0)
        self.latency_frames = fade - 1 + late + margin
        self.window = limiting.LimiterWindow(fade, fade + 2 * margin + (1 if effect.true_peak else 0))
        self._limit, self._interpolate = limiting.limit, true_peak.interpolated_peaks
        self._coefficients = np.array(true_peak.every_meter())
        self._gain = true_peak.interpolator_gain(self._coefficients)
        self._ceiling = db_to_gain(effect.ceiling_dbtp)
        self._release = time_coefficient(effect.release_ms * per_ms)
        self._delayed = np.zeros((channels, self.latency_frames), np.float32)
        self._history = np.zeros((channels, true_peak.TAPS - 1), np.float32)

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        window = self.window
        self._limit(
            block, self._peaks(block), self._ceiling, self._release, self._delayed, window.window_frames,
            window.queue_gains, window.queue_times, window.first_box, window.second_box,
            window.held, window.counters,
        )  # fmt: skip
        return block

    def _peaks(self, block: FloatArray) -> DoubleArray:
        if not self._effect.true_peak:
            return np.abs(block, dtype=np.float64)
        padded = np.concatenate((self._history, block), axis=1)
        peaks = np.empty(block.shape)
        self._interpolate(padded, self._coefficients, self._gain, self._ceiling, peaks)
        self._history[:] = padded[:, block.shape[1] :]
        return peaks

    def reset(self) -> None:
        self.window.reset()
        self._delayed.fill(0.0)
        self._history.fill(0.0)

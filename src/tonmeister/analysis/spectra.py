"""Short-time spectra of a stream, kept as band powers: frames of 93 ms, half overlapped, Hann.

Frame k is centered on frame k * hop of the signal, with silence before and after it, so that every sample
weighs the same. Powers are those on a stereo bus: added over both channels, a mono signal counted twice.
"""

from __future__ import annotations

import numpy as np

from tonmeister.dsp.fft import padded_for_lanes, turns
from tonmeister.dsp.lanes import LANES
from tonmeister.dsp.spectrum import BANDS, band_layout, bin_scale, frame_length, hann
from tonmeister.dsp.spectrum_kernels import SHAPES, describe_windows
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["SpectrumMeter", "average"]

_COLUMNS_AT_ONCE = 8
"""The series of an hour is large: its float64 products are formed a few bands at a time."""


class SpectrumMeter:
    """Collects a row of band powers (66) and of shape (5) per hop; without `series` only the mean powers."""

    def __init__(
        self,
        sample_rate: int,
        channels: int,
        *,
        dual_mono: bool = True,
        shapes: bool = True,
        series: bool = True,
    ) -> None:
        self.sample_rate = sample_rate
        self.length = frame_length(sample_rate)
        self.hop = self.length // 2
        self._scale = bin_scale(self.length) * (2.0 if channels == 1 and dual_mono else 1.0)
        self._with_shapes = shapes
        self._with_series = series
        self._total: DoubleArray = np.zeros(BANDS)
        self._count = 0
        self._pending = np.zeros((channels, self.hop), np.float32)
        self._work = np.empty((2, LANES * self.length), np.float32)
        self._previous = np.zeros(self.length // 2 + 1)
        self._bands: list[FloatArray] = []
        self._shapes: list[FloatArray] = []

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        signal = np.concatenate((self._pending, block), axis=1)
        frames = max((signal.shape[1] - self.length) // self.hop + 1, 0)
        self._pending = signal[:, frames * self.hop :].copy()
        if frames:
            self._describe(signal[:, : (frames + 1) * self.hop])

    def finish(self) -> tuple[FloatArray, FloatArray]:
        """Let the last frames out; band powers (frames, 66) and shapes (frames, 5)."""
        # after this the last frame's second half is silence
        missing = -self._pending.shape[1] % self.hop + self.hop
        self.update(np.zeros((len(self._pending), missing), np.float32))
        bands = np.concatenate([np.zeros((0, BANDS), np.float32), *self._bands])
        self._bands.clear()  # the series is held once
        shapes = np.concatenate([np.zeros((0, SHAPES), np.float32), *self._shapes])
        self._shapes.clear()
        return bands, shapes

    def _describe(self, signal: FloatArray) -> None:
        frames = signal.shape[1] // self.hop - 1
        bands, shapes = np.zeros((frames, BANDS), np.float32), np.zeros((frames, SHAPES), np.float32)
        if signal.any():
            describe_windows(
                padded_for_lanes(signal, frames, self.length, self.hop), hann(self.length), self.hop,
                self._scale, *turns(self.length), self._work, *band_layout(self.sample_rate),
                self.sample_rate / self.length, self._previous, bands,
                shapes if self._with_shapes else shapes[:0],
            )  # fmt: skip
        else:
            self._previous[:] = 0.0
        if self._with_series:
            self._bands.append(bands)
            self._shapes.append(shapes)
            return
        for row in bands:  # one by one: the order of the sum must not depend on the blocks
            self._total += row
        self._count += frames

    def finish_mean(self) -> DoubleArray:
        """Let the last frames out; the mean band powers (66,) of a meter that keeps no series."""
        self.finish()
        return self._total / max(self._count, 1)


def average(rows: FloatArray, weights: DoubleArray) -> DoubleArray:
    """Weighted mean of rows; zeros when no row has weight."""
    total = float(weights.sum())
    if total <= 0:
        return np.zeros(rows.shape[1])
    few = range(0, rows.shape[1], _COLUMNS_AT_ONCE)
    sums = [(weights[:, None] * rows[:, at : at + _COLUMNS_AT_ONCE]).sum(0) for at in few]
    return np.asarray(np.concatenate(sums) / total)

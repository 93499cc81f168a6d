"""Lag and polarity between two recordings of one source, by normalised cross-correlation.

The lag is sought on the first differences (flatter spectra give a sharper peak); the value reported is the
correlation of the signals themselves at that lag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Lag", "best_lag"]

RIVAL_RATIO = 1.05
"""The best peak must beat the best peak of opposite sign by this, or polarity and lag are open."""


@dataclass(frozen=True, slots=True)
class Lag:
    """`second` lags `first` by `frames` (negative: it leads), with the signed `correlation` at that lag."""

    frames: int
    correlation: float


def best_lag(first: FloatArray, second: FloatArray, *, max_lag_frames: int) -> Lag | None:
    """The decisive lag between excerpts of shape (excerpts, frames) taken at the same times, or None.

    r(d) = sum_n first[n] second[n + d] / sqrt(energy_first energy_second), summed over the excerpts.
    """
    if first.shape[1] <= max_lag_frames or not first.any() or not second.any():
        return None
    sharp = _correlations(np.diff(first), np.diff(second), max_lag_frames)
    index = int(np.argmax(np.abs(sharp)))
    rival = float(np.max(-np.sign(sharp[index]) * sharp))
    plain = float(_correlations(first, second, max_lag_frames)[index])
    if abs(float(sharp[index])) < RIVAL_RATIO * rival or plain * sharp[index] <= 0:
        return None
    return Lag(index - max_lag_frames, plain)


def _correlations(first: FloatArray, second: FloatArray, max_lag_frames: int) -> DoubleArray:
    """Normalised cross-correlation at the lags -max to max; shape (2 max + 1,)."""
    length = 1 << int(first.shape[1] + max_lag_frames).bit_length()
    product = np.zeros(length // 2 + 1, np.complex128)
    for a, b in zip(first, second, strict=True):
        product += np.conj(np.fft.rfft(a.astype(np.float64), length)) * np.fft.rfft(
            b.astype(np.float64), length
        )
    lags = np.fft.irfft(product, length)
    near = np.concatenate((lags[-max_lag_frames:], lags[: max_lag_frames + 1]))
    norm = np.sqrt(np.sum(np.square(first, dtype=np.float64)) * np.sum(np.square(second, dtype=np.float64)))
    return np.asarray(near / norm) if norm > 0 else np.zeros(len(near))

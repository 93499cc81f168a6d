"""Bands as wide as hearing is coarse: 64 of them from 30 Hz on, none narrower than two bins of 2048 at 44.1 kHz.

The edges lie evenly on the scale of equivalent rectangular bandwidths, E = 21.4 log10(1 + 0.00437 f)
(Glasberg & Moore, Hearing Research 47, 1990), and at least 43 Hz apart. They are the same hertz at every rate; a
band above half the sample rate holds nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "BANDS",
    "band_edges_hz",
    "band_gains_to_bins",
    "band_weights",
    "centers_hz",
    "frame_length",
    "two_of_each_bin",
]

BANDS: Final = 64
LOW_HZ: Final = 30.0
HIGH_HZ: Final = 22_050.0
LEAST_HZ: Final = 2 * 44_100 / 2048
_FRAME_S: Final = 2048 / 44_100


def frame_length(sample_rate: int) -> int:
    """Power of two nearest to 46 ms: 2048 at 44.1 and 48 kHz."""
    return int(2 ** round(np.log2(_FRAME_S * sample_rate)))


@cache
def band_edges_hz() -> DoubleArray:
    """Shape (65,): from `LOW_HZ` to `HIGH_HZ`; the step on the scale is the one that needs 64 bands to get there."""
    low, high = 0.1, 2.0
    for _ in range(60):
        step = 0.5 * (low + high)
        low, high = (step, high) if _edges(step)[-1] < HIGH_HZ else (low, step)
    edges = _edges(high)
    edges[-1] = HIGH_HZ
    return edges


def _edges(step: float) -> DoubleArray:
    edges = [LOW_HZ]
    for _ in range(BANDS):
        number = 21.4 * np.log10(1 + 0.00437 * edges[-1]) + step
        edges.append(max((10 ** (number / 21.4) - 1) / 0.00437, edges[-1] + LEAST_HZ))
    return np.array(edges)


@cache
def centers_hz() -> DoubleArray:
    """Geometric means of the edges, shape (64,)."""
    edges = band_edges_hz()
    return np.asarray(np.sqrt(edges[:-1] * edges[1:]))


@cache
def band_weights(length: int, sample_rate: int) -> FloatArray:
    """Share of each bin of a transform of `length` that lies in each band, shape (64, bins)."""
    width = sample_rate / length
    bins = np.arange(length // 2 + 1) * width
    edges = band_edges_hz()
    upper = np.minimum(edges[1:, None], bins[None, :] + 0.5 * width)
    lower = np.maximum(edges[:-1, None], bins[None, :] - 0.5 * width)
    return np.asarray(np.maximum(upper - lower, 0.0) / width, np.float32)


@cache
def band_gains_to_bins(length: int, sample_rate: int) -> FloatArray:
    """Linear interpolation of decibels between the centers, the outer bands held: shape (bins, 64)."""
    bins = np.arange(length // 2 + 1) * (sample_rate / length)
    rows = [np.interp(bins, centers_hz(), row) for row in np.eye(BANDS)]
    return np.stack(rows, axis=1).astype(np.float32)


def two_of_each_bin(dense: FloatArray) -> tuple[NDArray[np.int32], FloatArray]:
    """A matrix (bins, 64) of which no row holds more than two numbers, and those side by side, without its zeros.

    Returns where the first of them stands (bins,) and both (2, bins): what `band_shaping` reads.
    """
    first = np.minimum((dense != 0).argmax(1), BANDS - 2).astype(np.int32)
    both = np.take_along_axis(dense, np.stack([first, first + 1], axis=1), axis=1)
    return first, np.ascontiguousarray(both.T)

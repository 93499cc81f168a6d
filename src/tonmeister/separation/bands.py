"""The bins of a spectrum pooled into bands as wide as the ear's, and the way back.

Bands are triangles whose centers are equally far apart on the scale of equivalent rectangular bandwidths
[GlasbergMoore1990], 21.4 log10(1 + 0.00437 f) for f in hertz; where that would be less than a bin, a band is one bin.
P (bands, bins) has rows that add up to 1, and every bin is in some band; U = P^T with its rows scaled to add up to 1
maps a mask of ones to ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["band_centers", "pooling", "unpooling"]

_ERB_PER_DECADE: Final = 21.4
_PER_HZ: Final = 0.00437


@lru_cache(maxsize=16)
def pooling(bands: int, bins: int, sample_rate: int) -> FloatArray:
    """P of shape (bands, bins) for spectra of 0 Hz to half the rate; the identity when there are as many bands as bins."""
    if bands == bins:
        return _fixed(np.eye(bins))
    centers = band_centers(bands, bins, sample_rate)
    rows = [np.interp(np.arange(bins), centers, peak) for peak in np.eye(bands)]
    weights = np.array(rows)
    return _fixed(weights / weights.sum(1, keepdims=True))


@lru_cache(maxsize=16)
def unpooling(bands: int, bins: int, sample_rate: int) -> FloatArray:
    """U of shape (bins, bands)."""
    transposed = pooling(bands, bins, sample_rate).T.astype(np.float64)
    return _fixed(transposed / transposed.sum(1, keepdims=True))


def band_centers(bands: int, bins: int, sample_rate: int) -> DoubleArray:
    """The bands' centers in bins, from 0 to the last: one bin apart as long as the scale asks for less."""
    if not 2 <= bands <= bins:
        raise BadInputError(f"bands={bands} do not fit {bins} bins: give 2 to {bins}")
    bin_hz = sample_rate / 2 / (bins - 1)
    last = _erb(bin_hz * (bins - 1))
    for single in range(bands - 1):
        rest = np.linspace(_erb(bin_hz * single), last, bands - single)
        if _hertz(rest[1]) - bin_hz * single >= bin_hz:
            return np.concatenate([np.arange(single), _hertz(rest) / bin_hz])
    return np.linspace(0.0, bins - 1.0, bands)


def _erb(hertz: float) -> float:
    return _ERB_PER_DECADE * float(np.log10(1.0 + _PER_HZ * hertz))


def _hertz(erb: DoubleArray) -> DoubleArray:
    return np.asarray((10.0 ** (erb / _ERB_PER_DECADE) - 1.0) / _PER_HZ)


def _fixed(matrix: DoubleArray) -> FloatArray:
    """float32 that nobody changes: it is shared."""
    matrix = np.asarray(matrix, np.float32)
    matrix.setflags(write=False)
    return matrix  # type: ignore[return-value]

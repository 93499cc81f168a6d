"""Frequency bands: octaves, third octaves (IEC 61260 nominal centers) and the 24 Bark bands (Zwicker 1961)."""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.units import DoubleArray

OCTAVE_HZ: Final = (31.5, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)

THIRD_OCTAVE_HZ: Final = (
    25.0, 31.5, 40.0, 50.0, 63.0, 80.0, 100.0, 125.0, 160.0, 200.0,
    250.0, 315.0, 400.0, 500.0, 630.0, 800.0, 1000.0, 1250.0, 1600.0, 2000.0,
    2500.0, 3150.0, 4000.0, 5000.0, 6300.0, 8000.0, 10000.0, 12500.0, 16000.0, 20000.0,
)  # fmt: skip

BARK_EDGES_HZ: Final = (
    20.0, 100.0, 200.0, 300.0, 400.0, 510.0, 630.0, 770.0, 920.0, 1080.0, 1270.0, 1480.0, 1720.0,
    2000.0, 2320.0, 2700.0, 3150.0, 3700.0, 4400.0, 5300.0, 6400.0, 7700.0, 9500.0, 12000.0, 15500.0,
)  # fmt: skip


def exact_centers_hz(fraction: int) -> DoubleArray:
    """Exact base-ten centers 1000 * 10^(3 n / (10 * fraction)) of the octave (1) or third-octave (3) bands."""
    count, first = (len(OCTAVE_HZ), -5) if fraction == 1 else (len(THIRD_OCTAVE_HZ), -16)
    steps = np.arange(first, first + count)
    return np.asarray(1000.0 * 10.0 ** (0.3 * steps / fraction))


def band_edges_hz(fraction: int) -> DoubleArray:
    """Edges of the octave (1) or third-octave (3) bands; shape (bands + 1,)."""
    centers = exact_centers_hz(fraction)
    half = 10.0 ** (0.15 / fraction)
    return np.append(centers / half, centers[-1] * half)

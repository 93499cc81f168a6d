"""Power spectra in bands: the frame length for a rate, band edges spread over bins, gated averages.

A power bin at f covers f - df/2 to f + df/2; what a band edge cuts is shared in proportion. That keeps the sum
of the bands equal to the power between the outer edges even where bins are wider than bands (below 100 Hz).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.bands import BARK_EDGES_HZ, band_edges_hz
from tonmeister.units import SILENCE_DB, DoubleArray, FloatArray

__all__ = [
    "BANDS",
    "BARK",
    "FRAME_S",
    "LOW",
    "OCTAVE",
    "THIRD_OCTAVE",
    "TOTAL",
    "band_layout",
    "frame_length",
    "hann",
    "powers_to_db",
]

FRAME_S: Final = 4096 / 44_100
OCTAVE: Final = slice(0, 10)
THIRD_OCTAVE: Final = slice(10, 40)
BARK: Final = slice(40, 64)
LOW: Final = 64
TOTAL: Final = 65
BANDS: Final = 66
"""Columns of a band row: octaves, third octaves, Bark bands, 20 to 150 Hz, everything."""

LOW_ENERGY_HZ: Final = 150.0


@cache
def frame_length(sample_rate: int) -> int:
    """Power of two nearest to 93 ms: 4096 at 44.1 and 48 kHz."""
    return int(2 ** round(np.log2(FRAME_S * sample_rate)))


@cache
def hann(length: int) -> FloatArray:
    """Periodic Hann window, float32."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def bin_scale(length: int) -> float:
    """Factor that makes the one-sided bins |X|^2 of a windowed frame add up to its mean square.

    (1 / N) sum_k |X_k|^2 / sum w^2, doubled for the half that is not computed (bins 0 and N/2 get half of it).
    """
    return 2.0 / (length * float(np.sum(hann(length).astype(np.float64) ** 2)))


@cache
def band_layout(sample_rate: int) -> tuple[NDArray[np.int64], DoubleArray]:
    """First and last bin (65, 2) of every band but the total, and what share of those two belongs to it."""
    length = frame_length(sample_rate)
    lows, highs = _edges()
    width = sample_rate / length
    bins = np.stack((np.floor(lows / width + 0.5), np.floor(highs / width + 0.5)), axis=1)
    shares = np.stack((bins[:, 0] + 0.5 - lows / width, highs / width + 0.5 - bins[:, 1]), axis=1)
    return bins.astype(np.int64), shares


def _edges() -> tuple[DoubleArray, DoubleArray]:
    octave, third, bark = band_edges_hz(1), band_edges_hz(3), np.array(BARK_EDGES_HZ)
    lows = np.concatenate((octave[:-1], third[:-1], bark[:-1], [20.0]))
    highs = np.concatenate((octave[1:], third[1:], bark[1:], [LOW_ENERGY_HZ]))
    return lows, highs


def powers_to_db(powers: DoubleArray) -> FloatArray:
    """Levels of powers as float32, floor -200."""
    floor = 10 ** (SILENCE_DB / 10)
    return np.asarray(10.0 * np.log10(np.maximum(powers, floor)), dtype=np.float32)

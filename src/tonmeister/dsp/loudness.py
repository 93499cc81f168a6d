"""Loudness by ITU-R BS.1770-4 and EBU Tech 3341/3342: weighting and gates as formulas on mean squares.

The weighting is two second-order sections: a shelf (the head) and a high-pass (RLB). Their digital coefficients
follow by the bilinear transform from one analog prototype, so that 48 kHz gives the table of the standard and
every other rate the same curve (the way libebur128 goes, too). This module needs numpy only.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tonmeister.units import SILENCE_DB, DoubleArray

__all__ = [
    "ABSOLUTE_GATE_LUFS",
    "MOMENTARY_CELLS",
    "SHORT_TERM_CELLS",
    "channel_weights",
    "integrated_lufs",
    "k_weighting_coefficients",
    "k_weighting_power",
    "k_weighting_response_db",
    "loudness_range_lu",
    "lufs_of_power",
]

OFFSET_LU: Final = -0.691
"""Makes a 997 Hz sine at 0 dBFS in one channel read -3.01 LUFS (BS.1770-4, annex 1)."""
ABSOLUTE_GATE_LUFS: Final = -70.0
RELATIVE_GATE_LU: Final = -10.0
RANGE_GATE_LU: Final = -20.0
RANGE_PERCENTILES: Final = (0.10, 0.95)
CELLS_PER_S: Final = 100
"""Energies are summed in cells of 10 ms; all windows are whole numbers of cells."""
STEP_CELLS: Final = 10
"""Gating blocks start every 100 ms (75 % overlap of 400 ms)."""
MOMENTARY_CELLS: Final = 40
SHORT_TERM_CELLS: Final = 300
REFERENCE_RATE: Final = 48_000

_SHELF_HZ: Final = 1681.974450955533
_SHELF_DB: Final = 3.999843853973347
_SHELF_Q: Final = 0.7071752369554196
_SHELF_BAND: Final = 0.4996667741545416
_HIGH_PASS_HZ: Final = 38.13547087602444
_HIGH_PASS_Q: Final = 0.5003270373238773


@cache
def k_weighting_coefficients(sample_rate: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shelf and high-pass as (b0, b1, b2, a1, a2) each, a0 = 1."""
    warped = math.tan(math.pi * _SHELF_HZ / sample_rate)
    high, band = 10 ** (_SHELF_DB / 20), 10 ** (_SHELF_DB * _SHELF_BAND / 20)
    square, tilt = warped * warped, warped / _SHELF_Q
    a0 = 1 + tilt + square
    shelf = (
        (high + band * tilt + square) / a0,
        2 * (square - high) / a0,
        (high - band * tilt + square) / a0,
        2 * (square - 1) / a0,
        (1 - tilt + square) / a0,
    )
    warped = math.tan(math.pi * _HIGH_PASS_HZ / sample_rate)
    square, tilt = warped * warped, warped / _HIGH_PASS_Q
    a0 = 1 + tilt + square
    return shelf, (1.0, -2.0, 1.0, 2 * (square - 1) / a0, (1 - tilt + square) / a0)


def k_weighting_power(frequency_hz: ArrayLike, sample_rate: int = REFERENCE_RATE) -> DoubleArray:
    """Power response of the K-weighting, linear: the weight of a band's power in the loudness.

    With band powers P_b added over the channels, loudness is -0.691 + 10 log10(sum_b K(f_b) P_b).
    """
    delay = np.exp(-2j * np.pi * np.asarray(frequency_hz, dtype=np.float64) / sample_rate)
    power = np.ones(delay.shape)
    for b0, b1, b2, a1, a2 in k_weighting_coefficients(sample_rate):
        response = (b0 + delay * (b1 + delay * b2)) / (1 + delay * (a1 + delay * a2))
        power = power * np.abs(response) ** 2
    return power


def k_weighting_response_db(frequency_hz: ArrayLike, sample_rate: int = REFERENCE_RATE) -> DoubleArray:
    """Response of the K-weighting in dB; about +0.69 dB at 1 kHz, which the offset of the standard cancels."""
    return _db(k_weighting_power(frequency_hz, sample_rate))


def channel_weights(channels: int, *, dual_mono: bool = False) -> DoubleArray:
    """Weights of BS.1770-4, table 3: L R, L R C Ls Rs, or L R C LFE Ls Rs; others count as 1.

    With `dual_mono` a single channel counts twice: as it sounds when both speakers play it.
    """
    weights = np.ones(channels)
    if channels in (5, 6):
        weights[-2:] = 1.41
    if channels == 6:
        weights[3] = 0.0
    if channels == 1 and dual_mono:
        weights[0] = 2.0
    return weights


def lufs_of_power(power: ArrayLike) -> DoubleArray:
    """Loudness of K-weighted, channel-weighted mean squares: -0.691 + 10 log10(power), floor -200."""
    values = np.asarray(power, dtype=np.float64)
    return np.maximum(_db(values) + OFFSET_LU * (values > 0), SILENCE_DB)


def window_powers(energy: DoubleArray, frames: NDArray[np.int64], *, cells: int, step: int) -> DoubleArray:
    """Mean square in windows of `cells` cells, one every `step` cells; only windows that are complete."""
    if len(energy) < cells:
        return np.zeros(0)
    window = np.lib.stride_tricks.sliding_window_view
    return np.asarray(window(energy, cells)[::step].sum(-1) / window(frames, cells)[::step].sum(-1))


def integrated_lufs(block_powers: DoubleArray) -> float | None:
    """Gated loudness of 400 ms block powers (BS.1770-4, eq. 5 to 7); None when no block passes -70 LUFS."""
    audible = gated(block_powers)
    if not len(audible):
        return None
    return float(lufs_of_power(audible.mean()))


def gated(block_powers: DoubleArray) -> DoubleArray:
    """The block powers above the absolute and the relative gate."""
    audible = block_powers[lufs_of_power(block_powers) > ABSOLUTE_GATE_LUFS]
    if not len(audible):
        return audible
    return np.asarray(audible[audible > audible.mean() * 10 ** (RELATIVE_GATE_LU / 10)])


def loudness_range_lu(short_term_powers: DoubleArray) -> float | None:
    """Loudness range (EBU Tech 3342): 95th minus 10th percentile of gated 3 s loudness; None without any."""
    audible = short_term_powers[lufs_of_power(short_term_powers) > ABSOLUTE_GATE_LUFS]
    if not len(audible):
        return None
    audible = np.sort(audible[audible >= audible.mean() * 10 ** (RANGE_GATE_LU / 10)])
    low, high = (audible[int((len(audible) - 1) * share + 0.5)] for share in RANGE_PERCENTILES)
    return float(lufs_of_power(high) - lufs_of_power(low))


def _db(power: DoubleArray) -> DoubleArray:
    floor = 10 ** (SILENCE_DB / 10)
    return np.asarray(10.0 * np.log10(np.maximum(power, floor)))

"""When a track plays: a hysteresis gate on its loudness, relative to its own loud level.

Mansbridge, Finn & Reiss (AES 132, 2012) first bring a track to between -20 and -10 LUFS, then open a gate above
-25 LUFS and close it below -30. Here the gain staging is virtual and one gain for the whole track: the loud level
(the 95th percentile of the momentary loudness within 20 LU of its maximum) is taken to -10 LUFS, the end of that window that
a part with soft passages reaches. So the gate opens 15 LU below the loud level, closes 20 LU below
it, and does not change when the track is turned up or down.

The level that is gated is the K-weighted energy of 100 ms around a cell, short enough that one drum hit is
active for about its own length; pauses up to the momentary window of 400 ms between two hits are bridged.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.loudness import (
    ABSOLUTE_GATE_LUFS,
    MOMENTARY_CELLS,
    lufs_of_power,
    window_powers,
)
from tonmeister.units import DoubleArray

__all__ = ["BoolArray", "bridge", "hysteresis", "loud_level_lufs", "sounding_cells"]

BoolArray = np.ndarray[tuple[int], np.dtype[np.bool_]]

STAGED_LUFS: Final = -10.0
OPEN_LUFS: Final = -25.0
CLOSE_LUFS: Final = -30.0
LOUD_PERCENTILE: Final = 95.0
LOUD_RANGE_LU: Final = 20.0
LEVEL_CELLS: Final = 10
BRIDGE_CELLS: Final = MOMENTARY_CELLS


def loud_level_lufs(energy: DoubleArray, frames: NDArray[np.int64]) -> float | None:
    """95th percentile of the loud momentary values; of a track under 400 ms its mean; None below -70 LUFS."""
    if len(energy) < MOMENTARY_CELLS:
        powers = np.array([energy.sum() / max(int(frames.sum()), 1)])
    else:
        powers = window_powers(energy, frames, cells=MOMENTARY_CELLS, step=1)
    loudness = lufs_of_power(powers)
    if loudness.max(initial=ABSOLUTE_GATE_LUFS) <= ABSOLUTE_GATE_LUFS:
        return None
    return float(np.percentile(loudness[loudness > loudness.max() - LOUD_RANGE_LU], LOUD_PERCENTILE))


def sounding_cells(energy: DoubleArray, frames: NDArray[np.int64]) -> BoolArray:
    """The gate per cell of 10 ms, without bridging; `energy` is K-weighted and channel-weighted."""
    loud = loud_level_lufs(energy, frames)
    if loud is None:
        return np.zeros(len(energy), np.bool_)
    level = _centered_lufs(energy, frames)
    return hysteresis(level, loud + OPEN_LUFS - STAGED_LUFS, loud + CLOSE_LUFS - STAGED_LUFS)


def _centered_lufs(energy: DoubleArray, frames: NDArray[np.int64]) -> DoubleArray:
    """Loudness of the 100 ms around each cell; what lies outside the signal does not count."""
    before, after = LEVEL_CELLS // 2, LEVEL_CELLS - LEVEL_CELLS // 2 - 1
    window = np.lib.stride_tricks.sliding_window_view
    energies = window(np.pad(energy, (before, after)), LEVEL_CELLS).sum(-1)
    counts = window(np.pad(frames, (before, after)), LEVEL_CELLS).sum(-1)
    return lufs_of_power(energies / counts)


def hysteresis(level: DoubleArray, opening: float, closing: float) -> BoolArray:
    """Open above `opening`, stay open until below `closing`.

    The last cell that was decisive decides: above `opening` or below `closing`.
    """
    decisive = (level > opening) | (level < closing)
    latest = np.maximum.accumulate(np.where(decisive, np.arange(len(level)), -1))
    return np.asarray((latest >= 0) & (level[np.maximum(latest, 0)] > opening))


def bridge(gate: BoolArray, cells: int = BRIDGE_CELLS) -> BoolArray:
    """Close gaps of at most `cells` between open stretches."""
    inside = np.flatnonzero(gate)
    filled = gate.copy()
    for index in np.flatnonzero((np.diff(inside) > 1) & (np.diff(inside) <= cells + 1)):
        filled[inside[index] : inside[index + 1]] = True
    return filled

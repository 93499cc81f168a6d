"""Where notes and hits begin: rises of energy in four bands, in cells of 10 ms.

A band's rise is its energy over the largest of the three cells before, in dB: a maximum over 30 ms neither
sees the beating of a sustained sound nor the single periods of a low tone. The rises are averaged over the
bands that matter; peaks above a moving median are onsets (the scheme of Bello et al., IEEE TSAP 13(5), 2005).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tonmeister.dsp.cell_kernels import onset_cells
from tonmeister.dsp.loudness import CELLS_PER_S
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["BandEnergies", "onset_strength_db", "pick_onsets"]

SPLITS_HZ: Final = (200.0, 1000.0, 4000.0)
BANDS: Final = 4
PAST_CELLS: Final = 3
FLOOR_DB: Final = -40.0
"""Energies this far below the loudest of the track do not count as rises."""
THRESHOLD_DB: Final = 3.0
"""By how much a peak must stand above the moving median."""
NEIGHBOUR_CELLS: Final = 3
MEDIAN_CELLS: Final = 21
SEPARATION_CELLS: Final = 5
CELLS_AT_ONCE: Final = 6000
"""A minute: what is computed of an hour's cells takes the memory of a minute's."""


class BandEnergies:
    """Collects the energies of four bands (below 200 Hz, to 1 kHz, to 4 kHz, above) in cells of 10 ms."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._position = 0
        self._sections = np.array([_low_pass(f, sample_rate) for f in SPLITS_HZ])
        self._state = np.zeros((channels, 6))
        self._partial = np.zeros((channels, BANDS))
        self._cells: list[DoubleArray] = []

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        frames = block.shape[1]
        cells = np.zeros((frames * CELLS_PER_S // self._rate + 2, BANDS))
        carried = (self._sections, self._state, self._partial)
        count = onset_cells(block, self._rate, self._position, *carried, cells)
        self._position += frames
        self._cells.append(cells[:count])

    def finish(self) -> DoubleArray:
        """All energies; shape (cells, 4)."""
        last = [self._partial.sum(0)[None]] if self._position else []
        cells = np.concatenate([np.zeros((0, BANDS)), *self._cells, *last])
        self._cells = [cells[: len(cells) - len(last)]]  # a view: the series is held once
        return cells


def _low_pass(frequency_hz: float, sample_rate: int) -> tuple[float, ...]:
    """Second-order Butterworth low-pass by the bilinear transform: (b0, b1, b2, a1, a2)."""
    warped = math.tan(math.pi * min(frequency_hz, 0.4 * sample_rate) / sample_rate)
    square, damping = warped * warped, math.sqrt(2.0) * warped
    a0 = 1 + damping + square
    return square / a0, 2 * square / a0, square / a0, 2 * (square - 1) / a0, (1 - damping + square) / a0


def onset_strength_db(energies: DoubleArray) -> DoubleArray:
    """Mean rise over the bands, dB, in proportion to how much of the loudest band each reaches; shape (cells,)."""
    cells, bands = energies.shape
    loudest = energies.max(axis=0, initial=0.0)
    if not cells or loudest.max() <= 0:
        return np.zeros(cells)
    floor = loudest.max() * 10 ** (FLOOR_DB / 10)
    weights = 10 * np.log10(loudest / floor + 1)
    strength = np.zeros(cells)
    for start in range(0, cells, CELLS_AT_ONCE):
        level = 10 * np.log10(energies[max(start - PAST_CELLS, 0) : start + CELLS_AT_ONCE] + floor)
        before = np.full((max(PAST_CELLS - start, 0), bands), 10 * np.log10(floor))
        past = np.concatenate((before, level))
        window = np.lib.stride_tricks.sliding_window_view(past, PAST_CELLS, axis=0)[:-1]
        rises = np.maximum(past[PAST_CELLS:] - window.max(axis=-1), 0.0)
        strength[start : start + CELLS_AT_ONCE] = (rises * weights).sum(axis=1) / weights.sum()
    return strength


def pick_onsets(strength: DoubleArray) -> FloatArray:
    """Times of the peaks of the strength, seconds: the start of the cell in which the energy rose."""
    if not len(strength):
        return np.zeros(0, np.float32)
    neighbourhood = np.pad(strength, NEIGHBOUR_CELLS)
    highest = np.lib.stride_tricks.sliding_window_view(neighbourhood, 2 * NEIGHBOUR_CELLS + 1).max(-1)
    peaks = np.flatnonzero((strength >= highest) & (strength > _moving_median(strength) + THRESHOLD_DB))
    kept: list[int] = []
    for peak in peaks:
        if not kept or peak - kept[-1] >= SEPARATION_CELLS:
            kept.append(int(peak))
    return np.array(kept, np.float32) / np.float32(CELLS_PER_S)


def _moving_median(strength: DoubleArray) -> DoubleArray:
    """Median of the `MEDIAN_CELLS` around each cell; what lies outside counts as 0."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(strength, MEDIAN_CELLS // 2), MEDIAN_CELLS)
    starts = range(0, len(strength), CELLS_AT_ONCE)
    return np.concatenate([np.median(around[at : at + CELLS_AT_ONCE], axis=-1) for at in starts])

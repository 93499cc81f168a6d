"""What the follower hears: a spectrum in semitones and its rises, one row every 20 ms, from blocks of any length.

A row x is made of two halves of equal weight. With S_p the magnitude around pitch p (Hann window of some 90 ms that ends
at the row's time) and M a slowly falling maximum of S so far::

    L_p = ln(1 + 100 S_p / M)              how loud each semitone is, whatever the gain of the microphone
    R_c = sum over octaves of max(L - L two rows before, 0)      what began, by pitch class
    x   = (L / max(|L|, 1), R / max(|R|, 1)) / sqrt(2)

Chroma with an onset-strength bin (Dixon's features in shape) was tried first and follows less well; see the measurements.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray, FloatArray

__all__ = ["DIMENSIONS", "HOP_S", "FollowingFeatures", "hop_frames"]

HOP_S: Final = 0.02
"""Dixon's hop for online time warping (20 ms), as the spec of the follower has it."""
WINDOW_S: Final = 0.09
LOWEST_PITCH: Final = 36
HIGHEST_PITCH: Final = 103
CLASSES: Final = 12
RISE_ROWS: Final = 2
COMPRESSION: Final = 100.0
HALF_LIFE_S: Final = 30.0
"""In which the maximum falls by half, so that one clap does not deafen the follower."""
SILENCE: Final = 1e-3
"""A row this far below the maximum is silent (-60 dB)."""
LEAST: Final = 1e-5
"""No maximum is below this (-100 dBFS): hiss is not blown up to music."""
PITCHES: Final = HIGHEST_PITCH - LOWEST_PITCH + 1
DIMENSIONS: Final = PITCHES + CLASSES


def hop_frames(sample_rate: int) -> int:
    """Frames between two rows."""
    return max(round(HOP_S * sample_rate), 1)


class FollowingFeatures:
    """Takes blocks, gives a row for every hop that is complete; sums the channels."""

    def __init__(self, sample_rate: int) -> None:
        self.hop = hop_frames(sample_rate)
        self._length = 2 ** round(math.log2(WINDOW_S * sample_rate))
        self._bank = _bank(sample_rate, self._length)
        self._window = np.hanning(self._length + 1)[:-1] * (2.0 / self._length)
        self._fall = 0.5 ** (self.hop / sample_rate / HALF_LIFE_S)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._buffer = np.zeros(self._length)
        self._pending: list[DoubleArray] = []
        self._held = 0
        self._maximum = 0.0
        self._before = np.zeros((RISE_ROWS, PITCHES))

    def update(self, block: FloatArray) -> tuple[DoubleArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Rows (rows, DIMENSIONS) that the block (channels, frames) completes, and which of them are silent."""
        mono = np.nan_to_num(block.sum(axis=0, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        self._pending.append(mono)
        self._held += mono.shape[0]
        if self._held < self.hop:
            return np.zeros((0, DIMENSIONS)), np.zeros(0, np.bool_)
        heard = np.concatenate(self._pending)
        count = self._held // self.hop
        rest = heard[count * self.hop :]
        self._pending, self._held = [rest], rest.shape[0]
        rows = [self._row(heard[k * self.hop : (k + 1) * self.hop]) for k in range(count)]
        return np.stack([row for row, _ in rows]), np.array([silent for _, silent in rows], np.bool_)

    def _row(self, hop: DoubleArray) -> tuple[DoubleArray, bool]:
        if self.hop >= self._length:
            self._buffer = hop[-self._length :].copy()
        else:
            self._buffer = np.concatenate((self._buffer[self.hop :], hop))
        magnitudes = self._bank @ np.abs(np.fft.rfft(self._buffer * self._window))
        loudest = float(magnitudes.max())
        self._maximum = max(self._maximum * self._fall, loudest, LEAST)
        level = np.log1p(COMPRESSION * magnitudes / self._maximum)
        rises = np.maximum(level - self._before[0], 0.0)
        self._before = np.vstack((self._before[1:], level[None]))
        row = np.concatenate((_unit(level), _unit(_FOLD @ rises))) / math.sqrt(2.0)
        return row, loudest < SILENCE * self._maximum or loudest < LEAST


_FOLD: Final = np.equal.outer(np.arange(CLASSES), np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1) % CLASSES) * 1.0
"""(classes, pitches): sums octaves."""


def _unit(values: DoubleArray) -> DoubleArray:
    return values / max(float(np.linalg.norm(values)), 1.0)


@lru_cache(maxsize=4)
def _bank(sample_rate: int, length: int) -> DoubleArray:
    """Weights (pitches, bins) of triangles a semitone wide on each side, or a bin where bins are wider; rows sum to 1."""
    width_hz = sample_rate / length
    bins_hz = np.maximum(np.arange(length // 2 + 1) * width_hz, 1.0)
    centers_hz = 440.0 * 2.0 ** ((np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1) - 69) / 12)
    reach = np.maximum(1.0, 12 * np.log2(1 + width_hz / centers_hz))
    away = np.abs(12 * np.log2(bins_hz[None, :] / centers_hz[:, None]))
    weights = np.maximum(1 - away / reach[:, None], 0.0)
    weights[centers_hz >= 0.5 * sample_rate] = 0.0
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))

"""What foretells a finished stem beside its `measures`: what an engineer would look at first. 46 values, dB unless said.

- the crest factor: 95th percentile of the peaks of 50 ms in which it sounds, against their power;
- third octaves from 50 Hz to 16 kHz against the whole, over the frames in which it sounds;
- the two highest resonances: how far they stand above the spectrum smoothed over two octaves, and where (octaves);
- phrases: deviation of the level smoothed over 1.2 s and of the level itself, mean move per 0.1 s, share of time in
  which it sounds, and percentiles of level and of peaks.

A frame sounds within 30 dB of the loudest.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray, FloatArray

__all__ = ["HINTS", "hints"]

HINTS: Final = 46
"""How many values."""
_FRAME_S: Final = 4096 / 44_100
_HOP_S: Final = 0.1
_PEAK_S: Final = 0.05
_ACTIVE_DB: Final = 30.0
_BANDS: Final = 25
_GRID_HZ: Final = (120.0, 6000.0)
_PER_OCTAVE: Final = 6
_FLOOR: Final = 1e-12


def hints(samples: FloatArray, sample_rate: int) -> DoubleArray:
    """The values of a mono signal (frames,), at the loudness it has; shape (46,), zeros where nothing is heard."""
    length, hop = round(_FRAME_S * sample_rate), round(_HOP_S * sample_rate)
    if len(samples) < length or not samples.any():
        return np.zeros(HINTS)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float32), length)[::hop]
    level = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + _FLOOR)
    sounds = level > level.max() - _ACTIVE_DB
    power = np.mean(np.abs(np.fft.rfft(frames[sounds] * np.hanning(length).astype(np.float32))) ** 2, axis=0)
    return np.concatenate([
        _peaks(samples, round(_PEAK_S * sample_rate)), _tone(power, sample_rate / length), _phrases(level, sounds)
    ])  # fmt: skip


def _peaks(samples: FloatArray, step: int) -> DoubleArray:
    """The crest factor, and percentiles of the peaks."""
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    peaks = np.abs(blocks).max(1)
    sounds = peaks > peaks.max() * 10 ** (-_ACTIVE_DB / 20)
    usual_db = 20 * np.log10(np.percentile(peaks[sounds], 95))
    rms_db = 10 * np.log10(np.mean(blocks[sounds].astype(np.float64) ** 2) + _FLOOR)
    percentiles = np.percentile(20 * np.log10(np.maximum(peaks, 1e-4)), [10, 50, 75, 90, 95, 99, 100])
    return np.array([usual_db - rms_db, *percentiles])


def _tone(power: DoubleArray, bin_hz: float) -> DoubleArray:
    """Third octaves against the whole, and the two highest resonances."""
    total_db = 10 * np.log10(power.sum() + _FLOOR)
    edges = 50.0 * 2 ** (np.arange(_BANDS + 1) / 3)
    bands = [_band(power, a, b, bin_hz).sum() for a, b in itertools.pairwise(edges)]
    against = np.clip(10 * np.log10(np.array(bands) + _FLOOR) - total_db, -70.0, 0.0)
    low, high = _GRID_HZ
    centers = low * 2 ** (np.arange(int(np.log2(high / low) * _PER_OCTAVE)) / _PER_OCTAVE)
    level = np.array([_band(power, c * 2**-0.1, c * 2**0.1, bin_hz).mean() for c in centers])
    level = 10 * np.log10(level + _FLOOR)
    over, found = level - _smoothed(level, _PER_OCTAVE), []
    for _ in range(2):
        at = int(np.argmax(over))
        found += [over[at], np.log2(centers[at])]
        over[max(at - _PER_OCTAVE // 2, 0) : at + _PER_OCTAVE // 2 + 1] = 0.0
    return np.array([*against, *found])


def _band(power: DoubleArray, low_hz: float, high_hz: float, bin_hz: float) -> DoubleArray:
    first = min(int(low_hz / bin_hz), len(power) - 1)
    return power[first : max(int(high_hz / bin_hz), first) + 1]


def _phrases(level: DoubleArray, sounds: np.ndarray) -> DoubleArray:
    at = np.flatnonzero(sounds)
    bridged = np.interp(np.arange(len(level)), at, level[at])
    slow = _smoothed(bridged, 6)
    moves = float(np.abs(np.diff(slow)).mean()) if len(slow) > 1 else 0.0
    spreads = [slow[at].std(), bridged[at].std(), moves, len(at) / len(level)]
    return np.array([*spreads, *np.percentile(level[at], [5, 25, 50, 75, 95])])


def _smoothed(values: DoubleArray, half: int) -> DoubleArray:
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(values, half, mode="edge"), window / window.sum(), mode="valid")

"""The masking matrix: which share of each track's power every other track hides, band by band.

Tracks are compared at equal integrated loudness: the levels of raw tracks say how they were recorded, not how
they will be mixed. Powers are means over about 190 ms, longer than forward masking lasts; only the time in which
the hidden track sounds counts. The hidden part of a band is what lies below the masker's threshold,
min(P, T), so that the share grows steadily with the masker's level.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Final

import numpy as np

from tonmeister.dsp.masking import hidden_shares, masking_thresholds
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["MASKING_HOPS", "masking_frames", "masking_matrix"]

MASKING_HOPS: Final = 4
"""Spectral hops (46 ms) averaged into one frame of masking."""
BARK_BANDS: Final = 24


def masking_frames(bark: FloatArray, weights: DoubleArray) -> tuple[FloatArray, FloatArray]:
    """Means over `MASKING_HOPS` of band powers (hops, 24), and the same of the hops that sound only."""
    missing = -len(bark) % MASKING_HOPS
    padded = np.pad(bark, ((0, missing), (0, 0))).reshape(-1, MASKING_HOPS, bark.shape[1])
    gate = np.pad(weights, (0, missing)).reshape(-1, MASKING_HOPS, 1)
    return padded.mean(1).astype(np.float32), (padded * gate).mean(1).astype(np.float32)


def masking_matrix(
    frames: Mapping[str, tuple[FloatArray, FloatArray]],
    integrated_lufs: Mapping[str, float | None],
    executor: Executor,
) -> DoubleArray:
    """Shape (tracks, tracks, 24): row i, column j is what of i hides below j; 0 for silent tracks and i = j."""
    names = list(frames)
    matrix = np.zeros((len(names), len(names), BARK_BANDS))
    heard = [i for i, name in enumerate(names) if integrated_lufs[name] is not None]
    if len(heard) < 2:
        return matrix
    longest = max(len(frames[name][0]) for name in names)
    gains = {i: 10.0 ** (-(integrated_lufs[names[i]] or 0.0) / 10) for i in heard}
    thresholds = np.zeros((len(heard), longest, BARK_BANDS), np.float32)
    for row, i in enumerate(heard):
        thresholds[row, : len(frames[names[i]][0])] = masking_thresholds(frames[names[i]][0]) * gains[i]
    rows = executor.map(lambda i: _row(frames[names[i]][1] * gains[i], thresholds), heard)
    for i, shares in zip(heard, rows, strict=True):
        matrix[i, heard] = shares
        matrix[i, i] = 0.0
    return matrix


def _row(powers: FloatArray, thresholds: FloatArray) -> DoubleArray:
    shares = np.zeros((len(thresholds), BARK_BANDS))
    padded = np.pad(powers, ((0, thresholds.shape[1] - len(powers)), (0, 0)))
    hidden_shares(padded.astype(np.float32), thresholds, shares)
    return shares

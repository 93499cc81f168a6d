"""Harmonic-percussive separation by median filters: tones lie along time, hits along frequency.

With |X| the magnitudes, H = median of |X| over time, P = median of |X| over frequency::

    M_harmonic = H^2 / (H^2 + P^2),  M_percussive = P^2 / (H^2 + P^2)

Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010 (windows of 17).
"""

from __future__ import annotations

import numpy as np

from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.masks import shares_of
from tonmeister.units import FloatArray

__all__ = ["HarmonicPercussive"]

MEDIAN_FRAMES = 17
MEDIAN_BINS = 17


class HarmonicPercussive:
    """Tracks ``harmonic`` and ``percussive``."""

    tracks = ("harmonic", "percussive")
    framing = Framing(None, "hann", 4096, 4096, 1024)
    context_frames = MEDIAN_FRAMES // 2

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """One pair of masks for all channels, from their largest magnitude."""
        magnitude = np.abs(spectrum).max(axis=0)
        harmonic = _median(magnitude, MEDIAN_FRAMES, axis=1)
        percussive = _median(magnitude, MEDIAN_BINS, axis=0)
        shares = shares_of(np.stack([harmonic, percussive]), 2.0)
        return shares[:, None]


def _median(values: FloatArray, length: int, axis: int) -> FloatArray:
    """Running median along an axis, the ends mirrored."""
    half = length // 2
    edges = [(0, 0), (0, 0)]
    edges[axis] = (half, half)
    views = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, edges, mode="symmetric"), length, axis=axis
    )
    return np.asarray(np.median(views, axis=-1), np.float32)

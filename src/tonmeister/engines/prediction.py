"""What a mix will measure before it is rendered, from the loudness of its tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tonmeister.dsp.loudness import integrated_lufs, lufs_of_power
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["predicted_lufs"]


def predicted_lufs(momentary_lufs: Sequence[FloatArray], gains_db: Sequence[float]) -> float | None:
    """Integrated loudness of the sum of uncorrelated tracks; None when nothing passes the absolute gate.

    Momentary values are the gating blocks of BS.1770 (400 ms, three quarters overlapping): their powers are
    added over the tracks, then gated and averaged. `momentary_lufs` holds one (n,) series a track, `gains_db`
    the gain of each with centered pan.
    """
    powers = np.zeros(max((len(series) for series in momentary_lufs), default=0))
    for series, gain_db in zip(momentary_lufs, gains_db, strict=True):
        powers[: len(series)] += _powers(series) * 10.0 ** (gain_db / 10.0)
    return integrated_lufs(powers)


def _powers(loudness_lufs: FloatArray) -> DoubleArray:
    """Weighted mean squares of loudness values: the inverse of `lufs_of_power`."""
    offset = float(lufs_of_power(1.0))
    return np.asarray(10.0 ** ((np.asarray(loudness_lufs, dtype=np.float64) - offset) / 10.0))

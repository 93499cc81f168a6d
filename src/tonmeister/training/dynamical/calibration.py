"""Whether the stated uncertainty is true: how often the error on songs left out is within its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tonmeister.training.dynamical.comparison import DEVIATION
from tonmeister.training.dynamical.learning import TrainingSong
from tonmeister.units import DoubleArray

__all__ = ["coverage", "errors_in_deviations", "spread_scales"]

_SHARE: Final = 0.9
_WIDTH: Final = 1.6449
"""Standard deviations to either side that hold 90 % of a normal distribution."""
_LEAST_DB: Final = 1e-3


def errors_in_deviations(
    songs: Sequence[TrainingSong], found: Mapping[str, Mapping[str, DoubleArray]]
) -> DoubleArray:
    """Size of the improved smoother's errors in its own standard deviations, all songs' windows; NaN in silence."""
    return np.concatenate(
        [
            np.abs(found[s.title]["improved smoother"] - s.weights)
            / np.maximum(found[s.title][DEVIATION], _LEAST_DB)
            for s in songs
        ]
    )


def coverage(away: DoubleArray) -> DoubleArray:
    """Share of each group's windows whose error is within 1.645 deviations, shape (K,); 0.9 if they are true."""
    counts = np.isfinite(away).sum(0)
    return np.where(counts > 0, (away <= _WIDTH).sum(0) / np.maximum(counts, 1), np.nan)


def spread_scales(away: DoubleArray) -> DoubleArray:
    """What each group's deviation must be multiplied by to hold 90 % of the errors, shape (K,); 1 if nothing is known."""
    return np.array(
        [np.quantile(a[np.isfinite(a)], _SHARE) / _WIDTH if np.isfinite(a).any() else 1.0 for a in away.T]
    )

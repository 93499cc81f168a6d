"""The models of the papers, fitted to songs: a mean, regressions, and the linear dynamical system.

A song is a pair (x, y): weights of the groups, shape (F, K), NaN where a group is inactive, and features (F, M).
Songs are stacked, but no pair of frames is ever taken across the border of two songs.

J. Scott and Y. E. Kim, ISMIR 2011 (regression); J. Scott, M. Prockup, E. M. Schmidt and Y. E. Kim, SMC 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.engines.dynamical.state_space import StateSpace
from tonmeister.errors import BadInputError
from tonmeister.training.dynamical.stability import stable_transition
from tonmeister.units import DoubleArray

__all__ = ["Regression", "TrainingSong", "exponentially_smoothed", "learn_regression", "learn_state_space"]

_JITTER: Final = 1e-6
_FRAMES_PER_FEATURE: Final = 50
"""With fewer frames than this per feature the noise covariance is shrunk towards its diagonal."""


@dataclass(frozen=True, eq=False)
class TrainingSong:
    """Weights and features of one song, frame by frame."""

    title: str
    weights: DoubleArray
    """Shape (F, K), NaN where a group is inactive."""
    features: DoubleArray
    """Shape (F, M), NaN where a group is inactive."""
    artist: str = ""
    """Songs of one artist are never split between training and test."""


@dataclass(frozen=True, eq=False)
class Regression:
    """x = intercept + y B."""

    intercept: DoubleArray
    """Shape (K,)."""
    slopes: DoubleArray
    """Shape (M, K)."""
    neutral: DoubleArray
    """What stands in for a missing feature, shape (M,): its mean over the training songs."""

    def predict(self, features: DoubleArray) -> DoubleArray:
        """Weights (F, K) of features (F, M)."""
        return self.intercept + np.where(np.isfinite(features), features, self.neutral) @ self.slopes


def learn_regression(songs: Sequence[TrainingSong], *, non_negative: bool = False) -> Regression:
    """Least squares over all frames in which a group is active: beta = argmin |[1 Y] beta - x|^2.

    `non_negative` is the form of an independent replication: beta >= 0 and no intercept.
    """
    x, y = _stacked(songs)
    neutral = _means(y)
    y = np.where(np.isfinite(y), y, neutral)
    intercept, slopes = np.zeros(x.shape[1]), np.zeros((y.shape[1], x.shape[1]))
    for k in range(x.shape[1]):
        active = np.isfinite(x[:, k])
        if non_negative:
            slopes[:, k] = _non_negative(y[active], x[active, k])
        elif active.any():
            rows = np.column_stack((np.ones(int(active.sum())), y[active]))
            solution = np.linalg.lstsq(rows, x[active, k], rcond=None)[0]
            intercept[k], slopes[:, k] = solution[0], solution[1:]
    return Regression(intercept, slopes, neutral)


def _non_negative(y: DoubleArray, x: DoubleArray) -> DoubleArray:
    from scipy.optimize import nnls

    return np.asarray(nnls(y, x)[0]) if len(y) else np.zeros(y.shape[1])


def exponentially_smoothed(x: DoubleArray, memory: float = 0.9) -> DoubleArray:
    """y_n = m y_(n-1) + (1 - m) x_n along the first axis, begun at the first value: a constant stays what it is.

    Missing values (NaN) hold the last one.
    """
    out, held = np.array(x, dtype=np.float64), np.full(x.shape[1:], np.nan)
    for n, row in enumerate(out):
        moved = np.where(np.isfinite(held), memory * held + (1.0 - memory) * row, row)
        held = np.where(np.isfinite(row), moved, held)
        out[n] = held
    return out


def learn_state_space(songs: Sequence[TrainingSong], *, spectral_clipping: bool = False) -> StateSpace:
    """Supervised learning of the system from states that are known.

    A = argmin |X2 - A X1|^2 with spectral radius at most 1, C = Y X' (X X')^-1, Q and R from the residuals. Weights and
    features are expected centered (see `model.learn_model`); missing weights take their frames out.
    """
    x, y = _stacked(songs)
    before, after = _steps(songs)
    whole = np.isfinite(x).all(1) & np.isfinite(y).all(1)
    if len(before) <= x.shape[1] or int(whole.sum()) <= x.shape[1]:
        raise BadInputError(
            f"{len(before)} pairs of frames with all {x.shape[1]} groups active are too few to learn from: "
            "give more or longer songs, or learn each group by itself"
        )
    A = stable_transition(before, after, clip=spectral_clipping)
    C = np.asarray(np.linalg.lstsq(x[whole], y[whole], rcond=None)[0].T, np.float64)
    steps, noise = after - before @ A.T, y[whole] - x[whole] @ C.T
    first = np.array([s.weights[i] for s in songs for i in _first_known(s.weights)])
    mean = first.mean(0)
    spread = (
        np.cov(first.T).reshape(len(A), len(A))
        if len(first) > len(A)
        else np.cov(x[whole].T).reshape(A.shape)
    )
    return StateSpace(A, C, _covariance(steps), _noise(noise), mean, spread)


def _stacked(songs: Sequence[TrainingSong]) -> tuple[DoubleArray, DoubleArray]:
    if not songs:
        raise BadInputError("there are no songs to learn from: give at least one with its mix")
    return np.concatenate([s.weights for s in songs]), np.concatenate([s.features for s in songs])


def _steps(songs: Sequence[TrainingSong]) -> tuple[DoubleArray, DoubleArray]:
    """States of neighboring frames, of all songs, both wholly known."""
    before = np.concatenate([s.weights[:-1] for s in songs])
    after = np.concatenate([s.weights[1:] for s in songs])
    known = np.isfinite(before).all(1) & np.isfinite(after).all(1)
    return before[known], after[known]


def _first_known(weights: DoubleArray) -> list[int]:
    known = np.flatnonzero(np.isfinite(weights).all(1))
    return [int(known[0])] if len(known) else []


def _means(y: DoubleArray) -> DoubleArray:
    counts = np.isfinite(y).sum(0)
    return np.where(counts > 0, np.nansum(y, axis=0) / np.maximum(counts, 1), 0.0)


def _covariance(residual: DoubleArray) -> DoubleArray:
    size = residual.shape[1]
    return np.cov(residual.T).reshape(size, size) + _JITTER * np.eye(size)


def _noise(residual: DoubleArray) -> DoubleArray:
    """R, drawn towards its diagonal by the weight of Ledoit and Wolf where frames are few."""
    R = _covariance(residual)
    frames, size = residual.shape
    if frames >= _FRAMES_PER_FEATURE * size:
        return R
    centered = residual - residual.mean(0)
    diagonal = np.diag(np.diag(R))
    spread = float((R - diagonal).ravel() @ (R - diagonal).ravel())
    squares = sum(float(((np.outer(r, r) - R) ** 2).sum()) for r in centered[:: max(1, frames // 500)])
    error = squares / max(len(centered[:: max(1, frames // 500)]), 1) / frames
    share = min(1.0, error / spread) if spread > 0 else 0.0
    return share * diagonal + (1.0 - share) * R

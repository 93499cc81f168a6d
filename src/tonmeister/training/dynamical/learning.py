"""The models of the papers, fitted to songs: a mean, regressions, and the linear dynamical system.

A song is a pair (x, y): weights of the groups, shape (F, K), NaN where a group is inactive, and features (F, M).
Songs are stacked, but no pair of frames is ever taken across the border of two songs.

J. Scott and Y. E. Kim, ISMIR 2011 (regression); J. Scott, M. Prockup, E. M. Schmidt and Y. E. Kim, SMC 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.dynamical.regression import Regression
from tonmeister.engines.dynamical.state_space import StateSpace
from tonmeister.errors import BadInputError
from tonmeister.training.dynamical.stability import stable_transition
from tonmeister.training.dynamical.together import smoothed_together
from tonmeister.units import DoubleArray

__all__ = [
    "Regression",
    "TrainingSong",
    "exponentially_smoothed",
    "learn_offsets",
    "learn_regression",
    "learn_state_space",
    "observed_regression",
    "where_active",
]

_JITTER: Final = 1e-6
_LEAST_NOISE: Final = 0.05
_TELLING: Final = 1e-6
"""A feature that moves by less says nothing."""
_LEAST_MOTION: Final = 1e-4
"""Variance of a weight below which nothing follows it."""
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
    levels: DoubleArray | None = None
    """What was taken off the weights of each group, shape (K,), NaN where it never sounds; None if nothing was."""
    papers: DoubleArray | None = None
    """Level, centroid and slope of each group, shape (F, 3 K), where `features` are others; NaN where inactive."""
    source: str = ""

    def as_papers(self) -> TrainingSong:
        """The song with the papers' features in place of the chosen ones."""
        return self if self.papers is None else replace(self, features=self.papers, papers=None)


def learn_regression(
    songs: Sequence[TrainingSong],
    *,
    non_negative: bool = False,
    ridge: float = 0.0,
    used: NDArray[np.bool_] | None = None,
) -> Regression:
    """Least squares over all frames in which a group is active: beta = argmin |[1 Y] beta - x|^2.

    `non_negative` is the form of an independent replication: beta >= 0 and no intercept. `ridge` adds
    ridge * frames * |beta|^2 (the intercept left out), for features in units of their deviation. `used` (M, K) says which
    features each group may look at; all if it is not given.
    """
    x, y = _stacked(songs)
    neutral = _means(y)
    y = np.where(np.isfinite(y), y, neutral)
    intercept, slopes = np.zeros(x.shape[1]), np.zeros((y.shape[1], x.shape[1]))
    for k in range(x.shape[1]):
        active = np.isfinite(x[:, k])
        mine = np.ones(y.shape[1], bool) if used is None else used[:, k]
        if non_negative:
            slopes[:, k] = _non_negative(y[active], x[active, k])
        elif active.any():
            intercept[k], slopes[mine, k] = _least_squares(y[active][:, mine], x[active, k], ridge)
    return Regression(intercept, slopes, neutral)


def _least_squares(y: DoubleArray, x: DoubleArray, ridge: float) -> tuple[float, DoubleArray]:
    if ridge <= 0.0:
        solution = np.linalg.lstsq(np.column_stack((np.ones(len(y)), y)), x, rcond=None)[0]
        return float(solution[0]), np.asarray(solution[1:], np.float64)
    centered, mean = y - y.mean(0), float(x.mean())
    power = centered.T @ centered + ridge * len(y) * np.eye(y.shape[1])
    slopes: DoubleArray = np.linalg.solve(power, centered.T @ (x - mean))
    return mean - float(y.mean(0) @ slopes), np.asarray(slopes, np.float64)


def _non_negative(y: DoubleArray, x: DoubleArray) -> DoubleArray:
    from scipy.optimize import nnls

    slopes, tells = (
        np.zeros(y.shape[1]),
        np.ptp(y, axis=0) > _TELLING if len(y) else np.zeros(y.shape[1], bool),
    )
    if tells.any():
        slopes[tells] = nnls(y[:, tells], x)[0]
    return slopes


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


def learn_state_space(
    songs: Sequence[TrainingSong],
    *,
    spectral_clipping: bool = False,
    rounds: int = 1,
) -> StateSpace:
    """Supervised learning of the system from states that are known.

    A = argmin |X2 - A X1|^2 with spectral radius at most 1, C = Y X' (X X')^-1 row by row over the frames in which a
    feature is there, Q and R from the residuals. Weights and features are expected centered (`comparison.Scaling`).
    Where weights are missing they begin at their mean, 0, and are then inferred by the smoother from the features and
    the other weights, `rounds` times (a hard form of expectation maximization); without rounds they stay at the mean.
    """
    x = _stacked(songs)[0]
    known = int(np.isfinite(x).sum())
    if known <= 2 * x.shape[1] or len(x) - len(songs) <= x.shape[1]:
        raise BadInputError(
            f"{known} known weights of {x.shape[1]} groups are too few to learn from: give more or longer songs"
        )
    complete = [np.where(np.isfinite(s.weights), s.weights, 0.0) for s in songs]
    system = _fit(songs, complete, spectral_clipping)
    for _ in range(rounds if known < x.size else 0):
        complete = _completed(system, songs)
        system = _fit(songs, complete, spectral_clipping)
    return system


def observed_regression(
    songs: Sequence[TrainingSong], system: StateSpace, regression: Regression, noise_scale: float = 1.0
) -> StateSpace:
    """The improved form: a regression says what the features say, the system how gains move.

    x_t = A x_(t-1) + w_t,  z_t = x_t + v_t,  z = regression of the features. A small `noise_scale` follows the regression,
    a large one smooths it. Unlike y = C x this asks nothing of how features are distributed.
    """
    residual = np.concatenate([where_active(regression.predict(s.features), s) - s.weights for s in songs])
    return replace(system, C=np.eye(system.states), R=noise_scale * _noise(residual))


def learn_offsets(songs: Sequence[TrainingSong], system: StateSpace) -> StateSpace:
    """The system with one more state per feature, constant over a song: the song's own offset.

    y_t = C x_t + o + v_t,   o_t = o_(t-1),   o ~ N(0, variance of the residual's means between songs)
    """
    residuals = [s.features - np.where(np.isfinite(s.weights), s.weights, 0.0) @ system.C.T for s in songs]
    means = [_means(r) for r in residuals]
    K, M = system.states, len(system.C)
    noise = _noise(np.concatenate([r - m for r, m in zip(residuals, means, strict=True)]))
    between = np.diag(np.var(means, axis=0) + _JITTER)
    nothing = np.zeros((K, M))
    return StateSpace(
        np.block([[system.A, nothing], [nothing.T, np.eye(M)]]), np.hstack((system.C, np.eye(M))),
        np.block([[system.Q, nothing], [nothing.T, 1e-9 * np.eye(M)]]), noise,
        np.concatenate((system.mean, np.zeros(M))), np.block([[system.covariance, nothing], [nothing.T, between]]),
    )  # fmt: skip


def where_active(predicted: DoubleArray, song: TrainingSong) -> DoubleArray:
    """What a regression says, and nothing where a group is silent."""
    return np.where(np.isfinite(song.weights), predicted, np.nan)


def _fit(songs: Sequence[TrainingSong], states: Sequence[DoubleArray], clip: bool) -> StateSpace:
    x, y = np.concatenate(states), np.concatenate([s.features for s in songs])
    before, after = np.concatenate([s[:-1] for s in states]), np.concatenate([s[1:] for s in states])
    A = stable_transition(before, after, clip=clip)
    C = np.array([_row(x, feature) for feature in y.T])
    first = np.array([s[0] for s in states])
    mean = first.mean(0)
    spread = _covariance(first if len(first) > 2 * len(A) else x)
    return StateSpace(A, C, _covariance(after - before @ A.T), _noise(y - x @ C.T), mean, spread)


def _row(x: DoubleArray, feature: DoubleArray) -> DoubleArray:
    """How a feature follows the states; a state that hardly moves while the feature is there is left out of it."""
    seen = np.isfinite(feature)
    if int(seen.sum()) <= x.shape[1]:
        return np.zeros(x.shape[1])
    power = x[seen].T @ x[seen] + _LEAST_MOTION * seen.sum() * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(power, x[seen].T @ feature[seen]), np.float64)


def _completed(system: StateSpace, songs: Sequence[TrainingSong]) -> list[DoubleArray]:
    """The weights, and where they are missing what features and other weights say of them."""
    states, noise = system.states, system.R
    exact = 1e-4 * np.diag(np.maximum(np.diag(system.covariance), _JITTER))
    both = np.zeros((len(noise) + states, len(noise) + states))
    both[: len(noise), : len(noise)], both[len(noise) :, len(noise) :] = noise, exact
    seeing = replace(system, C=np.vstack((system.C, np.eye(states))), R=both)
    inferred = smoothed_together(seeing, [np.hstack((s.features, s.weights)) for s in songs])
    return [np.where(np.isfinite(s.weights), s.weights, x) for s, x in zip(songs, inferred, strict=True)]


def _stacked(songs: Sequence[TrainingSong]) -> tuple[DoubleArray, DoubleArray]:
    if not songs:
        raise BadInputError("there are no songs to learn from: give at least one with its mix")
    return np.concatenate([s.weights for s in songs]), np.concatenate([s.features for s in songs])


def _means(y: DoubleArray) -> DoubleArray:
    counts = np.isfinite(y).sum(0)
    return np.where(counts > 0, np.nansum(y, axis=0) / np.maximum(counts, 1), 0.0)


def _covariance(residual: DoubleArray) -> DoubleArray:
    size = residual.shape[1]
    return np.cov(residual.T).reshape(size, size) + _JITTER * np.eye(size)


def _noise(residual: DoubleArray) -> DoubleArray:
    """R over the frames in which both features are there, drawn to its diagonal where frames are few.

    The weight is the one of Ledoit and Wolf. No direction is less noisy than a part of the mean: features that say nearly
    the same (the sum of all but the bass, of all but the drums) would else be trusted for their difference.
    """
    size, seen = residual.shape[1], np.isfinite(residual)
    values = np.where(seen, residual, 0.0)
    counts = np.maximum(seen.T.astype(np.float64) @ seen, 1.0)
    R = values.T @ values / counts
    R[np.diag_indices(size)] = np.where(seen.any(0), np.diag(R), 1.0)
    if len(residual) < _FRAMES_PER_FEATURE * size:
        share = _shrinkage(values, R)
        R = share * np.diag(np.diag(R)) + (1.0 - share) * R
    levels, axes = np.linalg.eigh(R)
    least = max(_LEAST_NOISE * float(np.diag(R).mean()), _JITTER)
    return np.asarray((axes * np.maximum(levels, least)) @ axes.T + _JITTER * np.eye(size))


def _shrinkage(values: DoubleArray, R: DoubleArray) -> float:
    """How far towards the diagonal: the sampling error of R over what lies off its diagonal, at most 1."""
    off = float(((R - np.diag(np.diag(R))) ** 2).sum())
    some = values[:: max(1, len(values) // 500)]
    error = sum(float(((np.outer(r, r) - R) ** 2).sum()) for r in some) / len(some) / len(values)
    return min(1.0, error / off) if off > 0 else 0.0

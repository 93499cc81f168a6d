"""A linear-Gaussian state-space model: the filter that runs with the music, and the smoother that knows its end.

    x_t = A x_(t-1) + w_t,  w ~ N(0, Q)        y_t = C x_t + v_t,  v ~ N(0, R)        x_1 ~ N(mean, covariance)

Entries of y that are NaN are missing: their rows of y, C and R are left out; without any the state is predicted only.
Covariances are updated in Joseph's form, and systems are solved, never inverted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["Belief", "Estimates", "KalmanFilter", "StateSpace", "both_ways", "filtered", "smoothed"]

_STEADY: Final = 1e-14
"""A covariance that changes by less, relative to itself, has settled: gains then need not be computed again."""


@dataclass(frozen=True, eq=False)
class StateSpace:
    """K states, M observations."""

    A: DoubleArray
    """Transition, shape (K, K)."""
    C: DoubleArray
    """Observation, shape (M, K)."""
    Q: DoubleArray
    """Covariance of the state's steps, shape (K, K)."""
    R: DoubleArray
    """Covariance of the observation's noise, shape (M, M)."""
    mean: DoubleArray
    """Of the first state, shape (K,)."""
    covariance: DoubleArray
    """Of the first state, shape (K, K)."""

    def __post_init__(self) -> None:
        states, observations = self.A.shape[0], self.C.shape[0]
        wanted = {
            "A": (states, states), "C": (observations, states), "Q": (states, states),
            "R": (observations, observations), "mean": (states,), "covariance": (states, states),
        }  # fmt: skip
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise BadInputError(f"{name} has shape {array.shape}, not {shape} of finite numbers")

    @property
    def states(self) -> int:
        """How many hidden states there are."""
        return int(self.A.shape[0])

    @property
    def spectral_radius(self) -> float:
        """Largest absolute eigenvalue of A; above 1 the state runs away."""
        return float(np.abs(np.linalg.eigvals(self.A)).max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of the state in one frame."""

    mean: DoubleArray
    """Shape (K,)."""
    covariance: DoubleArray
    """Shape (K, K)."""
    gain: DoubleArray
    """By how much each observation moved each state, per unit of surprise; shape (K, M), 0 where missing."""
    surprise: DoubleArray
    """Observation minus forecast, shape (M,), 0 where missing."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Beliefs over all frames."""

    means: DoubleArray
    """Shape (F, K)."""
    covariances: DoubleArray
    """Shape (F, K, K)."""
    contributions: DoubleArray
    """Gain times surprise per frame, state and observation: what moved each state; shape (F, K, M)."""

    @property
    def deviations(self) -> DoubleArray:
        """Standard deviation of each state, shape (F, K)."""
        return np.sqrt(np.maximum(np.diagonal(self.covariances, axis1=1, axis2=2), 0.0))

    def spread(self, scales: DoubleArray) -> Estimates:
        """The same with standard deviations `scales` (K,) times as large."""
        return replace(self, covariances=self.covariances * np.outer(scales, scales))


class KalmanFilter:
    """Causal inference: a frame in, a belief out; it never looks ahead."""

    def __init__(self, model: StateSpace) -> None:
        self.model = model
        self.reset()

    def reset(self) -> None:
        """As before the first frame."""
        self._mean: DoubleArray | None = None
        self._covariance = self.model.covariance
        self._last: tuple[np.ndarray, DoubleArray, DoubleArray, DoubleArray] | None = None

    def forecast(self) -> tuple[DoubleArray, DoubleArray]:
        """Mean and covariance of the state in the next frame, before it is observed."""
        if self._mean is None:
            return self.model.mean, self.model.covariance
        A = self.model.A
        return A @ self._mean, A @ self._covariance @ A.T + self.model.Q

    def update(self, y: DoubleArray, noise: DoubleArray | None = None) -> Belief:
        """Take the next observation (M,); `noise` (M, M) replaces R in this frame."""
        mean, covariance = self.forecast()
        seen = np.isfinite(y)
        if noise is not None or not self._is_steady(seen, covariance):
            gain, updated = _gain(self.model, covariance, seen, self.model.R if noise is None else noise)
            self._last = None if noise is not None else (seen, covariance, gain, updated)
        else:
            assert self._last is not None
            _, _, gain, updated = self._last
        surprise = np.where(seen, y - self.model.C @ mean, 0.0)
        self._mean, self._covariance = mean + gain @ surprise, updated
        return Belief(self._mean, updated, gain, surprise)

    def _is_steady(self, seen: np.ndarray, covariance: DoubleArray) -> bool:
        """Whether this frame's gain is the last one's: it no longer changes, and the same features are there."""
        if self._last is None or not np.array_equal(seen, self._last[0]):
            return False
        return float(np.abs(covariance - self._last[1]).max()) <= _STEADY * float(np.abs(covariance).max())


def _gain(
    model: StateSpace, covariance: DoubleArray, seen: np.ndarray, noise: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """S = C P C' + R, G = P C' S^-1, and P = (I - G C) P (I - G C)' + G R G'; G is 0 where nothing is seen."""
    gain = np.zeros((model.states, len(seen)))
    if not seen.any():
        return gain, covariance
    C, R = model.C[seen], noise[np.ix_(seen, seen)]
    G = np.linalg.solve(C @ covariance @ C.T + R, C @ covariance).T
    gain[:, seen] = G
    rest = np.eye(model.states) - G @ C
    return gain, rest @ covariance @ rest.T + G @ R @ G.T


def filtered(model: StateSpace, y: DoubleArray, noise: DoubleArray | None = None) -> Estimates:
    """The filter over all frames of y (F, M); `noise` (F, M, M) replaces R frame by frame."""
    machine = KalmanFilter(model)
    beliefs = [machine.update(row, None if noise is None else noise[i]) for i, row in enumerate(y)]
    return _collected(model, beliefs, y.shape[1])


def _collected(model: StateSpace, beliefs: list[Belief], observations: int) -> Estimates:
    states, frames = model.states, len(beliefs)
    return Estimates(
        np.array([b.mean for b in beliefs]).reshape(frames, states),
        np.array([b.covariance for b in beliefs]).reshape(frames, states, states),
        np.array([b.gain * b.surprise for b in beliefs]).reshape(frames, states, observations),
    )


def smoothed(model: StateSpace, y: DoubleArray, noise: DoubleArray | None = None) -> Estimates:
    """The smoother of Rauch, Tung and Striebel over all frames of y (F, M).

    With J = P_t A' (P-_(t+1))^-1:  x_t|T = x_t + J (x_(t+1)|T - x-_(t+1)),
    P_t|T = P_t + J (P_(t+1)|T - P-_(t+1)) J'.
    """
    return both_ways(model, y, noise)[1]


def both_ways(
    model: StateSpace, y: DoubleArray, noise: DoubleArray | None = None
) -> tuple[Estimates, Estimates]:
    """What the filter and what the smoother say of y (F, M)."""
    forward = filtered(model, y, noise)
    means, covariances = forward.means.copy(), forward.covariances.copy()
    A = model.A
    ahead = A @ forward.covariances @ A.T + model.Q
    back = np.swapaxes(np.linalg.solve(ahead, A @ forward.covariances), 1, 2)
    for t in range(len(y) - 2, -1, -1):
        J = back[t]
        means[t] += J @ (means[t + 1] - A @ forward.means[t])
        covariances[t] += J @ (covariances[t + 1] - ahead[t]) @ J.T
    return forward, Estimates(means, covariances, forward.contributions)

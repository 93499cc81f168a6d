"""The smoother of `state_space` over many songs side by side: the same numbers in a fraction of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tonmeister.engines.dynamical.state_space import StateSpace
from tonmeister.units import DoubleArray

__all__ = ["smoothed_together"]


def smoothed_together(model: StateSpace, songs: Sequence[DoubleArray]) -> list[DoubleArray]:
    """Smoothed means (F, K) of each song's observations (F, M); NaN is missing, songs may differ in length."""
    y = np.full((len(songs), max(map(len, songs)), len(model.C)), np.nan)
    for row, song in zip(y, songs, strict=True):
        row[: len(song)] = song
    means, covariances = _forward(model, y)
    A = model.A
    for t in range(y.shape[1] - 2, -1, -1):
        ahead = A @ covariances[t] @ A.T + model.Q
        J = np.swapaxes(np.linalg.solve(ahead, A @ covariances[t]), 1, 2)
        means[t] += np.einsum("skj,sj->sk", J, means[t + 1] - means[t] @ A.T)
        covariances[t] += J @ (covariances[t + 1] - ahead) @ np.swapaxes(J, 1, 2)
    return [means[: len(song), s] for s, song in enumerate(songs)]


def _forward(model: StateSpace, y: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Filtered means (F, songs, K) and covariances (F, songs, K, K).

    A missing observation has an empty row of C, and a noise of its own in R that touches nothing.
    """
    count, frames, width = y.shape
    states, one = model.states, np.eye(width)
    mean = np.tile(model.mean, (count, 1))
    covariance = np.tile(model.covariance, (count, 1, 1))
    means, covariances = np.empty((frames, count, states)), np.empty((frames, count, states, states))
    for t in range(frames):
        if t:
            mean, covariance = mean @ model.A.T, model.A @ covariance @ model.A.T + model.Q
        seen = np.isfinite(y[:, t])
        C = model.C * seen[..., None]
        R = np.where(seen[:, :, None] & seen[:, None, :], model.R, one)
        G = np.swapaxes(np.linalg.solve(C @ covariance @ np.swapaxes(C, 1, 2) + R, C @ covariance), 1, 2)
        surprise = np.where(seen, y[:, t], 0.0) - np.einsum("snk,sk->sn", C, mean)
        mean = mean + np.einsum("skn,sn->sk", G, surprise)
        rest = np.eye(states) - G @ C
        covariance = rest @ covariance @ np.swapaxes(rest, 1, 2) + G @ R @ np.swapaxes(G, 1, 2)
        means[t], covariances[t] = mean, covariance
    return means, covariances

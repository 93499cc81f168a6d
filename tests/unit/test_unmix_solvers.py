"""The small solvers behind unmixing against independent ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from tonmeister.unmixing.smoothing import kalman_rts, noise_and_drift, smooth
from tonmeister.unmixing.solving import least_squares, nonnegative


def problems(count: int, tracks: int, *, correlated: float) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unit length (count, rows, tracks) and right sides (count, rows)."""
    random = np.random.default_rng(count * tracks)
    shared = random.standard_normal((count, 60, 1))
    columns = random.standard_normal((count, 60, tracks)) + correlated * shared
    columns /= np.linalg.norm(columns, axis=1, keepdims=True)
    return columns, random.standard_normal((count, 60)) + correlated * shared[..., 0]


def equations(columns: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.swapaxes(columns, 1, 2) @ columns, np.einsum("nrk,nr->nk", columns, right)


@pytest.mark.parametrize(("tracks", "correlated"), [(1, 0.0), (5, 0.0), (12, 3.0), (40, 1.0)])
def test_nonnegative_equals_a_reference(tracks: int, correlated: float) -> None:
    columns, right = problems(25, tracks, correlated=correlated)
    gram, cross = equations(columns, right)
    found = nonnegative(gram, cross, np.ones(cross.shape, bool), np.zeros(tracks))
    for x, a, v in zip(found, columns, right, strict=True):
        np.testing.assert_allclose(x, nnls(a, v)[0], atol=1e-6)


def test_only_active_tracks_are_solved_for() -> None:
    columns, right = problems(10, 6, correlated=0.5)
    gram, cross = equations(columns, right)
    active = np.random.default_rng(1).random((10, 6)) < 0.6
    free = least_squares(gram, cross, active, np.zeros(6))
    bounded = nonnegative(gram, cross, active, np.zeros(6))
    for i, on in enumerate(active):
        np.testing.assert_allclose(free[i, on], np.linalg.lstsq(columns[i][:, on], right[i])[0], atol=1e-6)
        np.testing.assert_allclose(bounded[i, on], nnls(columns[i][:, on], right[i])[0], atol=1e-6)
        assert not free[i, ~on].any()
        assert not bounded[i, ~on].any()


def test_smoother_is_the_posterior_of_the_walk() -> None:
    """Against the Gaussian posterior from one dense system: observations and steps as rows, weighted."""
    random = np.random.default_rng(2)
    steps, drift = 40, 0.02
    noise = random.uniform(0.05, 0.4, steps)
    seen = np.cumsum(random.standard_normal(steps)) * drift**0.5 + random.standard_normal(steps) * noise**0.5
    seen[10:18] = np.nan
    mean, variance = kalman_rts(seen[:, None], noise[:, None], np.array([drift]))
    there = ~np.isnan(seen)
    precision = np.diag(np.where(there, 1 / noise, 0.0))
    difference = np.diff(np.eye(steps), axis=0)
    precision += difference.T @ difference / drift
    expected = np.linalg.solve(precision, np.where(there, np.nan_to_num(seen) / noise, 0.0))
    np.testing.assert_allclose(mean[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(variance[:, 0], np.diag(np.linalg.inv(precision)), atol=1e-9)


def test_smoother_holds_before_the_first_observation() -> None:
    seen = np.array([[np.nan], [np.nan], [1.0], [1.2], [np.nan]])
    mean, variance = kalman_rts(seen, np.full((5, 1), 0.1), np.array([0.05]))
    assert mean[0] == mean[1] == mean[2]
    assert variance[0] > variance[1] > variance[2]
    assert mean[4] == mean[3]
    assert variance[4] > variance[3]


def test_drift_and_noise_are_recovered_from_overlapping_windows() -> None:
    random = np.random.default_rng(3)
    walk = np.cumsum(random.standard_normal(4000)) * 0.03
    blocks = walk + random.standard_normal(4000) * 0.5
    seen = np.convolve(blocks, np.ones(4) / 4, "valid")[:, None]
    scale, drift = noise_and_drift(seen, np.ones_like(seen), 4)
    assert scale[0] == pytest.approx(0.25 / 4, rel=0.25)
    assert drift[0] == pytest.approx(0.03**2, rel=0.8)


def test_smoothing_brings_a_noisy_walk_nearer_to_the_truth() -> None:
    random = np.random.default_rng(4)
    walk = 1.0 + np.cumsum(random.standard_normal((400, 3)), axis=0) * 0.02
    seen = walk + random.standard_normal(walk.shape) * 0.2
    seen[100:140] = np.nan
    stated = np.where(np.isnan(seen), np.nan, 1.0)  # far off: only the shape over time is relied upon
    mean, variance = smooth(seen, stated, 1)
    outside = np.r_[0:100, 140:400]
    assert np.sqrt(np.mean((mean - walk)[outside] ** 2)) < 0.5 * 0.2
    assert np.sqrt(np.mean((mean - walk)[100:140] ** 2)) < 0.2
    assert np.sqrt(variance[110:130]).mean() > 1.3 * np.sqrt(variance[outside]).mean()
    inside = np.abs(mean - walk) < 2.0 * np.sqrt(variance)
    assert inside.mean() > 0.85


def test_series_that_is_never_seen_stays_missing() -> None:
    seen = np.column_stack([np.full(20, np.nan), np.linspace(0.5, 1.0, 20)])
    mean, _ = smooth(seen, np.where(np.isnan(seen), np.nan, 1e-6), 4)
    assert np.isnan(mean[:, 0]).all()
    np.testing.assert_allclose(mean[:, 1], seen[:, 1], atol=0.02)

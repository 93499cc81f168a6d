"""The linear dynamical system: inference against statsmodels, learning against its laws."""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.engines.dynamical.state_space import KalmanFilter, StateSpace, filtered, smoothed
from tonmeister.errors import BadInputError
from tonmeister.training.dynamical.learning import (
    TrainingSong,
    exponentially_smoothed,
    learn_regression,
    learn_state_space,
)
from tonmeister.training.dynamical.stability import radius, stable_transition
from tonmeister.training.dynamical.together import smoothed_together

K, M = 5, 15


def _model(seed: int, states: int = K, observations: int = M) -> StateSpace:
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((states, states)))[0]
    A = turn @ np.diag(rng.uniform(0.9, 0.99, states)) @ turn.T
    C = rng.normal(0.0, 2.0, (observations, states))
    return StateSpace(
        A, C, 0.01 * np.eye(states), 2.0 * np.eye(observations), np.zeros(states), np.eye(states)
    )


def _simulated(model: StateSpace, frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.zeros((frames, model.states))
    x[0] = rng.multivariate_normal(model.mean, model.covariance)
    for t in range(1, frames):
        x[t] = model.A @ x[t - 1] + rng.multivariate_normal(np.zeros(model.states), model.Q)
    noise = rng.multivariate_normal(np.zeros(len(model.C)), model.R, frames)
    return x, x @ model.C.T + noise


def test_smoother_equals_statsmodels_with_missing_values():
    from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother

    model = _model(1)
    _, y = _simulated(model, 400, 2)
    rng = np.random.default_rng(3)
    y[rng.random(y.shape) < 0.1] = np.nan
    y[100:110] = np.nan
    oracle = KalmanSmoother(k_endog=M, k_states=K, k_posdef=K)
    oracle.bind(np.ascontiguousarray(y))
    oracle["design"], oracle["transition"], oracle["selection"] = model.C, model.A, np.eye(K)
    oracle["state_cov"], oracle["obs_cov"] = model.Q, model.R
    oracle.initialize_known(model.mean, model.covariance)
    result = oracle.smooth()
    ours = smoothed(model, y)
    np.testing.assert_allclose(ours.means, result.smoothed_state.T, atol=1e-8)
    np.testing.assert_allclose(ours.covariances, np.moveaxis(result.smoothed_state_cov, 2, 0), atol=1e-8)
    causal = filtered(model, y)
    np.testing.assert_allclose(causal.means, result.filtered_state.T, atol=1e-8)


def test_filter_reads_no_later_frame():
    model = _model(4)
    _, y = _simulated(model, 120, 5)
    other = y.copy()
    other[60:] = np.random.default_rng(6).standard_normal(other[60:].shape) * 50
    np.testing.assert_array_equal(filtered(model, y).means[:60], filtered(model, other).means[:60])
    assert not np.allclose(smoothed(model, y).means[:60], smoothed(model, other).means[:60])


def test_filter_is_as_good_as_new_after_reset():
    model = _model(7)
    _, y = _simulated(model, 10, 8)
    machine = KalmanFilter(model)
    first = [machine.update(row).mean for row in y]
    machine.reset()
    np.testing.assert_array_equal(first, [machine.update(row).mean for row in y])


def test_uncertainty_grows_where_nothing_is_observed():
    model = _model(9)
    _, y = _simulated(model, 200, 10)
    y[80:120] = np.nan
    deviations = smoothed(model, y).deviations
    assert deviations[90:110].mean() > 1.5 * deviations[20:60].mean()


def test_missing_weights_are_better_smoothed_than_zeros():
    rng = np.random.default_rng(11)
    truth = 0.8 + np.cumsum(rng.normal(0.0, 0.01, 400))
    seen = truth + rng.normal(0.0, 0.1, 400)
    walk = StateSpace(
        *(np.array([[v]]) for v in (1.0, 1.0, 0.0001, 0.01)), np.array([0.8]), np.array([[1.0]])
    )
    missing, zeros = seen.copy(), seen.copy()
    missing[150:190], zeros[150:190] = np.nan, 0.0
    error = [
        float(np.sqrt(np.mean((smoothed(walk, y[:, None]).means[:, 0] - truth) ** 2)))
        for y in (missing, zeros)
    ]
    assert error[0] < 0.05  # 0.04 in the notes
    assert 0.2 < error[1] < 0.4  # 0.31


def test_moving_average_of_a_constant_is_that_constant_from_the_start():
    np.testing.assert_allclose(exponentially_smoothed(np.ones((50, 2))), 1.0)
    np.testing.assert_allclose(exponentially_smoothed(np.array([[np.nan], [1.0], [np.nan], [1.0]]))[1:], 1.0)


def test_transition_is_never_unstable_and_free_where_it_is_stable():
    angle, x = 0.3, [np.array([1.0, 0.0])]
    growing = 1.05 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for _ in range(59):
        x.append(growing @ x[-1])
    states = np.array(x)
    assert radius(np.linalg.lstsq(states[:-1], states[1:], rcond=None)[0].T) > 1.04
    for clip in (False, True):
        assert radius(stable_transition(states[:-1], states[1:], clip=clip)) <= 1.0 + 1e-9
    calm = _simulated(_model(12), 300, 13)[0]
    free = np.linalg.lstsq(calm[:-1], calm[1:], rcond=None)[0].T
    np.testing.assert_array_equal(stable_transition(calm[:-1], calm[1:]), free)


def test_constraints_cost_less_than_clipping():
    rng = np.random.default_rng(14)
    x = rng.standard_normal((12, 3))
    after = x @ np.array([[1.02, 0.4, 0.0], [0.0, 1.01, 0.3], [0.1, 0.0, 0.9]]).T
    kept, clipped = stable_transition(x, after), stable_transition(x, after, clip=True)
    assert radius(kept) <= 1.0 + 1e-9
    assert np.sum((after - x @ kept.T) ** 2) <= np.sum((after - x @ clipped.T) ** 2) + 1e-9


def test_learning_returns_the_system_it_was_made_by():
    model = _model(15, 3, 8)
    songs = [TrainingSong(str(i), *_simulated(model, 2000, 20 + i)) for i in range(4)]
    learned = learn_state_space(songs)
    np.testing.assert_allclose(learned.A, model.A, atol=0.05)
    np.testing.assert_allclose(learned.C, model.C, atol=0.3)
    np.testing.assert_allclose(learned.R, model.R, atol=0.15)


def test_no_step_is_taken_across_the_border_of_two_songs():
    model = _model(16, 2, 4)
    songs = [TrainingSong("a", *_simulated(model, 300, 31)), TrainingSong("b", *_simulated(model, 300, 32))]
    far = TrainingSong("b", songs[1].weights + 100.0, songs[1].features)
    jump = learn_state_space([songs[0], far]).Q
    assert np.diag(jump).max() < 0.5, "a jump of 100 between songs is no step"


def test_regressions_against_scipy():
    from scipy.optimize import nnls

    x, y = _simulated(_model(17, 2, 4), 200, 33)
    x[:50, 0] = np.nan
    song = TrainingSong("a", x, y)
    fit = learn_regression([song])
    rows = np.column_stack((np.ones(150), y[50:]))
    np.testing.assert_allclose(
        np.r_[fit.intercept[0], fit.slopes[:, 0]], np.linalg.lstsq(rows, x[50:, 0], rcond=None)[0]
    )
    positive = learn_regression([song], non_negative=True)
    np.testing.assert_allclose(positive.slopes[:, 1], nnls(y, x[:, 1])[0])
    assert positive.intercept.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("songs", [[], [TrainingSong("short", np.ones((2, 3)), np.ones((2, 4)))]])
def test_too_little_to_learn_from_is_said(songs):
    with pytest.raises(BadInputError):
        learn_state_space(songs)


def test_songs_side_by_side_are_smoothed_as_each_alone():
    model = _model(18)
    songs = [_simulated(model, frames, 40 + frames)[1] for frames in (60, 25)]
    songs[0][10:14] = np.nan
    songs[1][3:, 2] = np.nan
    for together, song in zip(smoothed_together(model, songs), songs, strict=True):
        np.testing.assert_allclose(together, smoothed(model, song).means, atol=1e-10)

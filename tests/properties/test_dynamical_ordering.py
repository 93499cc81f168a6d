"""Which estimator is better on songs it has not seen: an order that holds for slow weights and moderate offsets.

The generator and the figures it should come near are those of section 7 in the notes on Scott et al. (2011).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tonmeister.training.dynamical.comparison import errors, leave_one_out
from tonmeister.training.dynamical.learning import TrainingSong

K, M, SONGS, FRAMES = 5, 15, 24, 400


def _songs(seed: int, slow: tuple[float, float], offset: float, noise: float) -> list[TrainingSong]:
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((K, K)))[0]
    A = turn @ np.diag(rng.uniform(*slow, K)) @ turn.T
    stationary = 0.27**2 * np.eye(K)
    step = np.linalg.cholesky(stationary - A @ stationary @ A.T)
    C = rng.normal(0.0, 2.0, (M, K))
    return [_song(rng, A, step, C, offset, noise, str(i)) for i in range(SONGS)]


def _song(rng, A, step, C, offset, noise, title) -> TrainingSong:
    x = np.empty((FRAMES, K))
    x[0] = rng.normal(0.0, 0.27, K)
    for t in range(1, FRAMES):
        x[t] = A @ x[t - 1] + step @ rng.standard_normal(K)
    y = x @ C.T + rng.normal(0.0, offset, M) + rng.normal(0.0, noise, (FRAMES, M))
    return TrainingSong(title, x + 0.8, y)


LADDER = ("mean", "regression", "regression smoothed", "system filter", "system smoother")


def _table(songs: list[TrainingSong], *more: str) -> dict[str, float]:
    """Errors over all songs, each left out once."""
    found = leave_one_out(songs, wanted=(*LADDER, *more))
    return {name: float(e.mean()) for name, e in errors(songs, found).items()}


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_each_step_of_the_ladder_lowers_the_error(seed):
    table = _table(_songs(seed, (0.97, 0.995), 0.5, 2.5))
    for name, (low, high) in zip(
        LADDER, ((0.071, 0.074), (0.045, 0.053), (0.037, 0.047), (0.019, 0.031), (0.013, 0.027)), strict=True
    ):
        assert 0.85 * low < table[name] < 1.15 * high, name
    for before, after in pairwise(LADDER[:4]):
        assert table[after] < 0.95 * table[before], (before, after)
    assert table["system smoother"] < 1.02 * table["system filter"]


def test_smoothing_a_regression_loses_where_weights_are_fast():
    """The negative case: the order belongs to slow weights."""
    table = _table(_songs(0, (0.90, 0.98), 0.5, 1.5))
    assert table["regression smoothed"] > table["regression"]
    assert table["system filter"] < table["regression"]


def test_strong_offsets_between_songs_beat_the_system_unless_it_infers_them():
    """The other negative case, and its remedy: an offset per song and feature as further states."""
    table = _table(_songs(0, (0.97, 0.995), 1.5, 2.5)[:12], "system with offsets")
    assert table["system smoother"] > table["regression"]
    assert table["system with offsets"] < 0.9 * min(table[name] for name in LADDER)

"""Which estimator is better on songs it has not seen: an order that holds for slow weights and moderate offsets.

The generator and the figures it should come near are those of section 7 in the notes on Scott et al. (2011).
"""

from __future__ import annotations

import numpy as np
import pytest

from tonmeister.training.dynamical.comparison import errors, forecasts
from tonmeister.training.dynamical.learning import TrainingSong

K, M, SONGS, FRAMES = 5, 15, 24, 400
FOLDS = 3
"""Songs left out in turn; each is learned from all the others."""


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


def _table(songs: list[TrainingSong]) -> dict[str, float]:
    held_out = songs[:FOLDS]
    found = {s.title: forecasts([o for o in songs if o is not s], s.features) for s in held_out}
    return {name: float(e.mean()) for name, e in errors(held_out, found).items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_each_step_of_the_ladder_lowers_the_error(seed):
    table = _table(_songs(seed, (0.97, 0.995), 0.5, 2.5))
    assert 0.05 < table["mean"] < 0.10  # 0.071 to 0.074 over all 24
    assert table["regression"] < 0.95 * table["mean"]
    assert table["regression smoothed"] < 0.95 * table["regression"]
    assert table["system filter"] < 0.95 * table["regression smoothed"]
    assert table["system smoother"] < 1.02 * table["system filter"]


def test_smoothing_a_regression_loses_where_weights_are_fast():
    table = _table(_songs(0, (0.90, 0.98), 0.5, 1.5))
    assert table["regression smoothed"] > table["regression"]
    assert table["system filter"] < table["regression"]

"""Every estimator on every song it has not seen: leave one song out, or all songs of one artist.

Features are centered and scaled inside each fold, so nothing of the song that is left out leaks into its forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.dynamical.state_space import filtered, smoothed
from tonmeister.training.dynamical.learning import (
    TrainingSong,
    exponentially_smoothed,
    learn_regression,
    learn_state_space,
    observed_regression,
)
from tonmeister.units import DoubleArray

__all__ = ["ESTIMATORS", "Improved", "Scaling", "errors", "forecasts", "leave_one_out"]

ESTIMATORS: Final[Mapping[str, str]] = {
    "mean": "mean of the training songs",
    "regression": "multiple linear regression",
    "regression non-negative": "its non-negative form without intercept (replication)",
    "regression ridge": "regression with small slopes (ridge)",
    "regression smoothed": "regression, exponentially smoothed",
    "system filter": "linear dynamical system, causal",
    "system smoother": "linear dynamical system, both ways",
    "improved filter": "system that observes the ridge regression, causal",
    "improved smoother": "system that observes the ridge regression, both ways",
}


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is taken off weights and features before the system is learned, and put back."""

    weights: DoubleArray
    """Means, shape (K,)."""
    features: DoubleArray
    """Means, shape (M,)."""
    scales: DoubleArray
    """Standard deviations of the features, shape (M,)."""

    @classmethod
    def of(cls, songs: Sequence[TrainingSong]) -> Scaling:
        """From the active frames of all songs."""
        x, y = np.concatenate([s.weights for s in songs]), np.concatenate([s.features for s in songs])
        mean = _column_means(y)
        deviation = np.sqrt(_column_means((y - mean) ** 2))
        return cls(_column_means(x), mean, np.where(deviation > 1e-9, deviation, 1.0))

    def applied(self, song: TrainingSong) -> TrainingSong:
        """Weights and features of a song in the scale the system is learned in."""
        return TrainingSong(song.title, song.weights - self.weights, self.scaled(song.features), song.artist)

    def scaled(self, features: DoubleArray) -> DoubleArray:
        """Features in units of their deviation from the training songs' mean."""
        return (features - self.features) / self.scales


def _column_means(values: DoubleArray) -> DoubleArray:
    counts = np.isfinite(values).sum(0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), 0.0)


@dataclass(frozen=True)
class Improved:
    """What the improved form has to be told."""

    ridge: float = 0.1
    noise_scale: float = 0.1


def forecasts(
    training: Sequence[TrainingSong],
    features: DoubleArray,
    improved: Improved = Improved(),
    active: NDArray[np.bool_] | None = None,
) -> dict[str, DoubleArray]:
    """What each estimator, learned from `training`, says of a song with `features` (F, M): weights (F, K).

    `active` (F, K) says where a group sounds; everywhere if it is not given.
    """
    scaling = Scaling.of(training)
    scaled = [scaling.applied(s) for s in training]
    y, frames = scaling.scaled(features), len(features)
    regression = learn_regression(scaled).predict(y) + scaling.weights
    system, ridge = learn_state_space(scaled), learn_regression(scaled, ridge=improved.ridge)
    watching = observed_regression(scaled, system, ridge, improved.noise_scale)
    said = ridge.predict(y)
    z = said if active is None else np.where(active, said, np.nan)
    return {
        "mean": np.tile(scaling.weights, (frames, 1)),
        "regression": regression,
        "regression non-negative": learn_regression(training, non_negative=True).predict(features),
        "regression ridge": said + scaling.weights,
        "regression smoothed": exponentially_smoothed(regression),
        "system filter": filtered(system, y).means + scaling.weights,
        "system smoother": smoothed(system, y).means + scaling.weights,
        "improved filter": filtered(watching, z).means + scaling.weights,
        "improved smoother": smoothed(watching, z).means + scaling.weights,
    }


def leave_one_out(
    songs: Sequence[TrainingSong],
    progress: Callable[[str], None] | None = None,
    improved: Improved = Improved(),
) -> dict[str, dict[str, DoubleArray]]:
    """Forecasts per song and estimator, each learned from the songs of other artists (or other songs)."""
    found: dict[str, dict[str, DoubleArray]] = {}
    for song in songs:
        others = [s for s in songs if s is not song and (not song.artist or s.artist != song.artist)]
        found[song.title] = forecasts(others, song.features, improved, np.isfinite(song.weights))
        if progress:
            progress(song.title)
    return found


def errors(
    songs: Sequence[TrainingSong], found: Mapping[str, Mapping[str, DoubleArray]]
) -> dict[str, DoubleArray]:
    """Mean squared error per estimator and group over the active frames of all songs, shape (K,); NaN if none."""
    table = {}
    for name in ESTIMATORS:
        squares = np.concatenate([(found[s.title][name] - s.weights) ** 2 for s in songs])
        counts = np.isfinite(squares).sum(0)
        table[name] = np.where(counts > 0, np.nansum(squares, axis=0) / np.maximum(counts, 1), np.nan)
    return table

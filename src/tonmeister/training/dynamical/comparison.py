"""Every estimator on every song it has not seen: leave one song out, or all songs of one artist.

Features are centered, scaled and, where that is asked for, selected inside each fold, so nothing of the song that is left
out leaks into its forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.dynamical.regression import Regression
from tonmeister.engines.dynamical.state_space import Estimates, StateSpace, both_ways, smoothed
from tonmeister.training.dynamical.learning import (
    TrainingSong,
    exponentially_smoothed,
    learn_offsets,
    learn_regression,
    learn_state_space,
    observed_regression,
)
from tonmeister.training.dynamical.selection import selected
from tonmeister.units import DoubleArray

__all__ = [
    "DEVIATION",
    "ESTIMATORS",
    "PAPERS",
    "Improved",
    "Scaling",
    "errors",
    "forecasts",
    "improved_estimates",
    "leave_one_out",
    "others_than",
    "papers_system",
    "ridge_regression",
]

PAPERS: Final[Mapping[str, str]] = {
    "mean": "mean of the training songs",
    "regression": "multiple linear regression",
    "regression non-negative": "its non-negative form without intercept (replication)",
    "regression smoothed": "regression, exponentially smoothed",
    "system filter": "linear dynamical system, causal",
    "system smoother": "linear dynamical system, both ways",
}
ESTIMATORS: Final[Mapping[str, str]] = {
    **PAPERS,
    "system per instrument": "a system per instrument, both ways",
    "system with offsets": "system with an offset per song and feature, both ways",
    "regression ridge": "regression with small slopes on the chosen features",
    "regression ridge smoothed": "the same, exponentially smoothed",
    "improved filter": "system that observes it, causal",
    "improved smoother": "system that observes it, both ways",
}

DEVIATION: Final = "standard deviation of the improved smoother"
"""Beside the forecasts, for calibration."""


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
        return replace(song, weights=song.weights - self.weights, features=self.scaled(song.features))

    def scaled(self, features: DoubleArray) -> DoubleArray:
        """Features in units of their deviation from the training songs' mean."""
        return (features - self.features) / self.scales


def _column_means(values: DoubleArray) -> DoubleArray:
    counts = np.isfinite(values).sum(0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), 0.0)


@dataclass(frozen=True, eq=False)
class Improved:
    """What the improved form has to be told."""

    ridge: float = 0.1
    noise_scale: float = 0.1
    menu: NDArray[np.bool_] | None = None
    """The features (M, K) of which a greedy search selects; all are looked at where there is no menu."""


def forecasts(
    training: Sequence[TrainingSong],
    song: TrainingSong,
    improved: Improved = Improved(),
    wanted: Sequence[str] = (*ESTIMATORS, DEVIATION),
) -> dict[str, DoubleArray]:
    """What each estimator, learned from `training`, says of the gains in `song`: weights (F, K).

    Of the song's own weights only where they are missing is used: there a group is silent.
    """
    system = papers_system(training)
    found = _papers_forecasts([s.as_papers() for s in training], song.as_papers(), system, set(wanted))
    if any(name not in found for name in wanted):
        scaling = Scaling.of(training)
        causal, both, said = improved_estimates(training, song, improved, system)
        said = said + scaling.weights
        found |= {
            "regression ridge": said,
            "regression ridge smoothed": exponentially_smoothed(said),
            "improved filter": causal.means + scaling.weights,
            "improved smoother": both.means + scaling.weights,
            DEVIATION: both.deviations,
        }
    return {name: found[name] for name in wanted}


def papers_system(training: Sequence[TrainingSong]) -> StateSpace:
    """The system as the papers have it; how gains move is the same whatever is observed."""
    papers = [s.as_papers() for s in training]
    scaling = Scaling.of(papers)
    return learn_state_space([scaling.applied(s) for s in papers])


def _papers_forecasts(
    training: Sequence[TrainingSong], song: TrainingSong, system: StateSpace, wanted: set[str]
) -> dict[str, DoubleArray]:
    scaling = Scaling.of(training)
    scaled, y = [scaling.applied(s) for s in training], scaling.scaled(song.features)
    regression = learn_regression(scaled).predict(y) + scaling.weights
    causal, both = both_ways(system, y)
    found = {
        "mean": np.tile(scaling.weights, (len(y), 1)),
        "regression": regression,
        "regression smoothed": exponentially_smoothed(regression),
        "system filter": causal.means + scaling.weights,
        "system smoother": both.means + scaling.weights,
    }
    if "regression non-negative" in wanted:
        fit = learn_regression(training, non_negative=True)
        found["regression non-negative"] = fit.predict(song.features)
    if "system per instrument" in wanted:
        found["system per instrument"] = _per_instrument(scaled, y) + scaling.weights
    if "system with offsets" in wanted:
        found["system with offsets"] = _with_offsets(scaled, system, y) + scaling.weights
    return found


def _with_offsets(scaled: Sequence[TrainingSong], system: StateSpace, y: DoubleArray) -> DoubleArray:
    return smoothed(learn_offsets(scaled, system), y).means[:, : system.states]


def _per_instrument(scaled: Sequence[TrainingSong], y: DoubleArray) -> DoubleArray:
    """A scalar state per group, each observed through the features of all tracks; 0 where nothing was learned."""
    found = np.zeros((len(y), scaled[0].weights.shape[1]))
    for k in range(found.shape[1]):
        alone = [replace(s, weights=s.weights[:, k : k + 1]) for s in scaled]
        alone = [s for s in alone if np.isfinite(s.weights).any()]
        if sum(int(np.isfinite(s.weights).sum()) for s in alone) > 2 * y.shape[1]:
            found[:, k] = smoothed(learn_state_space(alone, rounds=0), y).means[:, 0]
    return found


def ridge_regression(scaled: Sequence[TrainingSong], improved: Improved) -> Regression:
    """The regression that the improved form observes."""
    used = None if improved.menu is None else selected(scaled, improved.ridge, improved.menu)
    return learn_regression(scaled, ridge=improved.ridge, used=used)


def improved_estimates(
    training: Sequence[TrainingSong], song: TrainingSong, improved: Improved, system: StateSpace
) -> tuple[Estimates, Estimates, DoubleArray]:
    """Filter, smoother and the regression they observe, around the training songs' mean."""
    scaling = Scaling.of(training)
    scaled = [scaling.applied(s) for s in training]
    ridge = ridge_regression(scaled, improved)
    watching = observed_regression(scaled, system, ridge, improved.noise_scale)
    said = ridge.predict(scaling.scaled(song.features))
    z = np.where(np.isfinite(song.weights), said, np.nan)
    return *both_ways(watching, z), said


def others_than(song: TrainingSong, songs: Sequence[TrainingSong]) -> list[TrainingSong]:
    """The songs of other artists (or other songs, where artists are not known)."""
    return [s for s in songs if s is not song and (not song.artist or s.artist != song.artist)]


def leave_one_out(
    songs: Sequence[TrainingSong],
    progress: Callable[[str], None] | None = None,
    improved: Improved = Improved(),
    wanted: Sequence[str] = (*ESTIMATORS, DEVIATION),
) -> dict[str, dict[str, DoubleArray]]:
    """Forecasts per song and estimator, each learned from the songs of other artists (or other songs)."""
    found: dict[str, dict[str, DoubleArray]] = {}
    for song in songs:
        found[song.title] = forecasts(others_than(song, songs), song, improved, wanted)
        if progress:
            progress(song.title)
    return found


def errors(
    songs: Sequence[TrainingSong], found: Mapping[str, Mapping[str, DoubleArray]]
) -> dict[str, DoubleArray]:
    """Mean squared error per estimator and group over the active frames of all songs, shape (K,); NaN if none."""
    table = {}
    for name in (name for name in ESTIMATORS if songs and name in found[songs[0].title]):
        squares = np.concatenate([(found[s.title][name] - s.weights) ** 2 for s in songs])
        counts = np.isfinite(squares).sum(0)
        table[name] = np.where(counts > 0, np.nansum(squares, axis=0) / np.maximum(counts, 1), np.nan)
    return table

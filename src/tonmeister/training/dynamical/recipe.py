"""From songs to a model with figures: which layout, which normalization, learned from what, how good."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.dynamical.frames import Layout
from tonmeister.engines.dynamical.groups import SCHEMES, Scheme
from tonmeister.engines.dynamical.model import KIND, DynamicalModel, Observes
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.model_files.store import save_model
from tonmeister.training.dynamical.comparison import (
    ESTIMATORS,
    Improved,
    Scaling,
    errors,
    forecasts,
    leave_one_out,
)
from tonmeister.training.dynamical.data import SongFrames, enough, training_song
from tonmeister.training.dynamical.learning import (
    TrainingSong,
    learn_regression,
    learn_state_space,
    observed_regression,
)
from tonmeister.units import DoubleArray

__all__ = ["Choice", "Learned", "chosen", "learn", "learning_curve", "write_model"]

LAYOUTS: Final[tuple[Layout, ...]] = ("own", "ratio", "own+others")
RIDGES: Final = (0.03, 0.1, 0.3)


@dataclass(frozen=True)
class Choice:
    """How features are laid out and centered."""

    layout: Layout = "own"
    per_song: bool = True
    improved: Improved = field(default_factory=Improved)


@dataclass(frozen=True, eq=False)
class Learned:
    """A model, and how it did on songs it had not seen."""

    model: DynamicalModel
    choice: Choice
    songs: tuple[TrainingSong, ...]
    forecasts: Mapping[str, Mapping[str, DoubleArray]]
    """Song -> estimator -> gains in dB, (F, K)."""
    mse_db2: Mapping[str, DoubleArray]
    """Estimator -> mean squared error per group, dB squared."""
    mse_weight: Mapping[str, DoubleArray]
    """The same in linear weights."""

    def overall(self, estimator: str) -> float:
        """Mean of the groups' errors, dB squared."""
        return float(np.nanmean(self.mse_db2[estimator]))


def learn(
    frames: Sequence[SongFrames],
    scheme: Scheme = "paper",
    choice: Choice | None = None,
    progress: Callable[[str], None] | None = None,
) -> Learned:
    """Learn from all songs; test each on a model of the others. Without `choice` the best is searched for."""
    choice = choice or chosen(frames, scheme)
    songs = [training_song(f, scheme, choice.layout, per_song=choice.per_song) for f in frames]
    enough(songs)
    found = leave_one_out(songs, progress, choice.improved)
    table = errors(songs, found)
    model = _fitted(songs, scheme, choice, better=_better(table))
    linear = [TrainingSong(s.title, _linear(s.weights), s.features, s.artist) for s in songs]
    as_weights = {title: {name: _linear(x) for name, x in of.items()} for title, of in found.items()}
    return Learned(model, choice, tuple(songs), found, table, errors(linear, as_weights))


def _better(table: Mapping[str, DoubleArray]) -> Observes:
    """The form with the smaller error both ways in time."""
    plain, improved = np.nanmean(table["system smoother"]), np.nanmean(table["improved smoother"])
    return "features" if plain < improved else "regression"


def _fitted(
    songs: Sequence[TrainingSong], scheme: Scheme, choice: Choice, *, better: Observes
) -> DynamicalModel:
    """Everything the model holds, from all songs."""
    scaling = Scaling.of(songs)
    scaled = [scaling.applied(s) for s in songs]
    system, ridge = learn_state_space(scaled), learn_regression(scaled, ridge=choice.improved.ridge)
    return DynamicalModel(
        system, ridge, observed_regression(scaled, system, ridge, choice.improved.noise_scale).R,
        scaling.weights + _mean_levels(songs), scaling.features, scaling.scales, scheme, SCHEMES[scheme],
        choice.layout, choice.per_song, better,
    )  # fmt: skip


def _mean_levels(songs: Sequence[TrainingSong]) -> DoubleArray:
    """Mean level of each group over the songs that have it; 0 where none has."""
    rows = np.array([s.levels for s in songs if s.levels is not None])
    if not len(rows):
        return np.zeros(songs[0].weights.shape[1])
    counts = np.isfinite(rows).sum(0)
    return np.where(counts > 0, np.nansum(rows, axis=0) / np.maximum(counts, 1), 0.0)


def _linear(gain_db: DoubleArray) -> DoubleArray:
    return np.asarray(10.0 ** (np.clip(gain_db, -60.0, 40.0) / 20.0))


def chosen(frames: Sequence[SongFrames], scheme: Scheme, layouts: Sequence[Layout] = LAYOUTS) -> Choice:
    """Layout and ridge with the lowest error of the ridge regression on songs left out.

    The regression stands for the system that observes it: the same information without memory, a hundred times cheaper.
    """
    options = [Choice(layout, True, Improved(ridge)) for layout, ridge in itertools.product(layouts, RIDGES)]
    return min(options, key=lambda choice: _left_out_error(frames, scheme, choice))


def _left_out_error(frames: Sequence[SongFrames], scheme: Scheme, choice: Choice) -> float:
    songs = [training_song(f, scheme, choice.layout, per_song=choice.per_song) for f in frames]
    enough(songs)
    squares = [(_ridge_forecast(songs, song, choice.improved.ridge) - song.weights) ** 2 for song in songs]
    return float(np.nanmean(_column_means(np.concatenate(squares))))


def _ridge_forecast(songs: Sequence[TrainingSong], song: TrainingSong, ridge: float) -> DoubleArray:
    others = [s for s in songs if s is not song and (not song.artist or s.artist != song.artist)] or list(
        songs
    )
    scaling = Scaling.of(others)
    fit = learn_regression([scaling.applied(s) for s in others], ridge=ridge)
    return fit.predict(scaling.scaled(song.features)) + scaling.weights


def _column_means(values: DoubleArray) -> DoubleArray:
    counts = np.isfinite(values).sum(0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)


def learning_curve(
    frames: Sequence[SongFrames], learned: Learned, *, points: int = 4
) -> list[tuple[int, float, float]]:
    """(songs learned from, error of the mean, error of the chosen filter) on the last quarter of the songs, dB squared."""
    songs = learned.songs
    tests = songs[-max(1, len(songs) // 4) :]
    rest = songs[: len(songs) - len(tests)]
    name = "system filter" if learned.model.observes == "features" else "improved filter"
    rows = []
    for count in sorted({max(2, round(len(rest) * (i + 1) / points)) for i in range(points)}):
        if count > len(rest):
            continue
        found = {
            s.title: forecasts(rest[:count], s.features, learned.choice.improved, np.isfinite(s.weights))
            for s in tests
        }
        table = errors(tests, found)
        rows.append((count, float(np.nanmean(table["mean"])), float(np.nanmean(table[name]))))
    return rows


def write_model(
    path: Path,
    learned: Learned,
    *,
    recipe: Mapping[str, Any],
    data: Sequence[TrainingData],
    overwrite: bool = False,
) -> ModelCard:
    """The model and its card."""
    groups = learned.model.groups
    metrics = {
        "ridge": learned.choice.improved.ridge,
        "leave one song out, mean squared error in dB^2": {
            name: {g: _figure(v) for g, v in zip(groups, learned.mse_db2[name], strict=True)}
            for name in ESTIMATORS
        },
        "leave one song out, mean squared error of the weight": {
            name: {g: _figure(v) for g, v in zip(groups, learned.mse_weight[name], strict=True)}
            for name in ESTIMATORS
        },
        "songs": len(learned.songs),
    }
    card = ModelCard(
        name=path.stem, kind=KIND, summary="moving faders of instrument groups from the sound of all tracks",
        licence="MIT", format="npz", created=date.today().isoformat(), recipe=recipe, training_data=tuple(data),
        metrics=metrics, limits=LIMITS, settings=learned.model.settings(),
    )  # fmt: skip
    return save_model(path, learned.model.arrays(), card, overwrite=overwrite)


LIMITS: Final = (
    "Follows level, spectral centroid and spectral slope in windows of one second, nothing else.",
    "Knows groups of instruments, not tracks; the balance inside a group is equal loudness or another engine's.",
    "Learned the rides around a song's mean; the mean levels of the groups are averages over the training songs.",
    "Layout, ridge and form were chosen on the same songs left out that the figures are of.",
    "Where a group is absent from the training songs its gain stays at the mean.",
)


def _figure(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None

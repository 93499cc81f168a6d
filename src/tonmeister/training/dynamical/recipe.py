"""From songs to a model with figures: which features, which normalization, learned from what, how good."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.dynamical.frames import column_names
from tonmeister.engines.dynamical.groups import SCHEMES, Scheme
from tonmeister.engines.dynamical.model import (
    KIND,
    NORMALIZATIONS,
    DynamicalModel,
    Normalization,
    Observes,
)
from tonmeister.engines.dynamical.regression import Regression
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.model_files.store import save_model
from tonmeister.training.dynamical.calibration import coverage, errors_in_deviations, spread_scales
from tonmeister.training.dynamical.comparison import (
    ESTIMATORS,
    Improved,
    Scaling,
    errors,
    forecasts,
    improved_estimates,
    leave_one_out,
    others_than,
    papers_system,
    ridge_regression,
)
from tonmeister.training.dynamical.data import SongFrames, enough, training_song
from tonmeister.training.dynamical.learning import TrainingSong, observed_regression
from tonmeister.training.dynamical.selection import menu_columns, on_menu
from tonmeister.units import DoubleArray

__all__ = ["LAYOUTS", "Choice", "Learned", "chosen", "learn", "learning_curve", "write_model"]

LAYOUTS: Final = ("own", "ratio", "own+others", "selected")
"""The papers' features of a group, against the rest, beside those of the rest; or selected from the whole menu."""
RIDGES: Final = (0.03, 0.1, 0.3)
NOISE_SCALES: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, eq=False)
class Choice:
    """What is looked at, how it is normalized, and how the improved form is set."""

    layout: str = "own"
    normalization: Normalization = "song"
    improved: Improved = field(default_factory=Improved)

    def columns(self, scheme: Scheme) -> tuple[str, ...]:
        """Names of the features that songs must have."""
        groups = SCHEMES[scheme]
        return menu_columns(groups) if self.layout == "selected" else column_names(groups, self.layout)

    def songs(self, frames: Sequence[SongFrames], scheme: Scheme) -> list[TrainingSong]:
        """Songs with these features."""
        songs = [training_song(f, scheme, self.columns(scheme), self.normalization) for f in frames]
        enough(songs)
        return songs

    def with_menu(self, scheme: Scheme) -> Choice:
        """The choice with the menu its layout asks for."""
        if self.layout != "selected":
            return self
        menu = on_menu(self.columns(scheme), SCHEMES[scheme])
        return replace(self, improved=replace(self.improved, menu=menu))


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
    coverage: Mapping[str, tuple[float, float]]
    """Group -> share of windows in which the error was within the stated 90 % interval, before and after scaling."""

    def overall(self, estimator: str) -> float:
        """Mean of the groups' errors, dB squared."""
        return float(np.nanmean(self.mse_db2[estimator]))

    def by_source(self) -> dict[str, dict[str, float]]:
        """Source of songs -> estimator -> mean of the groups' errors, dB squared."""
        sources = dict.fromkeys(s.source for s in self.songs)
        tables = {
            name: errors([s for s in self.songs if s.source == name], self.forecasts) for name in sources
        }
        return {
            name: {e: float(np.nanmean(row)) for e, row in table.items()} for name, table in tables.items()
        }


def learn(
    frames: Sequence[SongFrames],
    scheme: Scheme = "paper",
    choice: Choice | None = None,
    progress: Callable[[str], None] | None = None,
) -> Learned:
    """Learn from all songs; test each on a model of the others. Without `choice` the best is searched for."""
    choice = (choice or chosen(frames, scheme)).with_menu(scheme)
    songs = choice.songs(frames, scheme)
    found = leave_one_out(songs, progress, choice.improved)
    table = errors(songs, found)
    away = errors_in_deviations(songs, found)
    scales = spread_scales(away)
    model = _fitted(songs, scheme, choice, _better(table), scales)
    linear = [replace(s, weights=_linear(s.weights)) for s in songs]
    as_weights = {title: {name: _linear(x) for name, x in of.items()} for title, of in found.items()}
    shares = zip(coverage(away), coverage(away / scales), strict=True)
    covered = dict(zip(model.groups, shares, strict=True))
    return Learned(model, choice, tuple(songs), found, table, errors(linear, as_weights), covered)


def _better(table: Mapping[str, DoubleArray]) -> Observes:
    """The form with the smaller error both ways in time."""
    plain, improved = np.nanmean(table["system smoother"]), np.nanmean(table["improved smoother"])
    return "features" if plain < improved else "regression"


def _fitted(
    songs: Sequence[TrainingSong], scheme: Scheme, choice: Choice, better: Observes, scales: DoubleArray
) -> DynamicalModel:
    """Everything the model holds, from all songs."""
    scaling, papers = Scaling.of(songs), Scaling.of([s.as_papers() for s in songs])
    scaled = [scaling.applied(s) for s in songs]
    system, ridge = papers_system(songs), ridge_regression(scaled, choice.improved)
    noise = observed_regression(scaled, system, ridge, choice.improved.noise_scale).R
    looked_at = np.any(ridge.slopes != 0.0, axis=1)
    looked_at[0] |= not looked_at.any()
    ridge = Regression(ridge.intercept, ridge.slopes[looked_at], ridge.neutral[looked_at])
    columns = tuple(c for c, used in zip(choice.columns(scheme), looked_at, strict=True) if used)
    return DynamicalModel(
        system, ridge, noise, scales, scaling.weights + _mean_levels(songs), scaling.features[looked_at],
        scaling.scales[looked_at], papers.features, papers.scales, scheme, SCHEMES[scheme], columns,
        choice.normalization, better,
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


def chosen(frames: Sequence[SongFrames], scheme: Scheme, layouts: Sequence[str] = LAYOUTS) -> Choice:
    """Layout, normalization and ridge with the lowest error of the ridge regression on songs left out; then the noise.

    The regression stands for the system that observes it: the same information without memory, a hundred times cheaper.
    """
    best, least = Choice(layouts[0]), np.inf
    plain = [layout for layout in layouts if layout != "selected"]
    for layout, normalization in itertools.product(plain, NORMALIZATIONS):
        songs = Choice(layout, normalization).songs(frames, scheme)
        for ridge in RIDGES:
            improved = Improved(ridge)
            error = _left_out_error(songs, improved)
            if error < least:
                best, least = Choice(layout, normalization, improved), error
    if "selected" in layouts:  # searched anew in each fold, so with one setting only
        choice = replace(best, layout="selected").with_menu(scheme)
        if _left_out_error(choice.songs(frames, scheme), choice.improved) < least:
            best = choice
    return replace(best, improved=replace(best.improved, noise_scale=_noise_scale(frames, scheme, best)))


def _left_out_error(songs: Sequence[TrainingSong], improved: Improved) -> float:
    squares = [(_ridge_forecast(songs, song, improved) - song.weights) ** 2 for song in songs]
    return float(np.nanmean(_column_means(np.concatenate(squares))))


def _ridge_forecast(songs: Sequence[TrainingSong], song: TrainingSong, improved: Improved) -> DoubleArray:
    others = others_than(song, songs) or list(songs)
    scaling = Scaling.of(others)
    fit = ridge_regression([scaling.applied(s) for s in others], improved)
    return fit.predict(scaling.scaled(song.features)) + scaling.weights


def _noise_scale(frames: Sequence[SongFrames], scheme: Scheme, choice: Choice) -> float:
    """How far the system should trust the regression; the smoother's error on songs left out decides.

    How gains move is taken from all songs here, what is heard of them from the others.
    """
    songs = choice.songs(frames, scheme)
    squares: dict[float, list[DoubleArray]] = {scale: [] for scale in NOISE_SCALES}
    system = papers_system(songs)
    for song in songs:
        others = others_than(song, songs) or songs
        scaling = Scaling.of(others)
        for scale in NOISE_SCALES:
            improved = replace(choice.improved, noise_scale=scale)
            both = improved_estimates(others, song, improved, system)[1]
            squares[scale].append((both.means + scaling.weights - song.weights) ** 2)
    return min(
        NOISE_SCALES, key=lambda scale: float(np.nanmean(_column_means(np.concatenate(squares[scale]))))
    )


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
        found = {s.title: forecasts(rest[:count], s, learned.choice.improved, ("mean", name)) for s in tests}
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
        "noise scale": learned.choice.improved.noise_scale,
        "leave one song out, mean squared error in dB^2": {
            name: {g: _figure(v) for g, v in zip(groups, learned.mse_db2[name], strict=True)}
            for name in ESTIMATORS
        },
        "leave one song out, mean squared error of the weight": {
            name: {g: _figure(v) for g, v in zip(groups, learned.mse_weight[name], strict=True)}
            for name in ESTIMATORS
        },
        "share of windows within the stated 90 % interval, songs left out": {
            g: {"as inferred": _figure(before), "as stated": _figure(after)}
            for g, (before, after) in learned.coverage.items()
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
    "Follows a few numbers of level and spectrum in windows of one second, nothing else.",
    "Knows groups of instruments, not tracks; the balance inside a group is equal loudness or another engine's.",
    "Learned the rides around a song's mean; the mean levels of the groups are averages over the training songs.",
    "Layout, normalization, ridge and noise were chosen on the same songs left out that the figures are of; features that "
    "are selected are selected anew in each fold.",
    "Where a group is absent from the training songs its gain stays at the mean.",
)


def _figure(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None

"""A learned model: the system, what its states and observations are, and how they were scaled.

On disk an npz file with a JSON card beside it (`model_files`), kind ``dynamical``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np

from tonmeister.engines.dynamical.frames import column_names, is_column, observations
from tonmeister.engines.dynamical.groups import SCHEMES, Scheme
from tonmeister.engines.dynamical.regression import Regression
from tonmeister.engines.dynamical.state_space import StateSpace
from tonmeister.errors import BadInputError, ModelError
from tonmeister.model_files.store import load_model
from tonmeister.units import DoubleArray

__all__ = ["KIND", "DynamicalModel", "load_dynamical"]

KIND: Final = "dynamical"
_AGAIN: Final = "learn the model again with `tonmeister train dynamical`"
MAX_BYTES: Final = 2**20
Observes = Literal["features", "regression"]
Normalization = Literal["set", "song", "song z"]
NORMALIZATIONS: Final[tuple[Normalization, ...]] = ("set", "song", "song z")
"""Features re the training songs; re the song's own mean; and in units of the song's own deviation, too."""
VERSION: Final = 2
"""Of what is in the file."""
_SYSTEM: Final = ("A", "C", "Q", "R", "mean", "covariance")
_SCALING: Final = ("weight_means", "feature_means", "feature_scales", "papers_means", "papers_scales")
_REGRESSION: Final = ("intercept", "slopes", "neutral")
_MOST_COLUMNS: Final = 2000


@dataclass(frozen=True, eq=False)
class DynamicalModel:
    """Gains of K groups: from level, centroid and slope of each (the papers'), or from M chosen columns of features."""

    system: StateSpace
    """The papers' system, y = C x."""
    regression: Regression
    """Scaled features -> gains."""
    regression_noise: DoubleArray
    """Covariance of what the regression leaves over, shape (K, K)."""
    spread_scales: DoubleArray
    """By how much the stated standard deviations fell short on songs left out, shape (K,)."""
    weight_means: DoubleArray
    """Mean gain of each group over the training songs, dB re equal loudness; shape (K,)."""
    feature_means: DoubleArray
    """Shape (M,)."""
    feature_scales: DoubleArray
    """Shape (M,)."""
    papers_means: DoubleArray
    """The same of the papers' features, shape (3 K,)."""
    papers_scales: DoubleArray
    """Shape (3 K,)."""
    scheme: Scheme
    groups: tuple[str, ...]
    columns: tuple[str, ...]
    """What the regression looks at, names as in `frames.column_names`; M of them."""
    normalization: Normalization = "song"
    observes: Observes = "regression"
    """Which form did better on songs left out: the system that observes the features, or the regression of them."""

    def looks_at(self, faithful: bool) -> tuple[str, ...]:
        """The columns of features that `observer` needs."""
        return column_names(self.groups) if self.sees_features(faithful) else self.columns

    def sees_features(self, faithful: bool) -> bool:
        """Whether the papers' own system is used; `faithful` always means that."""
        return faithful or self.observes == "features"

    def features(self, powers: DoubleArray, faithful: bool) -> DoubleArray:
        """What `looks_at` says of band powers (K, windows, 30), in units of their own."""
        return observations(powers, self.groups, self.looks_at(faithful))

    def scaled(self, features: DoubleArray, faithful: bool, song: SongScale | None = None) -> DoubleArray:
        """Features in the units the system was learned in; missing ones stay NaN. `song` is measured if not given."""
        means, scales = (
            (self.papers_means, self.papers_scales)
            if self.sees_features(faithful)
            else (self.feature_means, self.feature_scales)
        )
        if features.shape[1] != len(means):
            raise BadInputError(f"features={features.shape[1]}, and the model was learned on {len(means)}")
        about = song or SongScale.of(features)
        return (normalized(features, self.normalization, about) - means) / scales

    def observer(self, faithful: bool) -> StateSpace:
        """The system to infer with."""
        if self.sees_features(faithful):
            return self.system
        return replace(self.system, C=np.eye(self.system.states), R=self.regression_noise)

    def observed(self, scaled: DoubleArray, active: np.ndarray, faithful: bool) -> DoubleArray:
        """What `observer` observes of scaled features (F, M), where groups are `active` (F, K)."""
        if self.sees_features(faithful):
            return scaled
        return np.where(active, self.regression.predict(scaled), np.nan)

    def arrays(self) -> Mapping[str, DoubleArray]:
        """All numbers, for the model file."""
        return {
            **{name: getattr(self.system, name) for name in _SYSTEM},
            **{name: getattr(self, name) for name in _SCALING},
            **{name: getattr(self.regression, name) for name in _REGRESSION},
            "regression_noise": self.regression_noise,
            "spread_scales": self.spread_scales,
        }

    def settings(self) -> dict[str, Any]:
        """All words, for the card."""
        return {
            "version": VERSION, "scheme": self.scheme, "groups": list(self.groups), "columns": list(self.columns),
            "normalization": self.normalization, "observes": self.observes, "window_s": 1.0, "hop_s": 0.25,
            "weight_domain": "dB re loudness-normalized group",
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class SongScale:
    """Mean and deviation of each feature over a song, or over what was heard of it so far; shape (M,) each."""

    means: DoubleArray
    deviations: DoubleArray

    @classmethod
    def of(cls, features: DoubleArray) -> SongScale:
        """Of features (F, M); a feature that never is there has mean 0, one that stands still deviation 1."""
        seen = np.isfinite(features)
        counts = np.maximum(seen.sum(0), 1)
        means = np.where(seen, features, 0.0).sum(0) / counts
        squares = np.where(seen, (features - means) ** 2, 0.0).sum(0) / counts
        return cls(means, np.where(squares > 1e-12, np.sqrt(squares), 1.0))


def normalized(features: DoubleArray, how: Normalization, song: SongScale) -> DoubleArray:
    """Features freed of what is only the song's own."""
    if how == "set":
        return features
    centered = features - song.means
    return centered / song.deviations if how == "song z" else centered


def load_dynamical(name_or_path: str | Path) -> DynamicalModel:
    """A shipped model by its name or one from a file; raises `ModelError` for a foreign or damaged one."""
    model = load_model(name_or_path, kind=KIND, max_bytes=MAX_BYTES)
    told = model.card.settings
    scheme, columns = str(told.get("scheme")), told.get("columns")
    if told.get("version") != VERSION:
        raise ModelError(
            f"{model.path}: version={told.get('version')!r}, and this one knows {VERSION}: {_AGAIN}"
        )
    if scheme not in SCHEMES or told.get("groups") != list(SCHEMES[scheme]):
        raise ModelError(
            f"{model.path}: scheme={scheme!r}, groups={told.get('groups')!r} are not those this version knows: {_AGAIN}"
        )
    if not isinstance(columns, list) or not 0 < len(columns) <= _MOST_COLUMNS:
        raise ModelError(f"{model.path}: columns={columns!r} is no list of features: {_AGAIN}")
    if unknown := [c for c in columns if not (isinstance(c, str) and is_column(c, SCHEMES[scheme]))]:
        raise ModelError(f"{model.path}: column={unknown[0]!r} is not known to this version: {_AGAIN}")
    if told.get("normalization") not in NORMALIZATIONS:
        raise ModelError(f"{model.path}: normalization={told.get('normalization')!r} is not known: {_AGAIN}")
    names = (*_SYSTEM, *_SCALING, *_REGRESSION, "regression_noise", "spread_scales")
    numbers = {name: np.asarray(model.array(name), np.float64) for name in names}
    try:
        system = StateSpace(*(numbers[name] for name in _SYSTEM))
        _check_shapes(numbers, len(SCHEMES[scheme]), len(columns))
    except BadInputError as error:
        raise ModelError(f"{model.path}: {error}: {_AGAIN}") from None
    return DynamicalModel(
        system, Regression(*(numbers[name] for name in _REGRESSION)), numbers["regression_noise"],
        numbers["spread_scales"], **{name: numbers[name] for name in _SCALING},
        scheme=cast(Scheme, scheme), groups=SCHEMES[scheme], columns=tuple(columns),
        normalization=cast(Normalization, told["normalization"]),
        observes="features" if told.get("observes") == "features" else "regression",
    )  # fmt: skip


def _check_shapes(numbers: Mapping[str, DoubleArray], groups: int, features: int) -> None:
    papers = len(column_names(("any",))) * groups
    wanted = {
        "A": (groups, groups), "C": (papers, groups), "weight_means": (groups,), "feature_means": (features,),
        "feature_scales": (features,), "papers_means": (papers,), "papers_scales": (papers,), "intercept": (groups,),
        "slopes": (features, groups), "neutral": (features,), "regression_noise": (groups, groups),
        "spread_scales": (groups,),
    }  # fmt: skip
    for name, shape in wanted.items():
        if numbers[name].shape != shape or not np.isfinite(numbers[name]).all():
            raise BadInputError(f"{name} has shape {numbers[name].shape}, not {shape} of finite numbers")

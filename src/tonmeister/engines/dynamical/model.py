"""A learned model: the system, what its states and observations are, and how they were scaled.

On disk an npz file with a JSON card beside it (`model_files`), kind ``dynamical``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np

from tonmeister.engines.dynamical.frames import FEATURES, LAYOUTS, Layout, kinds
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
_SYSTEM: Final = ("A", "C", "Q", "R", "mean", "covariance")
_SCALING: Final = ("weight_means", "feature_means", "feature_scales")
_REGRESSION: Final = ("intercept", "slopes", "neutral")


@dataclass(frozen=True, eq=False)
class DynamicalModel:
    """Gains of K groups, observed through M features."""

    system: StateSpace
    """The papers' system, y = C x."""
    regression: Regression
    """Scaled features -> gains."""
    regression_noise: DoubleArray
    """Covariance of what the regression leaves over, shape (K, K)."""
    weight_means: DoubleArray
    """Mean gain of each group over the training songs, dB re equal loudness; shape (K,)."""
    feature_means: DoubleArray
    """Shape (M,)."""
    feature_scales: DoubleArray
    """Shape (M,)."""
    scheme: Scheme
    groups: tuple[str, ...]
    layout: Layout = "own"
    per_song: bool = True
    """Whether features are centered per song before scaling, which takes each song's own offset away."""
    observes: Observes = "regression"
    """Which form did better on songs left out: the system that observes the features, or the regression of them."""

    def scaled(self, features: DoubleArray) -> DoubleArray:
        """Features (F, M) in the units the system was learned in; missing ones stay NaN."""
        if features.shape[1] != len(self.feature_means):
            raise BadInputError(
                f"features={features.shape[1]}, and the model was learned on {len(self.feature_means)}"
            )
        offset = _song_means(features) if self.per_song else self.feature_means
        return (features - offset) / self.feature_scales

    def observer(self, faithful: bool) -> StateSpace:
        """The system to infer with; `faithful` is always the papers'."""
        if faithful or self.observes == "features":
            return self.system
        return replace(self.system, C=np.eye(self.system.states), R=self.regression_noise)

    def observed(self, scaled: DoubleArray, active: np.ndarray, faithful: bool) -> DoubleArray:
        """What `observer` observes of scaled features (F, M), where groups are `active` (F, K)."""
        if faithful or self.observes == "features":
            return scaled
        return np.where(active, self.regression.predict(scaled), np.nan)

    def arrays(self) -> Mapping[str, DoubleArray]:
        """All numbers, for the model file."""
        return {
            **{name: getattr(self.system, name) for name in _SYSTEM},
            **{name: getattr(self, name) for name in _SCALING},
            **{name: getattr(self.regression, name) for name in _REGRESSION},
            "regression_noise": self.regression_noise,
        }

    def settings(self) -> dict[str, Any]:
        """All words, for the card."""
        return {
            "scheme": self.scheme, "groups": list(self.groups), "features": list(FEATURES),
            "layout": self.layout, "per_song": self.per_song, "observes": self.observes, "window_s": 1.0,
            "hop_s": 0.25, "weight_domain": "dB re loudness-normalized group",
        }  # fmt: skip


def _song_means(features: DoubleArray) -> DoubleArray:
    counts = np.isfinite(features).sum(0)
    return np.where(counts > 0, np.nansum(features, axis=0) / np.maximum(counts, 1), 0.0)


def load_dynamical(name_or_path: str | Path) -> DynamicalModel:
    """A shipped model by its name or one from a file; raises `ModelError` for a foreign or damaged one."""
    model = load_model(name_or_path, kind=KIND, max_bytes=MAX_BYTES)
    told = model.card.settings
    scheme = str(told.get("scheme"))
    if scheme not in SCHEMES or told.get("groups") != list(SCHEMES[scheme]):
        raise ModelError(
            f"{model.path}: scheme={scheme!r}, groups={told.get('groups')!r} are not those this version knows: {_AGAIN}"
        )
    if told.get("features") != list(FEATURES) or told.get("layout") not in LAYOUTS:
        raise ModelError(
            f"{model.path}: features={told.get('features')!r}, layout={told.get('layout')!r} are not those this version "
            f"knows: {_AGAIN}"
        )
    names = (*_SYSTEM, *_SCALING, *_REGRESSION, "regression_noise")
    numbers = {name: np.asarray(model.array(name), np.float64) for name in names}
    try:
        system = StateSpace(*(numbers[name] for name in _SYSTEM))
        _check_shapes(
            numbers, len(SCHEMES[scheme]), len(FEATURES) * kinds(told["layout"]) * len(SCHEMES[scheme])
        )
    except BadInputError as error:
        raise ModelError(f"{model.path}: {error}: {_AGAIN}") from None
    return DynamicalModel(
        system, Regression(*(numbers[name] for name in _REGRESSION)), numbers["regression_noise"],
        numbers["weight_means"], numbers["feature_means"], numbers["feature_scales"],
        cast(Scheme, scheme), SCHEMES[scheme], cast(Layout, told["layout"]), bool(told.get("per_song", True)),
        "features" if told.get("observes") == "features" else "regression",
    )  # fmt: skip


def _check_shapes(numbers: Mapping[str, DoubleArray], groups: int, features: int) -> None:
    wanted = {
        "A": (groups, groups), "C": (features, groups), "weight_means": (groups,), "feature_means": (features,),
        "feature_scales": (features,), "intercept": (groups,), "slopes": (features, groups), "neutral": (features,),
        "regression_noise": (groups, groups),
    }  # fmt: skip
    for name, shape in wanted.items():
        if numbers[name].shape != shape:
            raise BadInputError(f"{name} has shape {numbers[name].shape}, not {shape}")

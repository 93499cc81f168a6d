"""What a finished stem would measure: predictions from the measures of the raw one, with spread and skill.

    target = x + mean of (nearest neighbors' change, ridge regression's change)

both on measures in units of their deviation. The model is plain arrays (`tonmeister train stem --features`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.measures import NAMES
from tonmeister.errors import ModelError
from tonmeister.units import DoubleArray

__all__ = ["ARRAYS", "KIND", "FeatureModel", "Predictor", "Targets", "load_features"]

KIND: Final = "stem_features"
ARRAYS: Final = ("mean", "scale", "examples", "changes", "ridge", "intercept", "spread", "skill")
"""Of each group, named ``<group>.<array>``."""
_MAX_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, eq=False)
class Targets:
    """Predicted measures of the finished stem, each array (129,) in the order of `measures.NAMES`."""

    values: DoubleArray
    spread: DoubleArray
    """Standard deviation of the error on songs left out."""
    skill: DoubleArray
    """1 - MAE / MAE of leaving things as they are, on songs left out; at most 1, negative where it is no help."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """The regressors of one group."""

    mean: DoubleArray
    scale: DoubleArray
    examples: DoubleArray
    """Scaled measures of raw stems, (n, 129)."""
    changes: DoubleArray
    """Scaled stem minus raw of the same, (n, 129)."""
    ridge: DoubleArray
    """(129, 129), applied to a row of scaled measures."""
    intercept: DoubleArray
    spread: DoubleArray
    skill: DoubleArray
    neighbors: int

    def predict(self, values: DoubleArray) -> Targets:
        """Targets for the measures of one raw stem."""
        x = np.clip((values - self.mean) / self.scale, -4.0, 4.0)
        distance = ((self.examples - x) ** 2).mean(1)
        nearest = np.argsort(distance, kind="stable")[: self.neighbors]
        change = 0.5 * (self.changes[nearest].mean(0) + x @ self.ridge + self.intercept)
        return Targets(values + change * self.scale, self.spread * self.scale, self.skill)


@dataclass(frozen=True, eq=False)
class FeatureModel:
    """A predictor per group."""

    predictors: dict[str, Predictor]
    ranges: Mapping[str, Mapping[str, Sequence[float]]]
    """Group -> measure -> 1st, 50th and 99th percentile of what was learned from."""


@lru_cache(maxsize=2)
def load_features(name_or_path: str | Path) -> FeatureModel:
    """The shipped model, or one from a file; raises `ModelError` for anything else."""
    from tonmeister.model_files.store import load_model

    model = load_model(name_or_path, kind=KIND, max_bytes=_MAX_BYTES)
    if tuple(model.card.settings.get("names", ())) != NAMES:
        raise ModelError(f"{model.path}: its measures are not those of this version: train it again")
    neighbors = model.card.settings.get("neighbors", {})
    predictors = {}
    for group in GROUPS:
        if f"{group}.mean" in (model.arrays or {}):
            arrays = {name: np.asarray(model.array(f"{group}.{name}"), np.float64) for name in ARRAYS}
            _check(arrays, str(model.path))
            predictors[group] = Predictor(**arrays, neighbors=int(neighbors[group]))
    return FeatureModel(predictors, model.card.settings.get("feature_ranges", {}))


def _check(arrays: dict[str, DoubleArray], where: str) -> None:
    count, n = len(NAMES), len(arrays["examples"])
    wanted = {"examples": (n, count), "changes": (n, count), "ridge": (count, count)}
    for name, array in arrays.items():
        if array.shape != wanted.get(name, (count,)):
            raise ModelError(f"{where}: {name} has shape {array.shape}: train it again")

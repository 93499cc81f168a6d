"""What a finished stem would measure: predictions from the measures and hints of the raw one, with spread and skill.

    bent(target) = bent(x) + unit (center + sum over examples of exp(-width d^2) dual)

Kernel ridge regression: d^2 is the mean squared difference to an example, each input in units of its deviation. Spreads
and shares, which are never negative and range over decades, are bent by the logarithm. No target lies beyond the finished
stems that were learned from. The model is plain arrays
(`tonmeister train stem --features`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hints import HINTS
from tonmeister.engines.autoencoder.measures import NAMES
from tonmeister.errors import ModelError
from tonmeister.units import DoubleArray

__all__ = ["ARRAYS", "KIND", "FeatureModel", "Predictor", "Targets", "bent", "load_features", "unbent"]

KIND: Final = "stem_features"
ARRAYS: Final = (
    "mean",
    "scale",
    "examples",
    "dual",
    "center",
    "unit",
    "lowest",
    "highest",
    "spread",
    "skill",
)
"""Of each group, named ``<group>.<array>``."""
_MAX_BYTES: Final = 4 * 2**20


_BENT: Final = np.array([
    name.rpartition(".")[2] in ("stdev", "var", "dmean", "dvar", "dmean2", "dvar2")
    or name.startswith(("loudness.", "hpcp_33.", "effective_duration"))
    for name in NAMES
])  # fmt: skip
_LEAST: Final = 1e-9


def bent(values: DoubleArray) -> DoubleArray:
    """Measures (..., 129) with the logarithm of those that are never negative."""
    return np.where(_BENT, np.log(np.maximum(values, _LEAST)), values)


def unbent(values: DoubleArray) -> DoubleArray:
    """The inverse of `bent`."""
    return np.where(_BENT, np.exp(np.where(_BENT, values, 0.0)), values)


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
    """Of the inputs, bent measures and hints: (175,)."""
    scale: DoubleArray
    examples: DoubleArray
    """Inputs of raw stems, scaled, (n, 175)."""
    dual: DoubleArray
    """What each example says, (n, 129)."""
    center: DoubleArray
    unit: DoubleArray
    """Deviation of the bent measures: what changes are counted in."""
    lowest: DoubleArray
    """Of the finished stems that were learned from: no target lies outside."""
    highest: DoubleArray
    spread: DoubleArray
    skill: DoubleArray
    width: float

    def predict(self, values: DoubleArray, hinted: DoubleArray) -> Targets:
        """Targets for the measures and the hints of one raw stem."""
        straight = bent(values)
        x = np.clip((np.concatenate([straight, hinted]) - self.mean) / self.scale, -4.0, 4.0)
        near = np.exp(-self.width * ((self.examples - x) ** 2).mean(1))
        change = self.center + near @ self.dual
        target = np.clip(unbent(straight + change * self.unit), self.lowest, self.highest)
        return Targets(target, self.spread, self.skill)


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
    widths = model.card.settings.get("widths", {})
    predictors = {}
    for group in GROUPS:
        if f"{group}.mean" in (model.arrays or {}):
            arrays = {name: np.asarray(model.array(f"{group}.{name}"), np.float64) for name in ARRAYS}
            _check(arrays, str(model.path))
            predictors[group] = Predictor(**arrays, width=float(widths[group]))
    return FeatureModel(predictors, model.card.settings.get("feature_ranges", {}))


def _check(arrays: dict[str, DoubleArray], where: str) -> None:
    count, inputs, n = len(NAMES), len(NAMES) + HINTS, len(arrays["examples"])
    wanted = {"examples": (n, inputs), "mean": (inputs,), "scale": (inputs,), "dual": (n, count)}
    for name, array in arrays.items():
        if array.shape != wanted.get(name, (count,)):
            raise ModelError(f"{where}: {name} has shape {array.shape}: train it again")

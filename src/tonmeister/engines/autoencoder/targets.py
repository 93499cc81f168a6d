"""What a finished stem would measure: a draft of it is made and measured, with spread and skill from songs left out.

No target lies beyond the finished stems that were learned from. The model is plain arrays
(`tonmeister train stem --features`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.autoencoder.draft import ARRAY_SHAPES, Draft
from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hearing import Excerpt, lost_db
from tonmeister.engines.autoencoder.measures import NAMES, measures
from tonmeister.errors import ModelError
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["ARRAYS", "KIND", "FeatureModel", "Predictor", "Targets", "draft_measures", "load_features"]

KIND: Final = "stem_features"
ARRAYS: Final = ("lowest", "highest", "spread", "skill")
"""Of each group beside those of its draft, named ``<group>.<array>``."""
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
    """What foretells the stems of one group."""

    draft: Draft
    lowest: DoubleArray
    """Of the finished stems that were learned from: no target lies outside."""
    highest: DoubleArray
    spread: DoubleArray
    skill: DoubleArray

    def predict(self, excerpt: Excerpt) -> Targets:
        """Targets for one raw stem."""
        said = draft_measures(self.draft, excerpt.samples, excerpt.sample_rate, excerpt.hinted)
        return Targets(np.clip(said, self.lowest, self.highest), self.spread, self.skill)


def draft_measures(draft: Draft, samples: FloatArray, sample_rate: int, hinted: DoubleArray) -> DoubleArray:
    """Measures (129,) of the draft of a mono signal at -23 LUFS, brought to that loudness, too."""
    made = draft.drafted(samples, sample_rate, hinted)
    return measures(made * np.float32(db_to_gain(lost_db(made, sample_rate))), sample_rate)


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
    predictors = {}
    for group in GROUPS:
        if f"{group}.{ARRAYS[0]}" in (model.arrays or {}):
            wanted = {**ARRAY_SHAPES, **dict.fromkeys(ARRAYS, (len(NAMES),))}
            arrays: dict[str, Any] = {name: model.array(f"{group}.{name}") for name in wanted}
            for name, array in arrays.items():
                if array.shape != wanted[name]:
                    raise ModelError(f"{model.path}: {name} has shape {array.shape}: train it again")
            draft = Draft({name: np.asarray(arrays[name], np.float32) for name in ARRAY_SHAPES})
            predictors[group] = Predictor(draft, **{n: np.asarray(arrays[n], np.float64) for n in ARRAYS})
    return FeatureModel(predictors, model.card.settings.get("feature_ranges", {}))

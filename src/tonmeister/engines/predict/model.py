"""The learned network of the engine `predict`, as shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.engines.predict.measures import columns, input_names, measures
from tonmeister.engines.predict.outputs import CONTROLS, KIND, Prediction
from tonmeister.errors import ModelError
from tonmeister.features import TrackFeatures
from tonmeister.model_files.store import Model, load_model
from tonmeister.multitrack import Track

__all__ = ["MAX_BYTES", "ConsoleModel", "load_console_model"]

MAX_BYTES: Final = 2 * 2**20
_LEAST_SPREAD: Final = 1e-6


@dataclass(frozen=True, eq=False)
class ConsoleModel:
    """The network, and what its card says of its inputs and spreads."""

    model: Model
    inputs: tuple[int, ...]
    """Columns of `measures.columns` that the network takes."""
    prior: np.ndarray
    """Spread of each control over the training songs."""

    def predict(self, tracks: Sequence[tuple[Track, TrackFeatures]]) -> list[Prediction]:
        """One word on each track; all must be audible."""
        table = columns([measures(track, features) for track, features in tracks])
        chosen = np.ascontiguousarray(table[:, self.inputs], np.float32)
        found = self.model.run({"columns": chosen})
        mean, spread, wanted = (np.asarray(found[k], np.float64) for k in ("mean", "spread", "wanted"))
        if not (np.isfinite(mean).all() and np.isfinite(spread).all() and np.isfinite(wanted).all()):
            raise ModelError(f"{self.model.path}: predicts numbers that are none: get the model again")
        mean[:, 0] -= mean[:, 0].mean()
        rows = zip(mean, np.maximum(spread, _LEAST_SPREAD), wanted, strict=True)
        return [Prediction(m, s, w, self.prior) for m, s, w in rows]


def load_console_model(name_or_path: str) -> ConsoleModel:
    """A shipped model by its name, or one from a file; raises `ModelError` for what does not fit this engine."""
    model = load_model(name_or_path, kind=KIND, max_bytes=MAX_BYTES)
    settings = model.card.settings
    names, known = (
        [str(name) for name in settings.get("inputs", ())],
        {n: i for i, n in enumerate(input_names())},
    )
    if missing := [name for name in names if name not in known]:
        raise ModelError(
            f"{model.path}: asks for the measure {missing[0]!r}, which is not taken: train it again"
        )
    prior = np.asarray(settings.get("prior", ()), np.float64)
    if not names or list(settings.get("controls", ())) != list(CONTROLS) or prior.shape != (len(CONTROLS),):
        raise ModelError(f"{model.path}: its controls are not those of this version: train it again")
    if not np.isfinite(prior).all() or prior.min() <= 0:
        raise ModelError(f"{model.path}: a prior spread is not above 0: get the model again")
    return ConsoleModel(model, tuple(known[name] for name in names), prior)

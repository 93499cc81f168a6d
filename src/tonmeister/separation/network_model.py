"""A trained separator as a model file: the network behind its front end, and the estimator that its card names."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.model_files.card import read_card
from tonmeister.model_files.store import Model, load_model
from tonmeister.separation.front_end import FrontEnd, scaled
from tonmeister.units import FloatArray

if TYPE_CHECKING:
    from tonmeister.separation.base import Framing, MaskEstimator

__all__ = [
    "INPUT",
    "KIND",
    "OUTPUT",
    "NetworkEstimator",
    "NetworkModel",
    "deep_remix",
    "ensemble",
    "ensemble_combiner",
    "fcn",
    "from_file",
    "open_network",
    "web_remix",
]

KIND: Final = "separator-network"
INPUT: Final = "input"
OUTPUT: Final = "output"
_ESTIMATORS: Final = {
    "deep-remix": "tonmeister.separation.deep_remix:DeepRemix",
    "web-remix": "tonmeister.separation.web_remix:WebRemix",
    "ensemble": "tonmeister.separation.mask_ensemble:MaskEnsemble",
    "ensemble-combiner": "tonmeister.separation.mask_combiner:CombinedMasks",
    "fcn": "tonmeister.separation.convolutional:Convolutional",
}
"""The word `network` of a card -> who runs it."""


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A network that is shown band powers, scaled as its card says."""

    model: Model
    front_end: FrontEnd
    tracks: tuple[str, ...]
    frames: int
    """Of a patch."""
    feature: str
    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, model: Model) -> NetworkModel:
        """Read the card; raises `ModelError` where it does not say what is needed."""
        settings = model.card.settings
        try:
            mean, deviation = (np.asarray(settings[name], np.float32) for name in ("mean", "deviation"))
            front_end = FrontEnd.of(dict(settings["front_end"]))
            tracks, frames = tuple(map(str, settings["tracks"])), int(settings["frames"])
            feature = str(settings["feature"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{model.path}: the card does not describe a separator ({error!r})") from None
        bands = front_end.bands
        if mean.shape != (bands,) or deviation.shape != (bands,) or not (deviation > 0).all() or frames < 1:
            raise ModelError(
                f"{model.path}: the card's numbers do not fit {bands} bands: get the model again"
            )
        if not tracks or len(set(tracks)) != len(tracks) or feature not in ("log", "magnitude", "relative"):
            raise ModelError(
                f"{model.path}: tracks or feature of the card are malformed: get the model again"
            )
        return cls(model, front_end, tracks, frames, feature, mean, deviation)

    @property
    def settings(self) -> dict[str, Any]:
        """What the card says besides."""
        return dict(self.model.card.settings)

    def shown(self, power: FloatArray) -> FloatArray:
        """What the network is shown of band powers (n, frames, bands)."""
        return scaled(power, self.feature, self.mean, self.deviation)

    def __call__(self, power: FloatArray) -> FloatArray:
        """What the network makes of band powers (n, frames, bands)."""
        return self.of_features(self.shown(power))

    def of_features(self, features: FloatArray) -> FloatArray:
        """The same of what it is shown (n, frames, bands), laid out flat or as a picture as it wants."""
        flat = len(self.model.card.inputs[0].shape) == 2
        shown = features.reshape(len(features), -1) if flat else features[:, None]
        return np.asarray(self.model.run({INPUT: np.ascontiguousarray(shown)})[OUTPUT], np.float32)


class NetworkEstimator:
    """What the estimators with a network have in common."""

    def __init__(self, network: NetworkModel) -> None:
        self.network = network

    @property
    def tracks(self) -> tuple[str, ...]:
        return self.network.tracks

    @property
    def framing(self) -> Framing:
        return self.network.front_end.framing

    @property
    def expected_sdr_db(self) -> dict[str, float]:
        """Median SDR by track on songs held out, as far as the card says."""
        figures = self.network.model.card.metrics.get("held_out_synthetic", {})
        return {
            track: float(f["sdr_db"]) for track in self.tracks if "sdr_db" in (f := figures.get(track, {}))
        }


def open_network(name_or_path: str | Path) -> NetworkModel:
    """A shipped network by its name, or one from a file."""
    return NetworkModel.of(load_model(name_or_path, kind=KIND))


def from_file(path: Path) -> MaskEstimator | None:
    """The estimator of a model file of ours; None for a file of another kind."""
    card = path.with_suffix(".json")
    if path.suffix not in (".onnx", ".json") or not card.is_file() or read_card(card).kind != KIND:
        return None
    return _estimator(open_network(path))


def _estimator(network: NetworkModel) -> MaskEstimator:
    name = network.settings.get("network")
    if name not in _ESTIMATORS:
        raise ModelError(f"{network.model.path}: network={name!r} is not one of {', '.join(_ESTIMATORS)}")
    module, _, attribute = _ESTIMATORS[str(name)].partition(":")
    made: MaskEstimator = getattr(importlib.import_module(module), attribute)(network)
    return made


def deep_remix() -> MaskEstimator:
    """The shipped network after Simpson et al. (2015)."""
    return _estimator(open_network("deep-remix"))


def web_remix() -> MaskEstimator:
    """The shipped network after Roma et al. (2016)."""
    return _estimator(open_network("web-remix"))


def ensemble() -> MaskEstimator:
    """The shipped networks after Grais et al. (2016)."""
    return _estimator(open_network("ensemble"))


def ensemble_combiner() -> MaskEstimator:
    """The same with the network that combines their masks."""
    return _estimator(open_network("ensemble-combiner"))


def fcn() -> MaskEstimator:
    """The shipped network after Grais and Plumbley (2017)."""
    return _estimator(open_network("fcn"))

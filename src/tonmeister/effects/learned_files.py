"""Files of learned effects: one kind, whichever network; an effect is made from what the card says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tonmeister.effects.networks import NETWORKS, Network
from tonmeister.effects.waveshaper import MODEL_KIND, NETWORK, SHAPES, Waveshaper, waveshaper_of
from tonmeister.errors import ModelError
from tonmeister.units import DoubleArray

if TYPE_CHECKING:
    from tonmeister.effects.network_player import Guard
    from tonmeister.model_files.card import ModelCard
    from tonmeister.model_files.store import Model

__all__ = ["Device", "load_device"]

_MAX_BYTES: Final = 8 << 20
_TWIN: Final = "twin."
_RATES: Final = range(4000, 768_001)


@dataclass(frozen=True, eq=False)
class Device:
    """What a file holds: a waveshaper alone, or a network with a waveshaper as its twin."""

    waveshaper: Waveshaper | None
    network: Network | None = None
    bound: float = 0.0
    floor: float = 0.0
    treble_gain: float = 1.0

    @property
    def name(self) -> str:
        return self.network.name if self.network is not None else NETWORK

    @property
    def sample_rate(self) -> int | None:
        part = self.network or self.waveshaper
        return part.sample_rate if part is not None else None

    @property
    def parameters(self) -> int:
        """How many numbers play."""
        if self.network is not None:
            return self.network.parameters
        return sum(len(a) for a in self.waveshaper.arrays().values()) if self.waveshaper else 0

    @property
    def guard(self) -> Guard | None:
        """None where there is no twin that is worth playing."""
        from tonmeister.effects.network_player import Guard

        return Guard(self.waveshaper, self.bound, self.floor) if self.waveshaper and self.network else None

    def arrays(self) -> dict[str, Any]:
        """What goes into the file."""
        if self.network is None:
            assert self.waveshaper is not None
            return dict(self.waveshaper.arrays())
        twin = self.waveshaper.arrays() if self.waveshaper else {}
        return {**self.network.weights, **{_TWIN + name: array for name, array in twin.items()}}

    def settings(self) -> dict[str, Any]:
        """What goes onto the card."""
        if self.network is None:
            assert self.waveshaper is not None
            return self.waveshaper.settings()
        guard = {"treble_gain": self.treble_gain, "bound": self.bound, "floor": self.floor}
        twin = {"twin": self.waveshaper.settings()} if self.waveshaper else {}
        return {"network": self.name, **self.network.settings(), **guard, **twin}


def load_device(name_or_path: str | Path) -> tuple[Device, ModelCard]:
    """A device from its file, and its card; raises `ModelError` for anything else."""
    from tonmeister.model_files.store import load_model

    model = load_model(name_or_path, kind=MODEL_KIND, max_bytes=_MAX_BYTES)
    settings = model.card.settings
    name = settings.get("network")
    try:
        if name == NETWORK:
            return Device(waveshaper_of(_arrays(model, SHAPES), settings)), model.card
        if not isinstance(name, str) or name not in NETWORKS:
            raise ModelError(f"network={name!r} is not known: update tonmeister")
        return _with_network(model, NETWORKS[name], settings), model.card
    except ModelError as error:
        raise ModelError(f"{model.path}: {str(error).removeprefix(f'{model.path}: ')}") from None


def _with_network(model: Model, kind: type[Network], settings: Mapping[str, Any]) -> Device:
    weights = {n: a.astype(np.float32) for n, a in _arrays(model, kind.shapes).items()}
    rate = settings.get("sample_rate")
    if not isinstance(rate, int) or rate not in _RATES:
        raise ModelError(f"sample_rate={rate!r} is not known: learn it again")
    own = [f.name for f in dataclasses.fields(kind) if f.name not in ("weights", "sample_rate")]
    network = kind(weights, rate, **{name: _number(settings, name) for name in own})
    twin = settings.get("twin")
    shaper = None
    if isinstance(twin, Mapping):
        shaper = waveshaper_of(_arrays(model, SHAPES, _TWIN), twin)
    numbers = (_number(settings, name) for name in ("bound", "floor", "treble_gain"))
    return Device(shaper, network, *numbers)


def _arrays(model: Model, shapes: Mapping[str, tuple[int, ...]], prefix: str = "") -> dict[str, DoubleArray]:
    found = {name: np.asarray(model.array(prefix + name), np.float64) for name in shapes}
    for name, wanted in shapes.items():
        if found[name].shape != wanted:
            raise ModelError(f"{prefix + name} has shape {found[name].shape}, not {wanted}: learn it again")
    return found


def _number(settings: Mapping[str, Any], name: str) -> float:
    value = settings.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e6:
        raise ModelError(f"{name}={value!r} is no number that a learned effect may have: learn it again")
    return float(value)

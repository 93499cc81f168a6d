"""Demucs and its successors: safetensors with the arguments of the class, older PyTorch files, and bags of several.

A bag averages its models with a weight per model and track:

    track_k = sum_m w_mk track_mk / sum_m w_mk
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.separation.community.foreign import ForeignFacts, TorchWaves, class_of, track_names
from tonmeister.separation.community.plain_files import sha256_of
from tonmeister.separation.community.weights import (
    plain_state,
    read_safetensors,
    read_torch,
    safetensors_metadata,
    use_weights,
)
from tonmeister.units import FloatArray

__all__ = ["Bag", "open_bag", "open_legacy", "open_safetensors"]

_CLASSES: Final = {
    "demucs.htdemucs.HTDemucs": ("demucs.htdemucs", "HTDemucs"),
    "demucs.hdemucs.HDemucs": ("demucs.hdemucs", "HDemucs"),
    "demucs.demucs.Demucs": ("demucs.demucs", "Demucs"),
}
"""The only classes that a file may name."""
_LONGEST_SEGMENT_S: Final = 12.0
"""Models without a longest segment of their own are asked about pieces of this length, to bound memory."""
_RATES: Final = range(8000, 192_001)
_MOST_CHANNELS: Final = 2
_MOST_MODELS: Final = 16
_LARGEST_NUMBER: Final = 1 << 20
_DEEPEST: Final = 4


class _Demucs(TorchWaves):
    """Pieces are padded to a length the network can take, and cut again."""

    def _asked(self, given: Any) -> Any:
        torch, frames = self._torch, given.shape[-1]
        valid = self._network.valid_length(frames) if hasattr(self._network, "valid_length") else frames
        before = (valid - frames) // 2
        padded = torch.nn.functional.pad(given, (before, valid - frames - before))
        return self._network(padded)[0, ..., before : before + frames]


def open_safetensors(path: Path) -> TorchWaves | None:
    """A model saved by Demucs 4.1 or later; None for a file of another kind."""
    words = safetensors_metadata(path)
    if "klass" not in words:
        return None
    if "structure" in words:
        raise ModelError(f"{path}: is quantized, which is not run: give the full model")
    try:
        args, kwargs = json.loads(words.get("args", "[]")), json.loads(words.get("kwargs", "{}"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path}: its arguments are not JSON ({error}): get the model again") from None
    package = {"klass": words["klass"], "args": _plain(args, path), "kwargs": _plain(kwargs, path)}
    return _built(path, _class(words["klass"], path), package, plain_state(read_safetensors(path), path))


def open_legacy(path: Path) -> TorchWaves | None:
    """A model saved by earlier versions, NAME-CHECKSUM.th; None for a file of another kind."""
    name, dash, checksum = path.stem.rpartition("-")
    if dash and name and _is_hex(checksum) and not sha256_of(path).startswith(checksum.lower()):
        raise ModelError(f"{path}: its checksum is not the one in its name: get the model again")
    classes = [class_of(*where, "demucs") for where in _CLASSES.values()] if _installed() else []
    package = read_torch(path, [*classes, Fraction])
    if not isinstance(package, Mapping) or "klass" not in package:
        return None
    if package["klass"] not in classes:
        raise ModelError(f"{path}: klass={package['klass']!r} is not a class of Demucs: give another model")
    if isinstance(package.get("state"), Mapping) and "__quantized" in package["state"]:
        raise ModelError(f"{path}: is quantized, which is not run: give the full model")
    plain = {key: _plain(package.get(key, empty), path) for key, empty in (("args", []), ("kwargs", {}))}
    return _built(path, package["klass"], plain, plain_state(package.get("state"), path))


def _installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("demucs") is not None


def _is_hex(word: str) -> bool:
    return len(word) == 8 and all(c in "0123456789abcdef" for c in word.lower())


def _class(name: str, path: Path) -> Any:
    if name not in _CLASSES:
        raise ModelError(f"{path}: klass={name!r} is not one of {', '.join(_CLASSES)}: give another model")
    return class_of(*_CLASSES[name], "demucs")


def _plain(value: Any, path: Path, depth: int = 0) -> Any:
    """Arguments as plain values; fractions are written as {"_type": "fraction", "numerator": n, "denominator": d}."""
    if isinstance(value, Mapping) and value.get("_type") == "fraction":
        parts = [value.get(name) for name in ("numerator", "denominator")]
        whole = [n for n in parts if isinstance(n, int) and 0 < n <= _LARGEST_NUMBER]
        if len(whole) == 2:
            return Fraction(*whole)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        return {str(k): _plain(v, path, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and depth < _DEEPEST:
        return [_plain(v, path, depth + 1) for v in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float, Fraction)) and -_LARGEST_NUMBER <= float(value) <= _LARGEST_NUMBER:
        return value
    raise ModelError(f"{path}: has the argument {value!r}, which no such model has: get the model again")


def _built(path: Path, cls: Any, package: Mapping[str, Any], state: Mapping[str, Any]) -> TorchWaves:
    import inspect

    known = inspect.signature(cls).parameters
    kwargs = {k: v for k, v in package["kwargs"].items() if k in known}
    try:
        network = cls(*package["args"], **kwargs)
    except Exception as error:  # whatever foreign arguments make of a foreign class
        raise ModelError(f"{path}: its network cannot be built ({error}): get the model again") from None
    tracks = track_names(network.sources, path)
    rate, channels = int(network.samplerate), int(network.audio_channels)
    if rate not in _RATES or not 1 <= channels <= _MOST_CHANNELS:
        raise ModelError(
            f"{path}: samplerate={rate}, channels={channels}: this is not a model of music in stereo"
        )
    segment_s = min(float(getattr(network, "segment", _LONGEST_SEGMENT_S)), _LONGEST_SEGMENT_S)
    facts = ForeignFacts("demucs", {path.name: sha256_of(path)})
    return _Demucs(
        use_weights(network, state, path), tracks, facts,
        sample_rate=rate, channels=channels, segment_frames=math.floor(segment_s * rate),
    )  # fmt: skip


class Bag:
    """Several models of the same tracks, averaged."""

    def __init__(self, models: list[TorchWaves], weights: FloatArray) -> None:
        first = models[0]
        self._models, self._weights = models, weights
        self.tracks, self.sample_rate, self.channels = first.tracks, first.sample_rate, first.channels
        self.segment_frames = min(m.segment_frames for m in models)
        self.facts = ForeignFacts("demucs", {k: v for m in models for k, v in m.facts.files.items()})

    def waves(self, segment: FloatArray) -> FloatArray:
        """Weighted means; a model whose weights are all zero is not asked."""
        total = np.zeros((len(self.tracks), *segment.shape), np.float32)
        for model, weights in zip(self._models, self._weights, strict=True):
            if weights.any():
                total += weights[:, None, None] * model.waves(segment)
        return np.asarray(total / self._weights.sum(axis=0)[:, None, None])


def open_bag(path: Path, settings: Mapping[str, Any]) -> Bag:
    """The models that a bag's YAML names, from files beside it."""
    names = settings["models"]
    if not isinstance(names, list) or not 0 < len(names) <= _MOST_MODELS:
        raise ModelError(f"{path}: models={names!r} is not a list of 1 to {_MOST_MODELS} models")
    models = [_member(path, str(name)) for name in names]
    first = models[0]
    if any(
        (m.tracks, m.sample_rate, m.channels) != (first.tracks, first.sample_rate, first.channels)
        for m in models
    ):
        raise ModelError(f"{path}: its models do not give the same tracks: this is no bag")
    return Bag(models, _weights(settings.get("weights"), len(models), len(first.tracks), path))


def _member(bag: Path, name: str) -> TorchWaves:
    if not name.replace("_", "").isalnum():
        raise ModelError(f"{bag}: {name!r} is not the name of a model")
    for file in (bag.with_name(f"{name}.safetensors"), *sorted(bag.parent.glob(f"{name}*.th"))):
        if file.is_file():
            opened = open_safetensors(file) if file.suffix == ".safetensors" else open_legacy(file)
            if opened is not None:
                return opened
    raise ModelError(
        f"{bag}: the model {name!r} is not there: put {name}.safetensors or {name}-CHECKSUM.th beside it"
    )


def _weights(given: Any, models: int, tracks: int, path: Path) -> FloatArray:
    if given is None:
        return np.ones((models, tracks), np.float32)
    try:
        weights = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        weights = np.zeros(0, np.float32)
    fine = weights.shape == (models, tracks) and np.isfinite(weights).all() and (weights >= 0).all()
    if not fine or not (weights.sum(axis=0) > 0).all():
        raise ModelError(f"{path}: weights are not one number per model and track: get the bag again")
    return weights

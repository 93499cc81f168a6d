"""Checkpoints in the form of Music-Source-Separation-Training: a YAML with the network's arguments, and its weights.

The kind of network is seen from its arguments; its class comes from the package that the user installed for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import ModelError
from tonmeister.separation.community.foreign import ForeignFacts, TorchWaves, class_of, track_names
from tonmeister.separation.community.plain_files import sha256_of, whole_number
from tonmeister.separation.community.weights import plain_state, read_safetensors, read_torch, use_weights

__all__ = ["is_msst", "open_msst", "weights_beside"]

_CLASSES: Final = {
    "freqs_per_bands": ("bs-roformer", ("bs_roformer", "BSRoformer")),
    "num_bands": ("mel-band-roformer", ("bs_roformer", "MelBandRoformer")),
    "band_SR": ("scnet", ("scnet.SCNet", "SCNet")),
}
"""An argument that only this kind of network has -> kind, and (module, class)."""
_SUFFIXES: Final = (".ckpt", ".pth", ".pt", ".th", ".safetensors")
_LARGEST: Final = 1 << 20


def is_msst(settings: Mapping[str, Any]) -> bool:
    """Whether a YAML has the parts of such a model."""
    return all(isinstance(settings.get(part), dict) for part in ("audio", "model", "training"))


def weights_beside(path: Path) -> Path:
    """The weights with the name of their settings."""
    found = [p for p in (path.with_suffix(s) for s in _SUFFIXES) if p.is_file()]
    if not found:
        raise ModelError(
            f"{path}: the weights are not there: put {path.stem}.ckpt beside it, under the same name"
        )
    return found[0]


def open_msst(path: Path, settings: Mapping[str, Any]) -> TorchWaves:
    """The model of these settings, its weights beside them."""
    audio, arguments, training = settings["audio"], settings["model"], settings["training"]
    kind, (module, name) = _kind(arguments, path)
    rate = whole_number(audio, "sample_rate", range(8000, 192_001), path)
    channels = whole_number(audio, "num_channels", range(1, 3), path) if "num_channels" in audio else 2
    segment = whole_number(audio, "chunk_size", range(1024, 60 * rate), path)
    instruments, only = training.get("instruments"), training.get("target_instrument")
    tracks = track_names([only] if only else instruments, path)
    network = _network(path, class_of(module, name, kind), _plain(arguments, path))
    file = weights_beside(path)
    loaded = read_safetensors(file) if file.suffix == ".safetensors" else read_torch(file)
    facts = ForeignFacts(kind, {file.name: sha256_of(file)})
    return TorchWaves(
        use_weights(network, plain_state(loaded, file), file), tracks, facts,
        sample_rate=rate, channels=channels, segment_frames=segment,
    )  # fmt: skip


def _network(path: Path, cls: Any, arguments: Mapping[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # foreign code has its own things to say
            return cls(**arguments)
    except Exception as error:  # whatever foreign arguments make of a foreign class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path}: {cls.__name__} cannot be built from its settings ({reason}): use the version of its "
            "package that it was made with"
        ) from None


def _kind(arguments: Mapping[str, Any], path: Path) -> tuple[str, tuple[str, str]]:
    for argument, found in _CLASSES.items():
        if argument in arguments:
            return found
    kinds = ", ".join(kind for kind, _ in _CLASSES.values())
    raise ModelError(f"{path}: is not a network of a kind that is known ({kinds}): give another model")


def _plain(arguments: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Arguments that are numbers, words, or rows of them."""

    def fine(value: Any) -> bool:
        if isinstance(value, (list, tuple)):
            return len(value) <= 4096 and all(fine(v) for v in value)
        if isinstance(value, (int, float)):
            return abs(value) <= _LARGEST
        return value is None or isinstance(value, str)

    for name, value in arguments.items():
        if not fine(value):
            raise ModelError(f"{path}: {name}={str(value)[:60]!r} is not an argument that a network has")
    return {str(name): tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}

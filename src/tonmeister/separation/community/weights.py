"""Weights out of files: arrays by name, read in ways that execute nothing.

PyTorch's files are pickles inside; they go through PyTorch's restricted reader, which knows arrays, plain containers and the
few classes it is told, and calls nothing else. What needs more is refused with its name.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import MissingExtraError, ModelError
from tonmeister.separation.community.plain_files import checked_size

__all__ = [
    "plain_state",
    "read_safetensors",
    "read_torch",
    "safetensors_metadata",
    "torch_module",
    "use_weights",
]

_MOST_NUMBERS: Final = 1_000_000_000
_MOST_ARRAYS: Final = 50_000
_MOST_UNPACKED_BYTES: Final = 8 << 30
_MOST_HEADER_BYTES: Final = 16 << 20
_NESTED: Final = ("state_dict", "state", "model", "model_state_dict")
_GLOBAL: Final = re.compile(r"(?:GLOBAL|global|class) ([\w.]+\.[\w.]+)")


def torch_module() -> Any:
    """PyTorch; raises `MissingExtraError` without the extra ``community``."""
    try:
        import torch
    except ImportError:
        raise MissingExtraError("a community model", extra="community") from None
    return torch


def read_torch(path: Path, allowed: Sequence[Any] = ()) -> Any:
    """The contents of a PyTorch file that holds arrays, plain containers and the classes `allowed`."""
    torch = torch_module()
    _check_archive(checked_size(path))
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # the library raises what its parts raise
        found = _GLOBAL.search(str(error))
        if found:
            raise ModelError(
                f"{path}: asks for {found[1]}, which models may not use; nothing of it was run: give a file that holds "
                "weights alone"
            ) from None
        raise ModelError(
            f"{path}: is damaged or no PyTorch file ({type(error).__name__}): get the model again"
        ) from None


def _check_archive(path: Path) -> None:
    """Refuse an archive that would unpack to more than weights take."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _MOST_UNPACKED_BYTES:
        raise ModelError(f"{path}: would unpack to {size >> 30} GiB: this is not a model to run here")


def safetensors_metadata(path: Path) -> dict[str, str]:
    """The words a safetensors file says of itself; raises `ModelError` for what is no such file."""
    try:
        with checked_size(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _MOST_HEADER_BYTES:
                raise ModelError(f"{path}: is no safetensors file: get the model again")
            header = json.loads(file.read(length).decode("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ModelError(f"{path}: is no safetensors file: get the model again") from None
    words = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return {str(k): str(v) for k, v in words.items()} if isinstance(words, dict) else {}


def read_safetensors(path: Path) -> dict[str, Any]:
    """All arrays of a safetensors file by name, as PyTorch's."""
    torch_module()
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(str(checked_size(path))))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: is damaged ({str(error).splitlines()[0]}): get the model again") from None


def plain_state(data: Any, path: Path) -> dict[str, Any]:
    """Names to arrays, finite and of reasonable number; some trainers wrap them once or twice more."""
    torch = torch_module()
    for _ in range(2):
        if isinstance(data, Mapping) and (inner := next((k for k in _NESTED if k in data), None)) is not None:
            data = data[inner]
    arrays = isinstance(data, Mapping) and data and all(isinstance(v, torch.Tensor) for v in data.values())
    if not arrays or len(data) > _MOST_ARRAYS:
        raise ModelError(f"{path}: does not hold arrays by name alone: give a file with the weights alone")
    if sum(v.numel() for v in data.values()) > _MOST_NUMBERS:
        raise ModelError(
            f"{path}: holds more than {_MOST_NUMBERS // 10**6} million numbers: too large to run here"
        )
    for name, value in data.items():
        if not bool(torch.isfinite(value).all()):
            raise ModelError(f"{path}: {name} holds values that are not numbers: the model is damaged")
    return {str(name): value.float() if value.is_floating_point() else value for name, value in data.items()}


def use_weights(network: Any, state: Mapping[str, Any], path: Path) -> Any:
    """The network with these weights, ready to be asked; names and shapes must be its own."""
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if missing := sorted(set(own) - set(given)):
        raise ModelError(_misfit(path, f"{len(missing)} arrays are missing, first {missing[0]}"))
    if unknown := sorted(set(given) - set(own)):
        raise ModelError(_misfit(path, f"{len(unknown)} arrays are unknown, first {unknown[0]}"))
    if wrong := next((name for name in own if own[name] != given[name]), None):
        raise ModelError(_misfit(path, f"{wrong} is {given[wrong]}, not {own[wrong]}"))
    network.load_state_dict(dict(state))
    return network.eval()


def _misfit(path: Path, what: str) -> str:
    return f"{path}: the weights do not fit the network ({what}): use the version of its package that it was made with"

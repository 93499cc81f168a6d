"""Loading and saving models: nothing is run or believed before size, checksum, card and contents agree."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.errors import BadInputError, ModelError, OutputError, nearest
from tonmeister.model_files.card import ModelCard, Port, read_card, with_weights
from tonmeister.model_files.network import Network
from tonmeister.model_files.onnx_reader import network_facts
from tonmeister.model_files.operators import check_operators
from tonmeister.model_files.shipped import MODELS_FOLDER, SHIPPED

__all__ = ["MAX_MODEL_BYTES", "Model", "load_model", "model_path", "save_model"]

MAX_MODEL_BYTES: Final = 256 * 2**20
_SUFFIXES: Final = (".onnx", ".npz")
_DTYPES: Final = frozenset("float32 float64 float16 int8 int16 int32 int64 uint8 bool".split())

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Model:
    """A checked model: its card, and either a network to run or arrays to read."""

    card: ModelCard
    path: Path
    network: Network | None = None
    arrays: Arrays | None = None

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """What the network makes of `inputs` (name -> array), name -> array."""
        if self.network is None:
            raise ModelError(f"{self.path}: holds arrays and no network: it cannot be run")
        return self.network.run(inputs)

    def array(self, name: str) -> NDArray[Any]:
        """One of the arrays."""
        if self.arrays is None or name not in self.arrays:
            raise ModelError(f"{self.path}: has no array {name!r}: get the model again")
        return self.arrays[name]


def load_model(
    name_or_path: str | Path, *, kind: str, threads: int = 1, max_bytes: int = MAX_MODEL_BYTES
) -> Model:
    """A shipped model by its name, or one from a file with its card beside it.

    `kind` is what the caller can use; `threads` is how many a network may run on; `max_bytes` bounds the weights.
    Raises `ModelError` for a model that is missing, damaged, foreign, too large, or of another kind.
    """
    path = model_path(name_or_path)
    card = read_card(path.with_suffix(".json"))
    if card.kind != kind:
        raise ModelError(f"{path}: kind={card.kind!r}, and {kind!r} is needed: give another model")
    data = _checked_bytes(path, card, max_bytes)
    try:
        if card.format == "npz":
            return Model(card, path, arrays=_arrays(data, card.arrays, max_bytes))
        check_operators(network_facts(data))
        return Model(card, path, network=Network(data, card.inputs, card.outputs, threads=threads))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def model_path(name_or_path: str | Path) -> Path:
    """Where the weights of a model lie."""
    if isinstance(name_or_path, str) and name_or_path in SHIPPED:
        return _weights_of(MODELS_FOLDER / name_or_path)
    path = Path(name_or_path)
    if path.suffix in _SUFFIXES or path.suffix == ".json":
        found = _weights_of(path.with_suffix("")) if path.suffix == ".json" else path
        if found.is_file():
            return found
        raise ModelError(f"{path}: no such model file")
    raise ModelError(
        f"model {str(name_or_path)!r} is neither shipped nor a file{nearest(str(name_or_path), list(SHIPPED))}: "
        f"give one of {', '.join(SHIPPED)}, or a .onnx or .npz file"
    )


def _weights_of(stem: Path) -> Path:
    candidates = [stem.with_name(stem.name + suffix) for suffix in _SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _checked_bytes(path: Path, card: ModelCard, max_bytes: int) -> bytes:
    """The file's bytes, once its size and checksum are those of the card."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ModelError(
                f"{path}: {size} bytes are more than a model of this kind may have ({max_bytes})"
            )
        if path.suffix != f".{card.format}" or size != card.bytes:
            raise ModelError(
                f"{path}: {size} bytes are not the {card.bytes} bytes of {card.format} that its card describes: "
                "it is cut off or another file: get the model again"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ModelError(
            f"{path}: checksum is not that of its card: the file is damaged: get the model again"
        )
    return data


def _arrays(data: bytes, ports: tuple[Port, ...], max_bytes: int) -> Arrays:
    """The arrays of an npz file: those the card names, in the types and shapes it names, finite."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > max_bytes:
                raise ModelError(f"the arrays unpack to more than {max_bytes} bytes")
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            if sorted(loaded.files) != sorted(port.name for port in ports):
                raise ModelError("the arrays are not those that the card names")
            return {port.name: _checked_array(loaded[port.name], port) for port in ports}
    except (ValueError, OSError, zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ModelError(f"is not a file of plain arrays ({error}): get the model again") from None


def _checked_array(array: NDArray[Any], port: Port) -> NDArray[Any]:
    fits = len(array.shape) == len(port.shape) and all(
        isinstance(n, str) or n == have for n, have in zip(port.shape, array.shape, strict=True)
    )
    if str(array.dtype) not in _DTYPES or str(array.dtype) != port.dtype or not fits:
        raise ModelError(f"array {port.name!r} is {array.dtype}{list(array.shape)}, not {port}")
    if not np.isfinite(array).all():
        raise ModelError(f"array {port.name!r} holds numbers that are none")
    return array


def save_model(path: Path, weights: bytes | Arrays, card: ModelCard, *, overwrite: bool = False) -> ModelCard:
    """Write a model and its card; both appear under their names only when complete. Returns the finished card.

    `weights` are the bytes of an ONNX file, or arrays for an npz file; `path` ends in .onnx or .npz accordingly.
    """
    path = Path(path)
    data, ports = (weights, ()) if isinstance(weights, bytes) else _packed(weights)
    if path.suffix != (".onnx" if isinstance(weights, bytes) else ".npz") or path.suffix != f".{card.format}":
        raise BadInputError(f"{path}: a model of format {card.format} is saved as NAME.{card.format}")
    if isinstance(weights, bytes):
        check_operators(network_facts(weights))
    else:
        card = _with_arrays(card, ports)
    card = with_weights(card, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    for target in (path, path.with_suffix(".json")):
        if target.exists() and not overwrite:
            raise BadInputError(f"{target}: exists already: give another name or --overwrite")
    _write(path, data)
    _write(path.with_suffix(".json"), card.to_json().encode("utf-8"))
    return card


def _packed(arrays: Arrays) -> tuple[bytes, tuple[Port, ...]]:
    """Uncompressed npz bytes that depend on the arrays alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    ports = tuple(Port(name, str(arrays[name].dtype), arrays[name].shape) for name in sorted(arrays))
    return buffer.getvalue(), ports


def _with_arrays(card: ModelCard, ports: tuple[Port, ...]) -> ModelCard:
    import dataclasses

    return dataclasses.replace(card, arrays=ports)


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{path}: the model could not be written ({reason}): write elsewhere") from None
    finally:
        partial.unlink(missing_ok=True)

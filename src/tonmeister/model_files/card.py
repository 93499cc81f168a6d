"""What a model file says of itself: how it was made, from what, under which licence, how good it is, its limits."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from tonmeister.errors import ModelError

__all__ = ["SCHEMA_VERSION", "ModelCard", "Port", "TrainingData", "card_from_dict", "read_card"]

SCHEMA_VERSION: Final = 1
_MAX_CARD_BYTES: Final = 2**20
_MAX_DEPTH: Final = 12
_FORMATS: Final = ("onnx", "npz")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output, or one array of an npz file; a dimension that may vary is a word."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{list(self.shape)}"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """One source of sound the model learned from."""

    name: str
    licence: str
    use: str


@dataclass(frozen=True)
class ModelCard:
    """The JSON file beside the weights."""

    name: str
    kind: str
    """What it is a model of; a loader asks for one kind and gets no other."""
    summary: str
    """What it is for, in one line."""
    licence: str
    """Of the weights."""
    format: str
    """``onnx`` or ``npz``."""
    created: str
    """Date, YYYY-MM-DD."""
    recipe: Mapping[str, Any]
    """How it was made: command, seed, version."""
    training_data: tuple[TrainingData, ...]
    metrics: Mapping[str, Any]
    limits: tuple[str, ...]
    """What it cannot do, a sentence each."""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    arrays: tuple[Port, ...] = ()
    """Of an npz file."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the code around the network needs to know: labels, rates, temperatures."""
    sha256: str = ""
    """Of the file with the weights; set when the model is saved."""
    bytes: int = 0
    """Size of the file with the weights; set when the model is saved."""
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the schema's version first."""
        plain = dataclasses.asdict(self)
        return {"schema_version": plain.pop("schema_version"), **plain}

    def to_json(self) -> str:
        """The text of the card's file."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_card(path: Path) -> ModelCard:
    """Read and check a card; raises `ModelError` in one line for anything that is not one."""
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise ModelError(f"{path}: larger than {_MAX_CARD_BYTES >> 20} MiB: this is not a model card")
        data = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise ModelError(
            f"{path}: a model needs its card beside it: put the .json file that came with it there"
        ) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path}: is not JSON ({error}): get the model again") from None
    return card_from_dict(data, where=str(path))


def _refuse_constant(word: str) -> float:
    raise ModelError(f"{word} is not a number a model card may hold")


def card_from_dict(data: Any, *, where: str) -> ModelCard:
    """A card from plain data; `where` begins the messages."""
    if not isinstance(data, Mapping) or not isinstance(data.get("schema_version"), int):
        raise ModelError(f"{where}: schema_version is missing: this is not a tonmeister model card")
    if data["schema_version"] != SCHEMA_VERSION:
        raise ModelError(
            f"{where}: schema_version={data['schema_version']} is not the one this tonmeister reads "
            f"({SCHEMA_VERSION}): get the model that belongs to this version"
        )
    try:
        card = _card(dict(data))
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"{where}: the card is malformed ({error}): get the model again") from None
    _check(card, where)
    return card


def _card(data: dict[str, Any]) -> ModelCard:
    fields = {f.name for f in dataclasses.fields(ModelCard)}
    if unknown := sorted(set(data) - fields):
        raise ValueError(f"unknown key {unknown[0]!r}")
    for name in ("inputs", "outputs", "arrays"):
        data[name] = tuple(_port(row) for row in _rows(data, name))
    data["training_data"] = tuple(_made(TrainingData, row) for row in _rows(data, "training_data"))
    data["limits"] = tuple(str(line) for line in _rows(data, "limits"))
    return _made(ModelCard, data)


def _rows(data: Mapping[str, Any], name: str) -> list[Any]:
    rows = data.get(name, [])
    if not isinstance(rows, list) or len(rows) > 4096:
        raise ValueError(f"{name} is not a list of reasonable length")
    return rows


def _port(row: Any) -> Port:
    shape = row["shape"]
    if not isinstance(shape, list) or not all(isinstance(n, (int, str)) for n in shape):
        raise ValueError("a shape is a list of numbers and words")
    return Port(str(row["name"]), str(row["dtype"]), tuple(shape))


def _made(cls: type[T], data: Any) -> T:
    if not isinstance(data, Mapping):
        raise TypeError(f"{cls.__name__} is not an object")
    return cls(**data)


def _check(card: ModelCard, where: str) -> None:
    """Raise `ModelError` for values that no card of ours has."""
    wrong = [
        name
        for name in ("name", "kind", "summary", "licence", "format", "created", "sha256")
        if not isinstance(getattr(card, name), str) or not getattr(card, name)
    ]
    wrong += [
        name
        for name in ("recipe", "metrics", "settings")
        if not isinstance(getattr(card, name), Mapping) or _depth(getattr(card, name)) > _MAX_DEPTH
    ]
    if wrong:
        raise ModelError(f"{where}: {wrong[0]} is missing or malformed in the card: get the model again")
    if card.format not in _FORMATS:
        raise ModelError(f"{where}: format={card.format!r} is not one of {', '.join(_FORMATS)}")
    if not _SHA256.fullmatch(card.sha256) or not _DATE.fullmatch(card.created):
        raise ModelError(f"{where}: sha256 or created is malformed in the card: get the model again")
    if not isinstance(card.bytes, int) or card.bytes <= 0:
        raise ModelError(f"{where}: bytes={card.bytes!r} is no size: get the model again")


def _depth(value: Any) -> float:
    if isinstance(value, Mapping):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, float) and not math.isfinite(value):
        return math.inf
    return 0


def with_weights(card: ModelCard, *, sha256: str, size: int) -> ModelCard:
    """The card of a file with this checksum and size."""
    return dataclasses.replace(card, sha256=sha256, bytes=size)

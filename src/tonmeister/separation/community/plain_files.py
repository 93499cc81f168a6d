"""Reading what accompanies weights: YAML and JSON that hold plain data and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import MissingExtraError, ModelError

__all__ = ["checked_size", "plain_json", "plain_yaml", "sha256_of", "whole_number"]

_MOST_TEXT_BYTES: Final = 1 << 20
_MOST_BYTES: Final = 4 << 30
_DEEPEST: Final = 12
_TUPLE: Final = "tag:yaml.org,2002:python/tuple"


def plain_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping of plain data; tuples of plain values are understood, any other tag and any alias is refused."""
    try:
        import yaml
    except ImportError:
        raise MissingExtraError(f"{path}: the settings of a community model", extra="community") from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ModelError(f"{path}: has aliases (*name): write the values out")
            return super().compose_node(parent, index)

    Loader.add_constructor(_TUPLE, lambda loader, node: tuple(loader.construct_sequence(node)))
    try:
        data = yaml.load(_text(path), Loader)  # a SafeLoader: nothing is built but plain data
    except yaml.YAMLError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"{path}: is not plain YAML ({reason}): get the model's settings again") from None
    return _mapping(data, path)


def plain_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        return _mapping(json.loads(_text(path)), path)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"{path}: is not JSON ({error}): get the model's settings again") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_TEXT_BYTES:
            raise ModelError(f"{path}: larger than 1 MiB: these are not the settings of a model")
        return path.read_text("utf-8")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: is not text: get the model's settings again") from None


def _mapping(data: Any, path: Path) -> dict[str, Any]:
    if not isinstance(data, dict) or max(_depths(data)) > _DEEPEST:
        raise ModelError(f"{path}: these are not the settings of a model")
    return data


def _depths(value: Any, depth: int = 1) -> Iterator[int]:
    yield depth
    inner = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    )
    if depth <= _DEEPEST:
        for item in inner:
            yield from _depths(item, depth + 1)


def whole_number(settings: Mapping[str, Any], name: str, range_: range, path: Path) -> int:
    """A whole number of the settings within a range."""
    value = settings.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value not in range_:
        raise ModelError(
            f"{path}: {name}={value!r} is not a whole number from {range_.start} to {range_.stop - 1}: "
            "get the model's settings again"
        )
    return value


def checked_size(path: Path) -> Path:
    """The path of weights, if there are any and not absurdly many."""
    if not path.is_file():
        raise ModelError(f"{path}: no such model file: put the weights beside their settings")
    if not 0 < path.stat().st_size <= _MOST_BYTES:
        raise ModelError(
            f"{path}: is empty or larger than {_MOST_BYTES >> 30} GiB: this is not a model to run here"
        )
    return path


def sha256_of(path: Path) -> str:
    """Checksum of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

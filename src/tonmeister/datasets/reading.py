"""Reading what came with a dataset: metadata and folders that nobody vouches for, within limits of size and depth."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tonmeister.audio import AUDIO_SUFFIXES
from tonmeister.errors import BadInputError, MissingExtraError

__all__ = [
    "audio_files",
    "entries",
    "inside",
    "mapping",
    "read_json",
    "read_text",
    "read_yaml",
    "subfolders",
    "text",
]

LARGEST_TEXT_BYTES: Final = 4 << 20
LARGEST_INDEX_BYTES: Final = 512 << 20
"""Of one list of a whole set of notes (NSynth's is some 200 MB)."""
_MOST_ENTRIES: Final = 400_000
_DEEPEST: Final = 20


def entries(folder: Path) -> list[Path]:
    """What lies in `folder`, sorted, without hidden files; empty where there is no such folder."""
    if not folder.is_dir():
        return []
    try:
        found = list(itertools.islice(folder.iterdir(), _MOST_ENTRIES + 1))
    except OSError as error:
        raise BadInputError(f"{folder}: cannot be listed ({error.strerror}): check its permissions") from None
    if len(found) > _MOST_ENTRIES:
        raise BadInputError(f"{folder}: holds more than {_MOST_ENTRIES} files: give a folder of one dataset")
    return sorted(path for path in found if not path.name.startswith((".", "__MACOSX")))


def subfolders(folder: Path) -> list[Path]:
    """The folders in `folder`, sorted."""
    return [path for path in entries(folder) if path.is_dir()]


def audio_files(folder: Path) -> list[Path]:
    """The audio files in `folder` itself, sorted."""
    return [p for p in entries(folder) if p.suffix.casefold() in AUDIO_SUFFIXES and p.is_file()]


def inside(folder: Path, name: str) -> Path:
    """The path of a file that metadata names below `folder`; raises when it leads out of it."""
    path = Path(name.replace("\\", "/"))
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise BadInputError(f"{folder}: the metadata names {name!r}: a file must lie below its song's folder")
    return folder / path


def read_text(path: Path, *, largest_bytes: int = LARGEST_TEXT_BYTES) -> str:
    """A text file in UTF-8 (or Latin-1, as old programs wrote), not longer than `largest_bytes`."""
    try:
        if path.stat().st_size > largest_bytes:
            raise BadInputError(
                f"{path}: is longer than {largest_bytes} bytes: this is no file of the dataset"
            )
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({(error.strerror or 'error').lower()})") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_json(path: Path, *, largest_bytes: int = LARGEST_TEXT_BYTES) -> Any:
    """A JSON file; raises `BadInputError` where it is damaged."""
    try:
        return json.loads(read_text(path, largest_bytes=largest_bytes))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInputError(f"{path}: is damaged JSON ({error}): copy it again from the dataset") from None


def read_yaml(path: Path) -> Any:
    """A YAML file as plain data: no tags, no aliases, no deep nesting; raises `BadInputError` where it is damaged."""
    try:
        import yaml
    except ImportError:
        raise MissingExtraError(f"{path}: reading YAML", extra="train") from None
    written = read_text(path)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_shape(path, yaml, written, loader)
        return yaml.load(written, Loader=loader)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"{path}: is damaged YAML ({reason}): copy it again from the dataset") from None


def _check_shape(path: Path, yaml: Any, written: str, loader: Any) -> None:
    """Refuse what could grow when it is read: aliases, and nesting without end."""
    depth = 0
    for event in yaml.parse(written, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            raise BadInputError(f"{path}: holds YAML aliases, which no dataset uses: it is not read")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise BadInputError(f"{path}: is nested deeper than {_DEEPEST}: it is not read")


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """`value` as a mapping with text keys; raises `BadInputError` naming `what` otherwise."""
    if not isinstance(value, dict):
        raise BadInputError(f"{what}: should hold names and values, is {type(value).__name__}: copy it again")
    return {str(key): entry for key, entry in value.items()}


def text(value: Any) -> str:
    """A value of the metadata as one line of text; '' for nothing, lists joined."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(text, value)))
    return "" if value is None else " ".join(str(value).split())

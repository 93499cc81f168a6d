"""The optional tonmeister.toml in a folder of tracks: what the person knows better than names and sounds say."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import Range
from tonmeister.vocabulary import INSTRUMENTS, KINDS, ROLES

__all__ = ["CONFIG_NAME", "SAMPLE_RATE_RANGE", "FolderConfig", "TrackSettings", "read_config"]

CONFIG_NAME: Final = "tonmeister.toml"
SAMPLE_RATE_RANGE: Final = Range(4000, 768_000, "Hz", curve="log")
TEMPO_RANGE: Final = Range(10, 999, "bpm", curve="log")
_MAXIMUM_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """What is set for one track; None leaves it to the name and the sound."""

    instrument: str | None = None
    role: str | None = None
    name: str | None = None
    group: str | None = None
    kind: str | None = None

    def over(self, other: TrackSettings) -> TrackSettings:
        """These settings, and the other's where these say nothing."""
        return TrackSettings(
            *(
                mine if (mine := getattr(self, f.name)) is not None else getattr(other, f.name)
                for f in fields(self)
            )
        )


@dataclass(frozen=True)
class FolderConfig:
    """Everything a tonmeister.toml may say."""

    title: str = ""
    tempo_bpm: float | None = None
    genre: str = ""
    sample_rate: int | None = None
    exclude: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    tracks: Mapping[str, TrackSettings] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_config(folder: Path) -> FolderConfig:
    """The folder's tonmeister.toml, or an empty configuration when there is none.

    Raises `BadInputError` for anything it does not know, with the nearest right words.
    """
    path = folder / CONFIG_NAME
    if not path.is_file():
        return FolderConfig()
    return _Reader(path).config(_parse(path))


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAXIMUM_BYTES + 1)
        if len(content) > _MAXIMUM_BYTES:
            raise BadInputError(f"{path}: larger than 1 MiB, which no settings of a song are: shorten it")
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}): check its permissions") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not UTF-8 text: save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInputError(f"{path}: is not valid TOML ({error}): correct that line") from None


class _Reader:
    """Checks values and says where the wrong one stands."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def config(self, data: Mapping[str, Any]) -> FolderConfig:
        readers: dict[str, Callable[[str, Any], Any]] = {
            "title": self._text,
            "tempo_bpm": lambda key, value: self._number(key, value, TEMPO_RANGE),
            "genre": self._text,
            "sample_rate": self._sample_rate,
            "exclude": self._texts,
            "locks": self._texts,
            "tracks": self._tracks,
            "groups": self._groups,
        }
        self._known(data, list(readers), "key")
        return FolderConfig(**{key: readers[key](key, value) for key, value in data.items()})

    def _fail(self, text: str) -> BadInputError:
        return BadInputError(f"{self._path}: {text}")

    def _known(self, words: Mapping[str, Any], known: Sequence[str], what: str) -> None:
        for word in words:
            if word not in known:
                hint = nearest(word, list(known)) or f": use {', '.join(known)}"
                raise self._fail(f"{what}={word!r} is not known{hint}")

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self._fail(f"{key}={value!r} is not text: put it in quotes")
        return value

    def _texts(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._fail(f'{key}={value!r} is not a list of texts: write {key} = ["..."]')
        return tuple(value)

    def _number(self, key: str, value: Any, allowed: Range) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in allowed:
            raise self._fail(f"{key}={value!r} is not a number from {allowed}")
        return value

    def _sample_rate(self, key: str, value: Any) -> int:
        if not isinstance(value, int):
            raise self._fail(f"{key}={value!r} is not a whole number of hertz")
        return int(self._number(key, value, SAMPLE_RATE_RANGE))

    def _table(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._fail(f"{key}={value!r} is not a table: write [{key}]")
        return value

    def _tracks(self, key: str, value: Any) -> dict[str, TrackSettings]:
        return {
            name: self._track(name, self._table(f"{key}.{name!r}", settings))
            for name, settings in self._table(key, value).items()
        }

    def _track(self, name: str, settings: Mapping[str, Any]) -> TrackSettings:
        self._known(settings, [f.name for f in fields(TrackSettings)], f"tracks.{name!r}: key")
        for key, words in (("instrument", INSTRUMENTS), ("role", ROLES), ("kind", KINDS)):
            if key in settings:
                self._word(f"tracks.{name!r}: {key}", settings[key], words)
        for key in ("name", "group"):
            if not self._text(f"tracks.{name!r}: {key}", settings.get(key, "-")).strip():
                raise self._fail(
                    f"tracks.{name!r}: {key}={settings[key]!r} is empty: give a name or leave it out"
                )
        return TrackSettings(**settings)

    def _word(self, key: str, value: Any, words: Sequence[str]) -> None:
        text = self._text(key, value)
        if text not in words:
            hint = nearest(text, list(words)) or f": use one of {', '.join(words)}"
            raise self._fail(f"{key}={text!r} is not known{hint}")

    def _groups(self, key: str, value: Any) -> dict[str, tuple[str, ...]]:
        return {
            name: self._texts(f"{key}.{name}", members) for name, members in self._table(key, value).items()
        }

"""The key of a test: which version is whose. Listeners never see it, and the page never loads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import BadInputError

__all__ = ["HUMAN", "KEY_FILE", "Condition", "SongEntry", "TestKey", "read_key"]

HUMAN: Final = "human"
"""The condition that a person mixed."""
KEY_FILE: Final = "key.json"
_KIND: Final = "tonmeister listening test key"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """One version of one song."""

    song: str
    engine: str
    """Name of the engine, or ``human``."""
    file: str
    gain_db: float
    lufs: float
    true_peak_dbtp: float


@dataclass(frozen=True, slots=True)
class SongEntry:
    """One song, and the part of it that is heard."""

    title: str
    start_s: float
    seconds: float
    sample_rate: int
    human: str | None = None


@dataclass(frozen=True)
class TestKey:
    """What is needed to read the answers."""

    __test__ = False

    test: str
    seed: int
    criteria: tuple[str, ...]
    songs: Mapping[str, SongEntry]
    conditions: Mapping[str, Condition]

    def engines(self) -> tuple[str, ...]:
        """All that were heard, in the order of their first song."""
        return tuple(dict.fromkeys(c.engine for c in self.conditions.values()))

    def versions(self, song: str) -> tuple[str, ...]:
        """The condition ids of a song."""
        return tuple(name for name, c in self.conditions.items() if c.song == song)

    def to_json(self) -> str:
        """The text of `KEY_FILE`."""
        data = {
            "schema_version": _VERSION,
            "kind": _KIND,
            "test": self.test,
            "seed": self.seed,
            "criteria": list(self.criteria),
            "songs": {name: asdict(song) for name, song in self.songs.items()},
            "conditions": {name: asdict(condition) for name, condition in self.conditions.items()},
        }
        return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_key(path: Path) -> TestKey:
    """Read `KEY_FILE`; raises `BadInputError` for anything else."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
        if data["kind"] != _KIND or data["schema_version"] != _VERSION:
            raise ValueError("another kind or version")
        return _key(data)
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot be read ({error.strerror}): give the key.json of the test"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError(
            f"{path}: is not the key of a listening test: give the key.json of the test"
        ) from None


def _key(data: Mapping[str, Any]) -> TestKey:
    key = TestKey(
        str(data["test"]),
        int(data["seed"]),
        tuple(map(str, data["criteria"])),
        {name: SongEntry(**song) for name, song in data["songs"].items()},
        {name: Condition(**condition) for name, condition in data["conditions"].items()},
    )
    if not key.conditions or any(c.song not in key.songs for c in key.conditions.values()):
        raise ValueError("conditions without songs")
    return key

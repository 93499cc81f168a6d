"""The token table: what each known word may mean, read once from tokens.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from tonmeister.naming.words import fold

__all__ = ["Combination", "Sense", "TokenTable", "token_table"]

STAGES = ("control", "print", "return", "position", "source", "generic", "attribute")


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of one word."""

    label: str
    stage: str
    rank: int
    """Place in the file: earlier labels stand before later ones of the same stage."""
    instrument: str | None
    role: str | None
    attributes: tuple[str, ...]
    weak: bool
    language: str
    """Name of the language; empty for English and studio words."""
    applies_to: tuple[str, ...]
    yields_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Combination:
    """What two words mean together."""

    of: tuple[str, str]
    result: str | None
    keep: int | None
    not_generic: bool


@dataclass(frozen=True)
class TokenTable:
    """Everything tokens.toml says."""

    senses: Mapping[str, tuple[Sense, ...]]
    combinations: tuple[Combination, ...]
    splits: Mapping[str, tuple[str, ...]]
    roles: Mapping[str, str]
    keep_leading_numbers: tuple[str, ...]
    microphone_attributes: frozenset[str]

    def __getitem__(self, key: str) -> tuple[Sense, ...]:
        return self.senses.get(key, ())


@lru_cache(maxsize=1)
def token_table() -> TokenTable:
    """The table, read on first use."""
    text = resources.files("tonmeister.naming").joinpath("tokens.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    senses: dict[str, list[Sense]] = {}
    for key, sense in _all_senses(data):
        known = senses.setdefault(key, [])
        if all(sense.label != other.label for other in known):
            known.append(sense)
    return TokenTable(
        senses={key: tuple(found) for key, found in senses.items()},
        combinations=tuple(map(_combination, data["combination"])),
        splits={key: tuple(parts) for key, parts in data["splits"].items()},
        roles=data["roles"],
        keep_leading_numbers=tuple(data["keep_leading_numbers"]),
        microphone_attributes=frozenset(data["microphone_attributes"]),
    )


def _all_senses(data: Mapping[str, Any]) -> Iterator[tuple[str, Sense]]:
    for rank, label in enumerate(data["label"]):
        for words, weak, language in _word_lists(label, data["language_names"]):
            sense = _sense(label, rank, weak=weak, language=language)
            for word in words:
                yield fold(word), sense


def _word_lists(label: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[list[str], bool, str]]:
    yield label["words"], False, ""
    yield label.get("weak", []), True, ""
    for code, words in label.get("languages", {}).items():
        yield words, False, names[code]


def _sense(label: Mapping[str, Any], rank: int, *, weak: bool, language: str) -> Sense:
    return Sense(
        label=label["name"],
        stage=label.get("stage", "source"),
        rank=rank,
        instrument=label.get("instrument"),
        role=label.get("role"),
        attributes=tuple(label.get("attributes", ())),
        weak=weak,
        language=language,
        applies_to=tuple(label.get("applies_to", ())),
        yields_to=tuple(label.get("yields_to", ())),
    )


def _combination(entry: Mapping[str, Any]) -> Combination:
    first, second = entry["of"]
    return Combination((first, second), entry.get("is"), entry.get("keep"), entry.get("not_generic", False))

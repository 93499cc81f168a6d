"""Numbers of the engine that are no rules, read from ``numbers.toml`` with their sources."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["CONFIDENCE", "Value", "number", "numbers", "value"]

CONFIDENCE: Mapping[str, float] = {"P": 0.9, "C": 0.9, "M": 0.8, "S": 0.7, "R": 0.5}
"""How sure a decision is that rests on knowledge of this grade alone; our reconstruction."""


@dataclass(frozen=True, slots=True)
class Value:
    """One entry of the file."""

    id: str
    unit: str
    numbers: tuple[float, ...]
    evidence: str
    source: str


@cache
def _values() -> Mapping[str, Value]:
    text = files(__package__).joinpath("numbers.toml").read_text(encoding="utf-8")
    return {entry["id"]: _read(entry) for entry in tomllib.loads(text)["value"]}


def _read(entry: Mapping[str, object]) -> Value:
    raw = entry["value"]
    series = tuple(float(item) for item in raw) if isinstance(raw, list) else (float(str(raw)),)
    return Value(str(entry["id"]), str(entry["unit"]), series, str(entry["evidence"]), str(entry["source"]))


def value(id: str) -> Value:
    """The entry called `id`."""
    return _values()[id]


def numbers(id: str) -> tuple[float, ...]:
    """All numbers of an entry."""
    return value(id).numbers


def number(id: str) -> float:
    """The number of an entry that has one."""
    (single,) = numbers(id)
    return single

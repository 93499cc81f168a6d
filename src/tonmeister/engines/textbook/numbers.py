"""The numbers of the engine that are not rules, each with its source in `numbers.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Number", "number", "numbers"]


@dataclass(frozen=True, slots=True)
class Number:
    """A value, and where it comes from."""

    id: str
    unit: str
    value: float
    evidence: str
    source: str
    use: str


def number(name: str) -> float:
    """The value called `name`."""
    return numbers()[name].value


@cache
def numbers() -> Mapping[str, Number]:
    """All numbers by name."""
    data = tomllib.loads(Path(__file__).with_name("numbers.toml").read_text(encoding="utf-8"))
    return {record["id"]: Number(**record) for record in data["value"]}

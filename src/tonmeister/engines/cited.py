"""Numbers with their sources: the ``numbers.toml`` that lies beside an engine."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["CONFIDENCE", "Value", "cited_values"]

CONFIDENCE: Final[Mapping[str, float]] = {"P": 0.9, "C": 0.9, "M": 0.8, "S": 0.7, "R": 0.5, "R?": 0.4}
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
def cited_values(package: str) -> Mapping[str, Value]:
    """The entries of ``numbers.toml`` in `package`, by their id."""
    text = files(package).joinpath("numbers.toml").read_text(encoding="utf-8")
    return {entry["id"]: _read(entry) for entry in tomllib.loads(text)["value"]}


def _read(entry: Mapping[str, object]) -> Value:
    raw = entry["value"]
    series = tuple(float(item) for item in raw) if isinstance(raw, list) else (float(str(raw)),)
    return Value(str(entry["id"]), str(entry["unit"]), series, str(entry["evidence"]), str(entry["source"]))

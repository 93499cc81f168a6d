"""The numbers of ``numbers.toml``, which stand there with their sources."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["number", "numbers"]


@cache
def _values() -> Mapping[str, tuple[float, ...]]:
    text = files("tonmeister.spatial").joinpath("numbers.toml").read_text("utf-8")
    rows = tomllib.loads(text)["value"]
    return {r["id"]: tuple(r["value"]) if isinstance(r["value"], list) else (r["value"],) for r in rows}


def numbers(name: str) -> tuple[float, ...]:
    """The values of an entry."""
    return _values()[name]


def number(name: str) -> float:
    """The one value of an entry."""
    (value,) = _values()[name]
    return float(value)

"""The cited numbers of matching."""

from __future__ import annotations

from tonmeister.engines.cited import cited_values

__all__ = ["number", "pair"]

_PACKAGE = "tonmeister.matching"


def number(name: str) -> float:
    """The value called `name`."""
    return cited_values(_PACKAGE)[name].numbers[0]


def pair(name: str) -> tuple[float, float]:
    """Both values of the range called `name`."""
    low, high = cited_values(_PACKAGE)[name].numbers
    return low, high

"""Numbers of the engine that are no rules, read from ``numbers.toml`` with their sources."""

from __future__ import annotations

from tonmeister.engines.cited import CONFIDENCE, Value, cited_values

__all__ = ["CONFIDENCE", "Value", "number", "numbers", "value"]


def value(id: str) -> Value:
    """The entry called `id`."""
    return cited_values(__package__)[id]


def numbers(id: str) -> tuple[float, ...]:
    """All numbers of an entry."""
    return value(id).numbers


def number(id: str) -> float:
    """The number of an entry that has one."""
    (single,) = numbers(id)
    return single

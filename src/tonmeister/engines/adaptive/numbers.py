"""The constants of the low-level mixer, read from ``numbers.toml`` with their sources."""

from __future__ import annotations

from tonmeister.decisions import Reason
from tonmeister.engines.cited import CONFIDENCE, Value, cited_values

__all__ = ["Value", "bounds", "number", "numbers", "reason", "value"]


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


def bounds(id: str) -> tuple[float, float]:
    """(lower, upper) of an entry that has two numbers."""
    lower, upper = numbers(id)
    return lower, upper


def reason(text: str, id: str, *, rule: str, notes: tuple[str, ...] = ()) -> Reason:
    """A reason that rests on the entry `id`: its source, its grade, and the confidence of that grade."""
    entry = value(id)
    confidence = CONFIDENCE[entry.evidence]
    return Reason(text, entry.source, f"adaptive.{rule}", entry.evidence, confidence, notes)

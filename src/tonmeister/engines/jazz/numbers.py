"""Numbers of the engine `jazz`, read from ``numbers.toml`` with their sources."""

from __future__ import annotations

from tonmeister.engines.cited import cited_values

__all__ = ["number", "numbers"]


def numbers(id: str) -> tuple[float, ...]:
    """All numbers of an entry."""
    return cited_values("tonmeister.engines.jazz")[id].numbers


def number(id: str) -> float:
    """The number of an entry that has one."""
    (single,) = numbers(id)
    return single

"""One measured figure: value, unit and which way is better; and groups of them with their method.

A figure without a value (None) says in its note why there is none; it is never a zero or an infinity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Better", "Figure", "Group"]

Better = Literal["higher", "lower", "neutral"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A named value; `better` says which direction is an improvement, or that none is."""

    name: str
    value: float | None
    unit: str
    better: Better
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"value": self.value, "unit": self.unit, "better": self.better, "note": self.note}


def figure(name: str, value: float | None, unit: str, better: Better, note: str = "") -> Figure:
    """A figure whose value is None where it is not a finite number."""
    known = None if value is None or not math.isfinite(value) else float(value)
    return Figure(name, known, unit, better, note)


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of one family, and in words how they were measured."""

    key: str
    title: str
    method: str
    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> Figure:
        return next(f for f in self.figures if f.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "title": self.title,
            "method": self.method,
            "figures": {f.name: f.to_dict() for f in self.figures},
        }


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of those that exist; None when none does."""
    known = [v for v in values if v is not None]
    return math.fsum(known) / len(known) if known else None

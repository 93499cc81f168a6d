"""What listeners are asked (`criteria.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from tonmeister.errors import BadInputError, nearest

__all__ = ["DEFAULT_CRITERION", "Criterion", "criteria", "criterion"]

DEFAULT_CRITERION: Final = "Preference"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question, with the words at both ends of its scale."""

    name: str
    question: str
    low: str
    high: str
    source: str
    evidence: str


@cache
def criteria() -> dict[str, Criterion]:
    """All criteria by name."""
    data = tomllib.loads(files(__package__).joinpath("criteria.toml").read_text("utf-8"))
    return {name: Criterion(name, **row) for name, row in data.items()}


def criterion(text: str) -> Criterion:
    """A criterion by its name in any case."""
    for name, found in criteria().items():
        if name.casefold() == text.strip().casefold():
            return found
    raise BadInputError(
        f"there is no criterion {text!r}{nearest(text, list(criteria()))}: give some of {', '.join(criteria())}"
    )

"""What a store is told: properties, owners and constraints, and what it tells: changes and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from tonmeister.constraints.expressions import Expression, Key, Read, Value
from tonmeister.units import Range

__all__ = [
    "Changes", "Constraint", "Directed", "Equation", "Inequality", "NEUTRAL", "Property", "Quantified", "Report",
]  # fmt: skip

Behavior = Literal["independent", "additive", "multiplicative"]
NEUTRAL: Final[Mapping[str, float]] = {"additive": 0.0, "multiplicative": 1.0}
"""What leaves the sum or product along the hierarchy as it is."""


@dataclass(frozen=True, slots=True)
class Property:
    """Something every owner has: a feature (observed, immutable for constraints) or a parameter."""

    name: str
    kind: Literal["feature", "parameter"] = "parameter"
    default: Value = None
    range: Range | None = None
    behavior: Behavior = "independent"
    """How the values of an owner and its ancestors make the effective value."""


@dataclass(frozen=True, slots=True)
class Directed:
    """``target == value`` whenever `condition` is true: the value decides, the target follows.

    Of several that speak about one target the highest priority wins, then the one added last.
    """

    target: Read
    value: Expression
    condition: Expression | None = None
    priority: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Equation:
    """``left == right``: when it is broken, it is solved for the unknown that fewest constraints observe."""

    left: Expression
    right: Expression
    condition: Expression | None = None
    priority: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inequality:
    """``left <= right`` or ``left >= right``: a bound on `free`, which returns as soon as the bound lets it."""

    left: Expression
    relation: Literal["<=", ">="]
    right: Expression
    free: Read | None = None
    """The parameter that gives way; by default the one that fewest constraints observe."""
    condition: Expression | None = None
    priority: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Quantified:
    """A constraint for all owners: variables (``?track``) and the class each runs over."""

    variables: tuple[tuple[str, str], ...]
    constraint: Directed | Equation | Inequality


Constraint: TypeAlias = Directed | Equation | Inequality | Quantified


@dataclass(frozen=True, slots=True)
class Report:
    """Something that could not be kept: ``not satisfiable``, ``cycle``, ``ignored``."""

    kind: Literal["not satisfiable", "cycle", "ignored"]
    constraint: str
    text: str
    members: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What one change led to: every variable that has another value now, and what could not be kept."""

    values: Mapping[Key, Value] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()

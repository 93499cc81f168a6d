"""The values of a network, and what one variable is, given all others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from tonmeister.constraints.expressions import Key, Quantity, Value
from tonmeister.constraints.inversion import root
from tonmeister.constraints.model import NEUTRAL, Property, Report
from tonmeister.constraints.network import Bound, Driver, Network
from tonmeister.units import Range

__all__ = ["ReportKey", "State", "Told", "same"]

ReportKey: TypeAlias = tuple[str, object]
"""What a report is about; a new one about the same takes its place."""
_SLACK = 1e-6
"""By how much a bound may be broken through rounding."""


class Told(Protocol):
    """Takes down what cannot be kept, and that it can be again."""

    def report(self, key: ReportKey, report: Report) -> None: ...
    def forget(self, key: ReportKey) -> None: ...


@dataclass
class State:
    """Everything that changes, beside the network, which does not."""

    network: Network
    properties: dict[str, Property]
    base: dict[Key, Value]
    """What is observed, what somebody has set, what an equation was solved to."""
    held: set[Key]
    """Driven parameters that a person keeps."""
    tolerance: float
    rounds: int
    faithful: bool
    values: list[Value] = field(default_factory=list)
    winners: list[str | None] = field(default_factory=list)
    """Name of the directed constraint that decides each variable now."""
    reports: dict[ReportKey, Report] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.winners = [None] * len(self.network.reads)
        self.values = [
            None
            if read.effective
            else self.base.get((read.owner, read.property), self.properties[read.property].default)
            for read in self.network.reads
        ]

    def changed(self, before: dict[int, Value]) -> dict[Key, Value]:
        """Which of these variables have another value now."""
        reads = self.network.reads
        return {
            (reads[n].owner, reads[n].property): self.values[n]
            for n, old in before.items()
            if not reads[n].effective and not same(old, self.values[n], 0.0)
        }

    def spoken(self, driver: Driver) -> Value:
        if driver.condition is not None and driver.condition(self.values) is not True:
            return None
        return driver.value(self.values)

    def computed(self, number: int, told: Told) -> Value:
        """What a variable is, given all others."""
        if number in self.network.chains:
            return self._combined(number)
        read = self.network.reads[number]
        key, kind = (read.owner, read.property), self.properties[read.property]
        value, winner = self.base.get(key, kind.default), None
        if key not in self.held:
            for driver in self.network.drivers.get(number, ()):
                if (spoken := self.spoken(driver)) is not None:
                    value, winner = spoken, driver.name
                    break
        self.winners[number] = winner
        for bound in self.network.bounds.get(number, ()):
            value = self._bounded(number, value, bound, kind.range)
        value = self._clipped(number, value, kind.range, winner or "", told)
        self._check_bounds(number, value, told)
        return value

    def _combined(self, number: int) -> Value:
        behavior = self.properties[self.network.reads[number].property].behavior
        chain = self.network.chains[number]
        if behavior == "independent":
            return self.values[chain[0]]
        parts = [NEUTRAL[behavior] if not self.faithful and self.unset(n) else self.values[n] for n in chain]
        if any(not isinstance(part, (int, float)) for part in parts):
            return None
        numbers = [float(part) for part in parts if isinstance(part, (int, float))]
        return sum(numbers) if behavior == "additive" else math.prod(numbers)

    def unset(self, number: int) -> bool:
        read = self.network.reads[number]
        return self.winners[number] is None and (read.owner, read.property) not in self.base

    def _bounded(self, number: int, value: Value, bound: Bound, allowed: Range | None) -> Value:
        """The value brought to the edge of a bound it breaks."""
        if not isinstance(value, (int, float)) or self.held_back(bound.condition):
            return value

        def excess(x: float) -> float | None:
            result = self.with_value(number, x, bound.excess)
            return float(result) if isinstance(result, (int, float)) else None

        too_much = excess(value)
        if too_much is None or too_much <= self.tolerance:
            return value
        solved = bound.solution(self.values) if bound.solution is not None else None
        if solved is None and not self.faithful and allowed is not None:
            solved = root(excess, allowed.minimum, allowed.maximum, value)
        if isinstance(solved, (int, float)) and (left := excess(solved)) is not None and left <= _SLACK:
            return float(solved)
        return value

    def _check_bounds(self, number: int, value: Value, told: Told) -> None:
        for bound in self.network.bounds.get(number, ()):
            key = ("bound", (number, bound.order))
            told.forget(key)
            if isinstance(value, (int, float)) and not self.held_back(bound.condition):
                left = self.with_value(number, value, bound.excess)
                if isinstance(left, (int, float)) and left > _SLACK:
                    read = self.network.reads[number]
                    text = (
                        f"{bound.name or 'a bound'} on {read.owner}.{read.property} is broken by {left:.4g}"
                    )
                    members = ((read.owner, read.property),)
                    told.report(key, Report("not satisfiable", bound.name, text, members))

    def _clipped(self, number: int, value: Value, allowed: Range | None, by: str, told: Told) -> Value:
        key = ("range", number)
        told.forget(key)
        if allowed is None or not isinstance(value, (int, float)) or value in allowed:
            return value
        read, clipped = self.network.reads[number], float(allowed.clip(value))
        text = f"{read.owner}.{read.property}: {value:.4g} clipped to {clipped:.4g} ({allowed})"
        told.report(key, Report("not satisfiable", by, text, ((read.owner, read.property),)))
        return clipped

    def held_back(self, condition: Quantity | None) -> bool:
        return condition is not None and condition(self.values) is not True

    def with_value(self, number: int, value: Value, quantity: Quantity) -> Value:
        """A quantity as it would be if one variable had another value."""
        kept, self.values[number] = self.values[number], value
        try:
            return quantity(self.values)
        finally:
            self.values[number] = kept


def same(old: Value, new: Value, tolerance: float) -> bool:
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= tolerance
    return old == new and type(old) is type(new)

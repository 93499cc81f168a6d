"""Constraints about single owners, compiled to closures over one list of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tonmeister.constraints.expressions import Call, Expression, Quantity, Read, compiled, reads
from tonmeister.constraints.graph import ranked
from tonmeister.constraints.grounding import Ground
from tonmeister.constraints.inversion import isolated
from tonmeister.constraints.model import Directed, Equation, Inequality, Property

__all__ = ["Balanced", "Bound", "Driver", "Network"]


@dataclass(frozen=True, slots=True)
class Driver:
    """A directed constraint, compiled."""

    order: tuple[int, int]
    name: str
    value: Quantity
    condition: Quantity | None


@dataclass(frozen=True, slots=True)
class Bound:
    """An inequality on the variable that gives way."""

    order: tuple[int, int]
    name: str
    excess: Quantity
    """Left minus right, signed so that more than zero is too much."""
    solution: Quantity | None
    condition: Quantity | None


@dataclass(frozen=True, slots=True)
class Balanced:
    """An equation, and how to solve it for each variable in it."""

    order: tuple[int, int]
    name: str
    difference: Quantity
    variables: tuple[int, ...]
    solutions: Mapping[int, Quantity | None]
    condition: Quantity | None


@dataclass
class Network:
    """All variables by number, with what decides them and what depends on them."""

    reads: list[Read] = field(default_factory=list)
    numbers: dict[Read, int] = field(default_factory=dict)
    drivers: dict[int, list[Driver]] = field(default_factory=dict)
    bounds: dict[int, list[Bound]] = field(default_factory=dict)
    equations: list[Balanced] = field(default_factory=list)
    equations_of: dict[int, list[int]] = field(default_factory=dict)
    chains: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Effective value -> the variables it is made of, the owner's first."""
    dependents: list[list[int]] = field(default_factory=list)
    observers: list[int] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    circles: list[tuple[int, ...]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        ground: Sequence[Ground],
        properties: Mapping[str, Property],
        ancestors: Callable[[str], tuple[str, ...]],
        *,
        wanted: Sequence[Read],
        faithful: bool,
    ) -> Network:
        """Compile; `wanted` are variables that must be there whether a constraint reads them or not."""
        network = cls()
        for read in wanted:
            network.number(read, ancestors)
        for constraint in ground:
            for read in _all_reads(constraint):
                network.number(read, ancestors)
                network.observers[network.numbers[read]] += 1
        for order, constraint in enumerate(ground):
            network._add(order, constraint, properties, ancestors, faithful)
        for drivers in network.drivers.values():
            drivers.sort(key=lambda driver: driver.order, reverse=True)
        for bounds in network.bounds.values():
            bounds.sort(key=lambda bound: bound.order)
        network.dependents = [sorted(set(after)) for after in network.dependents]
        network.ranks, network.circles = ranked(network.dependents)
        return network

    def number(self, read: Read, ancestors: Callable[[str], tuple[str, ...]]) -> int:
        """The index of a variable, made when it is new."""
        if read in self.numbers:
            return self.numbers[read]
        index = self.numbers[read] = len(self.reads)
        self.reads.append(read)
        self.dependents.append([])
        self.observers.append(0)
        if read.effective:
            owners = (read.owner, *ancestors(read.owner))
            self.chains[index] = tuple(self.number(Read(o, read.property), ancestors) for o in owners)
            for part in self.chains[index]:
                self.dependents[part].append(index)
        return index

    def _add(
        self,
        order: int,
        constraint: Ground,
        properties: Mapping[str, Property],
        ancestors: Callable[[str], tuple[str, ...]],
        faithful: bool,
    ) -> None:
        def closure(expression: Expression) -> Quantity:
            return compiled(expression, lambda read: self.number(read, ancestors))

        condition = None if constraint.condition is None else closure(constraint.condition)
        rank, name = (constraint.priority, order), constraint.name
        if isinstance(constraint, Directed):
            target = self.numbers[constraint.target]
            self.drivers.setdefault(target, []).append(
                Driver(rank, name, closure(constraint.value), condition)
            )
            self._depend(target, (constraint.value, *_some(constraint.condition)))
        elif isinstance(constraint, Inequality):
            self._bind(constraint, rank, closure, condition, properties, faithful)
        else:
            self._balance(constraint, rank, closure, condition, properties, faithful)

    def _bind(
        self,
        constraint: Inequality,
        rank: tuple[int, int],
        closure: Callable[[Expression], Quantity],
        condition: Quantity | None,
        properties: Mapping[str, Property],
        faithful: bool,
    ) -> None:
        left, right = constraint.left, constraint.right
        candidates = _parameters((left, right), properties)
        if not candidates and constraint.free is None:
            return
        free = constraint.free or min(
            candidates, key=lambda r: (self.observers[self.numbers[r]], self.numbers[r])
        )
        target = self.numbers[free]
        solved = isolated(left, right, free, faithful=faithful)
        sides = (left, right) if constraint.relation == "<=" else (right, left)
        bound = Bound(
            rank, constraint.name, closure(Call("-", sides)), closure(solved) if solved else None, condition
        )
        self.bounds.setdefault(target, []).append(bound)
        others = [r for r in _reads((left, right, *_some(constraint.condition))) if r != free]
        for read in others:
            self.dependents[self.numbers[read]].append(target)

    def _balance(
        self,
        constraint: Equation,
        rank: tuple[int, int],
        closure: Callable[[Expression], Quantity],
        condition: Quantity | None,
        properties: Mapping[str, Property],
        faithful: bool,
    ) -> None:
        left, right = constraint.left, constraint.right
        solutions: dict[int, Quantity | None] = {}
        for read in _parameters((left, right), properties):
            solved = isolated(left, right, read, faithful=faithful)
            if solved is not None or not faithful:
                solutions[self.numbers[read]] = closure(solved) if solved else None
        read_by = [self.numbers[r] for r in _reads((left, right, *_some(constraint.condition)))]
        variables = tuple(dict.fromkeys(read_by))
        number = len(self.equations)
        difference = closure(Call("-", (left, right)))
        self.equations.append(Balanced(rank, constraint.name, difference, variables, solutions, condition))
        for variable in variables:
            self.equations_of.setdefault(variable, []).append(number)

    def _depend(self, target: int, expressions: Sequence[Expression]) -> None:
        for read in _reads(expressions):
            self.dependents[self.numbers[read]].append(target)


def _some(expression: Expression | None) -> tuple[Expression, ...]:
    return () if expression is None else (expression,)


def _reads(expressions: Sequence[Expression]) -> list[Read]:
    return list(dict.fromkeys(read for e in expressions for read in reads(e)))


def _all_reads(constraint: Ground) -> list[Read]:
    condition = _some(constraint.condition)
    if isinstance(constraint, Directed):
        return list(dict.fromkeys((constraint.target, *_reads((constraint.value, *condition)))))
    free = () if not isinstance(constraint, Inequality) or constraint.free is None else (constraint.free,)
    return list(dict.fromkeys((*_reads((constraint.left, constraint.right, *condition)), *free)))


def _parameters(expressions: Sequence[Expression], properties: Mapping[str, Property]) -> list[Read]:
    """The plain parameters that may give way, in order."""
    return [r for r in _reads(expressions) if not r.effective and properties[r.property].kind == "parameter"]

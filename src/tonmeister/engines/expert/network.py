"""What a Bayesian network is here: nodes with named states, and one table per node by named parents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import DoubleArray

__all__ = ["KINDS", "MOST_PARENTS", "Network", "Node", "Table", "uniform"]

KINDS: Final = ("given", "score", "sound", "hidden", "decision", "before")
"""How a node is known: told, from the score, measured, inferred, asked for, or the previous slice's value."""

MOST_PARENTS: Final = 4
"""Tables beyond four parents cannot be learned from an evening of operation data."""

MOST_CELLS: Final = 100_000
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SUM_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Node:
    """A variable with a few named states."""

    name: str
    states: tuple[str, ...]
    kind: str = "given"

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise BadInputError(f"node={self.name!r}: a name is letters, digits and _, a letter first")
        if self.kind not in KINDS:
            raise BadInputError(
                f"{self.name}: kind={self.kind!r} is not known{nearest(self.kind, list(KINDS))}"
            )
        if len(self.states) < 2 or len(set(self.states)) < len(self.states):
            raise BadInputError(f"{self.name}: states={self.states!r}: give two or more, each once")

    def index(self, state: str) -> int:
        """Position of a state; an unknown word is an error."""
        if state not in self.states:
            hint = nearest(state, list(self.states)) or f": use one of {', '.join(self.states)}"
            raise BadInputError(f"{self.name}={state!r} is not known{hint}")
        return self.states.index(state)


@dataclass(frozen=True, eq=False)
class Table:
    """P(node | parents); `values` has one axis per parent, in order, and the node's own states last."""

    node: str
    parents: tuple[str, ...]
    values: DoubleArray

    @property
    def scope(self) -> tuple[str, ...]:
        """The names of the axes."""
        return (*self.parents, self.node)

    def ordered(self, parents: Sequence[str]) -> DoubleArray:
        """The values with the parents in another order."""
        axes = [self.scope.index(name) for name in (*parents, self.node)]
        return np.ascontiguousarray(np.transpose(self.values, axes))


def uniform(node: Node) -> Table:
    """A root whose states are equally likely."""
    return Table(node.name, (), np.full(len(node.states), 1.0 / len(node.states)))


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes and tables of one slice; nodes of the kind ``before`` hold the previous slice's value of another node."""

    name: str
    nodes: Mapping[str, Node]
    tables: Mapping[str, Table]
    before: Mapping[str, str] = field(default_factory=dict)
    """Name of the node in the previous slice -> name of the node it is the past of."""

    def __post_init__(self) -> None:
        for name in self.nodes:
            if name not in self.tables:
                raise BadInputError(f"node={name!r} has no table: give its probabilities")
        for table in self.tables.values():
            self._check_table(table)
        for past, now in self.before.items():
            if self.node(past).states != self.node(now).states or self.tables[past].parents:
                raise BadInputError(f"{past}: the past of {now} has its states and no parents")
        _ = self.order

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names, parents before children; arcs in a circle are an error."""
        placed: list[str] = []
        waiting = list(self.nodes)
        while waiting:
            ready = [n for n in waiting if all(p in placed for p in self.tables[n].parents)]
            if not ready:
                raise BadInputError(f"the arcs run in a circle: {', '.join(waiting)}: take one of them out")
            placed += ready
            waiting = [n for n in waiting if n not in ready]
        return tuple(placed)

    @property
    def arcs(self) -> tuple[tuple[str, str], ...]:
        """(parent, child), in the order of the children."""
        return tuple((p, n) for n in self.nodes for p in self.tables[n].parents)

    def node(self, name: str) -> Node:
        """A node by its name; an unknown name is an error."""
        if name not in self.nodes:
            raise BadInputError(f"there is no node {name!r}{nearest(name, list(self.nodes))}")
        return self.nodes[name]

    def of_kind(self, *kinds: str) -> tuple[str, ...]:
        """Names of the nodes of these kinds, in order."""
        return tuple(n.name for n in self.nodes.values() if n.kind in kinds)

    def sizes(self, names: Iterable[str]) -> tuple[int, ...]:
        """Number of states of each name."""
        return tuple(len(self.node(name).states) for name in names)

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """The names and everything above them."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.tables[name].parents
        return frozenset(found)

    def with_tables(self, *tables: Table) -> Network:
        """The network with some tables replaced."""
        return replace(self, tables={**self.tables, **{t.node: t for t in tables}})

    def _check_table(self, table: Table) -> None:
        _ = self.node(table.node), [self.node(p) for p in table.parents]
        if len(table.parents) > MOST_PARENTS:
            raise BadInputError(f"{table.node}: {len(table.parents)} parents, more than {MOST_PARENTS}")
        if len(set(table.scope)) < len(table.scope):
            raise BadInputError(
                f"{table.node}: parents={table.parents!r}: each once, and never the node itself"
            )
        sizes = self.sizes(table.scope)
        if table.values.shape != sizes:
            raise BadInputError(f"{table.node}: table of shape {table.values.shape}, {sizes} was expected")
        if table.values.size > MOST_CELLS:
            raise BadInputError(f"{table.node}: {table.values.size} cells, more than {MOST_CELLS}")
        if not np.isfinite(table.values).all() or (table.values < 0).any():
            raise BadInputError(f"{table.node}: a probability is negative or no number")
        if (np.abs(table.values.sum(axis=-1) - 1.0) > _SUM_TOLERANCE).any():
            raise BadInputError(f"{table.node}: a row of the table does not add up to 1")

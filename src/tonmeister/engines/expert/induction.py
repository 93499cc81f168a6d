"""From tables back to rules: how strong the known rules are in a table, and a decision list of what it says.

A row's lift is ln P(d* | pa) / P(d*) with d* its likeliest state, told in steps of 0.1 nat. Rows of equal state and
lift are merged into one rule by widening its conditions. Rules are ordered by lift times the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.expert.network import Network, Node, Table
from tonmeister.engines.expert.rules import Rule, covered, preference
from tonmeister.units import DoubleArray

__all__ = ["LIFT_TOLERANCE", "InducedRule", "decision_list", "fitted_strengths", "tables_of"]

LIFT_TOLERANCE: Final = 0.1
"""Nats by which the lifts of merged rows may differ."""

_TIE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class InducedRule:
    """A rule that was read off a table."""

    id: str
    node: str
    state: str
    when: Mapping[str, tuple[str, ...]]
    lift: float
    """Nats, mean over the rows."""
    probability: float
    """P(state | rows), mean over the rows."""
    rows: int
    rules: tuple[str, ...] = ()
    """Known rules that speak for this state in all of these rows, the strongest first."""


def decision_list(
    network: Network, name: str, rules: Sequence[Rule] = (), habit: DoubleArray | None = None
) -> list[InducedRule]:
    """The table of a node as rules that cover all its rows, each with the row's own likeliest state.

    `habit` is the reference of the lifts, P(d); without one, the mean of the rows.
    """
    table, node = network.tables[name], network.node(name)
    parents = [network.node(p) for p in table.parents]
    rows = table.values.reshape(-1, len(node.states))
    reference = rows.mean(axis=0) if habit is None else habit
    best = np.argmax(rows, axis=1)
    chance = rows[np.arange(len(rows)), best]
    lift = _stepped(chance, np.maximum(reference[best], 1e-300))
    shape = table.values.shape[:-1]
    boxes = list(_boxes(best.reshape(shape), lift.reshape(shape)))
    found = [_induced(box, node, parents, best.reshape(shape), lift.reshape(shape), chance.reshape(shape), rules)
             for box in boxes]  # fmt: skip
    found.sort(key=lambda r: (-r.lift * r.rows, r.state, str(r.when)))
    return [_numbered(rule, number) for number, rule in enumerate(found, 1)]


def _stepped(chance: DoubleArray, reference: DoubleArray) -> DoubleArray:
    """Lifts in steps of the tolerance, so that rows of one step belong together: up, unless that passes certainty."""
    lift = np.log(np.maximum(chance, 1e-300)) - np.log(reference)
    up = np.ceil(lift / LIFT_TOLERANCE - _TIE) * LIFT_TOLERANCE
    down = np.floor(lift / LIFT_TOLERANCE + _TIE) * LIFT_TOLERANCE
    return np.asarray(np.where(reference * np.exp(up) > 1.0, down, up))


def _numbered(rule: InducedRule, number: int) -> InducedRule:
    return replace(rule, id=f"induced/{rule.node}/{number:03d}")


Box = tuple[tuple[int, ...], ...]
"""Chosen states per parent."""


def _boxes(best: NDArray[np.intp], lift: DoubleArray) -> Iterator[Box]:
    """Boxes of rows that cover everything; every row of a box has the box's state."""
    waiting = np.ones(best.shape, dtype=np.bool_)
    order = np.argsort(-lift.reshape(-1), kind="stable")
    for flat in order:
        row = np.unravel_index(int(flat), best.shape)
        if waiting[row]:
            box = _grown(tuple(int(i) for i in row), best, lift)
            waiting[np.ix_(*box)] = False
            yield box


def _grown(row: tuple[int, ...], best: NDArray[np.intp], lift: DoubleArray) -> Box:
    """The row's conditions widened: first dropped altogether where possible, then state by state."""
    box = [[i] for i in row]
    same = (best == best[row]) & (np.abs(lift - lift[row]) < LIFT_TOLERANCE / 2.0)
    for axis in range(len(row)):
        every = list(range(best.shape[axis]))
        for trial in (every, *([s] for s in every)):
            wider = sorted({*box[axis], *trial})
            if same[np.ix_(*box[:axis], wider, *box[axis + 1 :])].all():
                box[axis] = wider
    return tuple(tuple(states) for states in box)


def _induced(
    box: Box, node: Node, parents: Sequence[Node], best: NDArray[np.intp], lift: DoubleArray,
    chance: DoubleArray, rules: Sequence[Rule],
) -> InducedRule:  # fmt: skip
    part = np.ix_(*box) if box else ()
    state = node.states[int(best[part].flat[0])] if box else node.states[int(best)]
    when = {
        parent.name: tuple(parent.states[i] for i in states)
        for parent, states in zip(parents, box, strict=True)
        if len(states) < len(parent.states)
    }
    spoke = [
        (rule.strength * rule.prefer.get(state, 0.0), rule.id)
        for rule in rules
        if rule.then == node.name and rule.strength * rule.prefer.get(state, 0.0) > 0.0
        and bool(np.all(covered(rule, parents)[part]))
    ]  # fmt: skip
    ids = tuple(name for _, name in sorted(spoke, key=lambda s: (-s[0], s[1])))
    lifts, chances = np.asarray(lift[part]), np.asarray(chance[part])
    return InducedRule(
        "", node.name, state, when, float(lifts.mean()), float(chances.mean()), lifts.size, ids
    )


def tables_of(network: Network, name: str, found: Sequence[InducedRule], habit: DoubleArray) -> Table:
    """The table a decision list stands for: its state at its lift over the habit, the rest as the habit has it."""
    table, node = network.tables[name], network.node(name)
    parents = [network.node(p) for p in table.parents]
    values = np.empty_like(table.values)
    for rule in reversed(found):
        state = node.index(rule.state)
        row = habit.copy()
        row[state] = 0.0
        chance = min(float(habit[state] * np.exp(rule.lift)), 1.0)
        row = _capped(row * (1.0 - chance) / max(row.sum(), 1e-300), chance)
        row[state] = chance
        box = [[p.index(s) for s in rule.when.get(p.name, p.states)] for p in parents]
        values[np.ix_(*box, range(len(row)))] = row
    return Table(name, table.parents, values)


def _capped(row: DoubleArray, most: float) -> DoubleArray:
    """What lies above `most` handed to the states below it, so that the rule's own state stays the likeliest."""
    total = float(row.sum())
    for _ in range(len(row)):
        over = row > most
        excess = float((row[over] - most).sum())
        room = ~over & (row > 0.0) & (row < most)
        if excess <= 0.0 or not room.any():
            break
        row = np.where(over, most * (1.0 - _TIE), row)
        row[room] *= 1.0 + (total - float(row.sum())) / float(row[room].sum())
    return row


def fitted_strengths(
    network: Network, name: str, rules: Sequence[Rule], habit: DoubleArray
) -> dict[str, float]:
    """The strength in nats that each known rule has in a table, by least squares.

    ln P(d | pa) - ln P0(d) = sum_r s_r 1[cond_r(pa)] f_r(d) - ln Z(pa); ln Z drops out by taking each row's mean off
    both sides. What the rules compiled is found again; in a learned table it is what the data left of each rule.
    """
    table, node = network.tables[name], network.node(name)
    parents = [network.node(p) for p in table.parents]
    mine = [rule for rule in rules if rule.then == name]
    if not mine:
        return {}
    rows = table.values.reshape(-1, len(node.states))
    with np.errstate(divide="ignore"):
        wanted = np.log(np.maximum(rows, 1e-300)) - np.log(np.maximum(habit, 1e-300))
    wanted -= wanted.mean(axis=1, keepdims=True)
    conditions = np.stack([covered(r, parents).reshape(-1) for r in mine]).astype(np.float64)
    shapes = np.stack([preference(r, node) for r in mine])
    shapes -= shapes.mean(axis=1, keepdims=True)
    gram = (conditions @ conditions.T) * (shapes @ shapes.T)
    right = np.einsum("rk,kd,rd->r", conditions, wanted, shapes)
    strengths = np.linalg.lstsq(gram, right, rcond=1e-10)[0]
    return {rule.id: float(s) for rule, s in zip(mine, strengths, strict=True)}

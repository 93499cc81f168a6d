"""Rules as log-linear factors of a table.

Rule r has a condition on the parents, a preference f_r(d) from 0 to 1 over the states and a strength s_r in nats
(0.5 weak, 1 normal, 2 strong, 4 hard; negative discourages). With the habit P0,

    P(d | pa) = P0(d) exp( sum_r s_r 1[cond_r(pa)] f_r(d) ) / Z(pa)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.expert.network import Node, Table
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["STRENGTHS", "Rule", "compile_table", "covered", "preference", "strength_word"]

STRENGTHS: Final[Mapping[str, float]] = {"weak": 0.5, "normal": 1.0, "strong": 2.0, "hard": 4.0}
"""Words for strengths, in nats."""

_STRONGEST: Final = 12.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of an engineer's knowledge, with its source."""

    id: str
    then: str
    """The node it speaks about."""
    prefer: Mapping[str, float]
    """State -> how much it is preferred, 0 to 1."""
    strength: float
    when: Mapping[str, tuple[str, ...]]
    """Parent -> the states in which the rule holds; a parent that is not named may be anything."""
    source: str
    grade: str
    text: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength) or not 0.0 < abs(self.strength) <= _STRONGEST:
            raise BadInputError(
                f"rule {self.id}: strength={self.strength!r}: give up to {_STRONGEST:g} nats, not 0"
            )
        if not self.prefer or not all(0.0 <= f <= 1.0 for f in self.prefer.values()):
            raise BadInputError(
                f"rule {self.id}: prefer={dict(self.prefer)!r}: give states a value from 0 to 1"
            )
        if not self.source or not self.text:
            raise BadInputError(f"rule {self.id}: a rule needs a source and a text")


def strength_word(strength: float) -> str:
    """The nearest word for a strength, for a reader."""
    word = min(STRENGTHS, key=lambda w: abs(STRENGTHS[w] - abs(strength)))
    return word if strength > 0 else f"{word} against"


def preference(rule: Rule, node: Node) -> DoubleArray:
    """f_r over the node's states, shape (states,)."""
    result = np.zeros(len(node.states))
    for state, value in rule.prefer.items():
        result[node.index(state)] = value
    return result


def covered(rule: Rule, parents: Sequence[Node]) -> NDArray[np.bool_]:
    """1[cond_r(pa)], one axis per parent."""
    names = [p.name for p in parents]
    for name in rule.when:
        if name not in names:
            known = f"its parents are {', '.join(names)}" if names else "it has none"
            raise BadInputError(f"rule {rule.id}: {name} is no parent of {rule.then}: {known}")
    result = np.ones([len(p.states) for p in parents], dtype=np.bool_)
    for axis, parent in enumerate(parents):
        if parent.name in rule.when:
            allowed = np.zeros(len(parent.states), dtype=np.bool_)
            allowed[[parent.index(s) for s in rule.when[parent.name]]] = True
            shape = [-1 if a == axis else 1 for a in range(len(parents))]
            result &= allowed.reshape(shape)
    return result


def compile_table(node: Node, parents: Sequence[Node], habit: DoubleArray, rules: Iterable[Rule]) -> Table:
    """The table that the rules make of the habit; `habit` is P0, shape (states,)."""
    with np.errstate(divide="ignore"):
        scores = np.broadcast_to(np.log(habit), (*(len(p.states) for p in parents), len(habit))).copy()
    for rule in rules:
        scores += rule.strength * covered(rule, parents)[..., None] * preference(rule, node)
    scores -= scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores)
    return Table(node.name, tuple(p.name for p in parents), weights / weights.sum(axis=-1, keepdims=True))

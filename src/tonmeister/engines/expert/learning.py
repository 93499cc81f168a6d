"""Tables from cases: counts blended with the hand-built rows, and expectation maximization for what nobody sees.

Per row pa of the parents, with N(d, pa) cases of decision d,

    theta(d | pa) = (N(d, pa) + kappa P_hand(d | pa)) / (N(pa) + kappa)

kappa -> infinity is the hand-built model, kappa -> 0 the counts; a row that was never seen stays hand-built. With soft or
hidden parents N is the expected count under the tables so far, which are found again until nothing is gained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.evidence import hard
from tonmeister.engines.expert.inference import Query
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.network import Network, Table
from tonmeister.engines.expert.numbers import number
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["Cases", "Taught", "blended", "cases_of_states", "learn", "learnable"]

_CELLS_AT_ONCE = 2_000_000
_LEAST_GAIN = 1e-4


@dataclass(frozen=True, eq=False)
class Cases:
    """Observed decisions with what was found at each: likelihoods, (cases, states) per node."""

    found: Mapping[str, DoubleArray]

    def __post_init__(self) -> None:
        lengths = {len(rows) for rows in self.found.values()}
        if len(lengths) != 1 or lengths == {0}:
            raise BadInputError("there are no cases to learn from: give a log with operations at events")

    def __len__(self) -> int:
        return len(next(iter(self.found.values())))

    def __add__(self, other: Cases) -> Cases:
        """Cases of two performances; what only one of them knows is open in the other."""
        names = dict.fromkeys((*self.found, *other.found))
        return Cases({n: np.concatenate((self._rows(n, other), other._rows(n, self))) for n in names})

    def _rows(self, name: str, other: Cases) -> DoubleArray:
        return self.found[name] if name in self.found else np.ones((len(self), other.found[name].shape[1]))


def cases_of_states(network: Network, rows: Sequence[Mapping[str, str]]) -> Cases:
    """Cases of known states; a node that a row does not name is unknown there."""
    names = dict.fromkeys(n for row in rows for n in row)
    return Cases(
        {
            name: np.stack([
                hard(network.node(name), row[name]) if name in row else np.ones(len(network.node(name).states))
                for row in rows
            ])
            for name in names
        }
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Taught:
    """A model that has learned, and how it went."""

    model: Model
    cases: int
    nodes: tuple[str, ...]
    log_likelihoods: tuple[float, ...]
    """Mean log-likelihood per case, nats, before each iteration and at the end."""


def blended(counts: DoubleArray, hand: DoubleArray, kappa: float) -> DoubleArray:
    """theta of the equation above; the last axis holds the decision's states."""
    if math.isinf(kappa):
        return hand.copy()
    if not kappa > 0.0:
        raise BadInputError(f"kappa={kappa!r}: give a number above 0, or inf for the hand-built tables alone")
    total = counts.sum(axis=-1, keepdims=True)
    mixed = (counts + kappa * hand) / (total + kappa)
    return np.asarray(np.where(total > 0.0, mixed / mixed.sum(axis=-1, keepdims=True), hand))


def learnable(network: Network, cases: Cases) -> tuple[str, ...]:
    """Decisions that were observed, and hidden nodes above them."""
    decided = [n for n in network.of_kind("decision") if n in cases.found and _informative(cases.found[n])]
    above = network.ancestors(decided)
    return tuple(
        n for n in network.order if n in decided or (n in above and network.nodes[n].kind == "hidden")
    )


def _informative(rows: DoubleArray) -> bool:
    return bool((np.ptp(rows, axis=1) > 0.0).any())


def learn(
    model: Model,
    cases: Cases,
    *,
    kappa: float | None = None,
    nodes: Sequence[str] | None = None,
    iterations: int | None = None,
    taught_by: Sequence[str] = (),
) -> Taught:
    """Teach a model; its present tables are the hand-built prior and the start of the iteration."""
    network = model.network
    for name in cases.found:
        if cases.found[name].shape[1:] != network.sizes((name,)):
            raise BadInputError(
                f"{name}: cases over {cases.found[name].shape[1]} states, the node has others"
            )
    strength = number("learning.kappa") if kappa is None else kappa
    names = learnable(network, cases) if nodes is None else tuple(nodes)
    if not names:
        raise BadInputError("the cases hold no decision the model knows: check the controls of the log")
    hand = {n: network.tables[n].values for n in names}
    most = round(number("learning.iterations")) if iterations is None else iterations
    steps = most if _hidden_families(network, names, cases) else 1
    counts, gains = {}, [_log_likelihood(network, cases)]
    score = -math.inf
    for _ in range(steps):
        counts = {n: expected_counts(network, n, cases) for n in names}
        tables = [Table(n, network.tables[n].parents, blended(counts[n], hand[n], strength)) for n in names]
        network = network.with_tables(*tables)
        gains.append(_log_likelihood(network, cases))
        new_score = gains[-1] + _prior(network, hand, strength) / len(cases)
        if new_score - score < _LEAST_GAIN * abs(new_score):
            break
        score = new_score
    every = {**model.counts, **counts}
    taught = model.with_tables(
        *(network.tables[n] for n in names),
        kappa=strength,
        counts=every,
        taught_by=(*model.taught_by, *taught_by),
    )
    return Taught(taught, len(cases), names, tuple(gains))


def _hidden_families(network: Network, names: Sequence[str], cases: Cases) -> bool:
    """Whether a family is not known for certain in every case, so that counts depend on the tables."""
    for name in {n for node in names for n in (*network.tables[node].parents, node)}:
        rows = cases.found.get(name)
        if rows is None or (np.count_nonzero(rows, axis=1) > 1).any():
            return True
    return False


def _prior(network: Network, hand: Mapping[str, DoubleArray], kappa: float) -> float:
    """kappa sum P_hand ln theta: what the tables owe to the hand-built ones."""
    if math.isinf(kappa):
        return 0.0
    return kappa * sum(
        float(np.sum(h * np.log(np.maximum(network.tables[n].values, 1e-300)))) for n, h in hand.items()
    )


def expected_counts(network: Network, name: str, cases: Cases) -> DoubleArray:
    """N(d, pa) of a node over all cases, expected where something is unknown; shape of its table."""
    scope = network.tables[name].scope
    if all(n in cases.found and (np.count_nonzero(cases.found[n], axis=1) == 1).all() for n in scope):
        counts = np.zeros(network.sizes(scope))
        np.add.at(counts, tuple(np.argmax(cases.found[n], axis=1) for n in scope), 1.0)
        return counts
    relevant = {n: rows for n, rows in cases.found.items() if n in network.nodes}
    query = Query(network, scope, relevant)
    counts = np.zeros(network.sizes(scope))
    for part in _portions(len(cases), counts.size):
        family = query.run({n: rows[part] for n, rows in relevant.items()})
        counts += np.nansum(family, axis=0)
    return counts


def _log_likelihood(network: Network, cases: Cases) -> float:
    """Mean ln P(findings) per case, nats."""
    relevant = {n: rows for n, rows in cases.found.items() if n in network.nodes}
    query = Query(network, (), relevant)
    total = 0.0
    for part in _portions(len(cases), 64):
        chances = query.joint({n: rows[part] for n, rows in relevant.items()})
        total += float(np.log(np.maximum(chances, 1e-300)).sum())
    return total / len(cases)


def _portions(count: int, cells: int) -> list[slice]:
    """Slices of cases whose families fit in memory at once."""
    size = max(1, _CELLS_AT_ONCE // cells)
    return [slice(start, start + size) for start in range(0, count, size)]

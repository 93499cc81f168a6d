"""Exact queries: the product of all factors, summed over everything that was not asked for.

    P(Q, e) = sum over all other nodes of  prod_n P(n | parents(n)) * prod_i lambda_i(n_i)

Evidence is a likelihood lambda per node: one-hot for a known state, any non-negative vector for a soft finding. A query
is compiled once, to an order of elimination; each run is then a handful of dense products. Findings may carry a leading
batch axis, so that all strips of a console, which share their tables, are asked at once.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.network import Network
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["Contraction", "Query", "Scope", "posterior", "posteriors", "summed"]

Scope = tuple[str, ...]


@dataclass(frozen=True)
class _Step:
    """Multiply the factors at these places, keep these names."""

    places: tuple[int, ...]
    scopes: tuple[Scope, ...]
    kept: Scope


class Contraction:
    """A sum of products over named axes, in a fixed order of elimination (greedy: smallest result first)."""

    def __init__(self, scopes: Sequence[Scope], asked: Scope, sizes: Mapping[str, int]) -> None:
        self.scopes, self.asked = tuple(scopes), asked
        self._names = tuple(dict.fromkeys(n for s in scopes for n in s))
        for name in asked:
            if name not in self._names:
                raise BadInputError(f"node={name!r} was asked for and stands in no factor")
        self._steps = self._plan(sizes)

    def _plan(self, sizes: Mapping[str, int]) -> list[_Step]:
        living: dict[int, Scope] = dict(enumerate(self.scopes))
        waiting = [n for n in self._names if n not in self.asked]
        steps: list[_Step] = []
        while waiting:
            costs = {n: _cost(n, living, sizes) for n in waiting}
            name = min(waiting, key=lambda n: costs[n])
            waiting.remove(name)
            places = tuple(i for i, s in living.items() if name in s)
            kept = tuple(k for k in dict.fromkeys(x for i in places for x in living[i]) if k != name)
            steps.append(_Step(places, tuple(living[i] for i in places), kept))
            for i in places:
                del living[i]
            living[len(self.scopes) + len(steps) - 1] = kept
        steps.append(_Step(tuple(living), tuple(living.values()), self.asked))
        return steps

    def run(self, factors: Sequence[DoubleArray]) -> DoubleArray:
        """The product of `factors`, in the order of the scopes, over the names asked for; batch axes lead."""
        found: list[DoubleArray] = list(factors)
        for step in self._steps:
            found.append(self._product([found[i] for i in step.places], step))
        return found[-1]

    def _product(self, factors: list[DoubleArray], step: _Step) -> DoubleArray:
        """Pairwise, small factors first, so that no product is larger than it must be."""
        pairs = sorted(zip(factors, step.scopes, strict=True), key=lambda p: p[0].size)
        result, scope = pairs[0]
        for index, (factor, names) in enumerate(pairs[1:], 1):
            later = {n for _, s in pairs[index + 1 :] for n in s} | set(step.kept)
            kept = tuple(n for n in dict.fromkeys((*scope, *names)) if n in later)
            result, scope = summed([result, factor], [scope, names], kept), kept
        return summed([result], [scope], step.kept)


def summed(factors: Sequence[DoubleArray], scopes: Sequence[Scope], kept: Scope) -> DoubleArray:
    """The product of factors over named axes, summed over all but `kept`; batch axes lead."""
    letters = dict(zip(dict.fromkeys(n for s in scopes for n in s), string.ascii_letters, strict=False))
    words = ["..." + "".join(letters[n] for n in scope) for scope in (*scopes, kept)]
    return np.asarray(np.einsum(",".join(words[:-1]) + "->" + words[-1], *factors), dtype=np.float64)


def _cost(name: str, living: Mapping[int, Scope], sizes: Mapping[str, int]) -> int:
    joined = {n for s in living.values() if name in s for n in s}
    cost = 1
    for n in joined:
        cost *= sizes[n]
    return cost


class Query:
    """P(asked | findings) of a network, compiled for a set of nodes that may carry findings."""

    def __init__(
        self,
        network: Network,
        asked: Sequence[str],
        findings: Iterable[str] = (),
        extra: Sequence[Scope] = (),
        without: Sequence[str] = (),
    ) -> None:
        """`extra` are scopes of further factors (messages from other slices) given to each run.

        Tables of nodes named in `without` are left out: a message stands in for them.
        """
        names = tuple(dict.fromkeys(findings))
        touched = (*asked, *names, *(n for s in extra for n in s))
        above = network.ancestors(touched)
        ordered = [n for n in network.order if n in above]
        self.network, self.asked, self.findings = (
            network,
            tuple(asked),
            tuple(n for n in ordered if n in names),
        )
        self._tables = [network.tables[n] for n in ordered if n not in without]
        self._sizes = dict(zip(ordered, network.sizes(ordered), strict=True))
        scopes = [t.scope for t in self._tables] + [(n,) for n in self.findings] + list(extra)
        self._contraction = Contraction(scopes, self.asked, self._sizes)
        self._open = {n: np.ones(self._sizes[n]) for n in self.findings}

    def joint(self, findings: Mapping[str, DoubleArray], extra: Sequence[DoubleArray] = ()) -> DoubleArray:
        """P(asked, findings), not normalized; shape (batch..., sizes of asked)."""
        found = [findings.get(n, self._open[n]) for n in self.findings]
        for name, likelihood in zip(self.findings, found, strict=True):
            if likelihood.shape[-1] != self._sizes[name]:
                raise BadInputError(
                    f"{name}: a finding over {likelihood.shape[-1]} states, it has {self._sizes[name]}"
                )
        return self._contraction.run([t.values for t in self._tables] + found + list(extra))

    def run(self, findings: Mapping[str, DoubleArray], extra: Sequence[DoubleArray] = ()) -> DoubleArray:
        """P(asked | findings); rows whose findings contradict one another (probability zero) are NaN."""
        return normalized(self.joint(findings, extra), len(self.asked))


def normalized(joint: DoubleArray, axes: int) -> DoubleArray:
    """The last `axes` axes divided by their sum; NaN where that is zero."""
    total = joint.sum(axis=tuple(range(joint.ndim - axes, joint.ndim)), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(joint / np.where(total > 0.0, total, np.nan))


def posterior(network: Network, asked: str, findings: Mapping[str, DoubleArray]) -> DoubleArray:
    """P(asked | findings) of one node; raises `BadInputError` when the findings contradict one another."""
    for name in findings:
        network.node(name)
    found = Query(network, (asked,), findings).run(findings)
    if not np.isfinite(found).all():
        raise BadInputError(f"these findings cannot be true together: {', '.join(findings)}")
    return found


def posteriors(network: Network, findings: Mapping[str, DoubleArray]) -> dict[str, DoubleArray]:
    """P(node | findings) of every node."""
    return {name: posterior(network, name, findings) for name in network.nodes}

"""Why: which findings tipped a decision, and which rules stand behind it.

The weight of a finding e is W = ln P(d* | E) - ln P(d* | E without e): a likelihood ratio of exp(W) in favor of d*. A
rule's weight is its strength times its preference for what was decided, averaged over what its conditions may be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.filtering import Chain, Findings
from tonmeister.engines.expert.inference import Query
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.rules import Rule, covered, preference
from tonmeister.units import DoubleArray

__all__ = ["Weight", "rules_behind", "told", "weights"]

_LEAST: float = 0.1
"""Nats below which a finding is not worth a word."""

_HOLDS: float = 0.4
"""How likely a rule's condition must be before it is named."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How much one finding speaks for a decision."""

    node: str
    nats: float

    def __str__(self) -> str:
        return f"{self.node} x{math.exp(self.nats):.2g}"


def weights(
    chain: Chain, state: int, findings: Findings, message: DoubleArray, ahead: DoubleArray | None = None
) -> list[Weight]:
    """The findings by how much they speak for or against `state`, the strongest first; findings of one strip."""
    heard = [n for n in chain.findings if n in findings and np.ptp(findings[n]) > 0.0]
    if not heard:
        return []
    rows: dict[str, DoubleArray] = {}
    for name in heard:
        likelihood = np.repeat(findings[name][None, :], len(heard) + 1, axis=0)
        likelihood[heard.index(name) + 1] = 1.0
        rows[name] = likelihood
    chances = chain.asked_with(rows, message, ahead)[:, state]
    logs = np.log(np.maximum(np.nan_to_num(chances), 1e-300))
    found = [Weight(name, float(logs[0] - logs[i])) for i, name in enumerate(heard, 1)]
    return sorted(found, key=lambda w: (-abs(w.nats), w.node))


def told(found: Sequence[Weight], measured: Mapping[str, str], most: int = 3) -> str:
    """The strongest findings in words, with what was measured."""
    worth = [w for w in found if abs(w.nats) >= _LEAST][:most]
    if not worth:
        return "nothing in particular speaks for it: the habit"
    parts = [f"{measured.get(w.node, w.node)} ({_ratio(w)})" for w in worth]
    return "; ".join(parts)


def _ratio(weight: Weight) -> str:
    ratio = math.exp(min(abs(weight.nats), 20.0))
    times = f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"
    return f"{times} times likelier with it" if weight.nats > 0 else f"{times} times less likely with it"


def rules_behind(
    model: Model,
    node: str,
    state: int,
    findings: Findings,
    message: DoubleArray | None = None,
    before: Sequence[str] = (),
) -> list[tuple[Rule, float]]:
    """The rules that speak for a state, with s_r f_r(d*) P(cond_r | findings) in nats, the strongest first.

    Rules about hidden parents count as well, with the preference averaged over the parent's posterior. A rule whose
    condition probably does not hold is not named.
    """
    network = model.network
    found: list[tuple[Rule, float]] = []
    extra = [tuple(before)] if before else []
    factors = [message] if before and message is not None else []
    above = [p for p in network.tables[node].parents if network.nodes[p].kind == "hidden"]
    decided = {**findings, node: np.eye(len(network.nodes[node].states))[state]}
    for name in (node, *above):
        mine = [r for r in model.rules if r.then == name]
        if not mine:
            continue
        known = findings if name == node else decided
        parents = network.tables[name].parents
        joint = Query(network, (*parents, name), known, extra, before).run(known, factors)
        for rule in mine:
            holds = covered(rule, [network.node(p) for p in parents])
            likes = preference(rule, network.node(name))
            rows = joint.sum(axis=-1)
            if float(np.sum(rows * holds)) < _HOLDS:
                continue
            liked = likes[state] if name == node else float(np.sum(joint * holds[..., None] * likes))
            found.append(
                (rule, rule.strength * float(liked) * (float(np.sum(rows * holds)) if name == node else 1.0))
            )
    return sorted(found, key=lambda f: (-f[1], f[0].id))

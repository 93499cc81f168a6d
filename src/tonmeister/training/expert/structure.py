"""Which arcs the data want, among those that make sense; the search is pyAgrum's (extra `expert`).

A decision may get the parents that the knowledge file lists as candidates and that were observed, at most four. Its
hand-built rows are not lost: the prior of a new family is what the hand-built network says about it.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.expert.foreign import library
from tonmeister.engines.expert.inference import Query
from tonmeister.engines.expert.knowledge import Knowledge
from tonmeister.engines.expert.learning import Cases
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.network import MOST_PARENTS, Network, Table
from tonmeister.errors import BadInputError

__all__ = ["SCORES", "family_table", "restructured"]

SCORES: Final = ("bic", "bdeu")


def restructured(
    known: Knowledge, cases: Cases, *, score: str, seed: int = 0
) -> tuple[Model, tuple[str, ...]]:
    """The model with the parents that the cases want for its decisions, and what was changed, in words."""
    if score not in SCORES:
        raise BadInputError(f"structure={score!r}: give one of {', '.join(SCORES)}")
    network, told = known.model.network, []
    for node, candidates in known.candidates.items():
        if node not in cases.found or node not in network.nodes:
            continue
        seen = [c for c in candidates if c in network.nodes and c in cases.found and _varies(cases, c)]
        wanted = _parents(network, cases, node, seen, score, seed)
        held = network.tables[node].parents
        if set(wanted) == set(held) or not wanted:
            continue
        network = network.with_tables(family_table(known.model.network, node, wanted))
        told.append(f"{node}: {', '.join(held)} -> {', '.join(wanted)}")
    names = network.tables
    rules = tuple(r for r in known.model.rules if set(r.when) <= set(names[r.then].parents))
    return replace(known.model, network=network, rules=rules), tuple(told)


def _varies(cases: Cases, name: str) -> bool:
    """Whether a node was seen in more than one state."""
    return len(np.unique(np.argmax(cases.found[name], axis=1))) > 1


def _parents(
    network: Network, cases: Cases, node: str, candidates: Sequence[str], score: str, seed: int
) -> tuple[str, ...]:
    """The best family of a decision: arcs run from candidates to it and nowhere else."""
    if not candidates:
        return ()
    gum = library()
    gum.initRandom(seed)
    names = [*candidates, node]
    with tempfile.TemporaryDirectory() as folder:
        path = _written(network, cases, names, Path(folder) / "cases.csv")
        template = gum.BayesNet()
        for name in names:
            template.add(gum.LabelizedVariable(name, name, list(network.nodes[name].states)))
        learner = gum.BNLearner(str(path), template)
        learner.useGreedyHillClimbing()
        getattr(learner, "useScoreBIC" if score == "bic" else "useScoreBDeu")()
        learner.setMaxIndegree(MOST_PARENTS)
        for first in names:
            for second in candidates:
                if first != second:
                    learner.addForbiddenArc(first, second)
        found = learner.learnBN()
    parents = {found.variable(i).name() for i in found.parents(node)}
    return tuple(c for c in candidates if c in parents)


def _written(network: Network, cases: Cases, names: Sequence[str], path: Path) -> Path:
    """The likeliest states of all cases as a table of words."""
    columns = [[network.nodes[n].states[i] for i in np.argmax(cases.found[n], axis=1)] for n in names]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))
    return path


def family_table(network: Network, node: str, parents: Sequence[str]) -> Table:
    """P(node | other parents) as the network has it; rows that it thinks impossible are the node's marginal."""
    joint = Query(network, (*parents, node)).joint({})
    marginal = joint.sum(axis=tuple(range(joint.ndim - 1)))
    total = joint.sum(axis=-1, keepdims=True)
    rows = np.where(total > 0.0, joint / np.where(total > 0.0, total, 1.0), marginal / marginal.sum())
    return Table(node, tuple(parents), rows / rows.sum(axis=-1, keepdims=True))

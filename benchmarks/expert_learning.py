"""How much of a known engineer the engine `expert` learns from how many moves: error against the number of events.

    python benchmarks/expert_learning.py [--events 10,30,100,300,1000] [--repeats 3] [--picture FILE.svg]

The engineer is the shipped network with its rules' strengths drawn anew; strips are simulated, the hand is 0.46 s late and
scatters. Two questions: how far the learned table of the fader is from the true one when prominence is told (mean total
variation of the rows, weighted by how often each comes up), and how likely held-out faders are when it is not.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tonmeister.engines.expert.inference import Query
from tonmeister.engines.expert.knowledge import knowledge
from tonmeister.engines.expert.learning import Cases
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.rules import compile_table
from tonmeister.evaluation.svg import Curve, Lines, svg
from tonmeister.training.expert.performances import Performance, cases_of
from tonmeister.training.expert.simulation import simulated_performance, table_error
from tonmeister.training.expert.teaching import teach

KAPPAS = {"hand-built": math.inf, "blended, 10": 10.0, "counts only": 1e-6}
STRIPS, PER_SONG, LAG_S = 6, 50, 0.46


def main() -> None:
    """Measure, print, and draw when asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", default="10,30,100,300,1000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    counts = [int(n) for n in asked.events.split(",")]
    errors, chances = _measured(counts, asked.repeats)
    print(_table("Error of the fader's table, prominence told", counts, errors))
    print(_table("Log-probability of a held-out fader, prominence hidden", counts, chances))
    if asked.picture:
        curves = tuple(Curve(name, tuple(values)) for name, values in errors.items())
        labels = tuple(f"{n * STRIPS}" for n in counts)
        title = "Error of the learned fader table against the number of observed faders"
        asked.picture.write_text(svg(Lines(title, "mean total variation", labels, curves)) + "\n", "utf-8")


def engineer(random: np.random.Generator) -> Model:
    """Somebody who knows the same rules and weighs them otherwise."""
    model = knowledge().model
    network = model.network
    tables = []
    for name in ("Prominence", "FaderStep"):
        rules = [
            replace(r, strength=r.strength * float(random.uniform(0.2, 1.2)))
            for r in model.rules
            if r.then == name
        ]
        parents = [network.nodes[p] for p in network.tables[name].parents]
        tables.append(compile_table(network.nodes[name], parents, model.habits[name], rules))
    return model.with_tables(*tables)


def _performances(truth: Model, random: np.random.Generator, events: int, *, told: bool) -> list[Performance]:
    sizes = [PER_SONG] * (events // PER_SONG) + ([events % PER_SONG] if events % PER_SONG else [])
    return [
        simulated_performance(truth, random, events=n, strips=STRIPS, lag_s=LAG_S, show_hidden=told)
        for n in sizes
    ]


def _measured(counts: Sequence[int], repeats: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    errors = {name: [0.0] * len(counts) for name in KAPPAS}
    chances = {name: [0.0] * len(counts) for name in (*KAPPAS, "the engineer")}
    for repeat in range(repeats):
        random = np.random.default_rng(repeat)
        truth = engineer(random)
        held_out = _cases(truth, _performances(truth, random, 200, told=False), lag_s=LAG_S)
        often = _often(_cases(truth, _performances(truth, random, 400, told=True), lag_s=LAG_S))
        for place, count in enumerate(counts):
            told = _performances(truth, random, count, told=True)
            hidden = _performances(truth, random, count, told=False)
            chances["the engineer"][place] += _log_chance(truth, held_out) / repeats
            for name, kappa in KAPPAS.items():
                found = teach(knowledge(), told, kappa=kappa).model
                errors[name][place] += table_error(truth.network, found.network, "FaderStep", often) / repeats
                found = teach(knowledge(), hidden, kappa=kappa).model
                chances[name][place] += _log_chance(found, held_out) / repeats
    return errors, chances


def _cases(model: Model, performances: Sequence[Performance], lag_s: float) -> Cases:
    first, *rest = (cases_of(p.shifted(lag_s), model) for p in performances)
    for cases in rest:
        first = first + cases
    return first


def _often(cases: Cases) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """How often each row of the fader's table comes up."""
    network = knowledge().model.network
    parents = network.tables["FaderStep"].parents
    counts = np.zeros(network.sizes(parents))
    known = np.all([np.count_nonzero(cases.found[p], axis=1) == 1 for p in parents], axis=0)
    np.add.at(counts, tuple(np.argmax(cases.found[p][known], axis=1) for p in parents), 1.0)
    return counts


def _log_chance(model: Model, cases: Cases) -> float:
    found = {n: rows for n, rows in cases.found.items() if n != "FaderStep"}
    query = Query(model.network, ("FaderStep",), found)
    chosen = np.argmax(cases.found["FaderStep"], axis=1)
    chances = query.run(found)
    return float(np.mean(np.log(np.maximum(chances[np.arange(len(chosen)), chosen], 1e-12))))


def _table(title: str, counts: Sequence[int], rows: dict[str, list[float]]) -> str:
    head = f"| {title} | " + " | ".join(f"{n} events, {n * STRIPS} faders" for n in counts) + " |"
    lines = [f"| {name} | " + " | ".join(f"{v:.3f}" for v in values) + " |" for name, values in rows.items()]
    return "\n".join([head, "|---" * (len(counts) + 1) + "|", *lines, ""])


if __name__ == "__main__":
    main()

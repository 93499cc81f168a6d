"""An engineer who is a known network: performances whose tables are known, to see what learning finds of them.

Strips play parts of songs; at every event the network is sampled, and the hand follows with a reaction lag that scatters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tonmeister.engines.expert.evidence import Finding
from tonmeister.engines.expert.live_filter import EventEvidence
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.network import Network
from tonmeister.engines.expert.oplog import Move, OperationLog
from tonmeister.training.expert.performances import Performance

__all__ = ["sampled", "simulated_performance", "table_error"]

_STAYS: Final[tuple[str, ...]] = ("Genre", "Delivery", "EnsembleSize", "TempoBand")
_OF_STRIP: Final[tuple[str, ...]] = ("Instrument", "Role", "Brightness", "Crest")
_OF_SONG: Final[tuple[str, ...]] = (
    "Section",
    "Density",
    "SongPlace",
    "SectionLevel",
    "LeadPlays",
    "AlignmentConfidence",
)


def sampled(network: Network, random: np.random.Generator, given: Mapping[str, int]) -> dict[str, int]:
    """One state of every node, drawn from the network; those in `given` are as given."""
    drawn: dict[str, int] = {}
    for name in network.order:
        if name in given:
            drawn[name] = given[name]
            continue
        table = network.tables[name]
        row = table.values[tuple(drawn[p] for p in table.parents)]
        drawn[name] = int(random.choice(len(row), p=row / row.sum()))
    return drawn


def simulated_performance(
    model: Model,
    random: np.random.Generator,
    *,
    events: int,
    strips: int = 6,
    spacing_s: float = 3.0,
    lag_s: float = 0.45,
    lag_sd_s: float = 0.05,
    decisions: Sequence[str] = ("FaderStep",),
    show_hidden: bool = False,
) -> Performance:
    """A log and its events; with `show_hidden` the hidden nodes are told as well."""
    network = model.network
    names = tuple(f"strip {k}" for k in range(1, strips + 1))
    first = sampled(network, random, {})
    shared = {n: first[n] for n in _STAYS if n in first}
    fixed = {
        s: {n: d for n, d in sampled(network, random, shared).items() if n in (*_STAYS, *_OF_STRIP)}
        for s in names
    }
    held = {s: {b: first[b] for b in network.before} for s in names}
    moves, found, time_s = list[Move](), list[EventEvidence](), 2.0
    for _ in range(events):
        song = {
            n: d
            for n, d in sampled(
                network, random, {**shared, "SectionBefore": held[names[0]].get("SectionBefore", 0)}
            ).items()
            if n in _OF_SONG
        }
        here: dict[str, Mapping[str, Finding]] = {}
        for strip in names:
            drawn = sampled(network, random, {**fixed[strip], **song, **held[strip]})
            here[strip] = _shown(network, drawn, fixed[strip], song, show_hidden)
            late_s = time_s + max(0.0, lag_s + lag_sd_s * random.standard_normal())
            for node in decisions:
                past = next((b for b, n in network.before.items() if n == node), None)
                if time_s == 2.0 or past is None or drawn[node] != held[strip][past]:
                    if time_s == 2.0 and past is not None:
                        moves.append(_moved(model, node, held[strip][past], 0.0, strip))
                    if past is None or drawn[node] != held[strip][past]:
                        moves.append(_moved(model, node, drawn[node], late_s, strip))
            held[strip] = {b: drawn[n] for b, n in network.before.items()}
        words: dict[str, Finding] = {n: network.nodes[n].states[d] for n, d in {**shared, **song}.items()}
        found.append(EventEvidence(round(time_s, 6), "beat", words, here))
        time_s += spacing_s * float(random.uniform(0.8, 1.2))
    always = {
        s: {n: network.nodes[n].states[d] for n, d in f.items() if n in _OF_STRIP} for s, f in fixed.items()
    }
    log = OperationLog(names, tuple(sorted(moves, key=lambda m: m.t_s)), name="a simulated engineer")
    return Performance(log, tuple(found), always, dict.fromkeys(names, 0.0))


def _shown(
    network: Network,
    drawn: Mapping[str, int],
    fixed: Mapping[str, int],
    song: Mapping[str, int],
    hidden: bool,
) -> dict[str, Finding]:
    """What a listener could find at this event."""
    kinds = ("score", "sound", "before", "hidden") if hidden else ("score", "sound")
    return {
        n: network.nodes[n].states[d]
        for n, d in drawn.items()
        if network.nodes[n].kind in kinds
        and n not in fixed
        and n not in song
        and network.nodes[n].kind != "before"
    }


def _moved(model: Model, node: str, state: int, time_s: float, strip: str) -> Move:
    choice = model.choices[node]
    value = choice.values[state]
    low = -96.0 if choice.control.endswith("_db") else 0.0
    return Move(round(time_s, 6), strip, choice.control, low if value is None else value)


def table_error(
    truth: Network, found: Network, node: str, weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> float:
    """Mean total variation between the rows of two tables, each row weighted by how often it comes up; 0 to 1."""
    a = truth.tables[node].values
    b = found.tables[node].ordered(truth.tables[node].parents)
    distance = 0.5 * np.abs(a - b).sum(axis=-1)
    return float((weights * distance).sum() / weights.sum())

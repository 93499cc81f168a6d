"""Where the sources stand: the posterior of each, the loudest first, told where the others are already.

Which side a guitar takes is no question of knowledge: left and right are equally likely. So the tracks are placed one by
one, and each is told by further findings which places are crowded and which side is lighter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.model import Choice
from tonmeister.engines.expert.numbers import number
from tonmeister.multitrack import Track
from tonmeister.units import DoubleArray, db_to_power

__all__ = ["Place", "place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a track stands, how sure that is (on either side), and what was considered."""

    pan: float
    state: int
    confidence: float
    notes: tuple[str, ...] = ()


def place(
    tracks: Sequence[Track], chances: Mapping[str, DoubleArray], levels_lu: Mapping[str, float],
    keeps_image: Mapping[str, bool], choice: Choice,
) -> dict[str, Place]:  # fmt: skip
    """A place for every track; `chances` is P(Pan | its findings), `levels_lu` how loud it is in the mix."""
    values = np.array([v or 0.0 for v in choice.values])
    found: dict[str, Place] = {}
    taken = np.zeros(len(values))
    balance = 0.0
    leaders: dict[str, str] = {}
    for track in sorted(tracks, key=lambda t: (-levels_lu[t.name], t.name)):
        leader = leaders.get(track.group or "")
        if keeps_image[track.name]:
            middle = int(np.argmin(np.abs(values)))
            found[track.name] = Place(0.0, middle, 1.0, ("a stereo recording keeps its own image",))
            continue
        if leader is not None and not {"left", "right", "double"} & set(track.attributes):
            found[track.name] = Place(
                found[leader].pan,
                found[leader].state,
                found[leader].confidence,
                (f"the same source as {leader}",),
            )
            continue
        likely, notes = _told(track, chances[track.name], values, taken, balance)
        state = int(np.argmax(likely))
        mirror = int(np.argmin(np.abs(values + values[state])))
        either = float(chances[track.name][[*{state, mirror}]].sum())
        found[track.name] = Place(float(values[state]), state, either, notes)
        if track.group:
            leaders.setdefault(track.group, track.name)
        taken[state] += 1.0
        balance += db_to_power(levels_lu[track.name]) * math.sin(math.pi * float(values[state]) / 2.0)
    return found


def _told(
    track: Track, chances: DoubleArray, values: DoubleArray, taken: DoubleArray, balance: float
) -> tuple[DoubleArray, tuple[str, ...]]:
    """The posterior after hearing what is crowded, which side is lighter, and what the name says."""
    crowded = np.where(np.abs(values) > 1e-9, number("pan.crowded") ** taken, 1.0)
    pull = number("pan.balance") * math.tanh(balance)
    likely = chances * crowded * np.exp(-pull * np.sign(values))
    side = -1.0 if "left" in track.attributes else 1.0 if "right" in track.attributes else 0.0
    if side:
        wanted = chances * crowded * (np.sign(values) == side)
        return (wanted if wanted.any() else likely), ("the name says which side",)
    return likely, ()

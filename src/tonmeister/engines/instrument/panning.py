"""Stage A: where every track goes, from its class alone; nothing here depends on how loud the files are.

Several tracks of a class with width w stand at p_j = w (2 j - n - 1) / (n - 1), j = 1...n. A lone source off the
center goes to the side that brings B = sum g_i^2 sin(pi p_i / 2) towards 0, loudest first: for the constant-power law
R^2 - L^2 = sin(pi p / 2), so B is the expected imbalance. g_i is the level its class aims at; ties go by the order of
the table, the first to the right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.engines.instrument.channels import Channel
from tonmeister.engines.instrument.numbers import number
from tonmeister.engines.instrument.rows import PanRow
from tonmeister.engines.instrument.table import ClassTable
from tonmeister.features import CrossPower
from tonmeister.units import db_to_power

__all__ = ["Place", "imbalance", "kit_sign", "places", "spread"]


@dataclass(frozen=True)
class Place:
    """A position, and why."""

    position: float
    text: str
    row: PanRow


def spread(count: int, width: float) -> list[float]:
    """Positions of `count` sources side by side; one alone stands in the center."""
    if count == 1:
        return [0.0]
    return [width * (2 * j - count - 1) / (count - 1) for j in range(1, count + 1)]


def imbalance(powers_and_positions: Sequence[tuple[float, float]]) -> float:
    """B = sum g^2 sin(pi p / 2)."""
    return sum(power * math.sin(math.pi * position / 2.0) for power, position in powers_and_positions)


def places(
    channels: Sequence[Channel],
    table: ClassTable,
    aims_db: Mapping[str, float],
    *,
    kit_side: float,
    improved: bool,
) -> dict[str, Place]:
    """A place for every channel. `aims_db` is the level each aims at, `kit_side` -1 for the drummer's view."""
    found: dict[str, Place] = {}
    lone: list[Channel] = []
    for label in table.rows:
        members = [c for c in channels if c.label == label]
        row = table.pan(label)
        for channel in (c for c in members if c.stereo):
            found[channel.name] = Place(0.0, f"{_said(label)}: a stereo file keeps its image", row)
        mono = [c for c in members if not c.stereo]
        if row.mode == "side" and len(_sources(mono, improved)) == 1:
            lone += mono
        elif mono:
            found.update(_side_by_side(mono, row, label, kit_side, improved))
    found.update(_on_free_sides(lone, found, table, aims_db))
    return found


def _sources(members: Sequence[Channel], improved: bool) -> list[str]:
    """Sources in order, sides that the names give first; microphones of one source are one, when improved."""
    order = {"left": 0, "right": 2}

    def side(channel: Channel) -> int:
        return next((order[a] for a in channel.track.attributes if a in order), 1)

    sided = sorted(members, key=side)
    return list(dict.fromkeys(c.source if improved else c.name for c in sided))


def _side_by_side(
    members: Sequence[Channel], row: PanRow, label: str, kit_side: float, improved: bool
) -> dict[str, Place]:
    sources = _sources(members, improved)
    sign = kit_side if row.kit else 1.0
    positions = dict(zip(sources, _positions(row, len(sources)), strict=True))
    text = _text(row, label, len(sources), kit_side)
    return {
        c.name: Place(sign * positions[c.source if improved else c.name] + 0.0, text, row) for c in members
    }


def _positions(row: PanRow, count: int) -> list[float]:
    if row.mode in ("spread", "side"):
        return spread(count, row.width)
    if row.mode == "place" and len(row.positions) > 1:
        at = [0.5] if count == 1 else list(np.linspace(0.0, 1.0, count))
        grid = np.linspace(0.0, 1.0, len(row.positions))
        return [float(np.interp(x, grid, row.positions)) for x in at]
    return [0.0 if row.mode == "keep" else row.positions[0]] * count


def _text(row: PanRow, label: str, count: int, kit_side: float) -> str:
    view = f", as the {'audience' if kit_side > 0 else 'drummer'} sees the kit" if row.kit else ""
    if row.mode == "fixed":
        return (
            f"{_said(label)} goes to the center"
            if row.positions == (0.0,)
            else f"{_said(label)} has its spot"
        )
    if row.mode == "keep":
        return f"{_said(label)} stays in the center"
    if row.mode == "place":
        return f"{_said(label)} has its spot{view}"
    if count == 1:
        return f"{_said(label)} alone stays in the center"
    return f"{count} of the class {_said(label).lower()} stand side by side{view}"


def _said(label: str) -> str:
    return label.replace("_", " ").capitalize()


def _on_free_sides(
    lone: Sequence[Channel], placed: Mapping[str, Place], table: ClassTable, aims_db: Mapping[str, float]
) -> dict[str, Place]:
    running = imbalance([(db_to_power(aims_db[name]), place.position) for name, place in placed.items()])
    order = list(table.rows)
    found: dict[str, Place] = {}
    queue: dict[str, list[Channel]] = {}
    for channel in lone:
        queue.setdefault(channel.label, []).append(channel)
    loudest = sorted(
        queue, key=lambda label: (-max(aims_db[c.name] for c in queue[label]), order.index(label))
    )
    for label in loudest:
        row, members = table.pan(label), queue[label]
        weight = sum(db_to_power(aims_db[c.name]) for c in members)
        position = -row.lone if running > 1e-12 else row.lone
        running += weight * math.sin(math.pi * position / 2.0)
        side = "right" if position > 0 else "left"
        text = f"{_said(label)} alone goes {side}, where there is room"
        found.update({c.name: Place(position, text, row) for c in members})
    return found


def kit_sign(
    channels: Sequence[Channel], cross_power: CrossPower | None, perspective: str
) -> tuple[float, str]:
    """1 for the audience's view of the kit, -1 for the drummer's, and how that is known.

    With ``auto`` the overheads tell: the side on which they hear the hi-hat louder.
    """
    if perspective != "auto":
        return (1.0 if perspective == "audience" else -1.0), f"kit_perspective={perspective}"
    leans = [
        lean
        for hat in channels
        for overheads in channels
        if hat.label == "hihat" and overheads.label == "overheads" and overheads.features.channels > 1
        if (lean := _lean(hat.name, overheads.name, cross_power)) is not None
    ]
    if not leans or abs(float(np.mean(leans))) < number("pan.decisive_side"):
        return 1.0, "no overheads tell: the audience's view"
    lean = float(np.mean(leans))
    return math.copysign(1.0, lean), f"the overheads hear the hi-hat {'right' if lean > 0 else 'left'}"


def _lean(hat: str, overheads: str, cross_power: CrossPower | None) -> float | None:
    """(right - left) / (right + left) of the hi-hat's power in the overheads, above 2 kHz."""
    if cross_power is None or not {hat, overheads} <= set(cross_power.names):
        return None
    one, other = (cross_power.names.index(name) for name in (hat, overheads))
    high = exact_centers_hz(3) > 2000.0
    left, right = (float((np.abs(side[one, other, high]) ** 2).sum()) for side in cross_power.third_octave)
    return (right - left) / (right + left) if left + right > 0 else None

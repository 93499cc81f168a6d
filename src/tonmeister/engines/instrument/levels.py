"""Stage B: levels, the drums first among themselves, then as one against everything else.

    g_k = t_k - L_k + K        within the group, t_k relative to the group, K one constant that puts its bus at unity
    g_i = L_ref + o_i - L_i    everything else; L_ref so that the programme measures -23 LUFS

L_k and L_i are readings of the meter, t_k and o_i come from the table (`targets`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tonmeister.engines.instrument.channels import Channel
from tonmeister.engines.instrument.meters import Bs1770Meter, Meter, Part
from tonmeister.engines.instrument.numbers import number
from tonmeister.engines.instrument.table import ClassTable
from tonmeister.engines.instrument.targets import Aim, faithful_aims, improved_aims
from tonmeister.engines.instrument.tone import Tone
from tonmeister.features import CrossPower

__all__ = ["Level", "Levels", "balance", "nominal_aims"]


@dataclass(frozen=True)
class Level:
    """Where a fader goes, and what led there."""

    channel: Channel
    target_lu: float
    """Relative to the lead, or within a group relative to it."""
    reading: float
    """What the meter reads, of the source."""
    gain_db: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Levels:
    """All faders; the buses of groups stand at unity."""

    levels: tuple[Level, ...]
    groups: Mapping[str, float]
    """Target of each group's bus relative to the lead, LU."""
    reference: float
    """Gain of all faders that brings the programme to its loudness; what has the target 0 then reads this."""


@dataclass(frozen=True)
class Desk:
    """What the levels of a song are worked out from."""

    table: ClassTable
    meter: Callable[[float], Meter]
    """The meter for a class that aims at so many LU re the lead."""
    tones: Mapping[str, Tone]
    pans: Mapping[str, float]
    cross_power: CrossPower | None
    improved: bool


def nominal_aims(channels: Sequence[Channel], table: ClassTable) -> dict[str, float]:
    """The level each channel aims at relative to the lead, from the table alone, LU."""
    found = {}
    for channel in channels:
        row = table.level(channel.label)
        base = table.level(row.relative_to).by_role["foreground"] if row.relative_to in table.rows else 0.0
        found[channel.name] = base + row.by_role[channel.track.role]
    return found


def balance(channels: Sequence[Channel], desk: Desk) -> Levels:
    """The faders of all channels, in their order."""
    aims_of = improved_aims if desk.improved else faithful_aims
    nominal = nominal_aims(channels, desk.table)
    parts = {c.name: _part(c, desk) for c in channels}
    meters = {c.name: desk.meter(nominal[c.name]) for c in channels}
    aims, groups = aims_of(channels, desk.table, meters, parts, desk.cross_power)
    made = [_level(c, aims[c.name]) for c in channels]
    for group, target_lu in groups.items():
        made = _as_one(made, group, target_lu, desk, parts)
    heard = [_at(parts[v.channel.name], v.gain_db) for v in made]
    reference = number("level.programme_lufs") - Bs1770Meter().together(
        _with_tone(heard, desk), desk.cross_power
    )
    return Levels(tuple(_clipped(level, reference) for level in made), groups, reference)


def _part(channel: Channel, desk: Desk) -> Part:
    """A channel as its level is read: behind its equalization, when improved."""
    effects = desk.tones[channel.name].effects if desk.improved else ()
    return Part(channel.features, 0.0, desk.pans[channel.name], effects)


def _at(part: Part, gain_db: float) -> Part:
    return Part(part.features, gain_db, part.pan, part.effects)


def _with_tone(parts: Sequence[Part], desk: Desk) -> list[Part]:
    return [Part(p.features, p.gain_db, p.pan, desk.tones[p.features.name].effects) for p in parts]


def _level(channel: Channel, aim: Aim) -> Level:
    return Level(channel, aim.target_lu, aim.reading, aim.target_lu - aim.reading, aim.notes)


def _as_one(
    levels: Sequence[Level], group: str, target_lu: float, desk: Desk, parts: Mapping[str, Part]
) -> list[Level]:
    """The levels with one group, as a whole, at its target."""
    members = [_at(parts[v.channel.name], v.gain_db) for v in levels if v.channel.group == group]
    shift = target_lu - desk.meter(target_lu).together(members, desk.cross_power)
    return [
        Level(v.channel, v.target_lu, v.reading, v.gain_db + shift, v.notes)
        if v.channel.group == group
        else v
        for v in levels
    ]


def _clipped(level: Level, reference: float) -> Level:
    most_db = number("level.largest_move_db")
    wanted_db = level.gain_db + reference
    gain_db = min(max(wanted_db, -most_db), most_db)
    notes = level.notes
    if gain_db != wanted_db:
        notes = (*notes, f"{wanted_db:+.1f} dB clipped to {gain_db:+.0f} dB")
    return Level(level.channel, level.target_lu, level.reading, gain_db, notes)

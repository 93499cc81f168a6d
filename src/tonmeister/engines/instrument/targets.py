"""What each track aims at, and what it reads: the table as it stands, or the table as a prior.

The profile `improved` weighs a target by how much it differs between songs, against the plain answer (a track of no
known class; within the kit the mean of its pieces)::

    o = plain + c w (target - plain),    w = s_0^2 / (s_0^2 + s^2)

with s the spread of the row, s_0 that of the first guess and c how sure the label is. Tracks of one class share their
level as far as they sound together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from tonmeister.engines.instrument.bleed import source_change_db
from tonmeister.engines.instrument.channels import Channel
from tonmeister.engines.instrument.meters import Meter, Part
from tonmeister.engines.instrument.numbers import number
from tonmeister.engines.instrument.rows import LevelRow
from tonmeister.engines.instrument.table import FALLBACK, ClassTable
from tonmeister.features import CrossPower
from tonmeister.units import db_to_power, power_to_db

__all__ = ["Aim", "faithful_aims", "improved_aims"]

_HEARD_DB = 0.05
"""Steps smaller than this are not worth a word."""


@dataclass(frozen=True)
class Aim:
    """Target and reading of one channel."""

    target_lu: float
    reading: float
    notes: tuple[str, ...] = ()


Aims = tuple[dict[str, Aim], dict[str, float]]
"""By channel; and the target of each group re the lead."""


def faithful_aims(
    channels: Sequence[Channel],
    table: ClassTable,
    meters: Mapping[str, Meter],
    parts: Mapping[str, Part],
    cross_power: CrossPower | None,
) -> Aims:
    """Every track at the full target of its class."""
    aims = {
        c.name: Aim(_class_target(table, c.label, c, meters), _reading(c, meters, parts)) for c in channels
    }
    groups = {g: _group_target(table, g, meters[_members(channels, g)[0].name]) for g in _groups(channels)}
    return aims, groups


def improved_aims(
    channels: Sequence[Channel],
    table: ClassTable,
    meters: Mapping[str, Meter],
    parts: Mapping[str, Part],
    cross_power: CrossPower | None,
) -> Aims:
    """Targets weighed by how sure they are, shared by the tracks of a class, read per source."""
    song = _Song(table, meters, parts, _readings(channels, meters, parts), cross_power)
    aims = {c.name: song.single(c, channels) for c in channels if c.group is None}
    groups = {}
    for group in _groups(channels):
        members = _members(channels, group)
        aims |= song.pieces(members)
        groups[group] = song.whole(group, members)
    return aims, groups


def _groups(channels: Sequence[Channel]) -> list[str]:
    return [group for group in dict.fromkeys(c.group for c in channels) if group]


def _members(channels: Sequence[Channel], group: str) -> list[Channel]:
    return [c for c in channels if c.group == group]


def _readings(
    channels: Sequence[Channel], meters: Mapping[str, Meter], parts: Mapping[str, Part]
) -> dict[str, float]:
    return {c.name: _reading(c, meters, parts) for c in channels}


def _reading(channel: Channel, meters: Mapping[str, Meter], parts: Mapping[str, Part]) -> float:
    reading = meters[channel.name].track(channel.features, parts[channel.name].effects)
    assert reading is not None  # silent tracks are no channels
    return reading


def _class_target(table: ClassTable, label: str, channel: Channel, meters: Mapping[str, Meter]) -> float:
    row, meter = table.level(label), meters[channel.name].name
    target = row.by_role[channel.track.role] + table.correction(label, meter)
    return target - table.correction(row.relative_to, meter) if row.relative_to in table.rows else target


def _group_target(table: ClassTable, group: str, meter: Meter) -> float:
    return table.level(group).by_role["foreground"] + table.correction(group, meter.name)


def _weight(row: LevelRow) -> float:
    first = number("level.first_guess_spread_lu") ** 2
    return first / (first + row.spread_lu**2)


@dataclass(frozen=True)
class _Song:
    """The improved reading of one song."""

    table: ClassTable
    meters: Mapping[str, Meter]
    parts: Mapping[str, Part]
    readings: Mapping[str, float]
    cross_power: CrossPower | None
    known: dict[tuple[str, ...], float] = field(default_factory=dict)
    """Excess of sets of tracks that was worked out before."""

    # Tracks by themselves

    def single(self, channel: Channel, channels: Sequence[Channel]) -> Aim:
        """A track outside any group."""
        sure = _class_target(self.table, channel.label, channel, self.meters)
        plain = _class_target(self.table, FALLBACK, channel, self.meters)
        row = self.table.level(channel.label)
        share = _weight(row) * channel.confidence
        target, notes = plain + share * (sure - plain), []
        if abs(target - sure) >= _HEARD_DB:
            notes.append(
                f"between {sure:+.1f} LU for its class ({channel.confidence:.0%} sure, ±{row.spread_lu:g} LU between "
                f"songs) and {plain:+.1f} LU for any track"
            )
        alike = [c for c in channels if c.label == channel.label and c.track.role == channel.track.role]
        step = -number("level.section_share") * self._excess(alike)
        own = [c for c in alike if c.source == channel.source]
        if len(own) > 1:
            step -= (1.0 - number("level.section_share")) * self._excess(own)
        return self._aim(channel, target + step, notes, step, len(alike))

    # Pieces of a group

    def pieces(self, members: Sequence[Channel]) -> dict[str, Aim]:
        """The tracks of a group relative to it."""
        table = {c.name: _class_target(self.table, c.label, c, self.meters) for c in members}
        lifted = self._lift(members)
        rows = {c.name: self.table.level(c.label) for c in members}
        wanted = {name: level + (lifted if rows[name].rest else 0.0) for name, level in table.items()}
        middle = fmean(wanted.values())
        return {c.name: self._piece(c, members, wanted[c.name], middle, lifted) for c in members}

    def _piece(
        self, channel: Channel, members: Sequence[Channel], wanted: float, middle: float, lifted: float
    ) -> Aim:
        row = self.table.level(channel.label)
        share = _weight(row) * channel.confidence
        target, notes = middle + share * (wanted - middle), []
        if row.rest and lifted >= _HEARD_DB:
            notes.append(f"{lifted:+.1f} dB: it takes over a part of what is missing of the kit")
        if abs(target - wanted) >= _HEARD_DB:
            notes.append(
                f"between {wanted:+.1f} LU for its class ({channel.confidence:.0%} sure, ±{row.spread_lu:g} LU between "
                f"songs) and {middle:+.1f} LU for any piece"
            )
        alike = [c for c in members if c.label == channel.label]
        step = -self._excess(alike)
        bleed_db = source_change_db(channel, members, self.cross_power)
        if bleed_db <= -_HEARD_DB:
            notes.append(f"{bleed_db:+.1f} dB: what it hears of other sources does not count")
        return self._aim(channel, target + step, notes, step, len(alike), bleed_db)

    def _lift(self, members: Sequence[Channel]) -> float:
        """What the rest of the kit is raised by where some of its pieces are missing."""
        rows = {c.label: self.table.level(c.label) for c in members}
        rest = [row.by_role["foreground"] for row in rows.values() if row.rest]
        if not rest:
            return 0.0
        present = power_to_db(sum(db_to_power(level) for level in rest))
        return number("level.kit_rest_share") * max(0.0, number("level.kit_rest_lu") - present)

    def whole(self, group: str, members: Sequence[Channel]) -> float:
        """The level of the group re the lead; a kit that lacks pieces is not brought up to a whole one."""
        row = self.table.level(group)
        target = _group_target(self.table, group, self.meters[members[0].name])
        lifted = self._lift(members)
        rows = {c.label: self.table.level(c.label) for c in members}
        present = [r.by_role["foreground"] + (lifted if r.rest else 0.0) for r in rows.values()]
        target += min(0.0, power_to_db(sum(map(db_to_power, present))))
        plain = [_class_target(self.table, FALLBACK, c, self.meters) for c in members]
        natural = self._together(members, plain)
        share = _weight(row) * fmean(c.confidence for c in members)
        return natural + share * (target - natural)

    # Several tracks

    def _excess(self, alike: Sequence[Channel]) -> float:
        """How much louder tracks at one level are together than one of them, as they play together; 0 or more."""
        if len(alike) < 2:
            return 0.0
        names = tuple(c.name for c in alike)
        if names not in self.known:
            self.known[names] = max(0.0, self._together(alike, [0.0] * len(alike)))
        return self.known[names]

    def _together(self, channels: Sequence[Channel], targets: Sequence[float]) -> float:
        """Loudness of tracks that each read their target."""
        parts = [
            Part(
                self.parts[c.name].features,
                target - self.readings[c.name],
                self.parts[c.name].pan,
                self.parts[c.name].effects,
            )
            for c, target in zip(channels, targets, strict=True)
        ]
        return self.meters[channels[0].name].together(parts, self.cross_power)

    def _aim(
        self,
        channel: Channel,
        target: float,
        notes: list[str],
        step: float,
        count: int,
        bleed_db: float = 0.0,
    ) -> Aim:
        if step <= -_HEARD_DB:
            notes.append(f"{step:+.1f} dB: {count} tracks of one class share its level")
        return Aim(target, self.readings[channel.name] + bleed_db, tuple(notes))

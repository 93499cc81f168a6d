"""Scott & Kim (2013): the label of a track says where it goes, how loud it is, and its coarse equalization.

Panning, then levels, then equalization; the drums are the one group that is mixed first, to targets of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tonmeister.decisions import (
    AddBus,
    AddInsert,
    Decision,
    Mute,
    Reason,
    SetGain,
    SetOutput,
    SetPan,
)
from tonmeister.effects.width import Width
from tonmeister.engines.instrument.channels import Channel, channels_of
from tonmeister.engines.instrument.levels import Desk, Level, Levels, balance, nominal_aims
from tonmeister.engines.instrument.meters import Bs1770Meter, Iso226Meter, Meter
from tonmeister.engines.instrument.numbers import number
from tonmeister.engines.instrument.options import InstrumentOptions
from tonmeister.engines.instrument.panning import Place, kit_sign, places
from tonmeister.engines.instrument.table import SHIPPED, load_table
from tonmeister.engines.instrument.tone import Tone, net_response, tone_of
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import MASTER

__all__ = ["InstrumentEngine"]

_PHON = (40.0, 80.0)


class InstrumentEngine:
    """A class hierarchy of instruments, read from a table."""

    name: ClassVar[str] = "instrument"
    Options: ClassVar[type[InstrumentOptions]] = InstrumentOptions

    def __init__(self, options: InstrumentOptions | None = None, *, seed: int = 0) -> None:
        """Read the table; nothing is left to chance, so `seed` changes nothing.

        Raises `BadInputError` for a table that cannot be meant, or is for another meter.
        """
        self._options = options or InstrumentOptions()
        own = self._options.table
        table = load_table(Path(own).expanduser() if own else SHIPPED)
        self._table = table.for_meter(self._options.meter_name)

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Decision]:
        """Mutes for silent tracks, then panning, levels and equalization of the others."""
        return list(self._decisions(multitrack, features))

    def _decisions(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        for name in multitrack.names:
            if features[name].silent:
                yield self._mute(name)
        channels = channels_of(multitrack, features, self._table)
        if not channels:
            return
        options, table = self._options, self._table
        side, seen = kit_sign(channels, features.cross_power, options.kit_perspective)
        aims = nominal_aims(channels, table)
        where = places(channels, table, aims, kit_side=side, improved=options.improved)
        pans = {c.name: self._position(c, where[c.name]) for c in channels}
        tones = {c.name: tone_of(c, table.eq(c.label), improved=options.improved) for c in channels}
        desk = Desk(table, self._meters(), tones, pans, features.cross_power, options.improved)
        levels = balance(channels, desk)
        buses = _free_names(levels.groups, multitrack.names)
        yield from self._groups(levels, buses)
        for level in levels.levels:
            channel = level.channel
            yield from self._strip(
                level, where[channel.name], pans[channel.name], tones[channel.name], seen, buses
            )
        yield self._master(levels)

    # ------------------------------------------------------------------ what is read

    def _meters(self) -> Callable[[float], Meter]:
        """The meter for a class by the level it aims at: a softer class is heard at a lower loudness level."""
        options = self._options
        if options.meter_name == "bs1770":
            meter = Bs1770Meter()
            return lambda aim_lu: meter
        if not options.improved:
            fixed = Iso226Meter(options.phon)
            return lambda aim_lu: fixed
        return lambda aim_lu: Iso226Meter(min(max(options.phon + aim_lu, _PHON[0]), _PHON[1]))

    def _position(self, channel: Channel, place: Place) -> float:
        """The place; a doubtful label, when improved, goes less far out."""
        scale = channel.confidence if self._options.improved else 1.0
        return round(place.position * scale, 3) + 0.0

    # ------------------------------------------------------------------ what is said

    def _reason(
        self, channel: Channel, stage: str, text: str, source: str, grade: str, *notes: str
    ) -> Reason:
        notes = (channel.how, *notes)
        return Reason(
            text, source, f"instrument.{stage}.{channel.label}", grade, round(channel.confidence, 3), notes
        )

    def _mute(self, name: str) -> Mute:
        why = Reason(
            "Nothing in this file is loud enough to hear.", "ITU-R BS.1770-4: absolute gate of -70 LUFS",
            "instrument.mute.silent", "nothing passes the gate",
        )  # fmt: skip
        return Mute(name, True, reason=why, by=self.name)

    def _groups(self, levels: Levels, buses: Mapping[str, str]) -> Iterator[Decision]:
        for group, target in levels.groups.items():
            row = self._table.level(group)
            members = [v for v in levels.levels if v.channel.group == group]
            sure = min(v.channel.confidence for v in members)
            made = Reason(
                f"{_tracks(len(members))} mixed among themselves first, then as one.", "Scott & Kim, ISMIR 2013",
                f"instrument.group.{group}", "S", sure,
            )  # fmt: skip
            yield AddBus(buses[group], "bus", reason=made, by=self.name)
            text = f"The {group} as one aim {_against(target)}; the faders of its tracks hold that, the bus stays at unity."
            level = Reason(text, row.source.text, f"instrument.level.{group}", row.source.evidence, sure)
            yield SetGain(buses[group], 0.0, reason=level, by=self.name)

    def _strip(
        self, level: Level, place: Place, pan: float, tone: Tone, seen: str, buses: Mapping[str, str]
    ) -> Iterator[Decision]:
        channel, row = level.channel, place.row
        said = (seen,) if row.kit else ()
        where = self._reason(channel, "pan", f"{place.text}.", row.source.text, row.source.evidence, *said)
        yield SetPan(channel.name, pan, reason=where, by=self.name)
        if row.mode == "fixed" and channel.stereo:
            yield self._mono_lows(channel, place)
        yield SetGain(channel.name, round(level.gain_db, 2), reason=self._why_level(level), by=self.name)
        if channel.group is not None:
            text = f"{channel.label.replace('_', ' ').capitalize()} belongs to the {channel.group}."
            route = self._reason(channel, "group", text, "Scott & Kim, ISMIR 2013", "S")
            yield SetOutput(channel.name, buses[channel.group], reason=route, by=self.name)
        for effect in tone.effects:
            text = f"Coarse equalization of the class {channel.label.replace('_', ' ')}."
            source, net = tone.row.source, net_response(tone, channel.features.sample_rate)
            why = self._reason(channel, "eq", text, source.text, source.evidence, net, *tone.notes)
            yield AddInsert(channel.name, effect, reason=why, by=self.name)

    def _mono_lows(self, channel: Channel, place: Place) -> AddInsert:
        below_hz = number("pan.mono_below_hz")
        text = f"The lows of a centered class are mono: below {below_hz:g} Hz both sides get the same."
        why = self._reason(channel, "pan", text, place.row.source.text, place.row.source.evidence)
        return AddInsert(channel.name, Width(1.0, below_hz), reason=why, by=self.name)

    def _why_level(self, level: Level) -> Reason:
        channel, row = level.channel, self._table.level(level.channel.label)
        unit = "LUFS" if self._options.meter_name == "bs1770" else "dB (ISO 226)"
        reference = "the whole kit" if row.relative_to in self._table.rows else None
        text = (
            f"{channel.label.replace('_', ' ').capitalize()} aims {_against(level.target_lu, reference)}; "
            f"it reads {level.reading:.1f} {unit}."
        )
        return self._reason(channel, "level", text, row.source.text, row.source.evidence, *level.notes)

    def _master(self, levels: Levels) -> SetGain:
        table = self._table
        text = (
            f"The faders add up to about {number('level.programme_lufs'):g} LUFS: the master stays at unity."
        )
        notes = (
            f"class offsets: {table.status} table v{table.version} ({table.file}), meter {self._options.meter_name}",
            *_reference(levels),
        )
        why = Reason(text, "EBU R 128", "instrument.level.master", "R", 1.0, notes)
        return SetGain(MASTER, 0.0, reason=why, by=self.name)


def _against(level_lu: float, reference: str | None = None) -> str:
    whom = reference or "the lead voice"
    if abs(level_lu) < 0.05:
        return f"at the level of {whom}"
    return f"{abs(level_lu):.1f} LU {'below' if level_lu < 0 else 'above'} {whom}"


def _reference(levels: Levels) -> Sequence[str]:
    """What the levels refer to where nobody sings."""
    if any(level.channel.label == "lead_vocal" for level in levels.levels):
        return ()
    highest = max(
        levels.levels, key=lambda level: level.target_lu + (levels.groups.get(level.channel.group or "", 0.0))
    )
    label = highest.channel.group or highest.channel.label
    return (
        f"no lead voice: the reference is the {label.replace('_', ' ')}, levels are told re a voice that is not there",
    )


def _tracks(count: int) -> str:
    return "1 track is" if count == 1 else f"{count} tracks are"


def _free_names(groups: Mapping[str, float], taken: Sequence[str]) -> dict[str, str]:
    """A bus for each group, under a name that no track has."""
    folded = {name.casefold() for name in (*taken, MASTER)}
    names = {}
    for group in groups:
        name = group.replace("_", " ").capitalize()
        while name.casefold() in folded:
            name = f"{name} bus"
        folded.add(name.casefold())
        names[group] = name
    return names

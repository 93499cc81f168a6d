"""The stages of the engine, in order: repair, tone and dynamics, balance, panorama, drum bus, mix bus, space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar, Final

from tonmeister.decisions import (
    AddBus,
    AddInsert,
    Decision,
    Reason,
    SetGain,
    SetOutput,
    SetPan,
)
from tonmeister.engines.textbook.balance import (
    Balance,
    Level,
    balance,
    heard_lead,
    sum_lufs,
    weight_of,
)
from tonmeister.engines.textbook.buses import BusChain, bus_chain, peak_db
from tonmeister.engines.textbook.chain import because, with_inserts
from tonmeister.engines.textbook.channels import Channel, Style, make_channels
from tonmeister.engines.textbook.clarity import masking_cuts
from tonmeister.engines.textbook.matching import Entry, Subject, apply_rules
from tonmeister.engines.textbook.measures import bus_lookup
from tonmeister.engines.textbook.numbers import number, numbers
from tonmeister.engines.textbook.options import TextbookOptions
from tonmeister.engines.textbook.panning import Place, place
from tonmeister.engines.textbook.repair import aligned, left_out, muted
from tonmeister.engines.textbook.rules import Rule, RuleSet
from tonmeister.engines.textbook.space import space
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import MASTER, PARAMETERS

__all__ = ["TextbookEngine", "mixdown"]

_NOBODY: Final[dict[str, frozenset[str]]] = {"instrument": frozenset(), "role": frozenset()}


class TextbookEngine:
    """Rules matched against tags, with a reason for every move."""

    name: ClassVar[str] = "textbook"
    Options: ClassVar[type[TextbookOptions]] = TextbookOptions

    def __init__(self, options: TextbookOptions | None = None, *, seed: int = 0) -> None:
        """Read the rules; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or TextbookOptions()
        own = self._options.rules
        rules = RuleSet.load(Path(own).expanduser()) if own else RuleSet.shipped()
        self._rules = rules.without(self._options.without.split(","))

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Decision]:
        """Every decision of the mix, from the repairs to the room."""
        return list(self._mixdown(multitrack, features).decisions())

    def considered(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Entry]:
        """Every rule that was looked at for a track or bus, and what became of it."""
        return self._mixdown(multitrack, features).log()

    def _mixdown(self, multitrack: Multitrack, features: MultitrackFeatures) -> _Mixdown:
        options = self._options
        style = Style(options.profile, options.features == "jarp", options.edition)
        return _Mixdown(multitrack, features, self._rules, style, self.name)


def mixdown(
    multitrack: Multitrack, features: MultitrackFeatures, rules: RuleSet, style: Style, by: str
) -> list[Decision]:
    """The stages of this engine on any set of rules; the decisions are made in the name of `by`."""
    return list(_Mixdown(multitrack, features, rules, style, by).decisions())


class _Mixdown:
    """One song on its way through the stages."""

    def __init__(
        self, multitrack: Multitrack, features: MultitrackFeatures, rules: RuleSet, style: Style, by: str
    ) -> None:
        self._features, self._rules, self._style, self._by = features, rules, style, by
        self._multitrack = multitrack
        self._tempo_bpm = multitrack.tempo_bpm or features.tempo_bpm
        self._left_out = left_out(multitrack, features)
        self._channels = self._with_inserts(
            make_channels(multitrack, features, rules, style, frozenset(self._left_out))
        )

    def log(self) -> list[Entry]:
        """What became of every rule, track by track, then on the drum bus."""
        if not self._channels:
            return []
        levels = self._balance().levels
        entries = [entry for channel in self._channels for entry in channel.log]
        entries += [entry for level in levels for entry in level.settings.log]
        entries += [
            e for channel in self._channels for stage in ("pan", "space") for e in self._heard(channel, stage)
        ]
        kit = self._kit(levels)
        return [*entries, *(self._drum_chain(kit).settings.log if kit else ())]

    def _heard(self, channel: Channel, stage: str) -> tuple[Entry, ...]:
        style = self._style
        return apply_rules(self._rules, stage, channel.subject, profile=style.profile, jarp=style.jarp).log

    def decisions(self) -> Iterator[Decision]:
        """All decisions, in the order in which a person would make them."""
        heard = frozenset(channel.name for channel in self._channels)
        yield from muted(self._left_out, self._by)
        if not heard:
            return
        if self._style.improved:
            yield from aligned(self._features, heard, self._by)
        yield from self._console(self._balance())

    def _console(self, balanced: Balance) -> Iterator[Decision]:
        """Strips, buses and room, once the levels are known."""
        kit = self._kit(balanced.levels)
        chain = self._drum_chain(kit) if kit else None
        bus_db, bus_level = self._drum_level(kit, chain, balanced) if chain else (0.0, None)
        on_bus = {level.channel.name for level in kit}
        through_bus_db = bus_db + (chain.change_db if chain else 0.0)
        levels = list(balanced.levels)
        if self._style.improved:
            levels = heard_lead(levels, lambda lvs: _parts(lvs, on_bus, through_bus_db))
        common_db = self._common_db(levels, on_bus, through_bus_db)
        levels = [_shifted(level, common_db) for level in levels]
        chain = self._drum_chain([lv for lv in levels if lv.channel.name in on_bus]) if kit else None
        names = _free_names(
            self._multitrack, (kit[0].settings.route or ("Drums", None))[0] if kit else "", "Reverb"
        )
        if chain is not None:
            yield from self._drum_bus(names[0], chain, bus_db, bus_level, levels, on_bus)
        for level, spot in zip(levels, self._places(levels, on_bus, bus_db), strict=True):
            yield from self._strip(level, spot, names[0] if level.channel.name in on_bus else None)
        yield from self._mix_bus(levels, on_bus, through_bus_db, names[1])

    # Tone and dynamics

    def _with_inserts(self, channels: list[Channel]) -> list[Channel]:
        return [
            with_inserts(
                channel, self._rules, self._style,
                masking_cuts(channel, channels, self._features, self._rules, self._style),
            )
            for channel in channels
        ]  # fmt: skip

    # Balance

    def _balance(self) -> Balance:
        return balance(self._channels, self._rules, self._style)

    def _kit(self, levels: Iterable[Level]) -> list[Level]:
        """The tracks that go to the drum bus: none when there is but one."""
        kit = [level for level in levels if level.settings.route is not None]
        return kit if len(kit) > 1 else []

    def _drum_chain(self, kit: Sequence[Level]) -> BusChain:
        tags = {"instrument": frozenset(("drums",)), "role": frozenset[str]()}
        return bus_chain(
            "Drums", "drum_bus", _parts(kit), self._features, self._rules, self._style, tempo_bpm=self._tempo_bpm,
            tags=tags, confidence=fmean(level.channel.subject.confidence for level in kit),
        )  # fmt: skip

    def _drum_level(
        self, kit: Sequence[Level], chain: BusChain, balanced: Balance
    ) -> tuple[float, tuple[Rule, float] | None]:
        """Fader of the drum bus, and the rule with the step it asked for.

        Without a rule the bus gives back what its inserts take, so that the levels inside stay true.
        """
        target = chain.settings.values.get("fader.target_lu")
        if target is None:
            return -chain.change_db, None
        natural_db = sum_lufs(_parts(kit)) - balanced.reference_lufs
        weight = weight_of(target) * fmean(level.channel.subject.sureness for level in kit)
        step_db = weight * (balanced.anchor_db + target.value - natural_db)
        return step_db - chain.change_db, (target.rule, step_db)

    def _common_db(self, levels: Sequence[Level], on_bus: set[str], bus_db: float) -> float:
        """Gain of all faders that brings the predicted mix to its loudness, with headroom for peaks."""
        parts = _parts(levels, on_bus, bus_db)
        wanted_db = number("balance.mix_loudness") - sum_lufs(parts)
        return min(wanted_db, number("mix.peak") - peak_db(parts))

    # Panorama

    def _places(self, levels: Sequence[Level], on_bus: set[str], bus_db: float) -> list[Place]:
        loudness = {c.name: c.lufs + gain_db for c, gain_db in _parts(levels, on_bus, bus_db)}
        return place([level.channel for level in levels], loudness, self._rules, self._style)

    # Strips

    def _strip(self, level: Level, spot: Place, bus: str | None) -> Iterator[Decision]:
        channel, name = level.channel, level.channel.name
        for chosen in channel.inserts:
            yield AddInsert(name, chosen.effect, reason=chosen.reason, by=self._by)
        yield SetGain(name, _fader(level.gain_db), reason=_why_level(level, self._rules), by=self._by)
        yield SetPan(name, round(spot.position, 3), reason=_why_place(spot), by=self._by)
        if bus is not None and level.settings.route is not None:
            yield SetOutput(name, bus, reason=because(level.settings.route[1], channel.subject), by=self._by)

    def _drum_bus(
        self, name: str, chain: BusChain, bus_db: float, step: tuple[Rule, float] | None,
        levels: Sequence[Level], on_bus: set[str],
    ) -> Iterator[Decision]:  # fmt: skip
        first = next(level for level in levels if level.channel.name in on_bus)
        rule = first.settings.route[1] if first.settings.route else None
        subject = Subject(name, _NOBODY, lambda _: None, first.channel.subject.confidence)
        route = because(rule, subject, f"{len(on_bus)} tracks.") if rule else Reason("")
        yield AddBus(name, "bus", reason=route, by=self._by)
        for chosen in chain.inserts:
            yield AddInsert(name, chosen.effect, reason=chosen.reason, by=self._by)
        given = f"{-chain.change_db:+.1f} dB for what its inserts take"
        if step is None:
            reason = replace(route, text=f"The fader of the bus: {given}.")
        else:
            reason = because(step[0], subject, f"{step[1]:+.1f} dB towards that, and {given}.")
        yield SetGain(name, _fader(bus_db), reason=reason, by=self._by)

    def _mix_bus(
        self, levels: Sequence[Level], on_bus: set[str], bus_db: float, room: str
    ) -> Iterator[Decision]:
        parts = _parts(levels, on_bus, bus_db)
        chain = bus_chain(
            MASTER, "mix_bus", parts, self._features, self._rules, self._style,
            tempo_bpm=self._tempo_bpm, tags=_NOBODY,
        )  # fmt: skip
        lookup = bus_lookup(chain.levels, self._features, self._tempo_bpm, jarp=self._style.jarp)
        mix_lufs = chain.levels.lufs if chain.levels.lufs is not None else number("balance.mix_loudness")
        song = Subject("song", _NOBODY, lookup)
        yield from space(_parts(levels), mix_lufs, song, self._rules, self._style, bus=room, by=self._by)
        for chosen in chain.inserts:
            yield AddInsert(MASTER, chosen.effect, reason=chosen.reason, by=self._by)
        target = numbers()["balance.mix_loudness"]
        text = (
            f"The faders add up to {mix_lufs:.1f} LUFS with peaks near {chain.levels.peak_db or 0.0:.0f} dB: "
            "headroom enough, the master stays at unity."
        )
        reason = Reason(text, target.source, "textbook.master.headroom", target.evidence, 0.7)
        yield SetGain(MASTER, 0.0, reason=reason, by=self._by)


def _parts(
    levels: Iterable[Level], on_bus: Iterable[str] = (), bus_db: float = 0.0
) -> list[tuple[Channel, float]]:
    """Channels with their gains on the way to the mix."""
    behind = set(on_bus)
    return [(lv.channel, lv.gain_db + (bus_db if lv.channel.name in behind else 0.0)) for lv in levels]


def _shifted(level: Level, common_db: float) -> Level:
    return replace(level, gain_db=level.gain_db + common_db)


def _fader(gain_db: float) -> float:
    return round(PARAMETERS["gain_db"].clip(gain_db), 2)


def _free_names(multitrack: Multitrack, *wanted: str) -> list[str]:
    """Names for buses that no track has."""
    return [name if name not in multitrack.names else f"{name} bus" for name in wanted]


def _why_level(level: Level, rules: RuleSet) -> Reason:
    channel = level.channel
    before, after = channel.features.integrated_lufs or 0.0, channel.lufs
    inserts = f", {after:.1f} after its inserts" if channel.inserts else ""
    fader = _fader(level.gain_db)
    text = f"It measures {before:.1f} LUFS{inserts}; the fader brings it to {after + fader:.1f} LUFS."
    clipped = () if abs(fader - level.gain_db) < 0.006 else (f"{level.gain_db:.1f} dB is beyond the fader",)
    notes = (channel.track.evidence, *channel.notes, *level.notes, *clipped)
    if level.rules:
        return because(level.rules[0], channel.subject, text, notes)
    warning = "" if rules.rules else "The rule file holds no rules. "
    return Reason(
        f"{warning}No rule speaks about this level: as loud as the others. {text}",
        "De Man & Reiss, JARP 8 (2013)", "textbook.fallback.level", "P", 0.5, notes,
    )  # fmt: skip


def _why_place(spot: Place) -> Reason:
    if spot.rule is not None:
        return because(spot.rule, spot.channel.subject, "", spot.notes)
    text = "No rule speaks about this position: the center."
    return Reason(text, "default of the console", "textbook.fallback.center", "R", 0.5, spot.notes)

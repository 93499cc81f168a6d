"""Parameters that rules set themselves, as decisions: the fader, the pan, effects, the send, what moves over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, cast

import numpy as np

from tonmeister.decisions import AddBus, AddInsert, AddSend, Automate, Decision, Mute, Reason, SetGain, SetPan
from tonmeister.effects.base import effect_type
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.curves import to_curve
from tonmeister.engines.semantic.documents import KnownRule
from tonmeister.engines.semantic.moving import BLOCK_S, Moves
from tonmeister.engines.semantic.situation import MIX_BUS, SONG, Situation, owner_of
from tonmeister.engines.semantic.terms import Parameter, camel, parameters
from tonmeister.engines.textbook.records import EVIDENCE
from tonmeister.engines.textbook.words import WORDS, band_of
from tonmeister.strip import MASTER, PARAMETERS
from tonmeister.units import DoubleArray

__all__ = ["AUTOMATED", "direct_decisions"]

_GAIN_STEP_DB: Final = 0.1
_PAN_STEP: Final = 0.01
AUTOMATED: Final = frozenset({"gain", "ride", "pan", "reverbSend"})
"""Parameters that may move in a plan."""
_ROOM: Final = "Reverb"
_SHAPES: Final = ("peak", "low_shelf", "high_shelf")


def direct_decisions(
    situation: Situation,
    tracks: Sequence[str],
    moves: Moves,
    made: Sequence[Decision],
    *,
    by: str,
    whole: bool,
) -> Iterator[Decision]:
    """What rules set on strips; `made` are the decisions of the stages, which these come after.

    `whole`: the stages decided nothing, so equalizer sections and every effect are put in here too.
    """
    desk = _Desk(situation, moves, made, by, whole)
    for name in tracks:
        yield from desk.strip(name, owner_of(name))
    yield from desk.inserts(MASTER, MIX_BUS)
    yield from desk.room(tracks)


class _Desk:
    def __init__(
        self, situation: Situation, moves: Moves, made: Sequence[Decision], by: str, whole: bool
    ) -> None:
        self._situation, self._moves, self._by, self._whole = situation, moves, by, whole
        self._gains = {d.strip: d.gain_db for d in made if isinstance(d, SetGain)}
        self._inserts = {(d.strip, d.slot) for d in made if isinstance(d, AddInsert)}
        self._returns = {d.strip for d in made if isinstance(d, AddBus) and d.kind == "return"}

    def strip(self, name: str, owner: str) -> Iterator[Decision]:
        """Mute, inserts, fader and pan of a track."""
        if (muted := self._said(owner, "active")) is not None and muted[0] == 0.0:
            yield Mute(name, True, reason=self._why(muted[1], "Muted."), by=self._by)
        yield from self.inserts(name, owner)
        yield from self._fader(name, owner)
        yield from self._place(name, owner)

    # Fader and pan

    def _fader(self, name: str, owner: str) -> Iterator[Decision]:
        said = self._said(owner, "gain")
        ride = self._said(owner, "ride")
        moving = [self._moves[key] for key in ((owner, "gain"), (owner, "ride")) if key in self._moves]
        base_db = said[0] if said else self._gains.get(name, 0.0)
        rule = (said or ride or (0.0, None))[1] or self._moving_rule(owner, ("gain", "ride"))
        if rule is None:
            return
        if moving:
            still = np.full(len(moving[0]), base_db)
            ridden = self._moves.get((owner, "ride"), np.zeros(len(still)))
            level_db = self._moves.get((owner, "gain"), still) + ridden
            yield self._curve(name, "gain_db", level_db, _GAIN_STEP_DB, rule)
            return
        gain_db = round(PARAMETERS["gain_db"].clip(base_db + (ride[0] if ride else 0.0)), 2)
        yield SetGain(name, gain_db, reason=self._why(rule, f"The fader at {gain_db:+.1f} dB."), by=self._by)

    def _place(self, name: str, owner: str) -> Iterator[Decision]:
        said, values = self._said(owner, "pan"), self._moves.get((owner, "pan"))
        rule = said[1] if said else self._moving_rule(owner, ("pan",))
        if rule is None:
            return
        if values is not None:
            yield self._curve(name, "pan", values, _PAN_STEP, rule)
        elif said:
            yield SetPan(name, round(said[0], 3), reason=self._why(rule), by=self._by)

    def _curve(
        self, name: str, parameter: str, values: DoubleArray, step: float, rule: KnownRule
    ) -> Automate:
        """Thinned to 0.1 dB or 0.01 of the pan."""
        allowed = PARAMETERS["pan" if parameter == "pan" else "gain_db"]
        times_s = np.arange(len(values), dtype=np.float64) * BLOCK_S
        clipped = np.asarray(np.clip(values, allowed.minimum, allowed.maximum), dtype=np.float64)
        curve = to_curve(times_s, clipped, step)
        text = f"{len(curve.times_s)} points."
        return Automate(name, parameter, curve, reason=self._why(rule, text), by=self._by)

    def _moving_rule(self, owner: str, names: tuple[str, ...]) -> KnownRule | None:
        """The rule behind a parameter that moves and happens to be at rest at the end."""
        for name in names:
            if (owner, name) in self._moves:
                targets = (
                    c
                    for i in self._situation.instances
                    for c in i.constraints
                    if getattr(c, "target", None) is not None
                )
                for constraint in targets:
                    target = cast(Any, constraint).target
                    if (target.owner, target.property) == (owner, name):
                        return self._situation.rules[constraint.name]
        return None

    # Inserts

    def inserts(self, strip: str, owner: str) -> Iterator[Decision]:
        """Effects whose parameters rules have set, what they leave out at its default."""
        kinds: dict[str, dict[str, tuple[float, KnownRule]]] = {}
        for parameter in parameters().values():
            effect = _effect_of(parameter)
            said = self._said(owner, parameter.name) if effect else None
            if effect and said:
                kinds.setdefault(effect[0], {})[effect[1]] = said
        for kind, values in kinds.items():
            if (strip, kind) not in self._inserts and kind != "reverb" and self._is_active(owner, kind):
                yield self._insert(strip, owner, kind, values)
        if self._whole and (sections := self._sections(owner)) and self._is_active(owner, "equalizer"):
            equalizer = Equalizer(tuple(section for section, _ in sections))
            yield AddInsert(strip, equalizer, reason=self._why(sections[0][1]), by=self._by)

    def _is_active(self, owner: str, kind: str) -> bool:
        said = self._said(owner, f"{camel(kind)}Active")
        return said is None or said[0] != 0.0

    def _insert(
        self, strip: str, owner: str, kind: str, values: Mapping[str, tuple[float, KnownRule]]
    ) -> AddInsert:
        cls = effect_type(kind)
        fields = {f.name: f for f in dataclasses.fields(cast(Any, cls))}
        given: dict[str, Any] = {
            p.effect[1]: cls.ranges()[p.effect[1]].clip(said[0])
            for p in parameters().values()
            if p.effect and p.effect[0] == kind and (said := self._said(owner, f"{p.name}Default"))
        }
        for name, (value, _) in values.items():
            given[name] = (4 if value > 3 else 2) if name == "order" else cls.ranges()[name].clip(value)
        rule = next(iter(values.values()))[1]
        text = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in given.items())
        assert set(given) <= set(fields)
        return AddInsert(
            strip, cls(**given), reason=self._why(rule, f"{text[:1].upper()}{text[1:]}."), by=self._by
        )

    def _sections(self, owner: str) -> list[tuple[EqSection, KnownRule]]:
        store, found = self._situation.store, []
        for name in self._situation.made.get(owner, ()):
            rule, gain_db = self._situation.speaking(name, "present"), store.number(name, "sectionGain")
            if rule is None or gain_db is None:
                continue
            word = store.get(name, "sectionWord")
            if isinstance(word, str) and word in WORDS:
                band = band_of(word)
                found.append((EqSection("peak", round(band.center_hz, 1), gain_db, round(band.q, 3)), rule))
            elif (frequency_hz := store.number(name, "sectionFrequency")) is not None:
                shape = store.get(name, "sectionShape")
                known = cast(
                    Literal["peak", "low_shelf", "high_shelf"], shape if shape in _SHAPES else "peak"
                )
                found.append(
                    (EqSection(known, frequency_hz, gain_db, store.number(name, "sectionQ") or 0.7071), rule)
                )
        return found

    # The room

    def room(self, tracks: Sequence[str]) -> Iterator[Decision]:
        """A return with the reverb of the song, and a send for every track a rule sends there by itself."""
        sends = {t: s for t in tracks if (s := self._said(owner_of(t), "reverbSend")) is not None}
        sends = {t: s for t, s in sends.items() if self._is_active(owner_of(t), "reverb")}
        if not sends:
            return
        room = next(iter(sorted(self._returns)), _ROOM if _ROOM not in tracks else f"{_ROOM} bus")
        first = next(iter(sends.values()))[1]
        if room not in self._returns:
            yield AddBus(room, "return", reason=self._why(first), by=self._by)
            yield AddInsert(room, self._reverb(), reason=self._why(first), by=self._by)
        for track, (gain_db, rule) in sends.items():
            yield AddSend(track, room, round(gain_db, 2), reason=self._why(rule), by=self._by)
            if (values := self._moves.get((owner_of(track), "reverbSend"))) is not None:
                yield self._curve(track, f"send:{room}", values, _GAIN_STEP_DB, rule)

    def _reverb(self) -> Reverb:
        given = {}
        for parameter in parameters().values():
            if parameter.effect and parameter.effect[0] == "reverb" and parameter.effect[1] != "mix":
                said = self._said(SONG, parameter.name)
                if said is not None:
                    given[parameter.effect[1]] = said[0]
        return Reverb(**given, mix=1.0)

    # Reasons

    def _said(self, owner: str, name: str) -> tuple[float, KnownRule] | None:
        rule, value = self._situation.speaking(owner, name), self._situation.store.number(owner, name)
        return None if rule is None or value is None else (value, rule)

    @staticmethod
    def _why(rule: KnownRule, text: str = "") -> Reason:
        evidence = rule.evidence if rule.evidence in EVIDENCE else "R"
        source = f"{rule.source} ({rule.document})" if rule.source != rule.document else rule.document
        return Reason(f"{rule.comment} {text}".strip(), source, rule.iri, evidence, EVIDENCE[evidence])


def _effect_of(parameter: Parameter) -> tuple[str, str] | None:
    orders = {"highPassOrder": ("high_pass", "order"), "lowPassOrder": ("low_pass", "order")}
    return parameter.effect or orders.get(parameter.name)

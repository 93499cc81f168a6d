"""The mix plan: the console as data, folded from decisions, with the log of who decided what and why.

Rules of the fold. A later decision on the same target of the same strip wins. What a person decides stands
against any engine, whatever the order; a lock keeps engines away from what it names. Losers stay in the log.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from tonmeister.decisions import (
    USER,
    AddBus,
    AddInsert,
    AddSend,
    Automate,
    Decision,
    Lock,
    Mute,
    Reason,
    SetDelay,
    SetGain,
    SetOutput,
    SetPan,
    SetPlace,
    SetPolarity,
)
from tonmeister.errors import PlanError, nearest
from tonmeister.strip import MASTER, PAN_LAW, PARAMETERS, PLACE, Curve, Insert, Send, Strip

__all__ = [
    "LOUDNESS_SLOT",
    "LIMITER_SLOT",
    "LoggedDecision",
    "MixPlan",
    "SCHEMA_VERSION",
    "TrackRecord",
    "fold",
]

SCHEMA_VERSION: Final = 1
LOUDNESS_SLOT: Final = "loudness"
LIMITER_SLOT: Final = "limiter"
"""Slots of the master where the loudness target and the peak ceiling are met."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What the plan knows about a track, enough to recognise it again and to name it to a reader."""

    name: str
    file: str
    instrument: str = "other"
    role: str = "foreground"
    confidence: float = 0.0
    evidence: str = ""
    channels: int = 1
    frames: int = 0
    checksum: str = ""
    group: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """A decision and what became of it: ``overruled`` is '' when it holds, else says by what."""

    decision: Decision
    overruled: str = ""


@dataclass(frozen=True)
class MixPlan:
    """Everything needed to render the mix and to explain it."""

    title: str
    sample_rate: int
    tracks: tuple[TrackRecord, ...]
    strips: tuple[Strip, ...]
    log: tuple[LoggedDecision, ...] = ()
    engine: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    target_lufs: float | None = None
    ceiling_dbtp: float | None = None
    pan_law: str = PAN_LAW
    before: Mapping[str, Any] = field(default_factory=dict)
    """Measurements of the plain sum of the tracks."""
    after: Mapping[str, Any] = field(default_factory=dict)
    """Measurements of the rendered mix."""
    notes: tuple[str, ...] = ()
    """What was said aloud on loading and deciding."""

    @classmethod
    def of(
        cls,
        decisions: Iterable[Decision],
        *,
        title: str,
        sample_rate: int,
        tracks: Sequence[TrackRecord],
        **rest: Any,
    ) -> MixPlan:
        """Fold `decisions` over the tracks' strips and check the result."""
        strips, log = fold(decisions, [t.name for t in tracks])
        plan = cls(title=title, sample_rate=sample_rate, tracks=tuple(tracks), strips=strips, log=log, **rest)
        plan.check()
        return plan

    @cached_property
    def by_name(self) -> Mapping[str, Strip]:
        """Strips by their name."""
        return {s.name: s for s in self.strips}

    def __getitem__(self, name: str) -> Strip:
        try:
            return self.by_name[name]
        except KeyError:
            raise PlanError(f"there is no strip {name!r}{nearest(name, list(self.by_name))}") from None

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions in order, the overruled ones too."""
        return tuple(entry.decision for entry in self.log)

    def with_decisions(self, more: Iterable[Decision], **changes: Any) -> MixPlan:
        """The plan after further decisions."""
        return self._refolded((*self.decisions, *more), **changes)

    def without(self, index: int) -> MixPlan:
        """The plan without decision number `index` of the log: undo."""
        kept = [d for i, d in enumerate(self.decisions) if i != index]
        return self._refolded(kept)

    def _refolded(self, decisions: Iterable[Decision], **changes: Any) -> MixPlan:
        strips, log = fold(decisions, [t.name for t in self.tracks])
        plan = dataclasses.replace(self, strips=strips, log=log, **changes)
        plan.check()
        return plan

    def adopted(self) -> MixPlan:
        """The plan with every hand edit of its strips taken up as a person's decision, so that no fold loses it."""
        folded, _ = fold(self.decisions, [t.name for t in self.tracks])
        edits = [
            d for strip in self.strips for d in _edits({s.name: s for s in folded}.get(strip.name), strip)
        ]
        return self._refolded((*self.decisions, *edits)) if edits else self

    def reasons(self, strip: str) -> list[LoggedDecision]:
        """The part of the log that is about one strip."""
        return [entry for entry in self.log if entry.decision.strip == strip]

    @cached_property
    def order(self) -> tuple[Strip, ...]:
        """Strips so that each stands behind everything that feeds it; independent of the tracks' order."""
        return _sorted_by_flow(self.by_name)

    def check(self) -> None:
        """Raise `PlanError` for what cannot be rendered: strips, routes and values that do not hold together."""
        _check_strips(self)
        _check_routes(self.by_name)
        _ = self.order


def fold(
    decisions: Iterable[Decision], tracks: Sequence[str]
) -> tuple[tuple[Strip, ...], tuple[LoggedDecision, ...]]:
    """Turn decisions into strips and a log; strips are the tracks in order, then buses and returns, then the master."""
    log = _judge(list(decisions))
    strips = {name: Strip(name) for name in tracks}
    strips |= {
        d.strip: Strip(d.strip, kind=d.kind)
        for d in (entry.decision for entry in log if not entry.overruled)
        if isinstance(d, AddBus) and d.strip not in strips and d.strip != MASTER
    }
    strips[MASTER] = Strip(MASTER, kind="master", output="")
    for entry in log:
        decision = entry.decision
        if decision.strip not in strips:
            raise PlanError(
                f"a decision is about strip {decision.strip!r}, which does not exist{nearest(decision.strip, list(strips))}"
            )
        if not entry.overruled:
            strips[decision.strip] = _apply(strips[decision.strip], decision)
    return tuple(_in_slot_order(s, log) for s in strips.values()), log


def _in_slot_order(strip: Strip, log: tuple[LoggedDecision, ...]) -> Strip:
    """Inserts in the order in which their slots first appear, so that changing one does not move it."""
    if len(strip.inserts) < 2:
        return strip
    mine = (e.decision for e in log if e.decision.strip == strip.name and isinstance(e.decision, AddInsert))
    order = {slot: index for index, slot in enumerate(dict.fromkeys(d.slot for d in mine))}
    return dataclasses.replace(strip, inserts=tuple(sorted(strip.inserts, key=lambda i: order[i.slot])))


def _judge(decisions: list[Decision]) -> tuple[LoggedDecision, ...]:
    """Say for each decision whether it holds."""
    locks = {(d.strip, d.what) for d in decisions if isinstance(d, Lock)}
    standing: dict[tuple[str, str], int] = {}
    overruled: dict[int, str] = {}
    for index, decision in enumerate(decisions):
        key = (decision.strip, decision.target)
        held = standing.get(key)
        if decision.by != USER and _locked(locks, decision):
            overruled[index] = "locked"
        elif held is not None and decisions[held].by == USER != decision.by:
            overruled[index] = "a person decided otherwise"
        else:
            if held is not None:
                overruled[held] = f"decided later by {_who(decision)}"
            standing[key] = index
    return tuple(LoggedDecision(d, overruled.get(i, "")) for i, d in enumerate(decisions))


def _locked(locks: set[tuple[str, str]], decision: Decision) -> bool:
    return (decision.strip, "*") in locks or (decision.strip, decision.target) in locks


def _who(decision: Decision) -> str:
    return "a person" if decision.by == USER else f"{decision.by} ({decision.reason.rule or 'no rule named'})"


def _apply(strip: Strip, decision: Decision) -> Strip:
    match decision:
        case SetGain(gain_db=value):
            return dataclasses.replace(strip, gain_db=value, automation=_less(strip.automation, "gain_db"))
        case SetPan(pan=value):
            return dataclasses.replace(strip, pan=value, automation=_less(strip.automation, "pan"))
        case SetPlace(parameter=parameter, value=value):
            if parameter not in PLACE:
                raise PlanError(f"a place has no {parameter!r}{nearest(parameter, list(PLACE))}")
            return dataclasses.replace(strip, place=dataclasses.replace(strip.place, **{parameter: value}))
        case AddInsert(effect=effect, slot=slot):
            new = () if effect is None else (Insert(slot, effect),)
            return dataclasses.replace(strip, inserts=(*(i for i in strip.inserts if i.slot != slot), *new))
        case AddSend(to=to, gain_db=gain_db, pre_fader=pre_fader):
            others = tuple(s for s in strip.sends if s.to != to)
            return dataclasses.replace(strip, sends=(*others, Send(to, gain_db, pre_fader)))
        case SetOutput(to=to):
            return dataclasses.replace(strip, output=to)
        case Automate(parameter=parameter, curve=curve):
            return dataclasses.replace(strip, automation={**strip.automation, parameter: curve})
        case Mute(muted=muted):
            return dataclasses.replace(strip, muted=muted)
        case SetDelay(delay_ms=delay_ms):
            return dataclasses.replace(strip, delay_ms=delay_ms)
        case SetPolarity(inverted=inverted):
            return dataclasses.replace(strip, polarity_inverted=inverted)
        case _:
            return strip


def _less(mapping: Mapping[str, Curve], key: str) -> dict[str, Curve]:
    return {k: v for k, v in mapping.items() if k != key}


_EDITED: Final = Reason("Edited in the plan file.", source=USER)


def _edits(folded: Strip | None, edited: Strip) -> Iterator[Decision]:
    """The decisions that turn the strip the log makes into the strip that stands in the plan."""
    name, was = edited.name, folded or Strip(edited.name, kind=edited.kind)
    if folded is None and edited.kind in ("bus", "return"):
        yield AddBus(name, "bus" if edited.kind == "bus" else "return", reason=_EDITED)
    for field_name, move in _MOVES.items():
        if getattr(edited, field_name) != getattr(was, field_name):
            yield move(name, getattr(edited, field_name), reason=_EDITED)
    for parameter in PLACE:
        if getattr(edited.place, parameter) != getattr(was.place, parameter):
            yield SetPlace(name, parameter, getattr(edited.place, parameter), reason=_EDITED)
    slots = {i.slot: i.effect for i in was.inserts}
    for insert in edited.inserts:
        if slots.pop(insert.slot, None) != insert.effect:
            yield AddInsert(name, insert.effect, insert.slot, reason=_EDITED)
    yield from (AddInsert(name, None, slot, reason=_EDITED) for slot in slots)
    sends = {s.to: s for s in was.sends}
    for send in edited.sends:
        if sends.pop(send.to, None) != send:
            yield AddSend(name, send.to, send.gain_db, send.pre_fader, reason=_EDITED)
    yield from (AddSend(name, to, PARAMETERS["gain_db"].minimum, reason=_EDITED) for to in sends)
    for parameter in was.automation:
        if parameter not in edited.automation and parameter in _MOVES:
            yield _MOVES[parameter](name, getattr(edited, parameter), reason=_EDITED)
    for parameter, curve in edited.automation.items():
        if was.automation.get(parameter) != curve:
            yield Automate(name, parameter, curve, reason=_EDITED)


_MOVES: Final[Mapping[str, Callable[..., Decision]]] = {
    "gain_db": SetGain,
    "pan": SetPan,
    "muted": Mute,
    "delay_ms": SetDelay,
    "polarity_inverted": SetPolarity,
    "output": SetOutput,
}


def _check_strips(plan: MixPlan) -> None:
    names = [s.name for s in plan.strips]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"two strips are called {name!r}: every strip needs its own name")
    if [s.name for s in plan.strips if s.kind == "master"] != [MASTER]:
        raise PlanError(f"a plan needs exactly one master strip, called {MASTER!r}")
    strips_of_tracks = {s.name for s in plan.strips if s.kind == "track"}
    for record in plan.tracks:
        if record.name not in strips_of_tracks:
            raise PlanError(f"track {record.name!r} has no strip in the plan")
    for strip in plan.strips:
        for parameter, allowed in PARAMETERS.items():
            _check_range(strip, parameter, getattr(strip, parameter), allowed)
        for parameter, allowed in PLACE.items():
            _check_range(strip, parameter, getattr(strip.place, parameter), allowed)
        for send in strip.sends:
            _check_range(strip, f"send:{send.to}", send.gain_db, PARAMETERS["gain_db"])
        for parameter, curve in strip.automation.items():
            allowed = _automation_range(strip, parameter)
            for value in curve.values:
                _check_range(strip, parameter, value, allowed)


def _check_range(strip: Strip, parameter: str, value: float, allowed: Any) -> None:
    if not isinstance(value, (int, float)) or value not in allowed:
        raise PlanError(f"{strip.name}.{parameter}={value!r} is out of range: give {allowed}")


def _automation_range(strip: Strip, parameter: str) -> Any:
    if parameter in ("gain_db", "pan"):
        return PARAMETERS[parameter]
    if parameter.startswith("send:") and any(s.to == parameter[5:] for s in strip.sends):
        return PARAMETERS["gain_db"]
    raise PlanError(
        f"{strip.name} has automation of {parameter!r}: only gain_db, pan and its own send:<strip> can move"
    )


def _check_routes(strips: Mapping[str, Strip]) -> None:
    for strip in strips.values():
        if strip.kind == "master":
            if strip.output or strip.sends:
                raise PlanError("the master feeds the mix and nothing else: remove its output and sends")
            continue
        for target in (strip.output, *(s.to for s in strip.sends)):
            if target not in strips:
                raise PlanError(
                    f"{strip.name} feeds {target!r}, which does not exist{nearest(target, list(strips))}"
                )
            if strips[target].kind == "track":
                raise PlanError(
                    f"{strip.name} feeds the track {target!r}: only buses, returns and the master take a signal"
                )


def _sorted_by_flow(strips: Mapping[str, Strip]) -> tuple[Strip, ...]:
    """Kahn's order with names as the tie-break; what is left over runs in a circle."""
    feeds = {s.name: {t for t in (s.output, *(x.to for x in s.sends)) if t} for s in strips.values()}
    waiting = {name: sum(name in targets for targets in feeds.values()) for name in strips}
    ready = sorted(name for name, count in waiting.items() if count == 0)
    ordered: list[str] = []
    while ready:
        name = ready.pop(0)
        ordered.append(name)
        for target in feeds[name]:
            waiting[target] -= 1
        ready = sorted({*ready, *(t for t in feeds[name] if waiting[t] == 0)})
    if len(ordered) < len(strips):
        circle = sorted(set(strips) - set(ordered))
        raise PlanError(f"the routing runs in a circle: {' -> '.join(circle)}: send one of them elsewhere")
    return tuple(strips[name] for name in ordered)

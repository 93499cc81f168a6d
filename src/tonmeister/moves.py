"""A person's moves in words: ``Lead Vox.gain_db=+2``, ``Kick.compressor.ratio=3``, ``Snare.muted=yes``.

``=`` puts a control at a value, ``+=`` and ``-=`` move it from where the engine put it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from tonmeister.decisions import (
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
from tonmeister.effects.base import Parameters, effect_type
from tonmeister.effects.registry import EFFECTS
from tonmeister.errors import BadInputError, nearest
from tonmeister.plan import MixPlan
from tonmeister.strip import PARAMETERS, PLACE, Curve, Strip
from tonmeister.vocabulary import SWITCH_WORDS

__all__ = ["Move", "apply_locks", "apply_moves", "fixed_controls", "lock_decisions", "parse_move"]

_MOVE: Final = re.compile(r"^(?P<path>.+?)\s*(?P<how>\+=|-=|=)\s*(?P<value>.*)$", re.DOTALL)
_CONTROLS: Final = (
    "gain_db",
    "pan",
    "muted",
    "delay_ms",
    "polarity_inverted",
    "output",
    *PLACE,
    "send:<strip>",
    "<effect>.<parameter>",
)
_ASKED: Final = Reason("Asked for by a person.", source="user")


@dataclass(frozen=True, slots=True)
class Move:
    """One move as it was typed."""

    path: str
    how: Literal["=", "+=", "-="]
    value: str

    def __str__(self) -> str:
        return f"{self.path}{self.how}{self.value}"


def parse_move(text: str) -> Move:
    """Read ``STRIP.CONTROL=VALUE``."""
    match = _MOVE.match(text)
    if match is None or "." not in match["path"]:
        raise BadInputError(
            f"--set {text!r} is not a move: write STRIP.CONTROL=VALUE, for example 'Lead Vox.gain_db=+2'"
        )
    return Move(match["path"].strip(), cast(Any, match["how"]), match["value"].strip())


def apply_moves(plan: MixPlan, moves: Iterable[Move]) -> MixPlan:
    """The plan after a person's moves, in order."""
    for move in moves:
        strip, control = _split(plan, move)
        plan = plan.with_decisions([_decision(plan, strip, control, move)])
    return plan


def fixed_controls(moves: Iterable[Move], tracks: Iterable[str]) -> list[Decision]:
    """The moves that put a track's fader, pan or mute at a value, whatever an engine decides."""
    folded = {name.casefold(): name for name in tracks}
    fixed: list[Decision] = []
    for move in moves:
        strip, _, control = move.path.rpartition(".")
        name = folded.get(strip.strip().casefold())
        if name is None or move.how != "=":
            continue
        if control.strip() == "muted":
            fixed.append(Mute(name, _switch(move), reason=_ASKED))
        elif control.strip() in ("gain_db", "pan"):
            fixed.append(_fader(Strip(name), control.strip(), move))
    return fixed


def lock_decisions(locks: Iterable[str], strips: Iterable[str]) -> list[Lock]:
    """Locks by ``STRIP`` or ``STRIP.CONTROL``; an unknown strip is an error."""
    known = list(strips)
    return [_lock(text, known) for text in locks]


def apply_locks(plan: MixPlan, locks: Iterable[str]) -> MixPlan:
    """The plan with strips or controls locked."""
    return plan.with_decisions(lock_decisions(locks, plan.by_name))


def _lock(text: str, known: list[str]) -> Lock:
    folded = {name.casefold(): name for name in known}
    if text.casefold() in folded:
        return Lock(folded[text.casefold()], reason=_ASKED)
    strip, _, control = text.rpartition(".")
    if strip.casefold() in folded:
        return Lock(folded[strip.casefold()], control, reason=_ASKED)
    raise BadInputError(f"--lock {text!r}: there is no such strip{nearest(text, known)}")


def _split(plan: MixPlan, move: Move) -> tuple[Strip, str]:
    """The longest strip name that starts the path, and the control behind it; names may hold dots."""
    folded = {name.casefold(): name for name in plan.by_name}
    parts = move.path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count]).strip().casefold()
        if name in folded:
            return plan[folded[name]], ".".join(parts[count:]).strip()
    raise BadInputError(
        f"--set {str(move)!r}: there is no strip {parts[0]!r}{nearest(parts[0], list(plan.by_name))}"
    )


def _decision(plan: MixPlan, strip: Strip, control: str, move: Move) -> Decision:
    if control in ("gain_db", "pan", "delay_ms"):
        return _fader(strip, control, move)
    if control in PLACE:
        value = PLACE[control].check(f"{strip.name}.{control}", _moved(getattr(strip.place, control), move))
        return SetPlace(strip.name, control, value, reason=_ASKED)
    if control in ("muted", "polarity_inverted"):
        value = _switch(move)
        return (
            Mute(strip.name, value, reason=_ASKED)
            if control == "muted"
            else SetPolarity(strip.name, value, reason=_ASKED)
        )
    if control == "output":
        return SetOutput(strip.name, _bus(plan, move.value, move), reason=_ASKED)
    if control.startswith("send:"):
        return _send(plan, strip, control[5:], move)
    slot, _, name = control.partition(".")
    if name or slot in EFFECTS or strip.insert(slot) is not None:
        return _insert(strip, slot, name, move)
    raise BadInputError(
        f"--set {str(move)!r}: there is no control {control!r}{nearest(control, list(_CONTROLS))}: "
        f"give one of {', '.join(_CONTROLS)}"
    )


def _fader(strip: Strip, control: str, move: Move) -> Decision:
    curve = strip.automation.get(control)
    if curve is not None and move.how != "=":
        shift = _number(move) * (1 if move.how == "+=" else -1)
        values = tuple(PARAMETERS[control].clip(v + shift) for v in curve.values)
        return Automate(strip.name, control, Curve(curve.times_s, values), reason=_ASKED)
    value = _moved(getattr(strip, control), move)
    PARAMETERS[control].check(f"{strip.name}.{control}", value)
    made: dict[str, Callable[[], Decision]] = {
        "gain_db": lambda: SetGain(strip.name, value, reason=_ASKED),
        "pan": lambda: SetPan(strip.name, value, reason=_ASKED),
        "delay_ms": lambda: SetDelay(strip.name, value, reason=_ASKED),
    }
    return made[control]()


def _send(plan: MixPlan, strip: Strip, to: str, move: Move) -> AddSend:
    to = _bus(plan, to, move)
    held = next((s for s in strip.sends if s.to == to), None)
    value = _moved(held.gain_db if held else 0.0, move)
    PARAMETERS["gain_db"].check(f"{strip.name}.send:{to}", value)
    return AddSend(strip.name, to, value, held.pre_fader if held else False, reason=_ASKED)


def _bus(plan: MixPlan, name: str, move: Move) -> str:
    takers = {s.name.casefold(): s.name for s in plan.strips if s.kind != "track"}
    if name.casefold() not in takers:
        raise BadInputError(
            f"--set {str(move)!r}: there is no bus {name!r}{nearest(name, list(takers.values()))}"
        )
    return takers[name.casefold()]


def _insert(strip: Strip, slot: str, name: str, move: Move) -> AddInsert:
    held = strip.insert(slot)
    if not name:
        if move.value.casefold() not in ("off", "no", "none"):
            raise BadInputError(f"--set {str(move)!r}: say which parameter, or '=off' to take the effect out")
        return AddInsert(strip.name, None, slot, reason=_ASKED)
    cls = type(held) if held is not None else effect_type(slot)
    effect = held if held is not None else cls()
    ranges = cast(type[Parameters], cls).ranges()
    if name in _texts(cls) and move.how == "=":
        return AddInsert(
            strip.name, dataclasses.replace(cast(Any, effect), **{name: move.value}), slot, reason=_ASKED
        )
    if name not in ranges:
        raise BadInputError(
            f"--set {str(move)!r}: {slot} has no parameter {name!r}{nearest(name, list(ranges))}"
        )
    value = _moved(getattr(effect, name), move)
    return AddInsert(strip.name, dataclasses.replace(cast(Any, effect), **{name: value}), slot, reason=_ASKED)


def _texts(cls: Any) -> list[str]:
    """Parameters that are words, such as the path of a model."""
    return [f.name for f in dataclasses.fields(cls) if f.type == "str"]


def _moved(held: float, move: Move) -> float:
    value = _number(move)
    return {"=": value, "+=": held + value, "-=": held - value}[move.how]


def _number(move: Move) -> float:
    try:
        return float(move.value)
    except ValueError:
        raise BadInputError(f"--set {str(move)!r}: {move.value!r} is not a number") from None


def _switch(move: Move) -> bool:
    if move.value.casefold() not in SWITCH_WORDS:
        raise BadInputError(f"--set {str(move)!r}: {move.value!r} is not a switch: give yes or no")
    return SWITCH_WORDS[move.value.casefold()]

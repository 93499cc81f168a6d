"""What a person changed in a plan, as an operation log: static moves at the beginning, automation at its points."""

from __future__ import annotations

from collections.abc import Iterator

from tonmeister.decisions import USER, Automate, Decision, Mute, SetGain, SetPan
from tonmeister.engines.expert.oplog import Move, OperationLog, made_log
from tonmeister.plan import MixPlan

__all__ = ["oplog_of_plan"]


def oplog_of_plan(plan: MixPlan, name: str = "") -> OperationLog:
    """A log of the tracks' faders, pans and mutes: the engine's as moves of a machine, a person's as a hand's.

    Raises `BadInputError` when no person moved anything.
    """
    from tonmeister.errors import BadInputError

    called = name or plan.title
    tracks = [record.name for record in plan.tracks]
    moves = [m for e in plan.log if e.decision.strip in tracks for m in _moves(e.decision)]
    if not any(not m.by for m in moves):
        raise BadInputError(
            f"{called}: no person moved a fader, a pan or a mute in this plan: nothing to learn"
        )
    moves.sort(key=lambda m: (m.t_s, not m.by))
    return made_log(tracks, moves, called)


def _moves(decision: Decision) -> Iterator[Move]:
    by = "" if decision.by == USER else decision.by
    match decision:
        case SetGain(gain_db=value):
            yield Move(0.0, decision.strip, "fader_db", value, not by, by)
        case SetPan(pan=value):
            yield Move(0.0, decision.strip, "pan", value, not by, by)
        case Mute(muted=muted):
            yield Move(0.0, decision.strip, "mute", float(muted), not by, by)
        case Automate(parameter="gain_db" | "pan" as parameter, curve=curve):
            control = "fader_db" if parameter == "gain_db" else "pan"
            for time_s, value in zip(curve.times_s, curve.values, strict=True):
                yield Move(max(time_s, 0.0), decision.strip, control, value, not by, by)
        case _:
            return

"""Engines at a live desk: by their own causal means, or asked again and again about what was heard lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tonmeister.decisions import AddSend, Automate, Decision, Mute, Reason, SetGain, SetPan
from tonmeister.effects.gain import Gain
from tonmeister.engines import load_engine
from tonmeister.engines.base import (
    ENGINES,
    CausalEngine,
    CausalMixer,
    CorrectedMixer,
    Heard,
    LiveMove,
    MixEngine,
    decide_with,
    split_options,
)
from tonmeister.errors import BadInputError
from tonmeister.live.limits import limit
from tonmeister.live.operations import value_of
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, PARAMETERS, Strip

__all__ = ["AskedAgain", "acts_at_events", "causal_engines", "start_mixer"]


def causal_engines() -> list[str]:
    """Names of the engines that can mix live."""
    return [name for name, info in ENGINES.items() if info.causal]


def start_mixer(
    engine: str, options: Mapping[str, str], plan: MixPlan, multitrack: Multitrack, *, seed: int = 0
) -> CausalMixer:
    """Begin a performance with one engine, or several joined by ``+``, each after the other."""
    names = engine.split("+")
    per_engine = split_options(names, options)
    mixers = []
    for name in names:
        made = load_engine(name, per_engine[name], seed=seed)
        if isinstance(made, CausalEngine):
            mixers.append(made.start(multitrack, plan))
        elif name in ENGINES and ENGINES[name].causal:
            mixers.append(AskedAgain(made, multitrack, plan))
        else:
            raise BadInputError(
                f"engine {name!r} needs the whole song and cannot mix live: give one of {', '.join(causal_engines())}"
            )
    return mixers[0] if len(mixers) == 1 else _InTurn(mixers)


def acts_at_events(mixer: CausalMixer | None) -> bool:
    """Whether a mixer says (``at_events``) that it decides at the events of the music, so that beats help it."""
    return bool(getattr(mixer, "at_events", False))


class _InTurn:
    """Several mixers, the later ones having the last word."""

    def __init__(self, mixers: Sequence[CausalMixer]) -> None:
        self._mixers = mixers

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        for mixer in self._mixers:
            yield from mixer.update(heard)

    def stands(self, decision: Decision) -> None:
        """Pass it on to those that want to know."""
        for mixer in self._mixers:
            if isinstance(mixer, CorrectedMixer):
                mixer.stands(decision)

    @property
    def at_events(self) -> bool:
        """Whether any of them acts at events."""
        return any(acts_at_events(mixer) for mixer in self._mixers)


class AskedAgain:
    """Lets an engine decide every few seconds on what was heard lately, and makes moves of what has changed.

    Only faders, pans, mutes and the levels of sends that are there already are moved. Gains that the engine would put
    into a strip, or into buses that the desk does not have, count as part of the fader; other effects are left out.
    Tracks that were silent lately are left alone.
    """

    def __init__(self, engine: MixEngine, multitrack: Multitrack, plan: MixPlan) -> None:
        self._engine, self._multitrack, self._plan = engine, multitrack, plan
        self._every_s, self._memory_s = limit("clock", "again_s"), limit("clock", "again_about_s")
        self._next_s = self._every_s
        self._last: dict[tuple[str, str], float] = {}

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        """Moves, every few seconds; none before."""
        if heard.time_s < self._next_s - 1e-9:
            return
        self._next_s += self._every_s
        features = heard.recent(self._memory_s)
        if not features.audible:
            return
        decisions = tuple(decide_with(self._engine, self._multitrack, features, ()))
        plan = MixPlan.of(decisions, title="", sample_rate=self._plan.sample_rate, tracks=self._plan.tracks)
        end_s = features.duration_s
        ramp_s = self._every_s / 2
        there_s = heard.time_s + limit("clock", "reaction_s") + ramp_s  # at once, whatever comes in the score
        for name in features.audible:
            for decision in self._targets(plan, name, end_s):
                if self._worth_it(decision):
                    yield LiveMove(decision, at_s=there_s, ramp_s=ramp_s)

    def _targets(self, plan: MixPlan, name: str, end_s: float) -> Iterator[Decision]:
        """Where a strip should stand now, with the reason of the decision that says so."""
        strip, by = plan[name], self._engine.name
        gain_db = _level_db(plan, strip, end_s) - _inserted_db(self._plan[name])
        gain_db = PARAMETERS["gain_db"].clip(gain_db)
        yield SetGain(name, gain_db, reason=_reason(plan, name, "gain_db"), by=by)
        yield SetPan(name, _at(strip, "pan", strip.pan, end_s), reason=_reason(plan, name, "pan"), by=by)
        yield Mute(name, strip.muted, reason=_reason(plan, name, "muted"), by=by)
        there = {send.to for send in self._plan[name].sends}
        for send in strip.sends:
            if send.to in there:
                level_db = _at(strip, f"send:{send.to}", send.gain_db, end_s)
                reason = _reason(plan, name, f"send:{send.to}")
                yield AddSend(name, send.to, level_db, send.pre_fader, reason=reason, by=by)

    def _worth_it(self, decision: Decision) -> bool:
        key, value = (decision.strip, decision.target), value_of(decision)
        held = self._last.get(key)
        smallest = limit("clock", "smallest_pan" if isinstance(decision, SetPan) else "smallest_move_db")
        if held is None and isinstance(decision, Mute) and not decision.muted:
            return False
        if held is not None and abs(value - held) < smallest:
            return False
        self._last[key] = value
        return True


def _level_db(plan: MixPlan, strip: Strip, end_s: float) -> float:
    """Fader, gains in the chain, and the same of the buses on the way, where the plan has any."""
    level_db = 0.0
    while strip.name != MASTER:
        level_db += _at(strip, "gain_db", strip.gain_db, end_s) + _inserted_db(strip)
        strip = plan[strip.output]
    return level_db


def _inserted_db(strip: Strip) -> float:
    return sum(i.effect.gain_db for i in strip.inserts if isinstance(i.effect, Gain))


def _at(strip: Strip, parameter: str, static: float, time_s: float) -> float:
    curve = strip.automation.get(parameter)
    return static if curve is None else float(np.interp(time_s, curve.times_s, curve.values))


def _reason(plan: MixPlan, strip: str, target: str) -> Reason:
    """Why the engine put a control where it is; its newest decision that stands."""
    standing = [e.decision for e in plan.reasons(strip) if not e.overruled and _same(e.decision, target)]
    return standing[-1].reason if standing else Reason("As the engine leaves it.")


def _same(decision: Decision, target: str) -> bool:
    return decision.target == target or (isinstance(decision, Automate) and decision.parameter == target)

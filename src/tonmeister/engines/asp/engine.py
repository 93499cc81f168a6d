"""The engine: facts, solving, decisions; several different mixes when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from tonmeister.decisions import USER, Decision, Lock, Mute, Reason, SetGain, SetPan
from tonmeister.engines.asp.answers import Told, decisions_of, place_text
from tonmeister.engines.asp.facts import Facts, Pin, facts_of
from tonmeister.engines.asp.knowledge import rule_names, whole
from tonmeister.engines.asp.options import AspOptions
from tonmeister.engines.asp.program import Answer, Statement
from tonmeister.engines.asp.solve import Limits, Solution, clingo_library, solve
from tonmeister.engines.asp.unsat import NoSuchMixError
from tonmeister.engines.asp.user_rules import read_rules
from tonmeister.engines.asp.wishes import wishes_of
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack

__all__ = ["AspEngine"]

FAITHFUL_WITHOUT = frozenset(
    {
        "low_dry",
        "lead_in_front",
        "wanted_depth",
        "room_for_owner",
        "lead_untouched",
        "lead_owns",
        "least_processing",
    }
)
"""Reverb and equalization are not part of the faithful profile."""


class AspEngine:
    """What practice demands and forbids as a logic program; the solver finds the best mixes."""

    name: ClassVar[str] = "asp"
    Options: ClassVar[type[AspOptions]] = AspOptions

    def __init__(self, options: AspOptions | None = None, *, seed: int = 0) -> None:
        """Read rules of the user; raises `MissingExtraError` without the solver."""
        clingo_library()
        self._options, self._seed = options or AspOptions(), seed
        self._off = rule_names(self._options.without, "without")
        if self._options.profile == "faithful":
            self._off |= FAITHFUL_WITHOUT
        self._rules = read_rules(Path(self._options.rules)) if self._options.rules else []

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> list[Decision]:
        """The mix, when nobody has settled anything."""
        return self.decide_around(multitrack, features, ())

    def decide_around(
        self, multitrack: Multitrack, features: MultitrackFeatures, settled: Sequence[Decision]
    ) -> list[Decision]:
        """The mix around what a person decided or locked: faders and pans of `settled` are facts."""
        left_out = _left_out(multitrack, features, settled)
        facts = facts_of(
            multitrack,
            features,
            left_out=frozenset(left_out),
            pins=_pins(settled),
            profile=self._options.profile,
        )
        if not facts.sources:
            return list(_muted(multitrack, features, facts, left_out, self.name))
        solutions = self.solutions(facts)
        take = min(self._options.take, len(solutions))
        chosen = solutions[take - 1]
        answer = chosen.answer if self._options.profile == "improved" else _dry(chosen.answer)
        told = Told(_summary(chosen, take, len(solutions), self._seed), self._notes(facts, solutions, take))
        own = {name: reason for name, reason in left_out.items() if reason.source != USER}
        return list(decisions_of(multitrack, features, facts, answer, left_out=own, told=told, by=self.name))

    def solutions(self, facts: Facts) -> list[Solution]:
        """As many different mixes as were asked for, the best first; fewer if no more exist."""
        options, statements = self._options, self._statements(facts)
        limits = Limits(options.conflicts, options.seconds)
        found: list[Solution] = []
        for _ in range(options.mixes):
            try:
                found.append(
                    solve(
                        facts, off=self._off, statements=statements, earlier=[s.answer for s in found],
                        limits=limits, seed=self._seed,
                    )
                )  # fmt: skip
            except NoSuchMixError:
                if not found:
                    raise
                break
        return found

    def _statements(self, facts: Facts) -> list[Statement]:
        options = self._options
        return [
            *wishes_of(options.prefer, "prefer", facts),
            *wishes_of(options.forbid, "forbid", facts),
            *self._rules,
        ]

    def _notes(self, facts: Facts, solutions: Sequence[Solution], take: int) -> tuple[str, ...]:
        """What a reader should know about the answer, and how the other mixes differ from this one."""
        chosen, options = solutions[take - 1], self._options
        notes = [f"rules left out: {', '.join(sorted(self._off))}"] if options.without else []
        if chosen.stopped_by_clock:
            notes.append(
                f"stopped by the clock after {options.seconds:g} s: another machine may find another mix"
            )
        if len(solutions) < options.mixes:
            notes.append(
                f"{options.mixes} mixes were asked for: the rules allow no more than {len(solutions)}"
            )
        for index, other in enumerate(solutions, 1):
            if index != take:
                cost = _cost_text(other)
                notes.append(f"mix {index} ({cost}): {difference(facts, chosen.answer, other.answer)}")
        return tuple(notes)


def difference(facts: Facts, one: Answer, other: Answer) -> str:
    """How the second mix differs from the first, in words, the largest steps first."""
    told: list[tuple[int, str]] = []
    far_db, far = whole("mixes.level_apart"), whole("mixes.place_apart")
    for s in facts.sources:
        step = other.levels[s.number] - one.levels[s.number]
        if abs(step) >= far_db:
            told.append((abs(step), f"{s.name} {abs(step)} dB {'louder' if step > 0 else 'softer'}"))
        here, there = one.places[s.number], other.places[s.number]
        if abs(here - there) >= far:
            told.append((abs(here - there), f"{s.name} {place_text(there)} instead of {place_text(here)}"))
    ordered = [text for _, text in sorted(told, key=lambda item: -item[0])]
    return ", ".join(ordered) if ordered else "nothing that matters"


def _summary(solution: Solution, take: int, count: int, seed: int) -> str:
    proved = "proved to be the best" if solution.proved else "not proved to be the best"
    which = f"Mix {take} of {count}" if count > 1 else "The mix"
    return f"{which}: {_cost_text(solution)}, {proved}, {solution.conflicts} conflicts, seed {seed}."


def _cost_text(solution: Solution) -> str:
    costs = ", ".join(f"{cost} at priority {p}" for p, cost in solution.cost.items() if cost)
    return f"cost {costs}" if costs else "cost 0"


def _dry(answer: Answer) -> Answer:
    """The faithful profile knows levels and places only."""
    return Answer(answer.levels, answer.places, dict.fromkeys(answer.levels, 0), {}, answer.because)


def _muted(
    multitrack: Multitrack, features: MultitrackFeatures, facts: Facts, left_out: dict[str, Reason], by: str
) -> Iterable[Decision]:
    own = {name: reason for name, reason in left_out.items() if reason.source != USER}
    empty = Answer({}, {}, {})
    return decisions_of(multitrack, features, facts, empty, left_out=own, told=Told(""), by=by)


def _left_out(
    multitrack: Multitrack, features: MultitrackFeatures, settled: Sequence[Decision]
) -> dict[str, Reason]:
    """The tracks that are not mixed, and why; what a person muted is left to the person."""
    silent = Reason(
        "Nothing in this file is loud enough to hear.", "ITU-R BS.1770-4: absolute gate of -70 LUFS", "asp.silent"
    )  # fmt: skip
    reasons = {name: silent for name in multitrack.names if features[name].silent}
    for kept, again in features.duplicates:
        if {kept, again} <= set(multitrack.names) - reasons.keys():
            text = f"The same audio as {kept}: two copies would only be twice as loud."
            reasons[again] = Reason(text, "measurement", "asp.duplicate", "equal checksums")
    for decision in settled:
        by_person = isinstance(decision, Mute) and decision.by == USER and decision.muted
        if by_person and decision.strip not in reasons:
            reasons[decision.strip] = Reason("Muted by a person.", USER)
    return reasons


def _pins(settled: Sequence[Decision]) -> dict[str, Pin]:
    """Where a person put faders and pans; a locked control that nobody moved stays at unity and in the center."""
    gains: dict[str, float] = {}
    pans: dict[str, float] = {}
    for decision in settled:
        if isinstance(decision, SetGain) and decision.by == USER:
            gains[decision.strip] = decision.gain_db
        elif isinstance(decision, SetPan) and decision.by == USER:
            pans[decision.strip] = decision.pan
    for decision in settled:
        if isinstance(decision, Lock):
            if decision.what in ("*", "gain_db"):
                gains.setdefault(decision.strip, 0.0)
            if decision.what in ("*", "pan"):
                pans.setdefault(decision.strip, 0.0)
    return {name: Pin(gains.get(name), pans.get(name)) for name in {**gains, **pans}}

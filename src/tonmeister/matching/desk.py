"""The plan while it is being matched: moves are tried on the excerpt and stay only when they pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.decisions import USER, Decision, Lock, Reason
from tonmeister.matching.excerpt import Excerpt, Heard
from tonmeister.matching.numbers import number
from tonmeister.plan import MixPlan
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["BY", "Desk", "Stage", "equal_power", "reason"]

BY = "match"
SOURCE = "optimisation of the plan's own numbers on features: after Koo et al. (ITO-Master), ISMIR 2025"
Distance = Callable[[FloatArray], float]
"""How far a mix of the excerpt, (2, frames), is from the reference; 0 is perfect."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What became of one kind of moves."""

    name: str
    moves: int
    before: float
    after: float
    kept: bool


class Desk:
    """Tries moves; `plan` and `heard` are what stands, `stages` what was tried."""

    def __init__(self, plan: MixPlan, excerpt: Excerpt, target: DoubleArray, distance: Distance) -> None:
        self.plan, self.target = plan, target
        self._excerpt, self._distance = excerpt, distance
        self.heard = excerpt.render(plan)
        self.distance = distance(self.heard.mix)
        self.stages: list[Stage] = []

    def try_moves(self, name: str, moves: Sequence[Decision], *, worth: float | None = None) -> bool:
        """Take `moves` when they lower the distance by the share `worth` (default: what a move must pay)."""
        if not moves:
            return False
        plan = self.plan.with_decisions(moves)
        heard = self._excerpt.render(plan)
        distance = self._distance(heard.mix)
        needed = self.distance * (1.0 - (number("move.pays") if worth is None else worth))
        kept = distance <= needed
        self.stages.append(Stage(name, len(moves), self.distance, distance, kept))
        if kept:
            self.plan, self.heard, self.distance = plan, heard, distance
        return kept

    def prune(self, told: Callable[[float], None] = lambda done: None) -> list[tuple[Decision, float]]:
        """Take back moves without which the mix is as close, and say what each costs the distance by itself.

        Those that cost least go first, as long as all together cost no more than `prune.tolerance` of it.
        """
        moves = [e.decision for e in self.plan.log if e.decision.by == BY and not e.overruled]
        most, before, costs = self.distance * (1.0 + number("prune.tolerance")), self.distance, []
        for number_of, move in enumerate(moves, 1):
            costs.append(self._distance(self._excerpt.mix(_without(self.plan, move))))
            told(number_of / len(moves))
        gone = []
        for index in np.argsort(costs, kind="stable").tolist():
            plan = _without(self.plan, moves[index])
            distance = self._distance(self._excerpt.mix(plan)) if costs[index] <= most else np.inf
            if distance > most:
                break
            self.plan, self.distance = plan, distance
            gone.append((moves[index], costs[index]))
        if gone:
            self.heard = self._excerpt.render(self.plan)
            self.stages.append(
                Stage("moves that change little taken back", len(gone), before, self.distance, True)
            )
        return gone

    def render(self, plan: MixPlan) -> Heard:
        """Another plan's excerpt."""
        return self._excerpt.render(plan)

    def free(self, strip: str, target: str) -> bool:
        """Whether a move of this control would hold against what a person decided or locked."""
        for decision in self.plan.decisions:
            if decision.strip != strip:
                continue
            if isinstance(decision, Lock) and decision.what in ("*", target):
                return False
            if decision.by == USER and decision.target == target:
                return False
        return True


def _without(plan: MixPlan, move: Decision) -> MixPlan:
    last = max(i for i, decision in enumerate(plan.decisions) if decision == move)
    return plan.without(last)


def reason(text: str, rule: str, evidence: str, confidence: float) -> Reason:
    """Why a move was made: the feature, its value and the target stand in `evidence`."""
    return Reason(text, SOURCE, f"match.{rule}", evidence, round(confidence, 2))


def equal_power(mix: FloatArray, reference: FloatArray) -> FloatArray:
    """The mix at the reference's power."""
    own, wanted = (float(np.square(x, dtype=np.float64).mean()) for x in (mix, reference))
    return np.asarray(mix * np.float32(np.sqrt(wanted / own)) if own > 0 else mix, np.float32)

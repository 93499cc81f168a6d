"""From performances to a taught model: lag, cases, tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tonmeister.engines.expert.knowledge import Knowledge
from tonmeister.engines.expert.learning import Cases, Taught, learn
from tonmeister.engines.expert.model import Model
from tonmeister.training.expert.performances import Performance, cases_of
from tonmeister.training.expert.reaction import Reaction, reaction_lag

__all__ = ["Lesson", "teach"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What came of teaching."""

    taught: Taught
    reactions: tuple[Reaction, ...]
    cases: Cases
    structure: tuple[str, ...] = ()
    """Arcs that were changed, in words."""

    @property
    def model(self) -> Model:
        return self.taught.model


def teach(
    known: Knowledge, performances: Sequence[Performance], *, kappa: float | None = None, remove_lag: bool = True,
    structure: str = "", seed: int = 0,
) -> Lesson:  # fmt: skip
    """Teach the model of `known` with performances; `structure` is '', 'bic' or 'bdeu'."""
    model, reactions, every = known.model, [], None
    for performance in performances:
        reaction = reaction_lag(performance.log.onsets(), [e.time_s for e in performance.events])
        reactions.append(reaction if remove_lag else replace(reaction, lag_s=0.0))
        cases = cases_of(performance.shifted(reactions[-1].lag_s), model)
        every = cases if every is None else every + cases
    assert every is not None
    changed: tuple[str, ...] = ()
    if structure:
        from tonmeister.training.expert.structure import restructured

        model, changed = restructured(known, every, score=structure, seed=seed)
    taught = learn(model, every, kappa=kappa, taught_by=[p.log.name or "a log" for p in performances])
    return Lesson(taught, tuple(reactions), every, changed)

"""Which of several source words names the instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tonmeister.naming.matching import Match
from tonmeister.naming.table import Combination, Sense, TokenTable
from tonmeister.vocabulary import is_a, parents

__all__ = ["Choice", "Speaker", "choose_source", "speakers"]

_SOURCE_STAGES = ("position", "source", "generic")
_SHORT = 2
"""Letters of words that are also initials and sides: they give way to longer ones."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A matched word in one of its meanings."""

    match: Match
    sense: Sense

    @property
    def instrument(self) -> str:
        return self.sense.instrument or "other"


@dataclass(frozen=True, slots=True)
class Choice:
    """The instrument, and the words that named it."""

    instrument: str
    speakers: tuple[Speaker, ...]


def speakers(matches: Sequence[Match]) -> list[Speaker]:
    """Every meaning in the matches that names an instrument."""
    return [Speaker(m, s) for m in matches for s in m.of_stage(*_SOURCE_STAGES)]


def choose_source(matches: Sequence[Match], table: TokenTable) -> Choice | None:
    """Combinations first, then the strongest stage, the more special word, the earlier label.

    A generic word makes the chosen one more special where the tree allows it: "Clean Gtr" is an electric guitar.
    """
    found = [s for s in speakers(matches) if s.sense.stage != "position"]
    if combined := _combined(found, table.combinations):
        return combined
    pool = _strongest(found)
    if not pool:
        return None
    first = min(pool, key=lambda s: (s.sense.rank, s.match.start))
    return _specialized(first, found)


def _combined(found: Sequence[Speaker], combinations: Sequence[Combination]) -> Choice | None:
    strong = [s for s in found if not s.sense.weak]
    for rule in combinations:
        for one in (s for s in strong if _fits(s, rule.of[0], rule)):
            for two in (s for s in strong if _fits(s, rule.of[1], rule)):
                if one.match is not two.match and not _contradicts(rule, strong):
                    return _together(rule, one, two, found)
    return None


def _fits(speaker: Speaker, pattern: str, rule: Combination) -> bool:
    if rule.not_generic and speaker.sense.stage == "generic" and not pattern.startswith("label:"):
        return False
    if pattern.startswith("label:"):
        return speaker.sense.label == pattern.removeprefix("label:")
    return is_a(speaker.instrument, pattern)


def _contradicts(rule: Combination, strong: Sequence[Speaker]) -> bool:
    """Whether a drum is named too: it stands before any combination of other sources."""
    concerned = rule.result and is_a(rule.result, "drums")
    return not concerned and any(is_a(s.instrument, "drums") and s.sense.stage == "source" for s in strong)


def _together(rule: Combination, one: Speaker, two: Speaker, found: Sequence[Speaker]) -> Choice:
    if rule.keep:
        kept = one if rule.keep == 1 else two
        return _specialized(kept, [s for s in found if s.match is not (two if kept is one else one).match])
    return Choice(rule.result or "other", (one, two))


def _strongest(found: Sequence[Speaker]) -> list[Speaker]:
    for stage, weak in (("source", False), ("generic", False)):
        pool = [s for s in found if s.sense.stage == stage and s.sense.weak is weak]
        if pool:
            return _without_short(_without_ancestors(pool))
    return _without_ancestors([s for s in found if s.sense.weak])


def _without_ancestors(pool: Sequence[Speaker]) -> list[Speaker]:
    """Drop words that another makes more special: "Perc Conga" is a conga."""
    return [s for s in pool if not any(_is_deeper(other.instrument, s.instrument) for other in pool)]


def _without_short(pool: Sequence[Speaker]) -> list[Speaker]:
    longer = [s for s in pool if len(s.match.text) > _SHORT]
    return longer or list(pool)


def _specialized(first: Speaker, found: Sequence[Speaker]) -> Choice:
    chosen = [first]
    for s in sorted(found, key=lambda s: (s.sense.weak, s.sense.rank)):
        if s.match is not first.match and _is_deeper(s.instrument, chosen[-1].instrument):
            chosen.append(s)
    return Choice(chosen[-1].instrument, tuple(chosen))


def _is_deeper(instrument: str, than: str) -> bool:
    return instrument != than and than in parents(instrument)

"""The program that is handed to the solver: which files, which facts, which rules are in force.

The subjects level, pan (with equalization) and depth share no rule and no cost, so they are solved one after the
other; the result is the optimum of the whole. A statement of the user that speaks of two subjects joins them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tonmeister.engines.asp.facts import Facts, program_facts
from tonmeister.engines.asp.knowledge import known_rules, number, program_path, whole

__all__ = ["SUBJECTS", "Answer", "Part", "Statement", "parts", "program_text"]

SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "level": ("levels.lp",),
    "pan": ("panorama.lp", "equalization.lp"),
    "depth": ("depth.lp",),
}
"""What is solved at a time, and the files for it."""

_ABOUT: Final[Mapping[str, str]] = {
    "at_level": "level", "may_level": "level", "step": "level", "too_loud": "level",
    "at_pan": "pan", "may_pan": "pan", "place": "pan", "lean": "pan", "close": "pan", "crowded": "pan",
    "zone": "pan", "meet": "pan", "owns": "pan", "cut": "pan", "boost": "pan", "contested": "pan",
    "contender": "pan", "at_depth": "depth", "behind": "depth",
}  # fmt: skip
"""Predicates that the files define, and the subject they belong to."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Rules of a user: a wish, or a whole file."""

    text: str
    origin: str
    """Where it comes from, for messages: ``--forbid 1`` or a path."""
    predicates: frozenset[str] = frozenset()
    switch: str = ""
    """Name under which it is assumed, so that a conflict can name it; '' is always in force."""
    words: str = ""


@dataclass(frozen=True)
class Answer:
    """One mix as the solver found it."""

    levels: Mapping[int, int]
    places: Mapping[int, int]
    depths: Mapping[int, int]
    tone: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """(track, ERB band) -> dB, negative for cuts."""
    because: frozenset[tuple[str, int, str]] = frozenset()
    """(rule, track, about): the rules that spoke."""


@dataclass(frozen=True, slots=True)
class Part:
    """Subjects that are solved together, with the user's statements about them."""

    subjects: tuple[str, ...]
    statements: tuple[Statement, ...]


def parts(statements: Sequence[Statement]) -> list[Part]:
    """The subjects, joined where a statement speaks of several."""
    groups: list[set[str]] = [{subject} for subject in SUBJECTS]
    for statement in statements:
        touched = [group for group in groups if group & _subjects(statement)]
        if len(touched) > 1:
            groups = [g for g in groups if g not in touched] + [set().union(*touched)]
    ordered = sorted((tuple(s for s in SUBJECTS if s in group) for group in groups), key=_first)
    made: list[Part] = []
    for subjects in ordered:
        mine = tuple(s for s in statements if (_subjects(s) or {"level"}) & set(subjects))
        made.append(Part(subjects, mine))
    return made


def _first(subjects: tuple[str, ...]) -> int:
    return list(SUBJECTS).index(subjects[0])


def _subjects(statement: Statement) -> set[str]:
    return {_ABOUT[p] for p in statement.predicates if p in _ABOUT}


def files_of(part: Part) -> list[str]:
    """Paths of the program files for a part."""
    folder = program_path().parent
    names = [file for subject in part.subjects for file in SUBJECTS[subject]]
    return [str(program_path()), *(str(folder / name) for name in names)]


def switches(facts: Facts, part: Part, off: frozenset[str]) -> list[str]:
    """The hard rules in force in a part, as terms: they are assumed, so that a conflict can name them."""
    files = {file for subject in part.subjects for file in SUBJECTS[subject]}
    names: list[str] = []
    for rule in known_rules().values():
        if rule.hard and rule.file in files and rule.name not in off:
            names += _instances(rule.name, facts)
    return [*names, *(s.switch for s in part.statements if s.switch)]


def _instances(name: str, facts: Facts) -> list[str]:
    """A rule about what a person keeps is one rule for each track, so that a conflict names the track."""
    if name == "kept_level":
        return [f"{name}({s.number})" for s in facts.sources if s.kept_level is not None]
    if name == "kept_place":
        return [f"{name}({s.number})" for s in facts.sources if s.kept_place is not None]
    return [name]


def program_text(facts: Facts, part: Part, off: frozenset[str], earlier: Sequence[Answer] = ()) -> str:
    """The facts, the rules in force and the user's statements of one part."""
    lines = list(program_facts(facts))
    lines += [f"rule({name})." for name in switches(facts, part, off)]
    lines += [
        f"weigh({rule.name},{rule.cost})."
        for rule in known_rules().values()
        if not rule.hard and rule.name not in off
    ]
    lines += _earlier(facts, earlier)
    lines += [statement.text for statement in part.statements]
    return "\n".join(lines) + "\n"


def _earlier(facts: Facts, earlier: Sequence[Answer]) -> list[str]:
    """What a further mix must differ from, in how many tracks and by how much."""
    if not earlier:
        return []
    open_levels = [s.number for s in facts.sources if s.kept_level is None]
    open_places = [s.number for s in facts.sources if s.kept_place is None and facts.free(s)]
    levels, places = number("mixes.levels_share"), number("mixes.places_share")
    lines = [
        f"level_apart({whole('mixes.level_apart')}). place_apart({whole('mixes.place_apart')}).",
        f"least_levels({_least(open_levels, levels)}).",
        f"least_places({_least(open_places, places)}).",
    ]
    for index, answer in enumerate(earlier):
        lines.append(f"earlier({index}).")
        lines += [f"earlier_level({index},{t},{answer.levels[t]})." for t in open_levels]
        lines += [f"earlier_pan({index},{t},{answer.places[t]})." for t in open_places]
    return lines


def _least(tracks: Sequence[int], share: float) -> int:
    return math.ceil(share * len(tracks))

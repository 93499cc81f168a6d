"""What a person prefers or forbids, in plain words or as a rule, turned into program text.

A wish says ``TRACK [not] left|right|center|dry|wet|cut|boosted``, ``TRACK at L40``, or ``TRACK [not] louder than |
quieter than | left of | right of | opposite | with | apart from | behind OTHER``. A track may also be named by an
instrument, which means all tracks of it. Several wishes are separated by semicolons or line
breaks, a rule for clingo stands on a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from tonmeister.engines.asp.facts import Facts, Source
from tonmeister.engines.asp.knowledge import number
from tonmeister.engines.asp.program import Statement
from tonmeister.engines.asp.user_rules import statement_of
from tonmeister.errors import BadInputError, nearest
from tonmeister.vocabulary import INSTRUMENTS, is_a

__all__ = ["wishes_of"]

How = Literal["prefer", "forbid"]

_ALONE: Final[Mapping[str, str]] = {
    "left": "at_pan({t},P), P < 0",
    "right": "at_pan({t},P), P > 0",
    "center": "at_pan({t},0)",
    "dry": "at_depth({t},0)",
    "wet": "at_depth({t},R), R > 0",
    "cut": "cut({t},B,G)",
    "boosted": "boost({t},B,G)",
}
_BETWEEN: Final[Mapping[str, str]] = {
    "louder than": "at_level({t},D), at_level({u},E), D > E",
    "quieter than": "at_level({t},D), at_level({u},E), D < E",
    "left of": "at_pan({t},P), at_pan({u},Q), P < Q",
    "right of": "at_pan({t},P), at_pan({u},Q), P > Q",
    "opposite": "at_pan({t},P), at_pan({u},-P), P != 0",
    "apart from": "at_pan({t},P), at_pan({u},Q), |P-Q| >= 4",
    "with": "at_pan({t},P), at_pan({u},P)",
    "behind": "at_depth({t},R), at_depth({u},Q), R > Q",
}
_SYNONYMS: Final[Mapping[str, str]] = {
    "centered": "center", "centre": "center", "in the center": "center", "in the middle": "center",
    "softer than": "quieter than", "above": "louder than", "below": "quieter than", "on the left": "left",
    "on the right": "right", "beside": "with", "boost": "boosted", "reverberant": "wet",
}  # fmt: skip
_PLACE: Final = re.compile(r"(?:at|panned|pan) (C|[LR]\d{1,3})", re.IGNORECASE)
_PREFERENCE_PRIORITY: Final = 5


def wishes_of(text: str, how: How, facts: Facts) -> list[Statement]:
    """The statements for all wishes in `text`; raises `BadInputError` for what cannot be understood."""
    pieces = [
        piece.strip()
        for line in text.splitlines()
        for piece in ([line] if _is_program(line) else line.split(";"))
    ]
    return [_statement(p, how, i, facts) for i, p in enumerate(filter(None, pieces), 1)]


def _is_program(text: str) -> bool:
    return ":-" in text or ":~" in text


def _statement(piece: str, how: How, index: int, facts: Facts) -> Statement:
    origin = f"--{how} {piece!r}"
    if _is_program(piece):
        return statement_of(piece, origin, words=piece)
    switch = f"forbid({index})" if how == "forbid" else ""
    text = "\n".join(_rules(piece, how, index, facts, origin))
    return statement_of(text, origin, switch=switch, words=f"{how} {piece!r}")


def _rules(piece: str, how: How, index: int, facts: Facts, origin: str) -> Iterator[str]:
    """One rule for each track that is meant."""
    subjects, negated, conditions = _read(piece, facts, origin)
    for source in subjects:
        for condition in conditions:
            body = condition.replace("{t}", str(source.number))
            word = f"{how}_{index}"
            yield f"{word}({source.number}) :- {body}."
        found = f"{'not ' if negated else ''}{how}_{index}({source.number})"
        if how == "forbid":
            yield f":- active(forbid({index})), {found}."
        else:
            missing = found.removeprefix("not ") if negated else f"not {found}"
            yield f":~ {missing}. [1@{_PREFERENCE_PRIORITY},prefer,{index},{source.number}]"


def _read(piece: str, facts: Facts, origin: str) -> tuple[list[Source], bool, list[str]]:
    """(tracks that are meant, whether it is negated, conditions of which one must hold)."""
    subjects, rest = _tracks_at_start(piece, facts, origin)
    words = re.sub(r"^(is|be|stands|stand|should be)\s+", "", rest.strip(), flags=re.IGNORECASE)
    negated = words.casefold().startswith("not ")
    words = words[4:].strip() if negated else words
    folded = " ".join(words.casefold().split())
    folded = _SYNONYMS.get(folded, folded)
    if folded in _ALONE:
        return subjects, negated, [_ALONE[folded]]
    if match := _PLACE.fullmatch(" ".join(words.split())):
        return subjects, negated, [f"at_pan({{t}},{_place(match[1], facts, origin)})"]
    for phrase, body in _phrases():
        if folded.startswith(phrase + " "):
            others, left = _tracks_at_start(words[len(phrase) :].strip(), facts, origin)
            if not left.strip():
                return subjects, negated, [body.replace("{u}", str(o.number)) for o in others]
    known = [*_ALONE, "at L40", *(f"{p} OTHER" for p in _BETWEEN)]
    raise BadInputError(
        f"{origin}: {words!r} is not understood{nearest(words, known)}: say TRACK and one of {', '.join(known)}, "
        "or write a rule for clingo"
    )


def _phrases() -> Iterator[tuple[str, str]]:
    yield from _BETWEEN.items()
    for synonym, phrase in _SYNONYMS.items():
        if phrase in _BETWEEN:
            yield synonym, _BETWEEN[phrase]


def _tracks_at_start(text: str, facts: Facts, origin: str) -> tuple[list[Source], str]:
    """The tracks that the text begins with, by name, else by instrument, and what follows."""
    folded = text.casefold()
    named = [s for s in facts.sources if _begins(folded, s.name.casefold())]
    if named:
        longest = max(named, key=lambda s: len(s.name))
        return [longest], text[len(longest.name) :]
    words = [w for w in INSTRUMENTS if _begins(folded, w.replace("_", " ")) or _begins(folded, w)]
    if words:
        word = max(words, key=len)
        found = [s for s in facts.sources if is_a(s.instrument, word)]
        if found:
            return found, text[len(word) :]
        raise BadInputError(f"{origin}: no track is a {word.replace('_', ' ')}")
    first = text.split(" ")[0]
    known = [s.name for s in facts.sources]
    raise BadInputError(
        f"{origin}: there is no track {first!r}{nearest(first, known)}: begin with a track's name"
    )


def _begins(text: str, name: str) -> bool:
    return text.startswith(name) and (len(text) == len(name) or not text[len(name)].isalnum())


def _place(word: str, facts: Facts, origin: str) -> int:
    """A step of the panning scale for C, L40, R80."""
    percent = 0 if word.upper() == "C" else int(word[1:]) * (-1 if word[0] in "lL" else 1)
    steps = percent * number("pan.scale") / 100.0
    if steps not in facts.places:
        near = sorted(facts.places, key=lambda p: (abs(p - steps), p))[:2]
        shown = " or ".join(_shown(p) for p in sorted(near))
        raise BadInputError(f"{origin}: {word} is not on the panning scale: give {shown}")
    return round(steps)


def _shown(place: int) -> str:
    percent = round(abs(place) * 100 / number("pan.scale"))
    return "C" if place == 0 else f"{'L' if place < 0 else 'R'}{percent}"

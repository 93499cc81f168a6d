"""Known words in a name: joined neighbors of three, then two, then single words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tonmeister.naming.table import Sense, TokenTable
from tonmeister.naming.words import Word

__all__ = ["Match", "find_matches"]

_STAGES_IN_GLUED_WORDS = frozenset({"position", "source", "generic", "attribute"})
_SHORTEST_GLUED = 5
_LONGEST_GLUED = 24
"""Longer rows of letters are no words, and trying every way to part them would take ages."""
_SHORTEST_SIDED = 4
"""Letters of the shortest word with a side glued on: "gtrl"."""


@dataclass(frozen=True, slots=True)
class Match:
    """One or more neighboring words that together mean something."""

    text: str
    senses: tuple[Sense, ...]
    start: int
    """Index of the first word, and of the one after the last."""
    end: int

    def of_stage(self, *stages: str) -> list[Sense]:
        """The senses of the given stages."""
        return [sense for sense in self.senses if sense.stage in stages]


def find_matches(stem: str, words: Sequence[Word], table: TokenTable) -> list[Match]:
    """Matches in the order of the name; a longer one takes its words before a shorter one may."""
    taken = [False] * len(words)
    matches = []
    for length in (3, 2, 1):
        for start in range(len(words) - length + 1):
            if any(taken[start : start + length]):
                continue
            group = words[start : start + length]
            if senses := _senses(group, table):
                taken[start : start + length] = [True] * length
                matches.append(Match(_as_written(stem, group), senses, start, start + length))
    return sorted(matches, key=lambda match: match.start)


def _as_written(stem: str, group: Sequence[Word]) -> str:
    text = stem[group[0].start : group[-1].end]
    return " ".join(word.text for word in group) if set(text) & set("()[]{}") else text


def _senses(group: Sequence[Word], table: TokenTable) -> tuple[Sense, ...]:
    if len(group) > 1 and all(len(word.key) == 1 or word.is_number for word in group):
        return _without_take_letters(group, table)
    key = "".join(word.key for word in group)
    return table[key] or (_singular(key, table) if len(group) == 1 else ())


def _without_take_letters(group: Sequence[Word], table: TokenTable) -> tuple[Sense, ...]:
    """Single letters join only when they touch, as in "T1" or "D.I."; "Take 5 0 5" is no drum machine."""
    touching = all(a.end + 1 >= b.start for a, b in pairwise(group))
    has_letter = any(not word.is_number for word in group)
    return table["".join(word.key for word in group)] if touching and has_letter else ()


def _singular(key: str, table: TokenTable) -> tuple[Sense, ...]:
    """Senses of a plural's singular; prints and control words have none ("Masters of ..." is a title)."""
    if len(key) < _SHORTEST_GLUED or not key.endswith("s"):
        return ()
    return tuple(s for s in table[key[:-1]] if s.stage in ("position", "source", "generic") and not s.weak)


def unglue(words: Iterable[Word], table: TokenTable) -> list[Word]:
    """Part words that are exactly a row of known ones ("snaretop", "rooml"); nothing is cut inside a word."""
    parted: list[Word] = []
    for word in words:
        pieces = table.splits.get(word.key) or _pieces(word.key, table)
        parted.extend(_parts(word, pieces) if pieces else [word])
    return parted


def _pieces(key: str, table: TokenTable) -> tuple[str, ...]:
    if (
        not _SHORTEST_SIDED <= len(key) <= _LONGEST_GLUED
        or table[key]
        or _singular(key, table)
        or key.isdigit()
    ):
        return ()
    if len(key) < _SHORTEST_GLUED:
        return (key[:-1], key[-1]) if key[-1] in "lr" and _may_begin(key[:-1], table) else ()
    for cut in range(len(key) - 1, 2, -1):
        head, tail = key[:cut], key[cut:]
        if not _may_begin(head, table):
            continue
        if _may_end(tail, table):
            return (head, tail)
        if rest := _pieces(tail, table):
            return (head, *rest)
    return ()


def _may_begin(head: str, table: TokenTable) -> bool:
    return any(not s.weak and s.stage in _STAGES_IN_GLUED_WORDS for s in table[head])


def _may_end(tail: str, table: TokenTable) -> bool:
    if tail in ("l", "r"):
        return True
    shortest = 2 if any(s.stage == "attribute" for s in table[tail]) else 3
    return len(tail) >= shortest and _may_begin(tail, table)


def _parts(word: Word, pieces: tuple[str, ...]) -> list[Word]:
    if len(word.text) != len(word.key):
        return [Word(piece, piece, word.start, word.end) for piece in pieces]
    parts, at = [], 0
    for piece in pieces:
        text = word.text[at : at + len(piece)]
        parts.append(Word(text, piece, word.start + at, word.start + at + len(piece)))
        at += len(piece)
    return parts

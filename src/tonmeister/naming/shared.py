"""Words that all names of a folder begin or end with: the song's title, say, which names no instrument."""

from __future__ import annotations

from collections.abc import Sequence

from tonmeister.naming.rules import identify_name
from tonmeister.naming.table import token_table
from tonmeister.naming.words import Word, clean_stem, split_words, without_number

__all__ = ["without_shared_words"]

_FEWEST = 3
"""Names a folder must hold before what they share counts as shared."""


def without_shared_words(names: Sequence[str]) -> list[str]:
    """The stems without the words that all begin with, then without those that all end with.

    Nothing is taken when a name would be left without letters, nor when the shared words name a source that the
    rest does not: "Kick In", "Kick Out", "Kick Sub" stay whole.
    """
    keep = token_table().keep_leading_numbers
    stems = [without_number(clean_stem(name), keep) for name in names]
    if len(stems) < _FEWEST:
        return stems
    return _without_end(_without_start(stems))


def _without_start(stems: list[str]) -> list[str]:
    words = [split_words(stem) for stem in stems]
    count = _shared(words)
    if not count:
        return stems
    shorter = [stem[w[count].start :] if len(w) > count else "" for stem, w in zip(stems, words, strict=True)]
    return shorter if _is_better(shorter, stems) else stems


def _without_end(stems: list[str]) -> list[str]:
    words = [split_words(stem)[::-1] for stem in stems]
    count = _shared(words)
    if not count:
        return stems
    shorter = [stem[: w[count].end] if len(w) > count else "" for stem, w in zip(stems, words, strict=True)]
    return shorter if _is_better(shorter, stems) else stems


def _shared(names: Sequence[Sequence[Word]]) -> int:
    count = 0
    for group in zip(*names, strict=False):
        if len({word.key for word in group}) > 1:
            break
        count += 1
    return count


def _is_better(shorter: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether the names keep their letters and their meaning."""
    if not all(any(c.isalpha() for c in stem) for stem in shorter):
        return False
    known = sum(_is_known(stem) for stem in shorter)
    return 2 * known > len(shorter) or known >= sum(_is_known(stem) for stem in whole)


def _is_known(stem: str) -> bool:
    guess = identify_name(stem)
    return bool(guess.label) and not guess.weak

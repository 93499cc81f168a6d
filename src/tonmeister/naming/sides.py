"""Left and right in names: two files that differ in nothing else belong together."""

from __future__ import annotations

from typing import Literal

from tonmeister.naming.matching import find_matches, unglue
from tonmeister.naming.table import token_table
from tonmeister.naming.tidy import tidy_name
from tonmeister.naming.words import clean_stem, split_words, without_number

__all__ = ["Side", "split_side"]

Side = Literal["left", "right"]


def split_side(name: str) -> tuple[str, Side | None]:
    """The tidy name without its side, and the side; the name itself and None when it has none, or only that.

    >>> split_side("07_Gtr (L).wav")
    ('Gtr', 'left')
    """
    table = token_table()
    stem = without_number(clean_stem(name), table.keep_leading_numbers)
    words = unglue(split_words(stem), table)
    for match in reversed(find_matches(stem, words, table)):
        sides = [a for s in match.of_stage("attribute") for a in s.attributes if a in ("left", "right")]
        if sides and not match.of_stage("source", "position"):
            start, end = words[match.start].start, words[match.end - 1].end
            rest = f"{stem[:start]} {stem[end:]}"
            if any(c.isalpha() for c in rest):
                return tidy_name(rest), "left" if sides[0] == "left" else "right"
    return tidy_name(stem), None

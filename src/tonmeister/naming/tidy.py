"""Names of strips: a file's stem as a person would write it on the desk."""

from __future__ import annotations

import re

from tonmeister.naming.table import token_table
from tonmeister.naming.words import clean_stem, without_number

__all__ = ["tidy_name"]

_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]|\{\s*\}")


def tidy_name(name: str) -> str:
    """The name without suffix, leading number, underscores and invisible characters; never empty.

    >>> tidy_name("01_Kick_In.wav")
    'Kick In'
    """
    whole = clean_stem(name)
    stem = without_number(whole, token_table().keep_leading_numbers)
    if not any(c.isalpha() for c in stem):
        stem = whole
    for pair in ("()", "[]", "{}"):
        if stem.count(pair[0]) != stem.count(pair[1]):
            stem = stem.replace(pair[0], " ").replace(pair[1], " ")
    spaced = " ".join(_EMPTY_BRACKETS.sub(" ", stem.replace("_", " ")).split())
    return spaced.strip(" -.") or "track"

"""The four kinds of stem a network was made for, and which instruments they are.

M. A. Martínez Ramírez and J. D. Reiss, WIMP 2017: bass; clean, acoustic and distorted guitar and banjo; singers and
rappers; pianos and synthesizers. The neighbors in the vocabulary are taken in with them; speech is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tonmeister.vocabulary import is_a

__all__ = ["GROUPS", "group_of"]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "bass": ("bass",),
    "guitar": ("guitar", "banjo", "ukulele", "mandolin"),
    "vocals": ("voice",),
    "keys": ("keys", "synth"),
}
"""Group -> words of the vocabulary that belong to it, with all below them."""


def group_of(instrument: str) -> str | None:
    """The group of an instrument; None for what no network was made for."""
    if instrument == "speech":
        return None
    return next((g for g, words in GROUPS.items() if any(is_a(instrument, w) for w in words)), None)

"""Which tracks make one group of the model: the five of the papers, or the families of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from tonmeister.multitrack import Track
from tonmeister.vocabulary import FAMILIES, family

__all__ = ["PAPER_GROUPS", "SCHEMES", "Scheme", "group_of", "grouped"]

Scheme = Literal["paper", "families"]

PAPER_GROUPS: Final = ("bass", "drums", "guitar", "vocals", "backup")
"""Scott & Kim (2011) as reconstructed: `backup` is all the rest."""
SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {"paper": PAPER_GROUPS, "families": FAMILIES}
_PAPER: Final = {
    "bass": "bass",
    "drums": "drums",
    "percussion": "drums",
    "guitar": "guitar",
    "voice": "vocals",
}


def group_of(track: Track, scheme: Scheme) -> str:
    """The group a track belongs to; backing voices are `backup` in the papers' scheme."""
    top = family(track.instrument)
    if scheme == "families":
        return top
    if top == "voice" and track.role == "background":
        return "backup"
    return _PAPER.get(top, "backup")


def grouped(tracks: Iterable[Track], scheme: Scheme) -> dict[str, list[str]]:
    """Names of the tracks of every group of the scheme, in its order; empty lists where there are none."""
    groups: dict[str, list[str]] = {name: [] for name in SCHEMES[scheme]}
    for track in tracks:
        groups[group_of(track, scheme)].append(track.name)
    return groups

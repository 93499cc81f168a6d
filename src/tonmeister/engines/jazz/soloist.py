"""Which track is the soloist."""

from __future__ import annotations

from typing import Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.vocabulary import family

__all__ = ["find_soloist"]

_MELODIC: Final = ("winds", "voice", "guitar", "keys", "strings", "synth", "plucked", "other")
_NEVER: Final = ("accompaniment", "residual")
"""Tracks of a separated recording that are no soloist."""


def find_soloist(multitrack: Multitrack, features: MultitrackFeatures, named: str = "") -> str | None:
    """The track `named`, or ``solo``, or the lead, or the one that plays melodies most; None when there is none.

    Raises `BadInputError` for a name that no track has.
    """
    by_name = {name.casefold(): name for name in multitrack.names}
    if named:
        if named.casefold() not in by_name:
            raise BadInputError(
                f"solo={named!r}: there is no such track{nearest(named, list(multitrack.names))}"
            )
        return by_name[named.casefold()]
    audible = [
        t for t in multitrack.tracks if not features[t.name].silent and t.name.casefold() not in _NEVER
    ]
    if any(t.name.casefold() == "solo" for t in audible):
        return by_name["solo"]
    leads = [t for t in audible if t.role == "lead"]
    melodic = leads or [t for t in audible if family(t.instrument) in _MELODIC and t.role != "background"]
    if not melodic or "solo" in by_name:
        return None
    return max(melodic, key=lambda t: _melodic(features[t.name])).name


def _melodic(track: TrackFeatures) -> float:
    """How much of the song it plays tones: the active share times what is not noise."""
    return track.active_ratio * (1.0 - (track.flatness or 0.0))

"""Instruments that are heard under the name of a near relative: too alike, or too rare to be taught apart."""

from __future__ import annotations

from typing import Final

__all__ = ["heard_as"]

_RELATIVES: Final = {
    **dict.fromkeys(("cymbals", "splash", "china"), "crash"),
    **dict.fromkeys(("bongo", "djembe", "cajon", "timbales"), "conga"),
    **dict.fromkeys(("maracas", "guiro"), "shaker"),
    "synth_arp": "synth_pluck",
    "steel_guitar": "electric_guitar",
    "mellotron": "string_section",
}


def heard_as(instrument: str) -> str:
    """The word under which the classifier knows an instrument.

    >>> heard_as("china")
    'crash'
    """
    return _RELATIVES.get(instrument, instrument)

"""The closed word lists that names, features, rules and engines share.

An instrument is a leaf or an inner node of one tree; `parents("kick")` is ``("kick", "drums")``.
A word that is not here is a mistake wherever it appears: tests hold every data file against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "INSTRUMENTS",
    "FAMILIES",
    "ROLES",
    "KINDS",
    "LEVEL_WORDS",
    "SCORE_DYNAMICS",
    "SCORE_ROLES",
    "SONG_SECTIONS",
    "SWITCH_WORDS",
    "parents",
    "is_a",
    "family",
]

_TREE: Final[Mapping[str, tuple[str, ...]]] = {
    "drums": (
        "kick", "snare", "tom", "hihat", "cymbals", "overheads", "room", "drum_loop",
    ),
    "cymbals": ("ride", "crash", "splash", "china"),
    "percussion": (
        "shaker", "tambourine", "conga", "bongo", "djembe", "cajon", "cowbell", "clave", "claps",
        "triangle", "timbales", "guiro", "maracas", "timpani", "mallets",
    ),
    "bass": ("electric_bass", "synth_bass", "double_bass", "sub_bass"),
    "guitar": ("electric_guitar", "acoustic_guitar", "steel_guitar"),
    "plucked": ("ukulele", "banjo", "mandolin", "harp"),
    "keys": (
        "piano", "electric_piano", "organ", "clavinet", "harpsichord", "mellotron", "accordion",
    ),
    "synth": ("synth_lead", "synth_pad", "synth_arp", "synth_pluck"),
    "voice": ("lead_voice", "backing_voice", "choir", "speech"),
    "strings": ("violin", "viola", "cello", "string_section"),
    "winds": ("woodwind", "brass"),
    "woodwind": ("flute", "oboe", "clarinet", "bassoon", "saxophone", "harmonica"),
    "brass": ("trumpet", "trombone", "french_horn", "tuba"),
    "effects": ("loop", "sound_effect", "ambience"),
}  # fmt: skip

FAMILIES: Final = (
    "drums", "percussion", "bass", "guitar", "plucked", "keys", "synth", "voice", "strings", "winds",
    "effects", "other",
)  # fmt: skip
"""The top level of the tree; ``other`` is what nothing is known about."""

_PARENT: Final[Mapping[str, str]] = {child: parent for parent, kids in _TREE.items() for child in kids}

INSTRUMENTS: Final[tuple[str, ...]] = tuple(dict.fromkeys((*FAMILIES, *_TREE, *_PARENT)))
"""Every instrument word, families included."""

ROLES: Final = ("lead", "foreground", "background")
"""What a track does in the song: carries it, is heard as itself, or stays behind."""

KINDS: Final = ("source", "print", "control", "return")
"""What a file is: a source to be mixed, a finished or rough mix, a click or guide, a printed effect."""

SONG_SECTIONS: Final = ("intro", "verse", "chorus", "bridge", "solo", "outro")
"""Parts of a song."""

SCORE_ROLES: Final = ("lead", "support", "rhythm", "bass", "pad", "tacet")
"""What a part does at one place of the score; `ROLES` is what a track does in the song."""

SCORE_DYNAMICS: Final = ("pp", "p", "mp", "mf", "f", "ff")
"""Dynamic marks of a score, softest first."""

LEVEL_WORDS: Final[Mapping[str, float]] = {"little": 1.5, "default": 3.0, "lot": 6.0}
"""Offset words in decibels. 3 is De Man & Reiss, JARP 8 (2013); 1.5 and 6 are our reconstruction."""


SWITCH_WORDS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}
"""How a person says yes or no to a switch, folded."""


def parents(instrument: str) -> tuple[str, ...]:
    """The instrument itself, then its ancestors up to its family."""
    chain = [instrument]
    while chain[-1] in _PARENT:
        chain.append(_PARENT[chain[-1]])
    return tuple(chain)


def is_a(instrument: str, ancestor: str) -> bool:
    """Whether `ancestor` is the instrument or stands above it in the tree."""
    return ancestor in parents(instrument)


def family(instrument: str) -> str:
    """The top-level word above `instrument`."""
    return parents(instrument)[-1]

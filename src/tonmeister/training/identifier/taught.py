"""What the classifier is taught to tell apart, how often each occurs, and where its sounds come from.

``weight`` is how often an instrument is drawn, roughly as often as it is met in multitracks of popular music (a choice,
not a measurement). Programs are General MIDI's, as (bank, program); a font that lacks a variation gives the plain one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tonmeister.identification.relatives import heard_as

__all__ = [
    "CLASSES",
    "DRUM_NOTES",
    "PERCUSSION_NOTES",
    "ROLE_OF_STYLE",
    "TAUGHT",
    "UNKNOWN",
    "Taught",
    "taught_word",
]

UNKNOWN: Final = "unknown"
"""The network's own word for what it was not taught: noise, effects, several instruments at once."""

ROLE_OF_STYLE: Final = {
    "melody": "lead",
    "riff": "foreground",
    "chords": "foreground",
    "arpeggio": "foreground",
    "sustain": "background",
}
"""What a way of playing usually does in a song."""


@dataclass(frozen=True, slots=True)
class Taught:
    """One instrument: how it is played and who plays it."""

    weight: float
    makers: tuple[str, ...]
    """``font`` (program of a soundfont), ``kit`` (drum pieces), ``synth``, ``string`` (plucked), ``voice``."""
    programs: tuple[tuple[int, int], ...] = ()
    low: int = 48
    high: int = 84
    """Lowest and highest MIDI note."""
    styles: tuple[str, ...] = ("melody", "riff")


def _programs(*numbers: int, bank: int = 0) -> tuple[tuple[int, int], ...]:
    return tuple((bank, number) for number in numbers)


_PLAYED: Final = ("melody", "riff", "chords", "arpeggio")
_KIT: Final = ("kit",)
_FONT: Final = ("font",)

TAUGHT: Final[dict[str, Taught]] = {
    "kick": Taught(3.0, _KIT),
    "snare": Taught(3.0, _KIT),
    "tom": Taught(2.0, _KIT),
    "hihat": Taught(2.5, _KIT),
    "crash": Taught(1.5, _KIT),
    "ride": Taught(1.2, _KIT),
    "overheads": Taught(1.5, _KIT),
    "room": Taught(1.2, _KIT),
    "drum_loop": Taught(2.5, _KIT),
    "conga": Taught(1.5, _KIT),
    "shaker": Taught(1.2, _KIT),
    "tambourine": Taught(1.0, _KIT),
    "cowbell": Taught(0.8, _KIT),
    "clave": Taught(0.7, _KIT),
    "triangle": Taught(0.6, _KIT),
    "claps": Taught(1.2, _KIT),
    "timpani": Taught(0.6, _FONT, _programs(47), 36, 57, ("riff", "sustain")),
    "mallets": Taught(1.0, _FONT, _programs(8, 9, 10, 11, 12, 13, 14, 108, 112, 114), 53, 96, _PLAYED),
    "electric_bass": Taught(3.0, _FONT, _programs(33, 34, 35, 36, 37), 26, 55, ("riff", "melody")),
    "synth_bass": Taught(2.0, ("font", "synth"), (*_programs(38, 39), *_programs(38, 39, bank=8)), 24, 52, ("riff",)),
    "double_bass": Taught(1.0, _FONT, _programs(32, 43), 28, 55, ("riff", "melody")),
    "sub_bass": Taught(0.8, ("synth",), (), 22, 45, ("riff", "sustain")),
    "electric_guitar": Taught(
        3.5, _FONT, (*_programs(26, 27, 28, 29, 30, 31), *_programs(28, 30, bank=8)), 40, 84, _PLAYED
    ),
    "acoustic_guitar": Taught(
        3.0, ("font", "font", "string"), (*_programs(24, 25), (8, 25)), 40, 81, _PLAYED
    ),
    "ukulele": Taught(0.8, ("font", "string"), ((8, 24),), 60, 84, ("chords", "arpeggio", "riff")),
    "banjo": Taught(0.6, _FONT, _programs(105), 48, 81, ("arpeggio", "melody", "riff")),
    "mandolin": Taught(0.5, _FONT, ((16, 25),), 55, 88, _PLAYED),
    "harp": Taught(0.6, _FONT, _programs(46), 36, 91, ("arpeggio", "chords")),
    "piano": Taught(3.0, _FONT, (*_programs(0, 1, 2, 3), (8, 0)), 30, 96, (*_PLAYED, "chords", "sustain")),
    "electric_piano": Taught(2.0, _FONT, (*_programs(4, 5), (8, 4), (8, 5)), 36, 88, (*_PLAYED, "sustain")),
    "organ": Taught(1.8, _FONT, (*_programs(16, 17, 18, 19, 20), (8, 16), (8, 17)), 36, 91, (*_PLAYED, "sustain")),
    "clavinet": Taught(0.8, _FONT, _programs(7), 36, 84, ("riff", "chords")),
    "harpsichord": Taught(0.6, _FONT, _programs(6), 36, 88, _PLAYED),
    "accordion": Taught(0.8, _FONT, (*_programs(21, 23), (8, 21)), 48, 88, (*_PLAYED, "sustain")),
    "synth_lead": Taught(1.8, ("font", "synth"), _programs(80, 81, 82, 83, 84, 86, 87), 48, 91, ("melody", "riff")),
    "synth_pad": Taught(
        1.8, ("font", "synth"), _programs(88, 89, 90, 91, 92, 93, 94, 95, 50, 51), 40, 88, ("sustain", "sustain", "chords")
    ),
    "synth_pluck": Taught(
        1.2, ("synth", "synth", "font"), _programs(96, 98, 99, 102), 43, 91, ("arpeggio", "riff", "chords")
    ),
    "lead_voice": Taught(4.5, ("voice",), (), 45, 79, ("melody",)),
    "backing_voice": Taught(2.0, ("voice",), (), 45, 81, ("chords", "sustain")),
    "choir": Taught(1.2, ("font", "voice"), _programs(52, 53), 41, 81, ("chords", "sustain")),
    "speech": Taught(1.0, ("voice",)),
    "violin": Taught(1.5, _FONT, (*_programs(40, 110), (8, 40)), 55, 96, ("melody", "riff")),
    "viola": Taught(1.0, _FONT, _programs(41), 48, 84, ("melody", "riff")),
    "cello": Taught(1.3, _FONT, _programs(42), 36, 76, ("melody", "riff")),
    "string_section": Taught(
        1.8, _FONT, (*_programs(44, 45, 48, 49), (8, 48)), 36, 91, ("chords", "sustain", "melody")
    ),
    "flute": Taught(1.0, _FONT, _programs(72, 73, 74, 75), 60, 96, ("melody", "riff")),
    "oboe": Taught(0.7, _FONT, _programs(68, 69), 55, 90, ("melody",)),
    "clarinet": Taught(0.8, _FONT, _programs(71), 50, 90, ("melody", "riff")),
    "bassoon": Taught(0.6, _FONT, _programs(70), 34, 70, ("melody", "riff")),
    "saxophone": Taught(1.6, _FONT, _programs(64, 65, 66, 67), 42, 84, ("melody", "riff")),
    "harmonica": Taught(0.7, _FONT, _programs(22), 55, 90, ("melody", "chords")),
    "trumpet": Taught(1.3, _FONT, _programs(56, 59), 52, 86, ("melody", "riff")),
    "trombone": Taught(0.9, _FONT, _programs(57), 38, 72, ("melody", "riff")),
    "french_horn": Taught(0.7, _FONT, _programs(60), 40, 77, ("melody", "sustain")),
    "tuba": Taught(0.5, _FONT, _programs(58), 26, 58, ("riff",)),
    "brass": Taught(1.2, _FONT, (*_programs(61, 62, 63), (8, 61)), 43, 84, ("riff", "chords", "melody")),
    UNKNOWN: Taught(3.5, ("unknown",)),
}  # fmt: skip
"""Instrument word of the vocabulary -> how it is taught."""

CLASSES: Final = tuple(TAUGHT)
"""In the order of the network's outputs."""

DRUM_NOTES: Final[dict[str, tuple[int, ...]]] = {
    "kick": (35, 36),
    "snare": (38, 40, 37),
    "tom": (41, 43, 45, 47, 48, 50),
    "hihat": (42, 44, 46),
    "crash": (49, 57, 55, 52),
    "ride": (51, 53, 59),
}
"""Pieces of a drum kit -> General MIDI percussion notes."""

PERCUSSION_NOTES: Final[dict[str, tuple[int, ...]]] = {
    "conga": (60, 61, 62, 63, 64),
    "shaker": (69, 70, 82),
    "tambourine": (54,),
    "cowbell": (56, 67, 68),
    "clave": (75, 76, 77),
    "triangle": (80, 81),
    "claps": (39,),
}


def taught_word(instrument: str) -> str | None:
    """The class that stands for an instrument; None for a word above the taught ones, or far from all."""
    word = heard_as(instrument)
    return word if word in TAUGHT else None

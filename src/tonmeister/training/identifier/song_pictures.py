"""Pictures of the tracks of synthesized songs: instruments as they stand in a session, bleed and noise included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.training.identifier.fonts import RATE_HZ
from tonmeister.training.identifier.pictures import Pictures, as_bytes, pictures_of
from tonmeister.training.identifier.spoiling import spoiled
from tonmeister.training.identifier.taught import CLASSES, UNKNOWN, taught_word
from tonmeister.training.synthesis.drumkits import DrumKit
from tonmeister.training.synthesis.songs import SynthesisOptions, SynthesizedSong, synthesize
from tonmeister.units import FloatArray
from tonmeister.vocabulary import ROLES, family

__all__ = ["make_song_pictures", "song_options", "tracks_of"]

SECONDS: Final = 10.0
_PER_TRACK: Final = 3
_SHARE_SPOILED: Final = 0.4
_FIRST_EXAMPLE: Final = 10_000_000
"""Song tracks are numbered from here, behind the single sounds."""


def song_options(fonts: Sequence[Path], kits: Sequence[Path], midi: Sequence[Path]) -> SynthesisOptions:
    """Songs for learning: many singers, since there are few recorded ones to learn from.

    Kits without drums of a drum set (frame drums, effects) are left out.
    """
    return SynthesisOptions(
        duration_s=SECONDS,
        sample_rate=RATE_HZ,
        midi=tuple(midi),
        soundfonts=tuple(fonts),
        drumkits=tuple(filter(_has_drums, kits)),
        share_of_midi=0.4,
        share_of_singers=0.8,
        share_of_synthesizer=0.2,
        most_parts=14,
    )


def _has_drums(kit: Path) -> bool:
    try:
        return bool(DrumKit.read(kit))
    except BadInputError:
        return False


def tracks_of(song: SynthesizedSong) -> list[tuple[str, str, FloatArray]]:
    """(class, role, raw sound) of the tracks that are taught, and of their sum, which is no single instrument."""
    found = [(_word(t.instrument), t.role, t.raw) for t in song.tracks]
    channels = max(t.raw.shape[0] for t in song.tracks)
    total = sum(np.broadcast_to(t.raw, (channels, t.raw.shape[1])) for t in song.tracks)
    several = [(UNKNOWN, "foreground", np.asarray(total, np.float32))] if len(song.tracks) > 3 else []
    return [(word, role, raw) for word, role, raw in [*found, *several] if word]


def _word(instrument: str) -> str | None:
    return UNKNOWN if family(instrument) == "effects" else taught_word(instrument)


def make_song_pictures(
    options: SynthesisOptions, numbers: range, seed: int, *, progress: Callable[[float], None] | None = None
) -> Pictures:
    """Pictures of the songs with these numbers; each song depends on the seed and on its number alone."""
    images, classes, roles, origins = [], [], [], []
    for done, number in enumerate(numbers):
        rng = np.random.default_rng([seed, number, 2])
        song = synthesize(int(rng.integers(2**62)), options)
        for place, (word, role, raw) in enumerate(tracks_of(song)):
            sound = spoiled(raw, rng) if rng.random() < _SHARE_SPOILED else raw
            for picture in pictures_of(sound, RATE_HZ, most=_PER_TRACK):
                images.append(as_bytes(picture))
                classes.append(CLASSES.index(word))
                roles.append(ROLES.index(role))
                origins.append(_FIRST_EXAMPLE + 1000 * number + place)
        if progress is not None:
            progress((done + 1) / len(numbers))
    return Pictures(np.array(images), np.array(classes), np.array(roles), np.array(origins))

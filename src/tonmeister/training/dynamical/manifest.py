"""A list of songs to learn from, as TOML: what each is, who made it, and under which licence.

    [[song]]
    id = "first light"
    artist = "The Band"             # songs of one artist are never split between training and test
    licence = "CC BY 4.0"
    mix = "first_light/master.wav"
    [song.tracks]                   # file = instrument, a word of the vocabulary
    "first_light/vox.wav" = "lead_voice"
    "first_light/kick.wav" = "kick"

Paths are relative to the list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tonmeister.audio import probe
from tonmeister.errors import BadInputError, nearest
from tonmeister.multitrack import Multitrack, SourceFile, Track
from tonmeister.naming import usual_role
from tonmeister.training.dynamical.data import SongFrames, frames_of_mix
from tonmeister.vocabulary import INSTRUMENTS

__all__ = ["ListedSong", "read_manifest"]

_KEYS = frozenset({"id", "artist", "licence", "mix", "tracks"})


@dataclass(frozen=True)
class ListedSong:
    """A song of the list."""

    title: str
    artist: str
    licence: str
    mix: Path
    tracks: Mapping[Path, str]
    """File -> instrument."""

    @property
    def key(self) -> str:
        """What is measured of the song depends on this and nothing else."""
        files = [(p, word) for p, word in self.tracks.items()] + [(self.mix, "mix")]
        measured = [f"{p} {word} {p.stat().st_size} {p.stat().st_mtime_ns}" for p, word in files]
        return "\n".join([self.title, self.artist, *measured])

    def frames(self) -> SongFrames:
        """Gains of the mix over time, by `unmix`."""
        tracks = tuple(
            Track(
                path.stem, (SourceFile(path, probe(path)),), instrument=word, role=usual_role(word),
                confidence=1.0, evidence="the list of songs", known_by="person",
            )
            for path, word in self.tracks.items()
        )  # fmt: skip
        rate = tracks[0].native_rate
        return frames_of_mix(Multitrack(self.title, tracks, rate), self.mix, artist=self.artist)


def read_manifest(path: Path) -> list[ListedSong]:
    """All songs of a list; raises `BadInputError` where one is not as it should be."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: is no list of songs (TOML): {error}") from None
    songs = told.get("song")
    if not isinstance(songs, list) or not songs:
        raise BadInputError(f"{path}: lists no song: begin each with [[song]]")
    return [_song(path, number, entry) for number, entry in enumerate(songs, 1)]


def _song(path: Path, number: int, entry: Any) -> ListedSong:
    where = f"{path}: song {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("tracks"), dict) or not entry["tracks"]:
        raise BadInputError(
            f"{where}: tracks={entry!r:.60} are missing: give [song.tracks] with file = instrument"
        )
    if unknown := sorted(set(entry) - _KEYS):
        raise BadInputError(f"{where}: {unknown[0]!r} is not known{nearest(unknown[0], sorted(_KEYS))}")
    words = {key: entry.get(key, "") for key in ("id", "artist", "licence", "mix")}
    if wrong := [key for key, value in words.items() if not isinstance(value, str) or not value]:
        raise BadInputError(f"{where}: {wrong[0]}={words[wrong[0]]!r} must be some text")
    for file, word in entry["tracks"].items():
        if word not in INSTRUMENTS:
            raise BadInputError(
                f"{where}: {file}={word!r} is no instrument{nearest(str(word), list(INSTRUMENTS))}"
            )
    tracks = {path.parent / file: str(word) for file, word in entry["tracks"].items()}
    mix = path.parent / words["mix"]
    if lost := [file for file in (*tracks, mix) if not file.is_file()]:
        raise BadInputError(f"{where}: {lost[0]} does not exist")
    return ListedSong(words["id"], words["artist"], words["licence"], mix, tracks)

"""Songs made by ``tonmeister train synthesize``: a folder each, with ``song.json`` beside the tracks.

``processed/`` holds the tracks as the engineer's console left them: the stems that sum to ``mix.wav``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import Label
from tonmeister.datasets.reading import inside, mapping, read_json, subfolders, text
from tonmeister.errors import BadInputError
from tonmeister.vocabulary import INSTRUMENTS, ROLES

__all__ = ["Synthesized"]

_SONG: Final = "song.json"
_PROCESSED: Final = "processed"
_SCHEMA_VERSION: Final = 1


class Synthesized:
    """Labels and true settings are known, because the songs were made from them."""

    info: ClassVar = DatasetInfo(
        name="synthesized",
        title="songs of 'tonmeister train synthesize'",
        licence="that of the soundfonts, MIDI files and recordings they were made from",
        citation="none; provenance of every part in song.json",
        url="",
        looks_for="<song>/song.json beside NN_Name.wav",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            file = folder / _SONG
            try:
                yield _song(folder, mapping(read_json(file), str(file)))
            except BadInputError as error:
                yield DatasetSong("synthesized", folder.name, folder, problem=str(error))


def _song_folders(path: Path) -> list[Path]:
    return [folder for folder in (path, *subfolders(path)) if (folder / _SONG).is_file()]


def _song(folder: Path, data: Mapping[str, Any]) -> DatasetSong:
    file = folder / _SONG
    if data.get("schema_version") != _SCHEMA_VERSION or not isinstance(data.get("tracks"), list):
        raise BadInputError(
            f"{file}: schema_version={data.get('schema_version')}: only {_SCHEMA_VERSION} with its tracks can be read"
        )
    written = [mapping(entry, f"{file}: tracks") for entry in data["tracks"]]
    tracks, missing = there([_track(folder, entry) for entry in written])
    processed = [replace(t, file=folder / _PROCESSED / t.file.name) for t in tracks]
    stems = there(processed)[0] if (folder / _PROCESSED).is_dir() else ()
    mix = inside(folder, text(data.get("mix")) or "mix.wav")
    return DatasetSong(
        dataset="synthesized",
        title=text(data.get("title")) or folder.name,
        folder=folder,
        tracks=tracks,
        stems=stems,
        mix=DatasetTrack("mix", mix, Label("mix")) if mix.is_file() else None,
        missing=missing,
        metadata={key: text(data[key]) for key in ("seed", "style", "tempo_bpm", "plan") if key in data},
    )


def _track(folder: Path, entry: Mapping[str, Any]) -> DatasetTrack:
    word, role = text(entry.get("instrument")), text(entry.get("role"))
    return DatasetTrack(
        name=text(entry.get("track")) or text(entry.get("name")) or text(entry.get("file")),
        file=inside(folder, text(entry.get("file")) or "(no file name)"),
        label=Label(word, word, mapped=True) if word in INSTRUMENTS else Label(word),
        role=role if role in ROLES else "",
        group=text(entry.get("group")) or None,
    )

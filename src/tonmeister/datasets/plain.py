"""Plain folders: one folder of audio files a song; names say what the tracks are, a tonmeister.toml says it better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack
from tonmeister.datasets.labels import Label
from tonmeister.datasets.reading import audio_files, subfolders
from tonmeister.errors import BadInputError
from tonmeister.loading.load import load_multitrack
from tonmeister.multitrack import Track

__all__ = ["PlainFolders", "folder_song"]

_FEWEST = 2


class PlainFolders:
    """Any folder of songs, or one song."""

    info: ClassVar = DatasetInfo(
        name="plain",
        title="plain folders",
        licence="yours to know",
        citation="none",
        url="",
        looks_for="two or more audio files in the folder, or in folders in it",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            yield folder_song("plain folder", folder, folder.resolve().name, {})


def _song_folders(path: Path) -> list[Path]:
    return [f for f in (path, *subfolders(path)) if len(audio_files(f)) >= _FEWEST]


def folder_song(dataset: str, folder: Path, title: str, metadata: Mapping[str, str]) -> DatasetSong:
    """A song whose labels are the names of its files; what cannot be loaded is its problem."""
    try:
        song = load_multitrack(folder)
    except BadInputError as error:
        return DatasetSong(
            dataset, title, folder, problem=str(error), loader=partial(load_multitrack, folder)
        )
    return DatasetSong(
        dataset=dataset,
        title=title,
        folder=folder,
        tracks=tuple(map(_listed, song.tracks)),
        mix=_listed(song.references[0]) if song.references else None,
        missing=song.excluded,
        metadata=metadata,
        notes=song.notes,
        loader=partial(load_multitrack, folder),
    )


def _listed(track: Track) -> DatasetTrack:
    source = track.sources[0]
    label = Label(track.file, track.instrument, mapped=track.confidence > 0)
    return DatasetTrack(
        track.name, source.path, label, track.role, source.stream, group=track.group, remark=track.evidence
    )

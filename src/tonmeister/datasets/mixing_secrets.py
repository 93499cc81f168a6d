"""Folders of the 'Mixing Secrets' library: ``<Artist>_<Song>_Full/NN_Name.wav``; names say what the tracks are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong
from tonmeister.datasets.plain import folder_song
from tonmeister.datasets.reading import audio_files, subfolders

__all__ = ["MixingSecrets"]

_FOLDER: Final = re.compile(r"^(?P<artist>[^_]+)_(?P<title>.+?)_(?:Full|Preview)$", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"^[0-9]{2,3}[ _-]\S")


class MixingSecrets:
    """Raw multitracks for practice; the names of the files are the only labels."""

    info: ClassVar = DatasetInfo(
        name="mixing-secrets",
        title="'Mixing Secrets' free multitrack download library",
        licence="educational use only; each song's terms are its artist's",
        citation="M. Senior: Mixing Secrets for the Small Studio, Focal Press 2011; library at cambridge-mt.com",
        url="https://cambridge-mt.com/ms/mtk/",
        looks_for="<Artist>_<Song>_Full/NN_Name.wav, or such a folder itself",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            match = _FOLDER.match(folder.name)
            title = _spaced(match["title"]) if match else folder.name
            yield folder_song(
                "Mixing Secrets", folder, title, {"artist": _spaced(match["artist"])} if match else {}
            )


def _song_folders(path: Path) -> list[Path]:
    found = [folder for folder in (path, *subfolders(path)) if _is_song(folder)]
    return found[:1] if found[:1] == [path] else found


def _is_song(folder: Path) -> bool:
    if not _FOLDER.match(folder.name):
        return False
    files = audio_files(folder)
    return len(files) >= 2 and sum(bool(_NUMBERED.match(f.name)) for f in files) > len(files) / 2


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")

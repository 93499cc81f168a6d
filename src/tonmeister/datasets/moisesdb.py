"""MoisesDB: ``moisesdb_v0.1/<id>/data.json`` and ``<id>/<stem>/<track id>.wav``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.labels import read_label
from tonmeister.datasets.reading import inside, mapping, read_json, subfolders, text
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Excluded

__all__ = ["MoisesDB"]

_CLICK = "click track"


class MoisesDB:
    """Songs as tracks in a taxonomy of stems; there is no separate mix: the tracks sum to it."""

    info: ClassVar = DatasetInfo(
        name="moisesdb",
        title="MoisesDB",
        licence="CC BY-NC-SA 4.0",
        citation="I. Pereira, F. Araujo, F. Korzeniowski, R. Vogl: MoisesDB: A Dataset for Source Separation beyond "
        "4-Stems, ISMIR 2023, arXiv:2307.15913",
        url="https://github.com/moises-ai/moises-db",
        looks_for="[moisesdb_v0.1/]<id>/data.json beside folders of stems",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            try:
                yield _song(folder, mapping(read_json(folder / "data.json"), str(folder / "data.json")))
            except BadInputError as error:
                yield DatasetSong("MoisesDB", folder.name, folder, problem=str(error))


def _song_folders(path: Path) -> list[Path]:
    for root in (path, path / "moisesdb_v0.1", path / "moisesdb" / "moisesdb_v0.1"):
        if found := [folder for folder in subfolders(root) if (folder / "data.json").is_file()]:
            return found
    return [path] if (path / "data.json").is_file() else []


def _song(folder: Path, data: Mapping[str, Any]) -> DatasetSong:
    file = folder / "data.json"
    stems = data.get("stems")
    if not isinstance(stems, list):
        raise BadInputError(f"{file}: 'stems' should be a list, is {type(stems).__name__}: copy it again")
    named: list[DatasetTrack] = []
    clicks: list[Excluded] = []
    for stem in (mapping(entry, f"{file}: stems") for entry in stems):
        for entry in stem.get("tracks") or []:
            track = _track(folder, text(stem.get("stemName")), mapping(entry, f"{file}: tracks"))
            if track.label.word == _CLICK:
                clicks.append(Excluded(track.file.name, "a click track, by its label"))
            else:
                named.append(track)
    tracks, missing = there(named)
    return DatasetSong(
        dataset="MoisesDB",
        title=text(data.get("song")) or folder.name,
        folder=folder,
        tracks=tracks,
        missing=(*missing, *clicks),
        metadata={key: text(data[key]) for key in ("artist", "genre") if key in data},
    )


def _track(folder: Path, stem: str, entry: Mapping[str, Any]) -> DatasetTrack:
    word = text(entry.get("trackType"))
    name = f"{text(entry.get('id')) or '(no id)'}.{text(entry.get('extension')) or 'wav'}"
    bleed = "has bleed" if entry.get("has_bleed") else ""
    return DatasetTrack(
        name=f"{stem}: {word}" if stem else word,
        file=inside(folder, f"{stem}/{name}"),
        label=read_label("moisesdb", word),
        group="drums" if stem == "drums" else None,
        remark="; ".join(filter(None, (f"stem {stem}", bleed))),
    )

"""MUSDB18-HQ: ``{train,test}/<Artist - Title>/{mixture,vocals,drums,bass,other}.wav``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.four_stems import STEMS, stem_files, titled
from tonmeister.datasets.labels import Label
from tonmeister.datasets.reading import subfolders

__all__ = ["Musdb18HQ"]


class Musdb18HQ:
    """Four stems and the mixture of 150 songs, as WAV."""

    info: ClassVar = DatasetInfo(
        name="musdb18-hq",
        title="MUSDB18-HQ",
        licence="research and education only, on request: most songs restricted, 46 CC BY-NC-SA 4.0",
        citation="Z. Rafii, A. Liutkus, F.-R. Stoeter, S. I. Mimilakis, R. Bittner: MUSDB18-HQ, an uncompressed version "
        "of MUSDB18, 2019, doi:10.5281/zenodo.3338373",
        url="https://sigsep.github.io/datasets/musdb.html",
        looks_for="{train,test}/<Artist - Title>/{mixture,vocals,drums,bass,other}.wav",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for split, folder in self._folders:
            title, metadata = titled(folder.name)
            tracks, missing = there(stem_files(folder))
            mix = folder / "mixture.wav"
            yield DatasetSong(
                dataset="MUSDB18-HQ",
                title=title,
                folder=folder,
                split=split,
                tracks=tracks,
                mix=DatasetTrack("mixture", mix, Label("mixture")) if mix.is_file() else None,
                missing=missing,
                metadata=metadata,
            )


def _song_folders(path: Path) -> list[tuple[str, Path]]:
    roots = {"train": path / "train", "valid": path / "valid", "test": path / "test"}
    return [
        (split, folder) for split, root in roots.items() for folder in subfolders(root) if _is_song(folder)
    ]


def _is_song(folder: Path) -> bool:
    names = [*STEMS, "mixture"]
    return sum((folder / f"{name}.wav").is_file() for name in names) >= 2

"""DSD100: ``Mixtures/{Dev,Test}/<Song>/mixture.wav`` and ``Sources/{Dev,Test}/<Song>/{vocals,drums,bass,other}.wav``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, there
from tonmeister.datasets.four_stems import stem_files, titled
from tonmeister.datasets.labels import Label
from tonmeister.datasets.reading import subfolders

__all__ = ["Dsd100"]

_SPLITS: Final = {"Dev": "train", "Test": "test"}


class Dsd100:
    """Four stems of 100 songs; their sum is the mixture."""

    info: ClassVar = DatasetInfo(
        name="dsd100",
        title="DSD100",
        licence="terms of the 'Mixing Secrets' library: academic use",
        citation="A. Liutkus, F.-R. Stoeter, Z. Rafii, D. Kitamura, B. Rivet, N. Ito, N. Ono, J. Fontecave: The 2016 "
        "Signal Separation Evaluation Campaign, LVA/ICA 2017",
        url="https://sigsep.github.io/datasets/dsd100.html",
        looks_for="Mixtures/{Dev,Test}/<Song>/mixture.wav and Sources/{Dev,Test}/<Song>/vocals.wav",
    )

    def __init__(self, path: Path) -> None:
        self._root = path

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return any(subfolders(path / "Sources" / part) for part in _SPLITS)

    def songs(self) -> Iterator[DatasetSong]:
        for part, split in _SPLITS.items():
            for folder in subfolders(self._root / "Sources" / part):
                yield _song(folder, self._root / "Mixtures" / part / folder.name / "mixture.wav", split)


def _song(folder: Path, mix: Path, split: str) -> DatasetSong:
    number, dash, name = folder.name.partition(" - ")
    title, metadata = titled(name if dash and number.isdecimal() else folder.name)
    tracks, missing = there(stem_files(folder))
    return DatasetSong(
        dataset="DSD100",
        title=title,
        folder=folder,
        split=split,
        tracks=tracks,
        mix=DatasetTrack("mixture", mix, Label("mixture")) if mix.is_file() else None,
        missing=missing,
        metadata=metadata,
    )

"""MUSDB18: ``train/`` and ``test/`` with one ``.stem.mp4`` a song, five AAC streams each (needs the extra `formats`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack
from tonmeister.datasets.four_stems import stem, titled
from tonmeister.datasets.labels import Label
from tonmeister.datasets.reading import entries

__all__ = ["Musdb18"]

_STREAMS: Final = ("drums", "bass", "other", "vocals")
"""Of streams 1 to 4; stream 0 is the mixture."""


class Musdb18:
    """Four stems and the mixture of 150 songs, in stem files."""

    info: ClassVar = DatasetInfo(
        name="musdb18",
        title="MUSDB18",
        licence="research and education only, on request: most songs restricted, 46 CC BY-NC-SA 4.0",
        citation="Z. Rafii, A. Liutkus, F.-R. Stoeter, S. I. Mimilakis, R. Bittner: The MUSDB18 corpus for music "
        "separation, 2017, doi:10.5281/zenodo.1117372",
        url="https://sigsep.github.io/datasets/musdb.html",
        looks_for="{train,test}/<Artist - Title>.stem.mp4, or such files in the folder itself",
    )

    def __init__(self, path: Path) -> None:
        self._files = _stem_files(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_stem_files(path))

    def songs(self) -> Iterator[DatasetSong]:
        for split, file in self._files:
            title, metadata = titled(file.name.removesuffix(".stem.mp4"))
            yield DatasetSong(
                dataset="MUSDB18",
                title=title,
                folder=file.parent,
                split=split,
                tracks=tuple(stem(word, file, stream=i + 1) for i, word in enumerate(_STREAMS)),
                mix=DatasetTrack("mixture", file, Label("mixture")),
                metadata=metadata,
            )


def _stem_files(path: Path) -> list[tuple[str, Path]]:
    folders = {"train": path / "train", "test": path / "test", "": path}
    return [(s, p) for s, f in folders.items() for p in entries(f) if p.name.endswith(".stem.mp4")]

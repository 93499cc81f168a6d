"""IRMAS: ``IRMAS-TrainingData/<label>/*.wav`` and ``IRMAS-TestingData-PartN/PartN/*.wav`` with a ``.txt`` of labels each.

The clips are excerpts of finished music: the label is the predominant instrument, not the only one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack
from tonmeister.datasets.labels import Label, label_table, read_label
from tonmeister.datasets.reading import audio_files, read_text, subfolders
from tonmeister.errors import BadInputError

__all__ = ["Irmas"]

_PREDOMINANT: Final = "the predominant instrument of finished music"


class Irmas:
    """Clips of music labeled with the instrument that one hears most."""

    info: ClassVar = DatasetInfo(
        name="irmas",
        title="IRMAS",
        licence="CC BY-NC-SA 3.0",
        citation="J. J. Bosch, J. Janer, F. Fuhrmann, P. Herrera: A Comparison of Sound Segregation Techniques for "
        "Predominant Instrument Recognition in Musical Audio Signals, ISMIR 2012",
        url="https://www.upf.edu/web/mtg/irmas",
        looks_for="[IRMAS-TrainingData/]{cel,cla,flu,...}/*.wav or IRMAS-TestingData-Part1/Part1/*.txt",
        is_solo=False,
    )

    def __init__(self, path: Path) -> None:
        self._training, self._testing = _training(path), _testing(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_training(path) or _testing(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._training:
            for file in audio_files(folder):
                yield _song(file, "train", read_label("irmas", folder.name), {})
        for folder in self._testing:
            for file in audio_files(folder):
                yield _tested(file)


def _training(path: Path) -> list[Path]:
    for root in (path / "IRMAS-TrainingData", path):
        if len(found := [f for f in subfolders(root) if f.name in label_table("irmas")]) >= 2:
            return found
    return []


def _testing(path: Path) -> list[Path]:
    parts = [f for f in subfolders(path) if f.name.startswith("IRMAS-TestingData")]
    return [inner for part in parts for inner in (subfolders(part) or [part])]


def _tested(file: Path) -> DatasetSong:
    words = file.with_suffix(".txt")
    try:
        labels = [line.strip() for line in read_text(words).splitlines() if line.strip()]
    except BadInputError as error:
        return DatasetSong("IRMAS", file.stem, file.parent, "test", problem=str(error))
    label = read_label("irmas", labels[0]) if len(labels) == 1 else Label(", ".join(labels))
    return _song(file, "test", label, {"instruments": ", ".join(labels)})


def _song(file: Path, split: str, label: Label, metadata: dict[str, str]) -> DatasetSong:
    track = DatasetTrack(label.word or "clip", file, label, remark=_PREDOMINANT)
    return DatasetSong("IRMAS", file.stem, file.parent, split, tracks=(track,), metadata=metadata)

"""What MUSDB18, MUSDB18-HQ and DSD100 have in common: vocals, drums, bass, other, and the mixture."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tonmeister.datasets.base import DatasetTrack
from tonmeister.datasets.labels import Label, read_label

__all__ = ["STEMS", "stem", "stem_files", "titled"]

STEMS: Final = ("vocals", "drums", "bass", "other")
_OTHER: Final = "everything that is not voice, drums or bass"


def stem(word: str, file: Path, *, stream: int = 0) -> DatasetTrack:
    """One of the four, by its name."""
    if word == "other":
        return DatasetTrack(word, file, Label(word, "other", mapped=True), stream=stream, remark=_OTHER)
    role = "lead" if word == "vocals" else ""
    return DatasetTrack(word, file, read_label("musdb18", word), role=role, stream=stream)


def stem_files(folder: Path) -> list[DatasetTrack]:
    """The four as files in a folder, whether they are there or not."""
    return [stem(word, folder / f"{word}.wav") for word in STEMS]


def titled(name: str) -> tuple[str, dict[str, str]]:
    """Title and metadata of a folder or file called ``Artist - Title``."""
    artist, dash, title = name.partition(" - ")
    return (title, {"artist": artist}) if dash else (name, {})

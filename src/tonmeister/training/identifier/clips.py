"""Labelled recordings: folders with a ``labels.csv`` of file and instrument."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonmeister.audio import read_audio
from tonmeister.errors import BadInputError
from tonmeister.naming import identify_name
from tonmeister.training.identifier.fonts import RATE_HZ
from tonmeister.training.identifier.taught import taught_word
from tonmeister.units import FloatArray
from tonmeister.vocabulary import INSTRUMENTS

__all__ = ["Clip", "labelled_files", "read_clips"]

_MAX_CLIP_S: Final = 60.0


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording: (channels, frames) at `RATE_HZ`, and the class it teaches."""

    word: str
    samples: FloatArray
    source: str
    """Name of its folder."""


def labelled_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """(file, instrument word) of every row of a folder's ``labels.csv``; words as in the vocabulary, or any name."""
    path = folder / "labels.csv"
    if not path.is_file():
        raise BadInputError(f"{folder}: has no labels.csv with the columns file and instrument")
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield folder / row["file"], instrument_of(row["instrument"])


def instrument_of(text: str) -> str:
    """The vocabulary's word for what a person wrote."""
    word = text.strip().casefold().replace(" ", "_")
    return word if word in INSTRUMENTS else identify_name(text).instrument


def read_clips(data: Path) -> list[Clip]:
    """The clips of all labelled folders directly in `data` whose instrument is taught."""
    clips = []
    for folder in sorted(path.parent for path in data.glob("*/labels.csv")):
        for path, instrument in labelled_files(folder):
            if word := taught_word(instrument):
                samples = read_audio(path, RATE_HZ).samples[:2, : round(_MAX_CLIP_S * 20 * RATE_HZ)]
                clips.append(Clip(word, samples, folder.name))
    return clips

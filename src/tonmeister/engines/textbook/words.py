"""Words for the sound of a band, and the frequencies that the authors of audio books mean by them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Final

from tonmeister.errors import BadInputError

__all__ = ["EDITIONS", "WORDS", "Band", "band_of"]


@dataclass(frozen=True, slots=True)
class Band:
    """A range of frequencies that a word means."""

    low_hz: float
    high_hz: float
    source: str
    evidence: str
    edition: str

    @property
    def center_hz(self) -> float:
        """Geometric mean of the edges."""
        return math.sqrt(self.low_hz * self.high_hz)

    @property
    def q(self) -> float:
        """f0 / (f2 - f1), held between 0.4 and 4."""
        return min(max(self.center_hz / (self.high_hz - self.low_hz), 0.4), 4.0)


def band_of(word: str, edition: str = "median") -> Band:
    """What an author means by a word; `median` takes the median of all lower and of all upper edges.

    An author who has not charted the word gives way to the median.
    """
    bands = WORDS.get(word)
    if bands is None:
        raise BadInputError(f"word={word!r} is not charted: give one of {', '.join(WORDS)}")
    for band in bands:
        if band.edition == edition:
            return band
    low, high = median(b.low_hz for b in bands), median(b.high_hz for b in bands)
    return Band(low, high, bands[0].source, bands[0].evidence, "median")


@cache
def _read() -> Mapping[str, tuple[Band, ...]]:
    data = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    words: dict[str, tuple[Band, ...]] = {}
    for record in data["band"]:
        band = Band(*(record[key] for key in ("low_hz", "high_hz", "source", "evidence", "edition")))
        words[record["word"]] = (*words.get(record["word"], ()), band)
    return words


WORDS: Final = _read()
"""Word -> the bands of the authors who charted it."""

EDITIONS: Final = (
    "median",
    *sorted({b.edition for bands in WORDS.values() for b in bands} - {"own", "other"}),
)
"""Authors whose charts can be chosen."""

"""Where the parts of a song begin: a person's marks, or novelty of the parts' levels.

Levels of all tracks, in half seconds, are compared by a checkerboard kernel along the diagonal of their self-similarity
(Foote 2000): its peaks are places where what plays before differs from what plays after.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.expert.numbers import number
from tonmeister.errors import BadInputError, nearest
from tonmeister.features import HOP_S, MultitrackFeatures
from tonmeister.units import DoubleArray
from tonmeister.vocabulary import SONG_SECTIONS

__all__ = ["SongPart", "found_parts", "marked_parts"]

_CELL_S: Final = 0.5
_FLOOR_DB: Final = -60.0
"""Below the loudest cell of a track: softer is silence."""
_MARK: Final = re.compile(r"\s*(?P<word>[a-z]+)\s*[@ ]\s*(?P<time>[0-9.]+)\s*\Z")
_LABEL: Final = re.compile(r"\s*(?P<time>[0-9.]+)\s+(?:[0-9.]+\s+)?(?P<word>[A-Za-z]+)\s*\d*\s*\Z")
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class SongPart:
    """A stretch of the song; `label` is one of the section words, or '' when nobody said."""

    start_s: float
    end_s: float
    label: str = ""


def marked_parts(text: str, duration_s: float) -> list[SongPart]:
    """Parts from marks such as ``verse 0, chorus 32.5``, or from a label file (lines of start, end, word)."""
    path = Path(text).expanduser()
    if len(text) < 1024 and "," not in text and path.suffix and path.is_file():
        from tonmeister.engines.expert.files import read_text

        marks = [
            m for line in read_text(path, _MOST_BYTES).splitlines() if (m := _mark(line, _LABEL)) is not None
        ]
    else:
        marks = [m for part in text.split(",") if (m := _mark(part, _MARK)) is not None]
    if not marks:
        raise BadInputError(
            "sections: there are no marks: write 'verse 0, chorus 32.5', or name a label file"
        )
    times = [time for time, _ in marks]
    if any(b <= a for a, b in itertools.pairwise(times)):
        raise BadInputError("sections: the times must rise")
    if times[0] > 0.0:
        marks = [(0.0, ""), *marks]
    ends = [*(time for time, _ in marks[1:]), max(duration_s, marks[-1][0])]
    return [SongPart(start, end, word) for (start, word), end in zip(marks, ends, strict=True) if end > start]


def _mark(text: str, pattern: re.Pattern[str]) -> tuple[float, str] | None:
    if not text.strip() or text.lstrip().startswith("#"):
        return None
    match = pattern.match(text)
    word = match["word"].lower() if match else ""
    if match is None or word not in SONG_SECTIONS:
        hint = nearest(word, list(SONG_SECTIONS)) or f": use {', '.join(SONG_SECTIONS)}"
        raise BadInputError(f"sections: {text.strip()[:60]!r} is no mark{hint}")
    try:
        time_s = float(match["time"])
    except ValueError:
        raise BadInputError(f"sections: {text.strip()[:60]!r} has no time in seconds") from None
    return time_s, word


def found_parts(features: MultitrackFeatures) -> list[SongPart]:
    """Parts without labels, from where the playing changes; a short song is one part."""
    levels = _levels(features)
    duration_s = features.duration_s
    cells = levels.shape[1]
    shortest = round(number("sections.shortest_s") / _CELL_S)
    if cells < 2 * shortest or not levels.size:
        return [SongPart(0.0, duration_s)]
    novelty = _novelty(levels, round(number("sections.kernel_s") / _CELL_S))
    bounds = [b for b in _peaks(novelty, shortest) if _differs(levels, b, shortest)]
    times = [0.0, *(b * _CELL_S for b in bounds), duration_s]
    return [SongPart(a, b) for a, b in itertools.pairwise(times)]


def _levels(features: MultitrackFeatures) -> DoubleArray:
    """Level of every audible track per half second, dB re its own loudest, not below -60; shape (tracks, cells)."""
    per_cell = round(_CELL_S / HOP_S)
    cells = int(features.duration_s / _CELL_S)
    rows = []
    for name in features.audible:
        level = np.asarray(features[name].level_db, dtype=np.float64)[: cells * per_cell]
        padded = np.full(cells * per_cell, -200.0)
        padded[: len(level)] = level
        power = (10.0 ** (padded / 10.0)).reshape(cells, per_cell).mean(axis=1)
        row = 10.0 * np.log10(np.maximum(power, 1e-20))
        rows.append(np.maximum(row - row.max(initial=-200.0), _FLOOR_DB))
    return np.array(rows) if rows else np.zeros((0, cells))


def _novelty(levels: DoubleArray, half: int) -> DoubleArray:
    """Distance between what plays `half` cells before and after each cell; shape (cells,).

    The correlation with a checkerboard is, for squared distances, that of the two sides' means up to their own spread.
    """
    cells = levels.shape[1]
    total = np.concatenate((np.zeros((len(levels), 1)), np.cumsum(levels, axis=1)), axis=1)
    novelty = np.zeros(cells)
    for cell in range(1, cells):
        reach = min(half, cell, cells - cell)
        before = (total[:, cell] - total[:, cell - reach]) / reach
        after = (total[:, cell + reach] - total[:, cell]) / reach
        novelty[cell] = math.sqrt(float(np.mean((after - before) ** 2))) * math.sqrt(reach / half)
    return novelty


def _peaks(novelty: DoubleArray, apart: int) -> list[int]:
    """Peaks at least `apart` cells from one another and from the ends, the highest first; in order of time."""
    least = number("sections.peak") * float(novelty.max(initial=0.0))
    chosen: list[int] = []
    for cell in np.argsort(-novelty, kind="stable"):
        at = int(cell)
        inside = apart <= at <= len(novelty) - apart
        if novelty[at] >= least > 0.0 and inside and all(abs(at - c) >= apart for c in chosen):
            chosen.append(at)
    return sorted(chosen)


def _differs(levels: DoubleArray, bound: int, reach: int) -> bool:
    """Whether the two sides differ by enough to be parts of their own."""
    before, after = (
        levels[:, bound - reach : bound].mean(axis=1),
        levels[:, bound : bound + reach].mean(axis=1),
    )
    return math.sqrt(float(np.mean((after - before) ** 2))) >= number("sections.least_db")


def names_of(parts: Sequence[SongPart]) -> list[str]:
    """How each part is called to a reader."""
    return [part.label or f"part {number}" for number, part in enumerate(parts, 1)]

"""Note-level alignments in match files: which note of the score was played when.

A line ``snote(ID,[Step,accidental],octave,bar:beat,offset,length,onset,end,[...])-note(ID,pitch,onset,...)`` pairs a note of
the score (onset in beats of the time signature) with a played one (onset in ticks); ``midiClockUnits`` and
``midiClockRate`` say how long a tick is: rate / units microseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from tonmeister.errors import BadInputError

__all__ = ["read_match"]

_PAIR: Final = re.compile(r"^snote\((?P<score>.*)\)-note\((?P<played>.*)\)\.?\s*$")
_INFO: Final = re.compile(r"^info\((?P<key>\w+),(?P<value>.*)\)\.?\s*$")
_METER: Final = re.compile(
    r"^(?:scoreprop|info|meta)\(timeSignature,\[?(?P<beats>\d+)/(?P<unit>\d+)\]?.*\)\.?\s*$"
)
_LISTS: Final = re.compile(r"\[[^\]]*\]")
_LARGEST_BYTES: Final = 32 << 20
_SAME_BEAT: Final = 1 / 32
"""Notes written closer together are one event, as in a score that is followed."""


def read_match(path: Path) -> list[tuple[float, float]]:
    """(position in quarter notes, seconds) of every event: the median of the onsets of its notes.

    Raises `BadInputError` when the file holds no pairs, or numbers that are none.
    """
    lines = _lines(path)
    clock = {m["key"]: m["value"] for line in lines if (m := _INFO.match(line))}
    try:
        tick_s = float(clock.get("midiClockRate", 500_000)) / float(clock.get("midiClockUnits", 480)) / 1e6
        pairs = [_pair(m["score"], m["played"], tick_s) for line in lines if (m := _PAIR.match(line))]
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise BadInputError(f"{path}: holds a pair that cannot be read ({error}): export it again") from None
    if not pairs or not all(math.isfinite(x) for pair in pairs for x in pair):
        raise BadInputError(f"{path}: holds no pairs of written and played notes: give a match file")
    quarters = _quarters_a_beat(path, lines)
    first = min(min(beat for beat, _ in pairs), 0.0)  # an upbeat stands before 0 here, at 0 in a score
    return _events([((beat - first) * quarters, time_s) for beat, time_s in pairs])


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadInputError(f"{path}: is larger than {_LARGEST_BYTES >> 20} MiB: this is no match file")
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: cannot be read as text ({error}): give a match file") from None


def _pair(score: str, played: str, tick_s: float) -> tuple[float, float]:
    written = _LISTS.sub("", score).rstrip(",").split(",")
    return float(written[-2]), float(_LISTS.sub("", played).split(",")[2]) * tick_s


def _quarters_a_beat(path: Path, lines: Sequence[str]) -> float:
    units = {int(m["unit"]) for line in lines if (m := _METER.match(line))}
    if len(units) > 1:
        raise BadInputError(
            f"{path}: changes the unit of its beats ({sorted(units)}): only one unit can be read"
        )
    return 4.0 / next(iter(units), 4)


def _events(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    groups: list[list[tuple[float, float]]] = []
    for pair in sorted(pairs):
        if groups and pair[0] - groups[-1][0][0] < _SAME_BEAT:
            groups[-1].append(pair)
        else:
            groups.append([pair])
    return [(group[0][0], median(time_s for _, time_s in group)) for group in groups]

"""Timing error of a score follower: estimated times of events against reference times.

A file holds one time in seconds per line, or two columns: what the event is (a number such as a score position,
or a name) and its time. JSON is a list of times, a list of pairs, or an object of event to time; a match file pairs
the notes of a score with played ones. With names or positions in both files events are matched by them, else in
order. Errors are estimate minus reference. An event of the reference without an estimate is missing, and counts as
not within any limit.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError

__all__ = ["AlignmentScore", "LIMITS_MS", "evaluate_alignment", "read_times", "score_alignment"]

LIMITS_MS: Final = (25.0, 50.0, 100.0)
_POSITION_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """Magnitudes of the timing errors, ms (0 is perfect), and the shares within limits (1 is perfect)."""

    median_ms: float | None
    mean_ms: float | None
    p95_ms: float | None
    max_ms: float | None
    bias_ms: float | None
    """Median of the signed errors; positive is late."""
    within: Mapping[float, float]
    """Limit in ms -> share of all reference events."""
    events: int
    missing: int
    extra: int
    errors_ms: tuple[float, ...] = ()
    times_s: tuple[float, ...] = ()
    """Reference times of the matched events."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "median_ms": self.median_ms,
            "mean_ms": self.mean_ms,
            "p95_ms": self.p95_ms,
            "max_ms": self.max_ms,
            "bias_ms": self.bias_ms,
            **{f"within_{limit:g}_ms": share for limit, share in self.within.items()},
            "events": self.events,
            "missing": self.missing,
            "extra": self.extra,
        }


Event = tuple[str | None, float]
"""(its name, or None when it has none; seconds)."""


def evaluate_alignment(reference: Path, estimate: Path) -> AlignmentScore:
    """Score the times of one file against those of another."""
    return score_alignment(read_times(reference), read_times(estimate))


def score_alignment(reference: Sequence[Event], estimate: Sequence[Event]) -> AlignmentScore:
    """Score events; see the module for how they are matched."""
    if not reference:
        raise BadInputError("the reference holds no events: give a file with times")
    pairs = _matched(reference, estimate)
    times = np.array([time for time, _ in pairs])
    errors = np.array([1000.0 * (other - time) for time, other in pairs])
    size = np.abs(errors)
    there = len(pairs) > 0
    return AlignmentScore(
        median_ms=float(np.median(size)) if there else None,
        mean_ms=float(size.mean()) if there else None,
        p95_ms=float(np.percentile(size, 95)) if there else None,
        max_ms=float(size.max()) if there else None,
        bias_ms=float(np.median(errors)) if there else None,
        within={limit: float((size <= limit + 1e-6).sum()) / len(reference) for limit in LIMITS_MS},
        events=len(reference),
        missing=len(reference) - len(pairs),
        extra=max(len(estimate) - len(pairs), 0),
        errors_ms=tuple(errors.tolist()),
        times_s=tuple(times.tolist()),
    )


def _matched(reference: Sequence[Event], estimate: Sequence[Event]) -> list[tuple[float, float]]:
    if _named(reference) and _named(estimate):
        given = {event: time for event, time in estimate if event is not None}
        return [(time, given[event]) for event, time in reference if event is not None and event in given]
    if len(reference) != len(estimate):
        raise BadInputError(
            f"{len(reference)} reference times and {len(estimate)} estimates without names: give two columns, "
            "event and time, so that missing events are known"
        )
    return [(time, other) for (_, time), (_, other) in zip(reference, estimate, strict=True)]


def _named(events: Sequence[Event]) -> bool:
    return bool(events) and all(event is not None for event, _ in events)


def read_times(path: Path) -> list[Event]:
    """Read events from text, CSV, JSON or a match file; raises `BadInputError` naming the line that is wrong."""
    path = Path(path)
    if path.suffix.casefold() == ".match":
        from tonmeister.evaluation.match_file import read_match

        return [(_name(beat), time_s) for beat, time_s in read_match(path)]
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{path}: cannot be read as text ({error}): give times as text, CSV or JSON"
        ) from None
    events = _from_json(path, text) if path.suffix.casefold() == ".json" else _from_text(path, text)
    names = [event for event, _ in events if event is not None]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise BadInputError(f"{path}: the event {twice!r} is there twice: name every event once")
    if not events:
        raise BadInputError(f"{path}: holds no times: give one time in seconds per line")
    return events


def _from_text(path: Path, text: str) -> list[Event]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    delimiter = next((d for d in (",", ";", "\t") if lines and d in lines[0]), None)
    rows = list(csv.reader(lines, delimiter=delimiter)) if delimiter else [line.split() for line in lines]
    events: list[Event] = []
    for number, row in enumerate(rows):
        cells = [cell.strip() for cell in row if cell.strip()]
        if number == 0 and cells and _time(cells[-1]) is None:
            continue  # a line of headings
        if not 1 <= len(cells) <= 2:
            raise BadInputError(
                f"{path}: line {number + 1} has {len(cells)} columns: give a time, or event and time"
            )
        events.append(_event(path, f"line {number + 1}", cells))
    return events


def _from_json(path: Path, text: str) -> list[Event]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInputError(f"{path}: is not JSON ({error}): give a list of times") from None
    if isinstance(data, dict):
        data = data.get("events", data.get("times", data))
    if isinstance(data, dict):
        data = [[key, value] for key, value in data.items()]
    if not isinstance(data, list):
        raise BadInputError(f"{path}: is neither a list nor an object: give a list of times")
    return [_event(path, f"entry {k + 1}", e if isinstance(e, list) else [e]) for k, e in enumerate(data)]


def _event(path: Path, where: str, cells: Sequence[Any]) -> Event:
    time = _time(cells[-1]) if 1 <= len(cells) <= 2 else None
    if time is None:
        raise BadInputError(f"{path}: {where} is no time in seconds: give a number, or event and number")
    return (_name(cells[0]) if len(cells) == 2 else None), time


def _name(cell: Any) -> str:
    """A position as it is written by any program: 1, 1.0 and 1.000 are one event."""
    position = _time(cell)
    return str(cell) if position is None else repr(round(position, _POSITION_DIGITS) + 0.0)


def _time(cell: Any) -> float | None:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and not isinstance(cell, bool) else None

"""A performance to learn from: the log, and at every event what could be found about each strip.

Events come from a file (``tonmeister-events``) or from the tracks of the song: its parts, and beats in between.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.expert.evidence import Finding, hard
from tonmeister.engines.expert.files import read_text, write_text
from tonmeister.engines.expert.knowledge import Knowledge
from tonmeister.engines.expert.learning import Cases
from tonmeister.engines.expert.live_filter import EventEvidence
from tonmeister.engines.expert.model import Choice, Model
from tonmeister.engines.expert.numbers import numbers
from tonmeister.engines.expert.oplog import OperationLog
from tonmeister.engines.expert.reading import Reader
from tonmeister.engines.expert.sections import SongPart, found_parts, marked_parts
from tonmeister.engines.expert.soundcheck import soundcheck
from tonmeister.errors import BadInputError, nearest
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import MASTER
from tonmeister.units import DoubleArray

__all__ = [
    "Performance",
    "cases_of",
    "events_text",
    "load_events",
    "performance_of_song",
    "read_events",
    "save_events",
]

EVENTS_FORMAT: Final = "tonmeister-events"
_SCHEMA_VERSION: Final = 1
_MOST_BYTES: Final = 256 * 2**20
_KINDS: Final = ("note", "beat", "entry", "section")
_BAR_BEATS: Final = 4.0
_BPM: Final = 120.0


@dataclass(frozen=True)
class Performance:
    """What was heard and what was done."""

    log: OperationLog
    events: tuple[EventEvidence, ...]
    always: Mapping[str, Mapping[str, Finding]] = field(default_factory=dict)
    """Strip -> node -> finding, for the whole performance."""
    base_db: Mapping[str, float] = field(default_factory=dict)
    """Soundcheck level of each strip's fader; where it is missing, the fader's own median."""

    def shifted(self, lag_s: float) -> Performance:
        """The same with the hands earlier by a reaction lag."""
        return replace(self, log=self.log.shifted(lag_s))


# Cases


def cases_of(performance: Performance, model: Model) -> Cases:
    """One case per event and strip whose controls the log knows there.

    A control is read half a second before and a second after the event (or half-way to the neighbor, if that is
    nearer), and its value binned to the nearest state.
    """
    times = [e.time_s for e in performance.events]
    if not times:
        raise BadInputError("there are no events to learn at: give the song or its events")
    controls = {c.control: c for c in model.choices.values()}
    rows: list[dict[str, DoubleArray]] = []
    for strip in performance.log.strips:
        moved = {c: performance.log.track(strip, c) for c in controls if performance.log.handled(strip, c)}
        if not moved:
            continue
        fixed = _findings(model, performance.always.get(strip, {}))
        base_db = _base_db(performance, strip, moved, times)
        for index, event in enumerate(performance.events):
            decided = _decided(model, controls, moved, base_db, _window(times, index))
            if decided:
                found = _findings(model, {**event.song, **event.strips.get(strip, {})})
                rows.append({**fixed, **found, **decided})
    return _stacked(model, rows)


def _stacked(model: Model, rows: Sequence[Mapping[str, DoubleArray]]) -> Cases:
    names = [n for n in model.network.nodes if any(n in row for row in rows)]
    return Cases(
        {
            n: np.stack([row.get(n, np.ones(len(model.network.nodes[n].states))) for row in rows])
            for n in names
        }
    )


def _findings(model: Model, found: Mapping[str, Finding]) -> dict[str, DoubleArray]:
    likely = {n: model.find(n, f) for n, f in found.items() if n in model.network.nodes}
    return {n: f for n, f in likely.items() if f is not None}


def _window(times: Sequence[float], index: int) -> tuple[float, float]:
    """When a control is read before and after an event."""
    before_s, after_s = numbers("learning.window")
    now = times[index]
    start = now - before_s if index == 0 else max(now - before_s, (times[index - 1] + now) / 2.0)
    last = index + 1 == len(times)
    end = now + after_s if last else min(now + after_s, (now + times[index + 1]) / 2.0)
    return start, end


def _decided(
    model: Model, controls: Mapping[str, Choice], moved: Mapping[str, tuple[list[float], list[float]]], base_db: float,
    window: tuple[float, float],
) -> dict[str, DoubleArray]:  # fmt: skip
    """States of the decisions, and of the past of those that carry over, at one event."""
    past = {now: before for before, now in model.network.before.items()}
    found: dict[str, DoubleArray] = {}
    for control, track in moved.items():
        choice = controls[control]
        offset = base_db if control == "fader_db" else 0.0
        after = _value_at(track, window[1])
        if after is None:
            continue
        node = model.network.node(choice.node)
        found[choice.node] = hard(node, node.states[_nearest(choice, after, offset)])
        before = _value_at(track, window[0])
        if choice.node in past and before is not None:
            found[past[choice.node]] = hard(node, node.states[_nearest(choice, before, offset)])
    return found


def _value_at(track: tuple[list[float], list[float]], time_s: float) -> float | None:
    """The last value up to a time; the first one when that is later and the log opens with it at 0."""
    index = int(np.searchsorted(track[0], time_s, side="right")) - 1
    if index >= 0:
        return track[1][index]
    return track[1][0] if track[0][0] <= 0.0 else None


_OFF_DB: Final = -60.0


def _nearest(choice: Choice, value: float, offset: float) -> int:
    """The state nearest to a value; a fader at the bottom, or a room of no length, is off."""
    off = next((i for i, v in enumerate(choice.values) if v is None), None)
    if off is not None and (value <= _OFF_DB if choice.control.endswith("_db") else value <= 0.0):
        return off
    valued = [i for i, v in enumerate(choice.values) if v is not None]
    return min(valued, key=lambda i: abs((choice.values[i] or 0.0) - (value - offset)))


def _base_db(
    performance: Performance,
    strip: str,
    moved: Mapping[str, tuple[list[float], list[float]]],
    times: Sequence[float],
) -> float:
    """The level from which a strip's fader is counted: the soundcheck's, up to what all faders share, or its median."""
    if "fader_db" not in moved:
        return 0.0
    if strip in performance.base_db:
        return performance.base_db[strip] + _common_db(performance, times)
    return _median_db(moved["fader_db"], times)


def _median_db(track: tuple[list[float], list[float]], times: Sequence[float]) -> float:
    values = [v for t in times if (v := _value_at(track, t)) is not None and v > _OFF_DB]
    return float(np.median(values)) if values else 0.0


def _common_db(performance: Performance, times: Sequence[float]) -> float:
    """By how much all faders lie above their soundcheck."""
    above = [
        _median_db(track, times) - base
        for strip, base in performance.base_db.items()
        if strip in performance.log.strips and (track := performance.log.track(strip, "fader_db"))[0]
    ]
    return float(np.median(above)) if above else 0.0


# Events of a song


def performance_of_song(
    log: OperationLog,
    multitrack: Multitrack,
    features: MultitrackFeatures,
    known: Knowledge,
    *,
    sections: str = "",
) -> Performance:
    """Events and findings from the tracks that the log's strips are named after.

    Events are parts and the bars in them; a log that only sets levels at the beginning counts once per part.
    """
    for strip in log.strips:
        handled = any(not m.by for m in log.moves if m.strip == strip)
        if handled and strip != MASTER and strip not in multitrack.names:
            raise BadInputError(
                f"strip={strip!r} is no track of the song{nearest(strip, list(multitrack.names))}"
            )
    heard = [t for t in multitrack.tracks if not features[t.name].silent]
    reader = Reader(multitrack, features, known, known.model)
    trims = {n: t.gain_db for n, t in soundcheck(heard, features, known).items()}
    parts = marked_parts(sections, features.duration_s) if sections else found_parts(features)
    song, level = reader.song(), dict.fromkeys(trims, 0.0)
    events: list[EventEvidence] = []
    ridden = any(move.t_s > 0.0 for move in log.moves)
    for index, part in enumerate(parts):
        shared = song | reader.part(part, index, len(parts))
        tempo_bpm = multitrack.tempo_bpm or features.tempo_bpm
        for number, window in enumerate(_bars(part, tempo_bpm) if ridden else [part]):
            levels = reader.loudness(window, trims, level)
            events.append(EventEvidence(
                window.start_s, "beat" if number else "section", _plain(shared.found),
                {n: _plain(e.found) for n, e in levels.items()},
            ))  # fmt: skip
    always = {t.name: _plain(reader.track(t.name).found) for t in heard}
    return Performance(log, tuple(events), always, trims)


def _plain(found: Mapping[str, DoubleArray]) -> dict[str, Finding]:
    return {n: tuple(float(x) for x in f) for n, f in found.items()}


def _bars(part: SongPart, tempo_bpm: float | None) -> list[SongPart]:
    """A part cut into bars."""
    bar_s = _BAR_BEATS * 60.0 / (tempo_bpm or _BPM)
    count = max(1, math.floor((part.end_s - part.start_s) / bar_s))
    starts = [part.start_s + k * bar_s for k in range(count)]
    return [SongPart(a, b, part.label) for a, b in zip(starts, [*starts[1:], part.end_s], strict=True)]


# Files


def read_events(text: str) -> tuple[tuple[EventEvidence, ...], dict[str, dict[str, Finding]]]:
    """Events with their findings, and what is always true of each strip, from JSON."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInputError(f"is not JSON ({error})") from None
    if not isinstance(data, Mapping) or data.get("format") != EVENTS_FORMAT:
        raise BadInputError(f"is no list of events: its format must be {EVENTS_FORMAT!r}")
    if data.get("schema_version") != _SCHEMA_VERSION:
        raise BadInputError(f"schema_version={data.get('schema_version')!r}: this reads {_SCHEMA_VERSION}")
    try:
        events = tuple(_event(e) for e in data["events"])
        always = {str(s): dict(f) for s, f in data.get("always", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"something is missing or of the wrong kind ({error})") from None
    if any(b.time_s < a.time_s for a, b in itertools.pairwise(events)):
        raise BadInputError("events must be in the order of time")
    return events, always


def _event(data: Mapping[str, Any]) -> EventEvidence:
    kind, time_s = str(data.get("kind", "beat")), float(data["t_s"])
    if kind not in _KINDS or not math.isfinite(time_s):
        raise BadInputError(f"event at t_s={data['t_s']!r}: kind={kind!r}: give one of {', '.join(_KINDS)}")
    song = {str(n): f for n, f in data.get("song", {}).items()}
    if "section" in data:
        song["Section"] = data["section"]
    strips = {str(s): dict(f) for s, f in data.get("strips", {}).items()}
    return EventEvidence(time_s, kind, song, strips, float(data.get("confidence", 1.0)))


def load_events(path: Path) -> tuple[tuple[EventEvidence, ...], dict[str, dict[str, Finding]]]:
    """Read a file of events."""
    try:
        return read_events(read_text(path, _MOST_BYTES))
    except BadInputError as error:
        raise BadInputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def events_text(performance: Performance) -> str:
    """The inverse of `read_events`."""
    data = {
        "format": EVENTS_FORMAT,
        "schema_version": _SCHEMA_VERSION,
        "always": {s: dict(f) for s, f in performance.always.items()},
        "events": [
            {"t_s": round(e.time_s, 6), "kind": e.kind, "song": dict(e.song),
             "strips": {s: dict(f) for s, f in e.strips.items()}, "confidence": e.confidence}
            for e in performance.events
        ],
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n"


def save_events(performance: Performance, path: Path, *, overwrite: bool = False) -> None:
    """Write a file of events."""
    write_text(path, events_text(performance), overwrite=overwrite)

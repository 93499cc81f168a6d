"""Made-up music: a few seconds of notes in one way of playing, and patterns of drum hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Hit", "Note", "compose", "groove"]

_SCALES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), (0, 2, 4, 7, 9))


@dataclass(frozen=True, slots=True)
class Note:
    """One note: MIDI key, velocity 1 to 127, when and how long."""

    start_s: float
    length_s: float
    key: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One stroke on a piece of a kit."""

    start_s: float
    piece: str
    velocity: int


def compose(style: str, low: int, high: int, seconds: float, rng: np.random.Generator) -> list[Note]:
    """Notes in ``style`` (see `taught.ROLE_OF_STYLE`) between two keys; a tenth are one note alone."""
    keys = _keys(low, high, rng)
    if rng.random() < 0.1:
        return [Note(0.0, rng.uniform(0.15, seconds), int(rng.choice(keys)), int(rng.integers(50, 127)))]
    step_s = 60.0 / rng.uniform(65, 165) / rng.choice([1, 2, 2, 4] if style != "sustain" else [0.25, 0.5])
    made: list[Note] = []
    at, place, loud = 0.0, int(rng.integers(len(keys))), int(rng.integers(60, 115))
    while at < seconds:
        length = step_s * rng.choice(_LENGTHS[style])
        if style == "sustain" or rng.random() > 0.12:
            place = int(np.clip(place + rng.integers(-3, 4), 0, len(keys) - 1))
            made += _event(style, keys, place, at, length, step_s, loud, rng)
        at += length
    return made or [Note(0.0, seconds, int(keys[place]), loud)]


_LENGTHS: Final[dict[str, tuple[float, ...]]] = {
    "melody": (1, 1, 2, 2, 3, 4),
    "riff": (1, 1, 1, 2),
    "chords": (2, 2, 4, 4),
    "arpeggio": (1,),
    "sustain": (1, 2),
}


def _keys(low: int, high: int, rng: np.random.Generator) -> np.ndarray:
    """The notes of one scale in a register of about an octave and a half."""
    span = int(rng.integers(10, 20))
    bottom = int(rng.integers(low, max(low + 1, high - span)))
    scale, tonic = _SCALES[rng.integers(len(_SCALES))], int(rng.integers(12))
    keys = [k for k in range(bottom, min(high, bottom + span) + 1) if (k - tonic) % 12 in scale]
    return np.array(keys or [bottom])


def _event(
    style: str, keys: np.ndarray, place: int, at: float, length: float, step_s: float, loud: int,
    rng: np.random.Generator,
) -> list[Note]:  # fmt: skip
    """The notes that begin together, a little spread as hands do."""
    count = int(rng.integers(2, 5)) if style in ("chords", "sustain") else 1
    if style == "arpeggio":
        length = max(length, step_s * float(rng.choice([0.8, 1.0, 2.0, 4.0])))
    held = length * (rng.uniform(0.3, 1.0) if style in ("riff", "chords") else rng.uniform(0.8, 1.05))
    spread = rng.choice([0.0, 0.004, 0.015])
    notes = []
    for i in range(count):
        key = int(keys[(place + 2 * i) % len(keys)])
        start = max(0.0, at + rng.normal(0, 0.006) + i * spread)
        notes.append(Note(start, max(held, 0.05), key, int(np.clip(loud + rng.normal(0, 10), 20, 127))))
    return notes


def groove(
    seconds: float, rng: np.random.Generator, *, busy: float = 0.5, extra: tuple[str, ...] = ()
) -> list[Hit]:
    """A drummer's few seconds: kick, snare, hats or ride, now and then toms and crashes; `extra` pieces play along."""
    step_s = 60.0 / rng.uniform(65, 170) / 4
    kicks = rng.random(16) < 0.1 + 0.2 * busy
    kicks[0] = True
    kicks[8] |= rng.random() < 0.6
    snares = rng.random(16) < 0.06 * busy
    snares[[4, 12]] = rng.random() < 0.9
    time_piece = "hihat" if rng.random() < 0.7 else "ride"
    every = int(rng.choice([1, 2, 2, 4]))
    hits: list[Hit] = []
    for step in range(int(seconds / step_s) + 1):
        at, place = step * step_s, step % 16
        pieces = [("kick", kicks[place]), ("snare", snares[place]), (time_piece, step % every == 0)]
        pieces += [("crash", place == 0 and rng.random() < 0.25), ("tom", place > 11 and rng.random() < 0.15)]
        for piece, plays in pieces:
            if plays:
                hits.append(Hit(max(0.0, at + rng.normal(0, 0.006)), piece, _force(place, rng)))
    return hits + [hit for piece in extra for hit in _in_time(piece, step_s, seconds, rng)]


def strokes(piece: str, seconds: float, rng: np.random.Generator) -> list[Hit]:
    """One piece alone: a single stroke, a pattern in time, or strokes here and there."""
    kind = rng.random()
    if kind < 0.15:
        return [Hit(0.0, piece, int(rng.integers(50, 127)))]
    step_s = 60.0 / rng.uniform(65, 170) / 4
    if kind < 0.6:
        return _in_time(piece, step_s, seconds, rng)
    density = {"crash": 0.04, "tom": 0.25, "ride": 0.4, "kick": 0.25, "snare": 0.2}.get(piece, 0.5)
    density *= rng.uniform(0.4, 1.6)
    steps = np.flatnonzero(rng.random(int(seconds / step_s) + 1) < density)
    hits = [Hit(max(0.0, s * step_s + rng.normal(0, 0.006)), piece, _force(int(s) % 16, rng)) for s in steps]
    return hits or [Hit(0.0, piece, 100)]


_OFTEN: Final[dict[str, tuple[int, ...]]] = {
    "kick": (4, 4, 8, 8, 3, 6),
    "snare": (8, 8, 8, 4, 16),
    "tom": (2, 2, 4, 8),
    "crash": (16, 32, 64),
    "ride": (2, 4, 4, 3),
    "claps": (8, 8, 4, 16),
    "triangle": (4, 8, 16),
}
"""Sixteenths between two strokes of a pattern; of what is not named, one to four."""


def _in_time(piece: str, step_s: float, seconds: float, rng: np.random.Generator) -> list[Hit]:
    """A stroke every so many sixteenths, from the beat or behind it, a few left out and a few added."""
    every = int(rng.choice(_OFTEN.get(piece, (1, 1, 2, 2, 4))))
    behind = int(rng.choice([0, 0, every // 2]))
    count = int(seconds / step_s) + 1
    plays = (np.arange(count) % every == behind) & (rng.random(count) > rng.choice([0.0, 0.1]))
    plays |= rng.random(count) < rng.choice([0.0, 0.0, 0.06])
    loose_s = rng.choice([0.0, 0.004, 0.01])
    return [
        Hit(max(0.0, int(s) * step_s + rng.normal(0, 1) * loose_s), piece, _force(int(s) % 16, rng))
        for s in np.flatnonzero(plays)
    ] or [Hit(0.0, piece, 100)]


def _force(place: int, rng: np.random.Generator) -> int:
    return int(np.clip(rng.normal(104 if place % 4 == 0 else 84, 14), 25, 127))

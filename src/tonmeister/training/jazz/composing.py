"""Swing pieces: a rhythm section with its habits, and somebody who improvises over it; habits in ``jazz.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from tonmeister.training.synthesis.instruments import melodic_sounds
from tonmeister.training.synthesis.players import STEPS, Bar, Event, hits, play_parts
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.scores import Part, Score, note_array

__all__ = ["SOLO", "habits", "swing_score"]

SOLO: Final = "Solo"
"""Name of the soloist's part."""
_BEAT: Final = STEPS // 4
_KEYS: Final[Mapping[str, int]] = {"ride": 51, "hihat": 44, "kick": 36, "snare": 38}
_PHRASE_BEATS: Final = (3, 5, 7, 8, 11, 14)
_REST_BEATS: Final = (1, 1, 2, 3)


@lru_cache(maxsize=1)
def habits() -> Mapping[str, Any]:
    """The contents of ``jazz.toml``."""
    return tomllib.loads(files("tonmeister.training.jazz").joinpath("jazz.toml").read_text("utf-8"))


def swing_score(seeds: Seeds, *, instrument: str, duration_s: float) -> Score:
    """A piece for a rhythm section and `instrument`, at least `duration_s` long."""
    random, about = seeds.generator("tempo"), habits()
    tempo_bpm = float(random.uniform(*about["tempo"]))
    late = float(random.uniform(*about["swing"])) - 0.5
    bars = _bars(seeds, int(np.ceil(duration_s * tempo_bpm / 240)) + 1)
    band = [(p, e) for p, e in play_parts(about, bars, seeds) if p.instrument != instrument]
    sound = melodic_sounds()[instrument]
    line = _improvised(bars, sound.lowest, sound.highest, seeds.generator("solo"))
    parts = [
        (Part("Drums", "drums", note_array(()), percussion=True), _drummed(len(bars), seeds)),
        *band,
        (Part(SOLO, instrument, note_array(()), "lead"), line),
    ]
    timed = tuple(_in_time(part, events, 240 / tempo_bpm / STEPS, late, duration_s) for part, events in parts)
    return Score(f"swing {tempo_bpm:.0f} bpm", "composed: swing", "swing", tempo_bpm, timed)


def _in_time(part: Part, events: Sequence[Event], step_s: float, late: float, duration_s: float) -> Part:
    """Seconds of steps; the second half of every beat comes `late` beats later."""

    def seconds(step: float) -> float:
        return step_s * (step + (late * _BEAT if step % _BEAT == _BEAT // 2 else 0.0))

    notes = note_array((seconds(s), length * step_s, pitch, vel) for s, length, pitch, vel in events)
    return replace(part, notes=notes[notes["start_s"] < duration_s - 0.05])


def _bars(seeds: Seeds, count: int) -> list[Bar]:
    """One progression around and around."""
    random, about = seeds.generator("harmony"), habits()
    steps = about["modes"][str(random.choice(sorted(about["modes"])))]
    key = int(random.integers(12))
    scale = tuple((key + step) % 12 for step in steps)
    degrees = about["progressions"][int(random.integers(len(about["progressions"])))]
    chords = [tuple(scale[(d - 1 + third) % 7] for third in (0, 2, 4, 6)) for d in degrees]
    return [Bar(chords[n % len(chords)], scale, "chorus", n % 4 == 3) for n in range(count)]


def _drummed(bars: int, seeds: Seeds) -> list[Event]:
    random, patterns = seeds.generator("drums"), habits()["drums"]
    pattern = patterns[int(random.integers(len(patterns)))]
    return [
        (float(bar * STEPS + step), 1.0, _KEYS[piece], velocity)
        for bar in range(bars)
        for piece, line in pattern.items()
        for step, velocity in hits(line)
        if random.random() > (0.35 if piece in ("kick", "snare") else 0.02)
    ]


def _improvised(bars: Sequence[Bar], low: int, high: int, random: np.random.Generator) -> list[Event]:
    """Phrases in swung eighths, triplets and long notes with rests between: chord notes on beats, scale notes and
    approaches by a semitone in between."""
    events: list[Event] = []
    inner_low, inner_high = low + 4, max(low + 12, high - 6)
    pitch, beat, total = (inner_low + inner_high) // 2, float(random.integers(0, 2)), 4 * len(bars)
    while beat < total:
        end = beat + float(random.choice(_PHRASE_BEATS))
        loud = int(random.integers(75, 105))
        direction = int(random.choice((-1, 1)))
        while beat < min(end, total):
            kind = random.random()
            count, length = (
                (1, float(random.choice((1, 2, 3)))) if kind < 0.2 else (3, 1.0) if kind < 0.3 else (2, 1.0)
            )
            for i in range(count):
                bar = bars[min(int(beat) // 4, len(bars) - 1)]
                pitch = _next(pitch, direction, bar, i == 0, random)
                if not inner_low <= pitch <= inner_high:
                    direction, pitch = -direction, int(np.clip(pitch, inner_low, inner_high))
                held = length / count * _BEAT
                accent = 8 if i == count - 1 else 0
                events.append((beat * _BEAT + i * held, 0.92 * held, pitch, min(loud + accent, 120)))
            beat += length
            if random.random() < 0.25:
                direction = -direction
        beat += float(random.choice(_REST_BEATS))
    return events


def _next(pitch: int, direction: int, bar: Bar, on_beat: bool, random: np.random.Generator) -> int:
    """The next chord note on a beat, else the next of the scale or a semitone's approach."""
    if not on_beat and random.random() < 0.2:
        return pitch + direction
    classes = bar.chord if on_beat else bar.scale
    leap = int(random.choice((1, 1, 1, 2, 3)))
    while leap:
        pitch += direction
        leap -= pitch % 12 in classes
    return pitch

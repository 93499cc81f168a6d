"""Who plays what in a composed song: bass, chords, arpeggios, melodies, each a small habit over the bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.training.synthesis.instruments import melodic_sounds
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.scores import Part, note_array

__all__ = ["STEPS", "Bar", "Event", "hits", "play_parts"]

STEPS: Final = 16
"""Steps of a bar."""
_VOICES: Final = ("voice", "backing_voice")

Event = tuple[float, float, int, int]
"""Step, length in steps, pitch or key, velocity."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What every player knows about a bar."""

    chord: tuple[int, ...]
    """Pitch classes of the chord, root first; four notes."""
    scale: tuple[int, ...]
    """Pitch classes of the key."""
    section: str
    last: bool
    """The last bar of a section."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a part is told: its style's entry and its compass."""

    entry: Mapping[str, Any]
    low: int
    high: int


def hits(pattern: str) -> list[tuple[int, int]]:
    """(step, velocity) of a pattern of digits."""
    return [(step, 20 + 11 * int(mark)) for step, mark in enumerate(pattern) if mark.isdigit()]


def play_parts(style: Mapping[str, Any], bars: Sequence[Bar], seeds: Seeds) -> list[tuple[Part, list[Event]]]:
    """The parts of a style that are there in this song, each with what it plays."""
    parts = []
    for name, entry in style["parts"].items():
        random = seeds.generator("part", name)
        if random.random() > entry["often"]:
            continue
        instrument = str(random.choice(entry["instruments"]))
        sound = None if instrument in _VOICES else melodic_sounds()[instrument]
        low, high = (sound.lowest, sound.highest) if sound else (48, 79)
        line = Line(entry, low, high)
        events = _PLAYERS[entry["does"]](line, bars, _silences(entry, random), random)
        word = "lead_voice" if instrument == "voice" else instrument
        parts.append((Part(name, word, note_array(()), entry.get("role", "foreground")), events))
    return parts


def _silences(entry: Mapping[str, Any], random: np.random.Generator) -> frozenset[str]:
    """Sections in which a part does not play."""
    if entry.get("when") == "solo":
        return frozenset({"verse", "intro"} | ({"chorus"} if random.random() < 0.5 else set()))
    quiet = {s for s in ("verse", "solo") if random.random() < 0.15}
    if entry["does"] == "melody":
        quiet |= {"intro", "solo"} if random.random() < 0.7 else {"intro"}
    elif entry["does"] in ("pad", "counter", "stab"):
        quiet |= {s for s in ("intro", "verse", "outro") if random.random() < 0.4}
    return frozenset(quiet)


Bars = Sequence[Bar]
_Player = Callable[[Line, Bars, frozenset[str], np.random.Generator], list[Event]]


def _within(pitch: int, low: int, high: int) -> int:
    """The pitch, moved by octaves into a compass."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return max(pitch, 0)


def _voicing(bar: Bar, center: int, line: Line) -> list[int]:
    """The chord in close position around a pitch."""
    notes = bar.chord if line.entry.get("sevenths") else bar.chord[:3]
    return sorted({_within(center - 6 + (note - center + 6) % 12, line.low, line.high) for note in notes})


def _held(pattern: str, step: int) -> int:
    """Steps until something else happens."""
    rest = pattern[step + 1 :]
    length = 1
    for mark in rest:
        if mark not in "-.":
            break
        length += 1
    return length


def _bass(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Root, octave, fifth and seventh in a rhythm."""
    pattern, events = line.entry["pattern"], []
    base = line.low + int(random.integers(0, 6))
    for number, bar in enumerate(bars):
        if bar.section in silent and bar.section == "intro":
            continue
        root = base + (bar.chord[0] - base) % 12
        pitches = {"r": root, "o": root + 12, "5": root + 7, "7": root + 10, "t": root + 4}
        for step, mark in enumerate(pattern):
            if mark in pitches and random.random() > 0.03:
                pitch = _within(pitches[mark], line.low, line.high)
                length = 0.9 * _held(pattern, step)
                velocity = int(random.integers(85, 110)) - (0 if step % 4 == 0 else 8)
                events.append((float(number * STEPS + step), length, pitch, velocity))
    return events


def _walk(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Quarters from root to root over notes of the scale."""
    events, pitch = [], line.low + 8
    for number, bar in enumerate(bars):
        following = bars[min(number + 1, len(bars) - 1)]
        root = _within(line.low + 2 + (bar.chord[0] - line.low - 2) % 12, line.low, line.high)
        target = line.low + 2 + (following.chord[0] - line.low - 2) % 12
        third = root + (bar.chord[1] - root) % 12
        fifth = root + (bar.chord[2] - root) % 12
        last = target + int(random.choice([-1, 1, 2]))
        for beat, pitch in enumerate((root, int(random.choice([third, fifth])), fifth, last)):
            at = float(number * STEPS + 4 * beat)
            events.append((at, 3.7, _within(pitch, line.low, line.high), int(random.integers(80, 105))))
    return events


def _comp(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Chords in a rhythm."""
    pattern = line.entry["pattern"]
    center = int(random.integers(58, 67))
    events = []
    for number, bar in enumerate(bars):
        if bar.section in silent:
            continue
        chord = _voicing(bar, center, line)
        for step, velocity in hits(pattern):
            if random.random() < 0.05:
                continue
            length = 0.8 if line.entry.get("short") else 0.95 * _held(pattern, step)
            events += [(float(number * STEPS + step), length, p, velocity) for p in chord]
    return events


def _strum(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Chords over several strings, struck one after the other, down and up."""
    pattern, events = line.entry["pattern"], []
    delay = float(random.uniform(0.04, 0.14))
    for number, bar in enumerate(bars):
        if bar.section in silent:
            continue
        root = line.low + (bar.chord[0] - line.low) % 12
        tones = [root + (note - root) % 12 for note in bar.chord[:3]]
        strings = [p for p in sorted({*tones, *(t + 12 for t in tones)}) if p <= line.high]
        for step, velocity in hits(pattern):
            order = strings if step % 4 == 0 else strings[:1:-1]
            length = 0.95 * _held(pattern, step)
            events += [(number * STEPS + step + delay * i, length, p, velocity) for i, p in enumerate(order)]
    return events


def _power(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Root, fifth and octave."""
    pattern, events = line.entry["pattern"], []
    for number, bar in enumerate(bars):
        if bar.section in silent:
            continue
        root = line.low + (bar.chord[0] - line.low) % 12
        for step, velocity in hits(pattern):
            length = 0.95 * _held(pattern, step)
            events += [(float(number * STEPS + step), length, root + i, velocity) for i in (0, 7, 12)]
    return events


def _pad(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Chords for a whole bar."""
    center, events = int(random.integers(58, 70)), []
    solo = line.high - line.low < 36 and random.random() < 0.5
    for number, bar in enumerate(bars):
        if bar.section in silent:
            continue
        chord = _voicing(bar, _within(center, line.low, line.high), line)
        chord = chord[-1:] if solo else chord
        velocity = int(random.integers(60, 95))
        events += [(float(number * STEPS), STEPS * 0.97, p, velocity) for p in chord]
    return events


def _arpeggio(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """The chord, note by note, in eighths or sixteenths."""
    every = int(random.choice([1, 2, 2]))
    shape = str(random.choice(["up", "down", "both", "any"]))
    center, events = int(random.integers(58, 72)), []
    for number, bar in enumerate(bars):
        if bar.section in silent:
            continue
        chord = _voicing(bar, center, line)
        notes = [p for p in sorted({*chord, *(p + 12 for p in chord)}) if p <= line.high] or chord
        order = {"up": notes, "down": notes[::-1], "both": notes + notes[-2:0:-1], "any": notes}[shape]
        for i, step in enumerate(range(0, STEPS, every)):
            pitch = int(random.choice(order)) if shape == "any" else order[i % len(order)]
            velocity = int(random.integers(65, 100))
            events.append((float(number * STEPS + step), every * 1.2, pitch, velocity))
    return events


def _melody(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """Phrases that come back: a walk over the scale with chord notes on the beats."""
    middle = line.low + 0.55 * (line.high - line.low)
    rhythms = [_rhythm(random, busy=bool(line.entry.get("busy"))) for _ in range(4)]
    walks = [random.integers(-2, 3, STEPS) for _ in range(4)]
    events: list[Event] = []
    pitch = int(middle)
    for number, bar in enumerate(bars):
        if bar.section in silent:
            continue
        which = (0, 1, 0, 2)[number % 4] if bar.section != "chorus" else (3, 1, 3, 2)[number % 4]
        for i, (step, length) in enumerate(rhythms[which]):
            pitch = _next_pitch(pitch, int(walks[which][i]), bar, on_beat=step % 4 == 0, line=line)
            velocity = int(random.integers(75, 115))
            events.append((float(number * STEPS + step), length * 0.95, pitch, velocity))
    return events


def _rhythm(random: np.random.Generator, *, busy: bool) -> list[tuple[int, int]]:
    """(step, length) of the notes of a bar; rests at the end to breathe."""
    step, notes = int(random.choice([0, 0, 2, 4])), []
    end = STEPS - int(random.choice([0, 2, 4]))
    lengths = [1, 2, 2, 3] if busy else [2, 2, 3, 4, 4, 6]
    while step < end:
        length = int(random.choice(lengths))
        notes.append((step, min(length, end - step)))
        step += length if random.random() < 0.85 else length + 2
    return notes


def _next_pitch(pitch: int, move: int, bar: Bar, *, on_beat: bool, line: Line) -> int:
    """The note `move` places up in the scale, or in the chord on a beat."""
    classes = bar.chord[:3] if on_beat else bar.scale
    notes = [p for p in range(line.low, line.high + 1) if p % 12 in classes]
    nearest_now = int(np.argmin([abs(p - pitch) for p in notes]))
    middle = len(notes) // 2
    pull = int(np.sign(middle - nearest_now)) if abs(middle - nearest_now) > len(notes) // 4 else 0
    return notes[int(np.clip(nearest_now + move + pull, 0, len(notes) - 1))]


def _counter(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """One or two long notes a bar against the melody."""
    pitch, events = (line.low + line.high) // 2, []
    for number, bar in enumerate(bars):
        if bar.section in silent or random.random() < 0.15:
            continue
        for step, length in (((0, 8), (8, 8)), ((0, 16),), ((4, 12),))[int(random.integers(3))]:
            pitch = _next_pitch(pitch, int(random.integers(-1, 2)), bar, on_beat=True, line=line)
            events.append((float(number * STEPS + step), length * 0.95, pitch, int(random.integers(65, 105))))
    return events


def _stab(line: Line, bars: Bars, silent: frozenset[str], random: np.random.Generator) -> list[Event]:
    """One note of the chord in a rhythm: a horn in a section."""
    pattern, tone, events = line.entry["pattern"], int(random.integers(3)), []
    center = (line.low + line.high) // 2 + int(random.integers(-4, 5))
    for number, bar in enumerate(bars):
        if bar.section in silent or (number % 2 and random.random() < 0.3):
            continue
        pitch = _within(center - 6 + (bar.chord[tone] - center + 6) % 12, line.low, line.high)
        for step, velocity in hits(pattern):
            length = min(2.0, _held(pattern, step))
            events.append((float(number * STEPS + step), length, pitch, velocity))
    return events


_PLAYERS: Final[Mapping[str, _Player]] = {
    "bass": _bass,
    "walk": _walk,
    "comp": _comp,
    "strum": _strum,
    "power": _power,
    "pad": _pad,
    "arpeggio": _arpeggio,
    "melody": _melody,
    "counter": _counter,
    "stab": _stab,
}
"""What ``does`` means."""

"""A composer with a handful of habits: chords, drums, bass, accompaniment and melody in a dozen styles.

It is there to vary what is played when nobody brings MIDI. Time runs in steps, a sixteenth of a bar each; the
habits of the styles are in ``styles.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError, nearest
from tonmeister.training.synthesis.instruments import kit_keys, percussion_keys
from tonmeister.training.synthesis.players import STEPS, Bar, Event, hits, play_parts
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.scores import Part, Score, note_array

__all__ = ["STEPS", "compose", "styles"]

_MODES: Final[Mapping[str, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
_SECTION_BARS: Final = 4
_FORMS: Final = (
    ("intro", "verse", "chorus", "verse", "chorus", "solo", "chorus", "outro"),
    ("verse", "chorus", "verse", "chorus", "solo", "chorus"),
    ("verse", "verse", "chorus", "solo", "verse", "chorus"),
)
_OPEN_HIHAT: Final = 46
_TOMS: Final = (50, 48, 47, 45, 43, 41)


@lru_cache(maxsize=1)
def _data() -> Mapping[str, Any]:
    path = files("tonmeister.training.synthesis").joinpath("styles.toml")
    return tomllib.loads(path.read_text("utf-8"))


def styles() -> tuple[str, ...]:
    """Names of the styles."""
    return tuple(name for name in _data() if name != "percussion_patterns")


def compose(seeds: Seeds, *, length_s: float, among: Sequence[str] = ()) -> Score:
    """A piece of at least `length_s` seconds, even in a faster tempo, in one of the styles."""
    for name in among:
        if name not in styles():
            raise BadInputError(f"style={name!r} is not known{nearest(name, list(styles()))}")
    random = seeds.generator("style")
    name = str(random.choice(list(among or styles())))
    style = _data()[name]
    tempo_bpm = float(random.uniform(*style["tempo"]))
    bars = _bars(style, seeds.child("harmony"), count=int(np.ceil(1.3 * length_s * tempo_bpm / 240)) + 1)
    step_s = 240 / tempo_bpm / STEPS
    swing = float(style.get("swing", random.choice([0.0, 0.0, 0.0, 0.25])))
    parts = [*_drums(style, bars, seeds), *_percussion(style, bars, seeds), *play_parts(style, bars, seeds)]
    timed = tuple(_in_time(part, events, step_s, swing) for part, events in parts if events)
    return Score(f"{name} {tempo_bpm:.0f} bpm", f"composed: {name}", name, tempo_bpm, timed)


def _in_time(part: Part, events: list[Event], step_s: float, swing: float) -> Part:
    def seconds(step: float) -> float:
        return (step + (swing * 0.5 if int(step) % 2 == 1 else 0.0)) * step_s

    notes = note_array(
        (seconds(step), length * step_s, pitch, velocity) for step, length, pitch, velocity in events
    )
    return Part(part.name, part.instrument, notes, part.role, percussion=part.percussion)


def _bars(style: Mapping[str, Any], seeds: Seeds, count: int) -> list[Bar]:
    """The harmony of every bar: one progression for verses, another for the rest."""
    random = seeds.generator()
    steps = _MODES[str(random.choice(style["modes"]))]
    key = int(random.integers(12))
    scale = tuple((key + step) % 12 for step in steps)
    progressions = style["progressions"]
    verse, other = (progressions[int(random.integers(len(progressions)))] for _ in range(2))
    form = _FORMS[int(random.integers(len(_FORMS)))]
    made = []
    for bar in range(count):
        section = form[bar // _SECTION_BARS % len(form)]
        degrees = verse if section in ("intro", "verse") else other
        degree = degrees[bar % len(degrees)] - 1
        chord = tuple(scale[(degree + third) % 7] for third in (0, 2, 4, 6))
        made.append(Bar(chord, scale, section, bar % _SECTION_BARS == _SECTION_BARS - 1))
    return made


# ------------------------------------------------------------------ drums


def _drums(style: Mapping[str, Any], bars: Sequence[Bar], seeds: Seeds) -> list[tuple[Part, list[Event]]]:
    random = seeds.generator("drums")
    if not style["drums"] or random.random() > style.get("drums_often", 0.97):
        return []
    choices = random.permutation(len(style["drums"]))
    verse, chorus = (style["drums"][choices[i % len(choices)]] for i in range(2))
    keys = {piece: int(random.choice(keys)) for piece, keys in _main_keys().items()}
    events: list[Event] = []
    for number, bar in enumerate(bars):
        pattern = verse if bar.section in ("intro", "verse") else chorus
        events += [(number * STEPS + e[0], *e[1:]) for e in _drum_bar(pattern, bar, number, keys, random)]
    claps = [e for e in events if e[2] in percussion_keys()["claps"]]
    kit = [e for e in events if e[2] not in percussion_keys()["claps"]]
    return [
        (Part("Drums", "drums", note_array(()), percussion=True), kit),
        (Part("Claps", "claps", note_array(()), percussion=True), claps),
    ]


def _main_keys() -> dict[str, list[int]]:
    """Keys a pattern's piece may use; a song keeps to one of them."""
    kit = kit_keys()
    return {
        "kick": [35, 36], "snare": [38, 40], "hihat": [42], "open": [_OPEN_HIHAT], "ride": [51, 59],
        "crash": list(kit["crash"]), "claps": list(percussion_keys()["claps"]), "china": [52], "splash": [55],
    }  # fmt: skip


def _drum_bar(
    pattern: Mapping[str, str], bar: Bar, number: int, keys: Mapping[str, int], random: np.random.Generator
) -> list[Event]:
    """One bar: the pattern, a crash where a section begins, a fill where it ends."""
    filled = bar.last and random.random() < 0.7
    until = STEPS - int(random.choice([4, 8])) if filled else STEPS
    events: list[Event] = [
        (float(step), 1.0, keys[piece], velocity)
        for piece, line in pattern.items()
        for step, velocity in hits(line)
        if step < until and random.random() > 0.02
    ]
    if number % _SECTION_BARS == 0 and random.random() < 0.75:
        cymbal = str(random.choice(["crash", "crash", "crash", "splash", "china"]))
        events.append((0.0, 4.0, keys[cymbal], int(random.integers(95, 120))))
    if filled:
        events += _fill(until, random)
    return events


def _fill(start: int, random: np.random.Generator) -> list[Event]:
    """Down the toms, with the snare now and then."""
    steps = [s for s in range(start, STEPS) if random.random() < 0.85]
    return [
        (
            float(step),
            1.0,
            38 if random.random() < 0.2 else _TOMS[min((step - start) * len(_TOMS) // (STEPS - start), 5)],
            int(random.integers(80, 120)),
        )
        for step in steps
    ]


def _percussion(
    style: Mapping[str, Any], bars: Sequence[Bar], seeds: Seeds
) -> list[tuple[Part, list[Event]]]:
    random = seeds.generator("percussion")
    there = list(style.get("percussion", ()))
    wanted = style.get("percussion_parts", int(random.choice([0, 0, 1, 1, 2])))
    chosen = random.permutation(there)[: min(wanted, len(there))]
    parts = []
    for instrument in map(str, chosen):
        draw = seeds.generator("percussion", instrument)
        pattern = str(draw.choice(_data()["percussion_patterns"][instrument]))
        keys = percussion_keys()[instrument]
        silent = {s for s in ("intro", "verse", "solo") if draw.random() < 0.25}
        events = [
            (float(number * STEPS + step), 1.0, int(draw.choice(keys)), velocity)
            for number, bar in enumerate(bars)
            if bar.section not in silent
            for step, velocity in hits(pattern)
        ]
        parts.append((Part(instrument.title(), instrument, note_array(()), percussion=True), events))
    return parts

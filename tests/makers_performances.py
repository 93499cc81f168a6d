"""Small pieces, and people playing them: known times of every event, a sound that is not the reference's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tonmeister.live.scores import Score, ScoreNote, TempoMark, score_of_notes
from tonmeister.units import FloatArray

RATE = 16_000
SCALE = (0, 2, 4, 5, 7, 9, 11)

Curve = Callable[[float], float]


def piece(seed: int = 1, *, bars: int = 10) -> Score:
    """A melody over chords in 4/4, written at 120 beats a minute."""
    random = np.random.default_rng(seed)
    root, degree, notes = int(random.integers(50, 60)), 7, []
    for bar in range(bars):
        chord = int(random.choice([0, 3, 4, 5]))
        for third in (0, 2, 4):
            step = chord + third
            notes.append(
                ScoreNote(4.0 * bar, 2.0, root - 12 + SCALE[step % 7] + 12 * (step // 7), part="chords")
            )
        at = 0.0
        while at < 4.0:
            length = min(float(random.choice([0.5, 0.5, 1.0, 1.0, 1.5])), 4.0 - at)
            degree = int(np.clip(degree + random.integers(-3, 4), 3, 14))
            pitch = root + SCALE[degree % 7] + 12 * (degree // 7)
            notes.append(ScoreNote(4.0 * bar + at, length, pitch, part="melody"))
            at += length
    return score_of_notes(f"piece {seed}", notes, [TempoMark(0.0, 0.5)])


@dataclass(frozen=True)
class Played:
    """A performance and when its events really were."""

    sound: FloatArray
    """(1, frames) at RATE."""
    times_s: dict[float, float]
    """Score position -> seconds."""


def plain(_: float) -> float:
    return 0.5


def slower(_: float) -> float:
    return 0.6


def faster(_: float) -> float:
    return 0.42


def accelerando(beat: float) -> float:
    return 0.58 - 0.2 * min(beat / 40, 1.0)


def ritardando(beat: float) -> float:
    return 0.47 + 0.25 * float(np.clip((beat - 24) / 16, 0, 1)) ** 2


def rubato(beat: float) -> float:
    return 0.5 * (
        1 + 0.15 * float(np.sin(2 * np.pi * beat / 16)) + 0.04 * float(np.sin(2 * np.pi * beat / 5))
    )


def perform(
    score: Score,
    curve: Curve,
    *,
    seed: int = 0,
    lead_s: float = 0.4,
    jitter_s: float = 0.006,
    wrong: float = 0.0,
    skip: tuple[float, float] | None = None,
    tail_s: float = 0.5,
) -> Played:
    """Play a score with seconds per beat from `curve`; notes are loose by `jitter_s`, a share of them is wrong."""
    random = np.random.default_rng(seed)
    grid = np.linspace(0, score.length_beats, 4001)
    lengths = np.array([curve(float(b)) for b in grid])
    seconds = lead_s + np.concatenate(([0.0], np.cumsum((lengths[1:] + lengths[:-1]) / 2 * np.diff(grid))))
    gone = (np.interp(skip[1], grid, seconds) - np.interp(skip[0], grid, seconds)) if skip else 0.0

    def at(beat: float) -> float:
        return float(np.interp(beat, grid, seconds)) - (gone if skip and beat >= skip[1] else 0.0)

    def left_out(beat: float) -> bool:
        return skip is not None and skip[0] <= beat < skip[1]

    sound = np.zeros(int((at(score.length_beats) + tail_s) * RATE))
    for note in score.notes:
        if left_out(note.onset_beats):
            continue
        pitch = note.pitch
        if random.random() < wrong:
            pitch += int(random.choice([-2, -1, 1, 2]))
        start_s = at(note.onset_beats) + random.normal(0, jitter_s)
        end_s = at(note.onset_beats) + (at(note.onset_beats + note.length_beats) - at(note.onset_beats)) * 0.9
        _pluck(sound, pitch, max(start_s, 0.0), max(end_s, start_s + 0.08), random)
    room = np.exp(-np.arange(2000) / 400) * random.standard_normal(2000) * 0.03
    size = len(sound) + len(room)
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(room, size), size)
    sound += wet[: len(sound)] + 0.0005 * random.standard_normal(len(sound))
    times = {e.beat: at(e.beat) for e in score.events if not left_out(e.beat)}
    return Played(sound[None].astype(np.float32), times)


def _pluck(sound: np.ndarray, pitch: int, start_s: float, end_s: float, random: np.random.Generator) -> None:
    """A bright, slightly inharmonic, decaying tone with a noisy attack."""
    begin, end = int(start_s * RATE), min(int((end_s + 0.15) * RATE), len(sound))
    times = np.arange(max(end - begin, 0)) / RATE
    base = 440 * 2 ** ((pitch - 69) / 12) * (1 + random.normal(0, 5e-4))
    tone = np.zeros(len(times))
    for h in range(1, 13):
        frequency = h * base * np.sqrt(1 + 2e-4 * h * h)
        if frequency < 0.45 * RATE:
            tone += (
                h**-0.9
                * np.exp(-times * (2 + h))
                * np.sin(2 * np.pi * frequency * times + random.random() * 6)
            )
    tone += 0.2 * np.exp(-times * 200) * random.standard_normal(len(times))
    release = np.clip((end_s + 0.15 - start_s - times) / 0.15, 0, 1)
    sound[begin:end] += 0.08 * random.uniform(0.6, 1.2) * tone * release

"""What is to be played: parts of notes, in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.songs import NOTE, NoteArray, SynthesisOptions

__all__ = ["Part", "Score", "arrange", "no_notes", "note_array"]

_SHORTEST_S = 0.03
_LEAST_VELOCITY = 12


@dataclass(frozen=True, eq=False)
class Part:
    """One player: an instrument and its notes."""

    name: str
    instrument: str
    """A word of the vocabulary; ``drums`` for a whole kit, whose pitches are percussion keys."""
    notes: NoteArray
    role: str = "foreground"
    program: int | None = None
    """General MIDI program the score asks for."""
    percussion: bool = False
    """Whether pitches are percussion keys."""

    @property
    def end_s(self) -> float:
        return float((self.notes["start_s"] + self.notes["length_s"]).max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Score:
    """A piece of music before it is arranged."""

    title: str
    origin: str
    """Name of the MIDI file, or ``composed: <style>``."""
    style: str
    tempo_bpm: float
    parts: tuple[Part, ...]
    first_note_s: float = 0.0
    """Where the music begins."""

    @property
    def end_s(self) -> float:
        return max((p.end_s for p in self.parts), default=0.0)


def note_array(notes: Iterable[tuple[float, float, int, int]]) -> NoteArray:
    """(start, length, pitch, velocity) as an array in order of time."""
    array = np.array(list(notes), dtype=NOTE)
    return array[np.lexsort((array["pitch"], array["start_s"]))]


def no_notes() -> NoteArray:
    """Nothing played."""
    return np.zeros(0, NOTE)


def arrange(score: Score, options: SynthesisOptions, seeds: Seeds) -> Score:
    """A variation: an excerpt in another tempo and key, with parts left out, humanly played."""
    random = seeds.generator("arrangement")
    factor = random.uniform(1 - options.tempo_spread, 1 + options.tempo_spread)
    semitones = int(random.integers(-options.transposition, options.transposition + 1))
    score = _stretched(score, factor)
    start_s = _excerpt_start(score, options.duration_s, random)
    parts = [_cut(p, start_s, options.duration_s) for p in score.parts]
    parts = _chosen([p for p in parts if len(p.notes)], options, random)
    played = [_humanized(_transposed(p, semitones), options, seeds.child("player", p.name)) for p in parts]
    return replace(score, parts=tuple(played))


def _stretched(score: Score, factor: float) -> Score:
    def slower(part: Part) -> Part:
        notes = part.notes.copy()
        notes["start_s"] /= factor
        notes["length_s"] /= factor
        return replace(part, notes=notes)

    parts = tuple(map(slower, score.parts))
    return replace(
        score, parts=parts, tempo_bpm=score.tempo_bpm * factor, first_note_s=score.first_note_s / factor
    )


def _excerpt_start(score: Score, duration_s: float, random: np.random.Generator) -> float:
    """A moment at which at least two thirds of what the whole piece plays on average is played."""
    room_s = max(score.end_s - duration_s, score.first_note_s)
    starts = [float(random.uniform(score.first_note_s, room_s)) for _ in range(8)]
    counts = [sum(len(_cut(p, start, duration_s).notes) > 0 for p in score.parts) for start in starts]
    enough = max(counts) * 2 / 3
    return next(start for start, count in zip(starts, counts, strict=True) if count >= enough)


def _cut(part: Part, start_s: float, duration_s: float) -> Part:
    """The notes struck in an excerpt, moved to its beginning and ended with it."""
    inside = (part.notes["start_s"] >= start_s) & (part.notes["start_s"] < start_s + duration_s - _SHORTEST_S)
    notes = part.notes[inside].copy()
    notes["start_s"] -= start_s
    notes["length_s"] = np.minimum(notes["length_s"], duration_s - notes["start_s"])
    return replace(part, notes=notes)


def _chosen(parts: Sequence[Part], options: SynthesisOptions, random: np.random.Generator) -> list[Part]:
    """Some of the parts, in their order; busy ones are kept rather than those of a few notes."""
    if len(parts) <= options.fewest_parts:
        return list(parts)
    count = int(random.integers(options.fewest_parts, min(len(parts), options.most_parts) + 1))
    count = max(count, min(len(parts), options.most_parts) - 2)
    weight = np.array([np.sqrt(len(p.notes)) for p in parts])
    chosen = random.choice(len(parts), count, replace=False, p=weight / weight.sum())
    return [parts[i] for i in sorted(chosen)]


def _transposed(part: Part, semitones: int) -> Part:
    if part.percussion or not semitones:
        return part
    notes = part.notes.copy()
    pitch = notes["pitch"] + semitones
    notes["pitch"] = np.where(pitch > 127, pitch - 12, np.where(pitch < 0, pitch + 12, pitch))
    return replace(part, notes=notes)


def _humanized(part: Part, options: SynthesisOptions, seeds: Seeds) -> Part:
    """Struck a little early or late, harder or softer, held shorter or longer."""
    random, notes = seeds.generator("jitter"), part.notes.copy()
    count = len(notes)
    late_s = random.normal(0.0, options.timing_jitter_ms / 1000, count)
    notes["start_s"] = np.clip(notes["start_s"] + late_s, 0.0, options.duration_s - _SHORTEST_S)
    harder = random.normal(1.0, options.velocity_spread, count) * random.uniform(0.85, 1.1)
    notes["velocity"] = np.clip(np.rint(notes["velocity"] * harder), _LEAST_VELOCITY, 127)
    articulation = 1.0 if part.percussion else random.uniform(0.6, 1.05)
    length_s = notes["length_s"] * articulation
    notes["length_s"] = np.clip(length_s, _SHORTEST_S, options.duration_s - notes["start_s"])
    return replace(part, notes=notes[np.argsort(notes["start_s"], kind="stable")])

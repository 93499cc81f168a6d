"""Raw recordings of one source: parts of composed songs, unevenly played, heard by one to three microphones, summed.

Player, instrument, room, microphone, noise and faults are those of `training.synthesis`; only the players of the four
groups are asked to play, and where nobody would sing somebody does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.autoencoder.groups import group_of
from tonmeister.training.stems.numbers import stem_numbers
from tonmeister.training.synthesis.composing import compose
from tonmeister.training.synthesis.performing import Band, Performed
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.recording import comes_by_cable, record
from tonmeister.training.synthesis.scores import Part, arrange
from tonmeister.training.synthesis.songs import SynthesisOptions
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["RATE", "RawStem", "raw_stems"]

RATE: Final = 44_100
_MICROPHONES: Final = {"guitar": (0.4, 0.8), "vocals": (0.7, 1.0), "bass": (0.6, 1.0), "keys": (0.8, 1.0)}
"""Chance of at most one, at most two; the rest is three."""


@dataclass(frozen=True, eq=False)
class RawStem:
    """The sum of the recordings of one source, mono: (frames,)."""

    group: str
    instrument: str
    song: str
    samples: FloatArray


@lru_cache(maxsize=2)
def _band(duration_s: float, soundfonts: tuple[Path, ...] | None) -> Band:
    options = SynthesisOptions(
        duration_s=duration_s, sample_rate=RATE, soundfonts=soundfonts, drumkits=(), share_of_synthesizer=0.3
    )
    return Band(options)


def raw_stems(
    seed: int, *, duration_s: float, soundfonts: tuple[Path, ...] | None = None
) -> Iterator[RawStem]:
    """The raw stems of the song of `seed`; a function of the seed and the soundfonts."""
    band, seeds = _band(duration_s, soundfonts), Seeds.of(seed).child("stem song")
    score = compose(seeds.child("composing"), length_s=duration_s)
    score = arrange(score, band.options, seeds.child("arranging"))
    for part in _with_voice(score.parts):
        group = group_of(part.instrument)
        if group is not None and not part.percussion:
            of_part = seeds.child("part", part.name)
            played = _played(band, part, score.origin, of_part)
            if played is not None:
                samples = _recorded(played, group, of_part)
                yield RawStem(group, part.instrument, str(seed), samples)


def _with_voice(parts: Sequence[Part]) -> Sequence[Part]:
    """Where nobody sings, a voice doubles the highest part."""
    if any(group_of(p.instrument) == "vocals" for p in parts):
        return parts
    melodic = [p for p in parts if not p.percussion and len(p.notes)]
    highest = max(melodic, key=lambda p: float(np.median(p.notes["pitch"])), default=None)
    if highest is None:
        return parts
    return [*parts, dataclasses.replace(highest, name="Voice", instrument="lead_voice", role="lead")]


def _played(band: Band, part: Part, origin: str, seeds: Seeds) -> Performed | None:
    if group_of(part.instrument) == "vocals":
        return band.sing(part, origin, seeds)
    return band.play(part, origin, seeds)


def _recorded(played: Performed, group: str, seeds: Seeds) -> FloatArray:
    """Unevenly played, then the sum of its microphones, each a little later and softer than the one before."""
    dry = played.dry.mean(0, keepdims=True)
    uneven = stem_numbers("uneven")[group]
    dry = dry * _wandering(dry.shape[1], uneven["db"], uneven["step_s"], seeds.generator("uneven"))
    random = seeds.generator("microphones")
    one, two = _MICROPHONES[group]
    drawn = float(random.random())
    count = 1 if drawn < one or comes_by_cable(played.instrument) else 2 if drawn < two else 3
    total = np.zeros(dry.shape[1], np.float32)
    for number in range(count):
        sound = record(
            dry, played.instrument, seeds.child("microphone", number), sample_rate=RATE, faults=0.8
        )
        raw = sound.raw.mean(0)
        if "polarity" in sound.detail:  # an engineer turns it before anything is summed
            raw = -raw
        late = round(float(random.uniform(0.0, 0.002)) * RATE) if number else 0
        level = db_to_gain(float(random.uniform(-9.0, 0.0))) if number else 1.0
        peak = float(np.abs(raw).max(initial=0.0)) or 1.0
        total[late:] += raw[: len(raw) - late] * np.float32(level / peak * 0.5)
    return total


def _wandering(frames: int, spread_db: float, step_s: float, random: np.random.Generator) -> FloatArray:
    """A gain that drifts: independent values every `step_s`, joined by half cosines."""
    count = int(frames / RATE / step_s) + 3
    values = np.clip(random.normal(0.0, spread_db, count), -2.5 * spread_db, 2.5 * spread_db)
    at = np.arange(frames) / (RATE * step_s) + float(random.random())
    left = at.astype(np.int64)
    blend = 0.5 - 0.5 * np.cos(np.pi * (at - left))
    gain_db = values[left] * (1 - blend) + values[left + 1] * blend
    return (10 ** (gain_db / 20)).astype(np.float32)

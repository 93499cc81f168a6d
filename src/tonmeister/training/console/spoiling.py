"""Known damage to a track before it is measured, and the console that answers it.

A tone control no engineer asked for is to be taken back; a track may come with its compression already on it, which
the console then must not do again. A wrong level needs no damage: what the network is told does not depend on levels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.units import FloatArray

__all__ = ["Damage", "draw_damage", "draw_tone", "through"]

_SHAPES: Final = ("low_shelf", "peak", "peak", "high_shelf")
_FREQUENCY_HZ: Final = {"low_shelf": (60.0, 250.0), "peak": (120.0, 6000.0), "high_shelf": (2500.0, 9000.0)}
_TONE_DB: Final = 3.5
_MOST_DB: Final = 9.0
_TONES: Final = 0.6
"""How many tracks have their tone spoiled."""
_COMPRESSED: Final = 0.25
"""How many of the compressed tracks come compressed."""


@dataclass(frozen=True)
class Damage:
    """What is done to a track, in this order."""

    tone: Equalizer
    compressor: Compressor | None = None

    @property
    def effects(self) -> tuple[Effect, ...]:
        return (self.tone,) if self.compressor is None else (self.tone, self.compressor)


def draw_damage(wanted: Compressor | None, random: np.random.Generator) -> Damage:
    """For a track on which the engineer would put the compressor `wanted`."""
    tone = draw_tone(random) if random.random() < _TONES else Equalizer()
    already = wanted is not None and random.random() < _COMPRESSED
    return Damage(tone, dataclasses.replace(wanted, makeup_db=0.0) if wanted and already else None)


def draw_tone(random: np.random.Generator) -> Equalizer:
    """One to three sections of some decibels."""
    sections = []
    for _ in range(int(random.integers(1, 4))):
        shape = str(random.choice(_SHAPES))
        low, high = _FREQUENCY_HZ[shape]
        hertz = float(np.exp(random.uniform(np.log(low), np.log(high))))
        gain_db = float(np.clip(random.normal(0.0, _TONE_DB), -_MOST_DB, _MOST_DB))
        sections.append(EqSection(shape, hertz, gain_db, float(random.uniform(0.6, 1.6))))  # type: ignore[arg-type]
    return Equalizer(tuple(sections))


def through(samples: FloatArray, effects: Sequence[Effect], sample_rate: int) -> FloatArray:
    """A track behind `effects` without latency; (channels, frames)."""
    out = np.array(samples, np.float32)
    for effect in effects:
        processor = effect.processor()
        processor.prepare(sample_rate, len(out), out.shape[1])
        out = processor.process(out)
    return out

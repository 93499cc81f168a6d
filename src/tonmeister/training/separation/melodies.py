"""Many singers, one melody each: a network that is to know voices must hear more of them than songs have."""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.training.synthesis.singer import sing
from tonmeister.training.synthesis.songs import NOTE, NoteArray
from tonmeister.units import FloatArray

__all__ = ["sung_melody"]

_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)
_SEVERAL_SHARE: Final = 0.2
"""How often two or three sing, a third apart."""
_LONGEST_REST_S: Final = 0.8


def sung_melody(seed: int, *, seconds: float, sample_rate: int) -> FloatArray:
    """A random walk on a scale, sung by one person or by a few: (2, frames)."""
    rng = np.random.default_rng([seed, 3])
    players = int(rng.integers(2, 4)) if rng.random() < _SEVERAL_SHARE else 1
    notes = _walk(rng, seconds, players)
    return sing(
        notes, frames=round(seconds * sample_rate), sample_rate=sample_rate, random=rng, players=players
    )


def _walk(rng: np.random.Generator, seconds: float, players: int) -> NoteArray:
    key, degree, at, rows = int(rng.integers(48, 72)), 0, 0.0, []
    while at < seconds - 0.2:
        length = float(rng.choice((0.15, 0.25, 0.4, 0.7, 1.2)) * rng.uniform(0.8, 1.2))
        degree = int(np.clip(degree + rng.integers(-2, 3), -5, 9))
        velocity = int(rng.integers(60, 120))
        for voice in range(players):
            octave, step = divmod(degree + 2 * voice, len(_SCALE))
            rows.append((at, length, key + 12 * octave + _SCALE[step], velocity))
        at += length + float(rng.uniform(0.2, _LONGEST_REST_S) if rng.random() < 0.15 else 0.0)
    return np.array(rows, NOTE)

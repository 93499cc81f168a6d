"""Patches of what was heard, as a network is shown them: at a random place, louder or softer, standardized."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.separation.front_end import FLOOR, scaled
from tonmeister.training.separation.mixtures import Heard
from tonmeister.units import FloatArray

__all__ = ["Batch", "Patches", "Scaling"]

_DB: Final = 0.1
"""One decibel in log10 of a power."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """How features are scaled; never by the song.

    ``log``: (log10 power - mean) / deviation per band. ``magnitude``: magnitude / largest of all that is learned from.
    ``relative``: magnitude / root mean square of the patch.
    """

    feature: str
    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, heard: Heard, feature: str) -> Scaling:
        """From all that is learned from."""
        bands = heard.mixture.shape[1]
        if feature != "log":
            largest = float(10.0 ** (float(heard.mixture.max()) / 2)) if feature == "magnitude" else 1.0
            return cls(feature, np.zeros(bands, np.float32), np.full(bands, largest, np.float32))
        log = np.maximum(heard.mixture.astype(np.float32), np.log10(FLOOR))
        return cls(feature, log.mean(0), np.maximum(log.std(0), 1e-3).astype(np.float32))

    def __call__(self, log_power: FloatArray) -> FloatArray:
        """Features of log10 powers (n, frames, bands)."""
        return scaled(10.0**log_power, self.feature, self.mean, self.deviation)


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches: `features` (n, frames, bands), and powers relative to each patch's mean for targets and weights."""

    features: FloatArray
    mixture: FloatArray
    """Powers (n, frames, bands)."""
    stems: FloatArray
    """Powers (stems, n, frames, bands)."""


@dataclass(frozen=True, eq=False)
class Patches:
    """All patches of `frames` frames in what was heard; `middle`: targets are wanted of the middle frame only."""

    heard: Heard
    frames: int
    scaling: Scaling
    middle: bool = False

    def batches(self, count: int, batch: int, rng: np.random.Generator, *, gain_db: float) -> Iterator[Batch]:
        """`count` patches from random places."""
        places = self.heard.length - self.frames + 1
        for first in range(0, count, batch):
            n = min(batch, count - first)
            starts = rng.integers(self.heard.examples, size=n) * self.heard.length + rng.integers(
                places, size=n
            )
            yield self._batch(starts, rng.uniform(-gain_db, gain_db, (n, 1, 1)).astype(np.float32))

    def evenly(self, count: int, batch: int) -> Iterator[Batch]:
        """About `count` patches at equal distances, as loud as they are."""
        places = self.heard.length - self.frames + 1
        starts = np.concatenate(
            [e * self.heard.length + np.arange(places) for e in range(self.heard.examples)]
        )
        chosen = starts[:: max(1, len(starts) // count)]
        for first in range(0, len(chosen), batch):
            yield self._batch(chosen[first : first + batch], np.float32(0.0))

    def _batch(self, starts: NDArray[np.int64], gain_db: FloatArray | np.float32) -> Batch:
        rows = starts[:, None] + np.arange(self.frames)
        mixture = self.heard.mixture[rows].astype(np.float32)
        features = self.scaling(mixture + gain_db * np.float32(_DB))
        if self.middle:
            rows = rows[:, self.frames // 2][:, None]
            mixture = mixture[:, self.frames // 2][:, None]
        powers, stems = 10.0**mixture, 10.0 ** self.heard.stems[:, rows].astype(np.float32)
        level = powers.mean((1, 2), keepdims=True) + np.float32(1e-12)
        return Batch(features, powers / level, stems / level)

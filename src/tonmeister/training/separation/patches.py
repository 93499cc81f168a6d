"""Patches of what was heard, as a network is shown them: at a random place, louder or softer, standardized."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.separation.front_end import FLOOR, scaled
from tonmeister.training.separation.mixtures import Heard
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Batch", "Patches", "Scaling"]

_DB: Final = 0.1
"""One decibel in log10 of a power."""
_REMIX_DB: Final = 6.0
"""How much louder or softer a stem of a remixed patch is than where it comes from."""
_TONE_DB: Final = 4.0
"""Deviation of its slope, from the middle to either end, and of its bell."""
_TRANSPOSITION: Final = 3.0
"""Most semitones up or down."""


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

    def __call__(self, power: FloatArray) -> FloatArray:
        """Features of powers (n, frames, bands)."""
        return scaled(power, self.feature, self.mean, self.deviation)


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
    """All patches of `frames` frames in what was heard; `middle`: targets are wanted of the middle frame only.

    A share `remixed` of the patches puts stems of different places together, each at another pitch, loudness and tone,
    their powers added up as those of unrelated sounds do on average: few songs then make many mixtures.
    """

    heard: Heard
    frames: int
    scaling: Scaling
    centers: DoubleArray
    """Of the bands, in bins."""
    middle: bool = False
    remixed: float = 0.0

    def batches(
        self, count: int, batch: int, rng: np.random.Generator, *, gain_db: float, hidden: float = 0.0
    ) -> Iterator[Batch]:
        """`count` patches from random places, up to `gain_db` louder or softer, a share of the features hidden."""
        for first in range(0, count, batch):
            n = min(batch, count - first)
            starts = self._places(n, rng)
            mixture, stems = self._powers(starts)
            if self.remixed > 0:
                mixture, stems = self._remixed(mixture, stems, rng)
            gain = 10.0 ** (_DB * rng.uniform(-gain_db, gain_db, (n, 1, 1)).astype(np.float32))
            made = self._batch(mixture, stems, np.asarray(gain, np.float32))
            if hidden > 0:
                made.features[rng.random(made.features.shape, dtype=np.float32) < hidden] = 0.0
            yield made

    def evenly(self, count: int, batch: int) -> Iterator[Batch]:
        """About `count` patches at equal distances, as they are."""
        places = self.heard.length - self.frames + 1
        starts = np.concatenate(
            [e * self.heard.length + np.arange(places) for e in range(self.heard.examples)]
        )
        chosen = starts[:: max(1, len(starts) // count)]
        for first in range(0, len(chosen), batch):
            yield self._batch(*self._powers(chosen[first : first + batch]), np.ones((1, 1, 1), np.float32))

    def _places(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        places = self.heard.length - self.frames + 1
        return rng.integers(self.heard.examples, size=count) * self.heard.length + rng.integers(
            places, size=count
        )

    def _powers(self, starts: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Mixture (n, frames, bands) and stems (stems, n, frames, bands)."""
        rows = starts[:, None] + np.arange(self.frames)
        return (
            np.power(np.float32(10), self.heard.mixture[rows].astype(np.float32)),
            np.power(np.float32(10), self.heard.stems[:, rows].astype(np.float32)),
        )

    def _remixed(
        self, mixture: FloatArray, stems: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        chosen = np.flatnonzero(rng.random(len(mixture)) < self.remixed)
        for number in range(len(stems)):
            rows = self._places(len(chosen), rng)[:, None] + np.arange(self.frames)
            other = np.power(np.float32(10), self.heard.stems[number, rows].astype(np.float32))
            stems[number, chosen] = self._transposed(other, rng) * self._tone(len(chosen), rng)
        mixture[chosen] = stems[:, chosen].sum(0)
        return mixture, stems

    def _transposed(self, powers: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Each patch a few semitones up or down, as far as bands can show it."""
        semitones = rng.uniform(-_TRANSPOSITION, _TRANSPOSITION, (len(powers), 1))
        wanted = self.centers * 2.0 ** (semitones / 12)
        number = np.interp(wanted.ravel(), self.centers, np.arange(len(self.centers)))
        rounded = np.rint(number).astype(int).reshape(len(powers), 1, -1)
        return np.take_along_axis(powers, rounded, axis=2)

    def _tone(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Another loudness, slope and bell for each patch: factors (count, 1, bands)."""
        place = np.linspace(-1.0, 1.0, len(self.centers))
        at, width = rng.uniform(-1, 1, (count, 1, 1)), rng.uniform(0.1, 0.6, (count, 1, 1))
        level_db = rng.uniform(-_REMIX_DB, _REMIX_DB, (count, 1, 1))
        slope_db, bell_db = rng.normal(0, _TONE_DB, (2, count, 1, 1))
        bell = bell_db * np.exp(-(((place - at) / width) ** 2))
        return np.asarray(10.0 ** (_DB * (level_db + slope_db * place + bell)), np.float32)

    def _batch(self, mixture: FloatArray, stems: FloatArray, gain: FloatArray) -> Batch:
        features = self.scaling(mixture * gain)
        if self.middle:
            here = slice(self.frames // 2, self.frames // 2 + 1)
            mixture, stems = mixture[:, here], stems[:, :, here]
        level = mixture.mean((1, 2), keepdims=True) + np.float32(1e-12)
        return Batch(features, mixture / level, stems / level)

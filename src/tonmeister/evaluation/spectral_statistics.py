"""The baseline of instrument identification: a few statistics of the spectrum, and the nearest class mean.

Center, width, flatness, roll-off, shares of low and high bands, how it changes and how it dies away: what every analysis
measures. The classes are the points of their means, the distance is Euclidean in units of standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.identification.log_mel import log_mel
from tonmeister.identification.patches import loud_patches
from tonmeister.model_files.store import load_model
from tonmeister.multitrack import Track
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["BASELINE_KIND", "Centroids", "load_centroids", "statistics"]

BASELINE_KIND: Final = "instrument-centroids"
_DEPTH_DB: Final = 80.0


def statistics(picture: FloatArray) -> DoubleArray:
    """Twelve numbers of one picture (bands, steps) as of `log_mel.log_mel`."""
    power = 10.0 ** ((np.asarray(picture, float) - 1.0) * _DEPTH_DB / 10.0)
    power[np.asarray(picture) <= 0.0] = 0.0
    mean, level = power.mean(axis=1) + 1e-12, power.sum(axis=0)
    bands = np.arange(len(mean))
    share = mean / mean.sum()
    center = float(share @ bands)
    level_db = 10.0 * np.log10(level / level.max() + 1e-8) if level.max() > 0 else np.zeros(len(level))
    changes = np.diff(np.asarray(picture, float), axis=1)
    return np.array(
        [
            center,
            np.sqrt(share @ (bands - center) ** 2),
            np.exp(np.log(mean).mean()) / mean.mean(),
            np.searchsorted(np.cumsum(share), 0.85),
            share[:4].sum(),
            share[4:16].sum(),
            share[48:].sum(),
            np.maximum(changes, 0).mean(),
            np.abs(changes).mean(),
            level_db.mean(),
            level_db.std(),
            (level_db > -30.0).mean(),
        ]
    )


@dataclass(frozen=True, eq=False)
class Centroids:
    """Class means of standardized statistics."""

    classes: tuple[str, ...]
    centers: DoubleArray
    """(classes, statistics), standardized."""
    mean: DoubleArray
    deviation: DoubleArray

    def nearest(self, pictures: Sequence[FloatArray]) -> str:
        """The class nearest to the mean statistics of some pictures."""
        standard = (np.mean([statistics(p) for p in pictures], axis=0) - self.mean) / self.deviation
        return self.classes[int(np.argmin(((self.centers - standard) ** 2).sum(axis=1)))]

    def classify(self, track: Track) -> str | None:
        """The nearest class of a track's loud stretches; None for silence."""
        patches = loud_patches(track)
        return self.nearest([log_mel(patch.samples) for patch in patches]) if patches else None


def fit_centroids(
    pictures: Sequence[FloatArray], numbers: NDArray[np.int64], classes: tuple[str, ...]
) -> Centroids:
    """Class means of pictures with their class numbers; every class must occur."""
    rows = np.array([statistics(p) for p in pictures])
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    standard = (rows - mean) / deviation
    centers = np.array([standard[numbers == k].mean(axis=0) for k in range(len(classes))])
    return Centroids(classes, centers, mean, deviation)


def load_centroids(name_or_path: str | Path = "identifier-baseline") -> Centroids:
    """The shipped baseline, or another."""
    model = load_model(name_or_path, kind=BASELINE_KIND, max_bytes=1_000_000)
    classes = tuple(map(str, model.card.settings.get("classes", ())))
    arrays = [np.asarray(model.array(name), np.float64) for name in ("centers", "mean", "deviation")]
    return Centroids(classes, *arrays)

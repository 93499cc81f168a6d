"""From gains on the sides of the mix to level, pan and confidence of each track."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray, db_to_gain
from tonmeister.unmixing.result import FLOOR_DB

__all__ = ["BIAS_DB", "Sides", "confidences", "level_db", "pan_of", "sd_db_of", "span", "together"]

BIAS_DB: Final = {"coherent": 0.0, "power": 1.0, "magnitude": 3.0}
"""Error that each estimator has even where it is steady: overlapping sources do not add in magnitude or power."""
UNSURE_DB: Final = 3.0
"""A standard deviation of this size halves the confidence."""
AUDIBLE_DB: Final = -40.0
"""An uncertain gain matters less once the track is this far below the mix."""
_DB: Final = 20.0 / math.log(10.0)

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sides:
    """Gains and variances, (frames, sides, tracks); NaN where a side of a track says nothing."""

    gains: DoubleArray
    variance: DoubleArray


def together(sides: Sides) -> tuple[DoubleArray, DoubleArray]:
    """Linear gain g and its variance, (frames, tracks): g^2 = (left^2 + right^2) / 2, as the pan law has it.

    Where only one side says something, its gain is taken.
    """
    power = np.square(sides.gains)
    known = ~np.isnan(power)
    count = np.maximum(known.sum(axis=1), 1)
    total = np.where(known, power, 0.0).sum(axis=1)
    spread = np.where(known, power * sides.variance, 0.0).sum(axis=1)
    plain = np.where(known, sides.variance, 0.0).sum(axis=1) / count
    variance = np.divide(spread, total * count, out=plain, where=total > 0)
    gain = np.sqrt(total / count)
    heard = known.any(axis=1)
    return np.where(heard, gain, np.nan), np.where(heard, variance, np.nan)


def pan_of(gains: DoubleArray) -> DoubleArray:
    """Pan -1 to 1 of (..., sides, tracks) gains: 4/pi atan2(right, left) - 1; NaN where it cannot be said."""
    if gains.shape[-2] < 2:
        return np.full((*gains.shape[:-2], gains.shape[-1]), np.nan)
    left, right = gains[..., 0, :], gains[..., 1, :]
    angle = np.arctan2(right, left)
    return np.where(
        np.hypot(left, right) > math.sqrt(2.0) * db_to_gain(FLOOR_DB), 4.0 / math.pi * angle - 1.0, np.nan
    )


def level_db(gain: DoubleArray) -> DoubleArray:
    """Decibels, not below the floor; NaN stays NaN."""
    return np.asarray(20.0 * np.log10(np.maximum(gain, db_to_gain(FLOOR_DB))))


def sd_db_of(
    gain: DoubleArray, variance: DoubleArray, track_energy: DoubleArray, mix_energy: DoubleArray
) -> DoubleArray:
    """Standard deviation in decibels (frames, tracks).

    Below `AUDIBLE_DB` re the mix (mix_energy (frames,), track_energy (frames, tracks)) it is reckoned against that
    level instead of the gain, which may be zero.
    """
    ratio = np.divide(
        mix_energy[:, None], track_energy, out=np.zeros_like(track_energy), where=track_energy > 0
    )
    least = np.maximum(db_to_gain(AUDIBLE_DB) * np.sqrt(ratio), db_to_gain(FLOOR_DB))
    return np.asarray(_DB * np.sqrt(variance) / np.maximum(gain, least))


def confidences(sd_db: DoubleArray, explained: DoubleArray, mode: str) -> DoubleArray:
    """Confidence 0 to 1 of every frame and track: explained / (1 + (sd^2 + bias^2) / 3 dB^2)."""
    spread = (np.square(sd_db) + BIAS_DB[mode] ** 2) / UNSURE_DB**2
    return np.asarray(explained[:, None] / (1.0 + spread))


def span(values: DoubleArray) -> float:
    """What the middle 90 % of the values cover; 0 where there are none."""
    known = values[np.isfinite(values)]
    return float(np.subtract(*np.percentile(known, [95, 5]))) if len(known) else 0.0

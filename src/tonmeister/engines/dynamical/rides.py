"""From the hidden state to faders a person would move: limited in range and speed, still while nothing sounds.

x'_t = mean + (x_t - mean) / (1 + (sd_t / 3 dB)^2)        the less sure, the nearer to the mean
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.engines.dynamical.options import DynamicalOptions
from tonmeister.engines.dynamical.state_space import Estimates
from tonmeister.features import FRAME_HOP_S
from tonmeister.units import DoubleArray

__all__ = ["RANGE_DB", "SLEW_DB_PER_S", "Ride", "limited", "rides"]

SLEW_DB_PER_S: Final = 6.0
RANGE_DB: Final = 6.0
"""Reconstructions, notes on Scott et al. (2011), 4.9.3."""
DOUBT_DB: Final = 3.0
WITHIN_DB: Final = 1.5
"""Confidence is the probability that the error is smaller than this."""


@dataclass(frozen=True, eq=False)
class Ride:
    """Of one group."""

    mean_db: float
    """Over the frames in which it sounds, re the model's mean."""
    deviation_db: DoubleArray
    """Around the mean, shape (F,)."""
    deviation_of_state_db: float
    confidence: float
    """P(|error| < 1.5 dB), by the model's own account; 0 where it observed nothing."""


def rides(estimates: Estimates, active: np.ndarray, options: DynamicalOptions) -> list[Ride]:
    """One ride per group."""
    deviations = estimates.deviations
    return [
        _ride(estimates.means[:, k], deviations[:, k], active[:, k], options)
        for k in range(estimates.means.shape[1])
    ]


def _ride(gain_db: DoubleArray, sd_db: DoubleArray, sounds: np.ndarray, options: DynamicalOptions) -> Ride:
    if not sounds.any():
        return Ride(0.0, np.zeros(len(gain_db)), float(sd_db.mean()) if len(sd_db) else 0.0, 0.0)
    mean = float(gain_db[sounds].mean())
    path = gain_db - mean
    if options.profile == "improved":
        path = path / (1.0 + (sd_db / DOUBT_DB) ** 2)
        path = limited(_calmer(path, options.smoothness), RANGE_DB, SLEW_DB_PER_S * FRAME_HOP_S)
    spread = float(sd_db[sounds].mean())
    sure = math.erf(WITHIN_DB / (max(spread, 1e-6) * math.sqrt(2.0)))
    return Ride(mean, frozen(path, sounds), spread, sure)


def _calmer(path: DoubleArray, smoothness: float) -> DoubleArray:
    """A zero-phase moving average of up to four seconds to either side; half of it by default."""
    reach = round(2.0 * smoothness**2 * 8.0)
    if reach == 0 or len(path) < 3:
        return path
    kernel = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(path, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def limited(path: DoubleArray, range_db: float, step_db: float) -> DoubleArray:
    """Within ±`range_db`, and never faster than `step_db` per frame."""
    out = np.clip(path, -range_db, range_db)
    for t in range(1, len(out)):
        out[t] = min(max(out[t], out[t - 1] - step_db), out[t - 1] + step_db)
    return np.asarray(out)


def frozen(path: DoubleArray, sounds: np.ndarray) -> DoubleArray:
    """Held while nothing sounds: the last value, before the first sound the first."""
    where = np.flatnonzero(sounds)
    last = where[np.maximum(np.searchsorted(where, np.arange(len(path)), side="right") - 1, 0)]
    return path[last]

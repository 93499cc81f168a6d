"""How far a probability may be believed: a logistic map fitted on songs held out, and what is left of the error.

p' = s(slope logit(p) + offset)      reliability error: mean over ten bins of |mean p' - frequency|, by their size
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Calibration", "calibrate", "reliability_error"]

_STEPS: Final = 30
_RIDGE: Final = 1e-6
_CLOSEST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """The map."""

    slope: float = 1.0
    offset: float = 0.0


def calibrate(p: FloatArray, truth: NDArray[np.bool_]) -> Calibration:
    """The map that makes the mean of -log p'(truth) smallest, by Newton's method."""
    x = np.stack([_logit(p), np.ones(p.size)])
    found = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        given = 1.0 / (1.0 + np.exp(-np.clip(found @ x, -40, 40)))
        slope = x @ (given - truth.ravel()) / p.size
        bend = (x * (given * (1 - given))) @ x.T / p.size + _RIDGE * np.eye(2)
        step = np.linalg.solve(bend, slope)
        found = found - np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-7:
            break
    return Calibration(float(found[0]), float(found[1]))


def reliability_error(p: FloatArray, truth: NDArray[np.bool_], bins: int = 10) -> float:
    """0 when of all that is called 30 % likely 30 % are true, and so on."""
    number = np.minimum((p.ravel() * bins).astype(int), bins - 1)
    size = np.bincount(number, minlength=bins)
    called = np.bincount(number, weights=p.ravel().astype(np.float64), minlength=bins)
    true = np.bincount(number, weights=truth.ravel().astype(np.float64), minlength=bins)
    return float(np.abs(called - true).sum() / max(size.sum(), 1))


def _logit(p: FloatArray) -> DoubleArray:
    clipped = np.clip(p.ravel().astype(np.float64), _CLOSEST, 1 - _CLOSEST)
    return np.asarray(np.log(clipped / (1 - clipped)))

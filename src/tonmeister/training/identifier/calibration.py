"""How far the scores may be believed: a temperature and a bias for "unknown", fitted on sounds not taught with.

The two numbers make the mean of -log p(truth) smallest (Guo, Pleiss, Sun & Weinberger, ICML 2017, for the temperature),
over whole sounds, whose patches were averaged as the classifier does, each weighted by how often its class is met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.training.identifier.taught import CLASSES, TAUGHT, UNKNOWN
from tonmeister.units import DoubleArray

__all__ = ["Calibration", "calibrate", "expected_calibration_error", "shares"]

_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Calibration:
    """What to do to mean scores before the softmax, and how wrong the probabilities were before and after."""

    temperature: float
    unknown_bias: float
    loss_before: float
    loss_after: float


def calibrate(scores: DoubleArray, truth: NDArray[np.int64]) -> Calibration:
    """Fit on mean scores (n, classes) and class numbers (n,), by a search in ever finer grids."""
    best, found = np.inf, (0.0, 0.0)
    width = (1.2, 4.0)
    for _ in range(_ROUNDS):
        center, steps = found, np.linspace(-1.0, 1.0, 7)
        for log_temperature in center[0] + width[0] * steps:
            for bias in center[1] + width[1] * steps:
                loss = _loss(scores, truth, float(np.exp(log_temperature)), float(bias))
                if loss < best:
                    best, found = loss, (float(log_temperature), float(bias))
        width = (width[0] / 3, width[1] / 3)
    return Calibration(float(np.exp(found[0])), found[1], _loss(scores, truth, 1.0, 0.0), best)


def _loss(scores: DoubleArray, truth: NDArray[np.int64], temperature: float, bias: float) -> float:
    weights = np.array([TAUGHT[word].weight for word in CLASSES])[truth]
    given = shares(scores, temperature, bias)[np.arange(len(truth)), truth]
    return float(-np.average(np.log(given + 1e-12), weights=weights))


def shares(scores: DoubleArray, temperature: float, bias: float) -> DoubleArray:
    """Probabilities (n, classes)."""
    changed = (scores + bias * (np.array(CLASSES) == UNKNOWN)) / temperature
    raised = np.exp(changed - changed.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def expected_calibration_error(
    probabilities: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """Mean distance of how sure from how often right, over bins of equal width weighted by what is in them."""
    sure, hit = np.asarray(probabilities, float), np.asarray(right, float)
    places = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [
        abs(sure[places == b].mean() - hit[places == b].mean()) * (places == b).mean() for b in set(places)
    ]
    return float(sum(gaps))

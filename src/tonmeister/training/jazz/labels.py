"""Where an engineer put the soloist, found from a mix and its stems.

In blocks of a second, each channel of the mix is explained by all stems at once, by least squares::

    (g_L, g_R) = the soloist's gains, median over the blocks in which the soloist plays, negatives set to 0
    theta = atan2(g_R, g_L) - 45 deg,   g = sqrt(g_L^2 + g_R^2) / m

where m is the gain with which the soloist is heard in the middle of what the network will be given: there the network
says how to get from that to the engineer's image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tonmeister.engines.jazz.placement import place_of_gains
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["label", "solo_gains"]

MIN_FIT: Final = 0.8
"""Share of the mix's energy that the stems must explain; else the example is dropped."""
_ACTIVE: Final = 1e-3
"""A block counts where the soloist has more than this share of the energy of the loudest block."""
_RIDGE: Final = 1e-9


def solo_gains(
    mix: FloatArray, solo: FloatArray, others: Sequence[FloatArray], sample_rate: int
) -> tuple[float, float] | None:
    """(g_L, g_R) of a mono soloist (1, frames) in a mix (2, frames) with other stems (1 or 2, frames).

    None when the stems do not explain the mix, or the soloist never plays.
    """
    starts = range(0, mix.shape[1] - sample_rate + 1, sample_rate) or range(1)
    energy = np.array([float(np.sum(solo[:, s : s + sample_rate].astype(np.float64) ** 2)) for s in starts])
    if energy.max() <= 0.0:
        return None
    found, left, total = [], 0.0, 0.0
    for start, own in zip(starts, energy, strict=True):
        here = slice(start, start + sample_rate)
        gains = []
        for channel in range(2):
            stems = np.stack([solo[0, here], *(o[channel % len(o), here] for o in others)]).astype(np.float64)
            wanted = mix[channel, here].astype(np.float64)
            answer = _least_squares(stems, wanted)
            left += float(np.sum((wanted - answer @ stems) ** 2))
            total += float(np.sum(wanted**2))
            gains.append(float(answer[0]))
        if own > _ACTIVE * energy.max():
            found.append(gains)
    if total <= 0.0 or 1.0 - left / total < MIN_FIT:
        return None
    g_left, g_right = np.maximum(np.median(found, axis=0), 0.0)
    return float(g_left), float(g_right)


def label(gains: tuple[float, float], heard_gain: float | None = None) -> tuple[float, float]:
    """(theta, g) of the engineer's gains; `heard_gain` is m, by default that of the middle of the engineer's mix."""
    reference = 0.5 * (gains[0] + gains[1]) if heard_gain is None else heard_gain
    theta_deg, gain = place_of_gains(*gains)
    return theta_deg, gain / reference


def _least_squares(stems: DoubleArray, wanted: DoubleArray) -> DoubleArray:
    """Coefficients (stems,) by the normal equations; a silent stem gets next to nothing."""
    products = stems @ stems.T
    ridge = _RIDGE * max(float(np.trace(products)), 1e-12)
    return np.asarray(np.linalg.solve(products + ridge * np.eye(len(stems)), stems @ wanted))

"""Automation curves: few breakpoints that stay within a tolerance of many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tonmeister.strip import Curve
from tonmeister.units import DoubleArray

__all__ = ["thin", "to_curve"]

_FIRST_LOOK = 32
"""Points examined at once; doubled while a straight line may reach farther."""


def thin(
    times_s: DoubleArray | Sequence[float], values: DoubleArray | Sequence[float], tolerance: float
) -> tuple[DoubleArray, DoubleArray]:
    """Keep as few breakpoints as a single walk finds, each dropped one within `tolerance` of the lines.

    From a kept point i a line may end at j when its slope passes every k between them at most `tolerance`
    away: (v_k - v_i - tolerance) / (t_k - t_i) <= slope <= (v_k - v_i + tolerance) / (t_k - t_i). These
    bounds only narrow, so the walk takes the farthest such j before they cross, and goes on from there.

    `times_s` (n,) must rise; `values` (n,) in any unit, `tolerance` >= 0 in the same unit. First and last
    point are always kept. Returns the kept times and values, float64.
    """
    times, points = np.asarray(times_s, dtype=np.float64), np.asarray(values, dtype=np.float64)
    kept = [0] if len(times) else []
    while kept and kept[-1] < len(times) - 1:
        kept.append(_farthest(times, points, kept[-1], tolerance))
    return times[kept], points[kept]


def _farthest(times: DoubleArray, values: DoubleArray, start: int, tolerance: float) -> int:
    """Index of the last point that a line from `start` may end at."""
    look, last = _FIRST_LOOK, len(times) - 1
    while True:
        stop = min(start + look, last)
        run = times[start + 1 : stop + 1] - times[start]
        rise = values[start + 1 : stop + 1] - values[start]
        floor = np.maximum.accumulate((rise - tolerance) / run)
        ceiling = np.minimum.accumulate((rise + tolerance) / run)
        slope = rise / run
        fits = np.append(True, (slope[1:] >= floor[:-1]) & (slope[1:] <= ceiling[:-1]))
        if stop == last or floor[-1] > ceiling[-1]:
            return start + 1 + int(np.flatnonzero(fits)[-1])
        look *= 2


def to_curve(
    times_s: DoubleArray | Sequence[float], values: DoubleArray | Sequence[float], tolerance: float
) -> Curve:
    """A thinned `Curve`, its values rounded to a hundredth of `tolerance` for the reader of the plan.

    Rounding is taken off the tolerance first, so the curve as a whole stays within it.
    """
    decimals = max(0, math.ceil(-math.log10(tolerance / 100.0)))
    times, points = thin(times_s, values, tolerance - 0.5 * 10.0**-decimals)
    return Curve(
        tuple(round(float(time), 6) for time in times),
        tuple(round(float(point), decimals) for point in points),
    )

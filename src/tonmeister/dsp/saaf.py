"""A smooth adaptive activation function: a curve of parabolas over [-1, 1], straight outside.

f(x) = v_0 + v_1 x + sum_k w_k B_k(x), B_k(x) = u^2 / 2 + d max(x - a_k, 0), u = clip(x - a_(k-1), 0, d): B_k is the
indicator of interval k integrated twice, so w_k is the curvature there and f is continuously differentiable.
25 equal intervals, d = 0.08. After L. Hou et al., "ConvNets with smooth adaptive activation functions" (2017).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray

__all__ = ["INTERVALS", "NUMBERS", "basis", "curve", "identity", "shape", "slope", "slope_basis", "table"]

INTERVALS: Final = 25
NUMBERS: Final = INTERVALS + 2
"""v_0, v_1, w_1 to w_25, in this order."""
WIDTH: Final = 2.0 / INTERVALS

_LEFT: Final = -1.0 + WIDTH * np.arange(INTERVALS)


def identity() -> DoubleArray:
    """The numbers of f(x) = x."""
    numbers = np.zeros(NUMBERS)
    numbers[1] = 1.0
    return numbers


def basis(x: DoubleArray, interval: int) -> DoubleArray:
    """B_k of interval k = `interval` + 1, for values of any shape."""
    inside = np.clip(x - _LEFT[interval], 0.0, WIDTH)
    return np.asarray(inside * inside / 2.0 + WIDTH * np.maximum(x - _LEFT[interval] - WIDTH, 0.0))


def slope_basis(x: DoubleArray, interval: int) -> DoubleArray:
    """The derivative of `basis`."""
    return np.asarray(np.clip(x - _LEFT[interval], 0.0, WIDTH))


def curve(x: DoubleArray, numbers: DoubleArray) -> DoubleArray:
    """f(x) by the table."""
    flat = np.ascontiguousarray(x, np.float64).reshape(-1)
    result = np.empty_like(flat)
    shape(flat, table(numbers), result)
    return result.reshape(x.shape)


def slope(x: DoubleArray, numbers: DoubleArray) -> DoubleArray:
    """f'(x) = v_1 + sum_k w_k clip(x - a_(k-1), 0, d), by interpolation between the ends of the intervals."""
    knots = np.append(_LEFT, 1.0)
    slopes = numbers[1] + np.concatenate([[0.0], np.cumsum(numbers[2:]) * WIDTH])
    return np.asarray(np.interp(x, knots, slopes))


def table(numbers: DoubleArray) -> DoubleArray:
    """Rows left end, value there, slope there, half the curvature; shape (27, 4), the outsides first and last."""
    rows = np.zeros((INTERVALS + 2, 4))
    value, rise = numbers[0] - numbers[1], numbers[1]
    rows[0] = -1.0, value, rise, 0.0
    for k in range(INTERVALS):
        curvature = numbers[2 + k]
        rows[k + 1] = _LEFT[k], value, rise, curvature / 2.0
        value += rise * WIDTH + curvature * WIDTH**2 / 2.0
        rise += curvature * WIDTH
    rows[-1] = 1.0, value, rise, 0.0
    return rows


@kernel
def shape(source: DoubleArray, rows: DoubleArray, target: DoubleArray) -> None:
    """target[n] = f(source[n]) with the `table` in `rows`; what is no number stays none."""
    intervals = len(rows) - 2
    for n in range(len(source)):
        x = source[n]
        position = (x + 1.0) * intervals / 2.0
        k = 0
        if position >= intervals:
            k = intervals + 1
        elif position >= 0.0:
            k = int(position) + 1
        t = x - rows[k, 0]
        target[n] = rows[k, 1] + t * (rows[k, 2] + t * rows[k, 3])

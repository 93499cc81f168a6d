"""Design of second-order sections, and their frequency response; plain mathematics, nothing compiled.

A section is b0 b1 b2 a1 a2 with a0 = 1::

    H(z) = (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2)

Source: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients" (W3C Note, 2021).
A corner above 0.49 of the sample rate is moved there.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np

from tonmeister.units import ComplexArray, DoubleArray, db_to_gain

__all__ = ["SHAPES", "Shape", "butterworth", "cascade_response", "one_pole_coefficient", "section"]

Shape = Literal["peak", "low_shelf", "high_shelf", "high_pass", "low_pass"]
SHAPES: Final[tuple[Shape, ...]] = ("peak", "low_shelf", "high_shelf", "high_pass", "low_pass")

HIGHEST_CORNER: Final = 0.49
"""Of the sample rate."""


def corner(frequency_hz: float, sample_rate: int) -> float:
    """Angular frequency of a corner in radians per frame, kept below 0.49 of the sample rate."""
    return 2.0 * math.pi * min(frequency_hz / sample_rate, HIGHEST_CORNER)


def section(shape: Shape, frequency_hz: float, gain_db: float, q: float, sample_rate: int) -> DoubleArray:
    """One section b0 b1 b2 a1 a2; shape (5,).

    w = 2 pi f / fs, alpha = sin(w) / (2 q), A = 10^(gain_db / 40). 1 - cos w is computed as
    2 sin^2(w / 2), which keeps its digits at 20 Hz.
    """
    w = corner(frequency_hz, sample_rate)
    alpha = math.sin(w) / (2.0 * q)
    if shape in ("low_pass", "high_pass"):
        return _pass(shape == "low_pass", w, alpha)
    A = db_to_gain(gain_db / 2.0)
    if shape == "peak":
        cos = math.cos(w)
        b = (1.0 + alpha * A, -2.0 * cos, 1.0 - alpha * A)
        return _normalized(b, (1.0 + alpha / A, -2.0 * cos, 1.0 - alpha / A))
    return _shelf(shape == "low_shelf", w, alpha, A)


def _pass(low: bool, w: float, alpha: float) -> DoubleArray:
    cos = math.cos(w)
    middle = 2.0 * math.sin(w / 2.0) ** 2 if low else -(1.0 + cos)
    half = abs(middle) / 2.0
    return _normalized((half, middle, half), (1.0 + alpha, -2.0 * cos, 1.0 - alpha))


def _shelf(low: bool, w: float, alpha: float, A: float) -> DoubleArray:
    """The low shelf of the cookbook; the high shelf is the same with the sign of cos w turned."""
    sign = 1.0 if low else -1.0
    cos, root = sign * math.cos(w), 2.0 * math.sqrt(A) * alpha
    up, down = A + 1.0, A - 1.0
    b = (A * (up - down * cos + root), sign * 2.0 * A * (down - up * cos), A * (up - down * cos - root))
    a = (up + down * cos + root, sign * -2.0 * (down + up * cos), up + down * cos - root)
    return _normalized(b, a)


def _normalized(b: tuple[float, float, float], a: tuple[float, float, float]) -> DoubleArray:
    return np.array([b[0] / a[0], b[1] / a[0], b[2] / a[0], a[1] / a[0], a[2] / a[0]])


def butterworth(
    shape: Literal["low_pass", "high_pass"], frequency_hz: float, order: int, sample_rate: int
) -> DoubleArray:
    """A Butterworth filter of even order: sections with Q = 1 / (2 sin((2 k + 1) pi / (2 order))).

    Shape (order / 2, 5).
    """
    qualities = [1.0 / (2.0 * math.sin((2 * k + 1) * math.pi / (2 * order))) for k in range(order // 2)]
    return np.stack([section(shape, frequency_hz, 0.0, q, sample_rate) for q in sorted(qualities)])


def cascade_response(coefficients: DoubleArray, frequency_hz: DoubleArray, sample_rate: int) -> ComplexArray:
    """Complex response of sections (n, 5) in series at each frequency."""
    z = np.exp(-2j * np.pi * np.asarray(frequency_hz, np.float64) / sample_rate)
    response = np.ones(z.shape, np.complex128)
    for b0, b1, b2, a1, a2 in coefficients:
        response *= (b0 + z * (b1 + z * b2)) / (1.0 + z * (a1 + z * a2))
    return response


def one_pole_coefficient(frequency_hz: float, sample_rate: int) -> float:
    """Step a of the low-pass y += a (x - y): a = 1 - exp(-2 pi f / fs)."""
    return -math.expm1(-corner(frequency_hz, sample_rate))

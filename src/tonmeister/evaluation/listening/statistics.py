"""Non-parametric statistics of paired ratings, with numpy alone.

A block is a set of conditions rated together: one row of ``scores``, shape (blocks, conditions).

* Friedman's test: ranks within blocks, chi-squared corrected for ties (Friedman 1937; Conover, Practical
  Nonparametric Statistics, 3rd ed., 5.8).
* Wilcoxon's signed-rank test: zeros dropped, ties at their mean rank; the exact conditional distribution up to
  `EXACT_PAIRS` pairs, beyond it the normal approximation with tie correction (Conover, 5.7).
* Holm's step-down correction (Holm, Scand. J. Statist. 6, 1979).
* Matched-pairs rank-biserial correlation (Kerby, Comprehensive Psychology 3, 2014): (W+ - W-) / (W+ + W-).
* Kendall's W, corrected for ties: agreement from 0 (none) to 1 (all the same order).
* Interval of a mean from Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray

__all__ = [
    "Friedman",
    "SignedRank",
    "friedman",
    "holm",
    "kendall_w",
    "mean_interval",
    "mean_ranks",
    "signed_rank",
    "student_quantile",
]

EXACT_PAIRS: Final = 50
_EPSILON: Final = 1e-15
_ITERATIONS: Final = 500


@dataclass(frozen=True, slots=True)
class Friedman:
    """Whether any condition differs from the others; without differences within blocks p is 1."""

    chi_squared: float
    p: float
    blocks: int
    conditions: int


@dataclass(frozen=True, slots=True)
class SignedRank:
    """Whether two conditions differ, over pairs; `pairs` counts those with a difference."""

    p: float
    rank_biserial: float
    """-1 to 1; positive when the first is rated higher."""
    median_difference: float
    pairs: int


def mean_ranks(values: DoubleArray) -> DoubleArray:
    """Ranks from 1 along the last axis, ties sharing their mean rank."""
    below = (values[..., :, None] > values[..., None, :]).sum(axis=-1)
    same = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    return np.asarray(below + (same + 1) / 2.0)


def _tie_terms(values: DoubleArray) -> float:
    """Sum of t^3 - t over all groups of t ties, over all rows."""
    same = (values[..., :, None] == values[..., None, :]).sum(axis=-1).astype(np.float64)
    return float((same**2 - 1.0).sum())


def friedman(scores: DoubleArray) -> Friedman:
    """Friedman's test on (blocks, conditions); two or more of each."""
    blocks, conditions = scores.shape
    sums = mean_ranks(scores).sum(axis=0)
    spread = float(((sums - blocks * (conditions + 1) / 2.0) ** 2).sum())
    scale = blocks * conditions * (conditions + 1) - _tie_terms(scores) / (conditions - 1)
    if scale <= _EPSILON:
        return Friedman(0.0, 1.0, blocks, conditions)
    chi_squared = 12.0 * spread / scale
    return Friedman(chi_squared, chi_squared_tail(chi_squared, conditions - 1), blocks, conditions)


def kendall_w(scores: DoubleArray) -> float | None:
    """Agreement of (raters, objects); None with fewer than two of either, or when nobody tells any apart."""
    raters, objects = scores.shape
    if raters < 2 or objects < 2:
        return None
    sums = mean_ranks(scores).sum(axis=0)
    spread = float(((sums - sums.mean()) ** 2).sum())
    scale = raters**2 * (objects**3 - objects) - raters * _tie_terms(scores)
    return 12.0 * spread / scale if scale > _EPSILON else None


def signed_rank(first: DoubleArray, second: DoubleArray) -> SignedRank:
    """Wilcoxon's test of paired ratings (pairs,), two-sided."""
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    median = float(np.median(differences)) if len(differences) else 0.0
    moved = differences[differences != 0.0]
    if not len(moved):
        return SignedRank(1.0, 0.0, median, 0)
    ranks = mean_ranks(np.abs(moved))
    plus, total = float(ranks[moved > 0].sum()), float(ranks.sum())
    exact = len(moved) <= EXACT_PAIRS
    p = _exact_p(ranks, plus) if exact else _normal_p(ranks, plus)
    return SignedRank(p, (2.0 * plus - total) / total, median, len(moved))


def _exact_p(ranks: DoubleArray, plus: float) -> float:
    """Share of all sign patterns whose rank sum is at least as far out; doubled ranks are whole numbers."""
    whole = np.rint(2.0 * ranks).astype(np.int64)
    ways = np.zeros(int(whole.sum()) + 1)
    ways[0] = 1.0
    for rank in whole:
        shifted = np.zeros_like(ways)
        shifted[rank:] = ways[: len(ways) - rank]
        ways = 0.5 * (ways + shifted)
    at = round(2.0 * plus)
    tail = min(float(ways[: at + 1].sum()), float(ways[at:].sum()))
    return min(1.0, 2.0 * tail)


def _normal_p(ranks: DoubleArray, plus: float) -> float:
    count = len(ranks)
    mean = count * (count + 1) / 4.0
    variance = count * (count + 1) * (2 * count + 1) / 24.0 - _tie_terms(ranks) / 48.0
    return math.erfc(abs(plus - mean) / math.sqrt(2.0 * variance))


def holm(values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in the order given."""
    adjusted, running = [0.0] * len(values), 0.0
    for step, index in enumerate(sorted(range(len(values)), key=lambda k: values[k])):
        running = max(running, min(1.0, (len(values) - step) * values[index]))
        adjusted[index] = running
    return adjusted


def mean_interval(values: DoubleArray, level: float = 0.95) -> tuple[float, float] | None:
    """Interval of the mean from Student's t; None with fewer than two values."""
    if len(values) < 2:
        return None
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    half = student_quantile((1.0 + level) / 2.0, len(values) - 1) * error
    return mean - half, mean + half


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t above the median, by bisection on its distribution."""
    low, high = 0.0, 1.0
    while _student_below(high, freedom) < probability:
        high *= 2.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _student_below(middle, freedom) < probability else (low, middle)
    return 0.5 * (low + high)


def _student_below(value: float, freedom: int) -> float:
    return 1.0 - 0.5 * _incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + value * value))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularized incomplete beta function by its continued fraction (DLMF 8.17.22), modified Lentz."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    terms = [1.0]
    for m in range(1, _ITERATIONS):
        terms.append(-(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1)))
        terms.append(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)))
    return front / a * _continued_fraction(terms, [1.0] * len(terms))


def chi_squared_tail(value: float, freedom: int) -> float:
    """Probability that chi-squared exceeds a value: the regularized upper incomplete gamma function."""
    a, x = freedom / 2.0, value / 2.0
    if x <= 0.0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:  # series of the lower function, DLMF 8.11.4
        total = term = 1.0 / a
        for n in range(1, _ITERATIONS):
            term *= x / (a + n)
            total += term
        return max(0.0, 1.0 - front * total)
    numerators = [1.0] + [-n * (n - a) for n in range(1, _ITERATIONS)]  # DLMF 8.9.2, even part
    denominators = [x + 2 * n + 1 - a for n in range(_ITERATIONS)]
    return front * _continued_fraction(numerators, denominators)


def _continued_fraction(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """n0 / (d0 + n1 / (d1 + ...)), from the front until it stands still (modified Lentz)."""
    value, c, d = _EPSILON, _EPSILON, 0.0
    for numerator, denominator in zip(numerators, denominators, strict=True):
        d = 1.0 / _away_from_zero(denominator + numerator * d)
        c = _away_from_zero(denominator + numerator / c)
        value *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > 1e-280 else 1e-280

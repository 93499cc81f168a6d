"""Gains over time as random walks seen through noise, missing where the track is inactive.

    a_t = a_{t-1} + w,  w ~ N(0, q)          z_t = a_t + e,  e ~ N(0, r_t),   r_t = k s_t

s_t is the variance that the least squares state, k says how far that is from the truth; k and q are fitted by
maximum likelihood, each series by itself. Windows overlap: the likelihood is taken over every m-th one, which do
not, and added up over the m ways to choose them; smoothing then counts each window as m times as noisy.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.units import DoubleArray

__all__ = ["kalman_rts", "noise_and_drift", "smooth"]

RATIOS: Final = np.logspace(-6.0, 8.0, 43)
"""Candidates for q over the median of r."""
LEAST_SEEN: Final = 6
"""Fewer windows than this say nothing about noise and drift."""
FEW_RATIO: Final = 0.03
"""q / r then (the start value of the method's description)."""
FLOOR: Final = 1e-5
"""Least standard deviation of a gain, relative to its size: less is rounding."""


def smooth(seen: DoubleArray, variance: DoubleArray, overlap: int) -> tuple[DoubleArray, DoubleArray]:
    """Smoothed series and their variances; `seen` and `variance` are (times, series), NaN where missing."""
    if not seen.shape[1]:
        return seen, variance
    size = np.sqrt(np.nanmean(np.where(np.isnan(seen), 0.0, np.square(seen)), axis=0))
    floor = np.square(FLOOR * np.maximum(size, 1e-12))
    stated = np.maximum(variance, floor)
    scale, drift = noise_and_drift(seen, stated, overlap)
    return kalman_rts(seen, stated * scale * overlap, drift)


def noise_and_drift(seen: DoubleArray, stated: DoubleArray, overlap: int) -> tuple[DoubleArray, DoubleArray]:
    """The factor k on the stated variances and the drift q per step, both (series,)."""
    typical = np.array([np.median(v[~np.isnan(v)]) if (~np.isnan(v)).any() else 1.0 for v in stated.T])
    likelihood, scale = _profile(_phases(seen, overlap), _phases(stated / typical, overlap), overlap)
    best = np.argmax(likelihood, axis=-1)
    chosen = np.arange(len(typical))
    k, ratio = scale[chosen, best] / typical, RATIOS[best]
    few = (~np.isnan(seen)).sum(axis=0) < LEAST_SEEN
    k, ratio = np.where(few, 1.0, np.maximum(k, 1e-30)), np.where(few, FEW_RATIO, ratio)
    return k, ratio * k * typical


def _phases(series: DoubleArray, overlap: int) -> DoubleArray:
    """(times, series) as (steps, overlap, series): each of the `overlap` ways to take every m-th window."""
    steps = -(-len(series) // overlap)
    padded = np.full((steps * overlap, series.shape[1]), np.nan)
    padded[: len(series)] = series
    return padded.reshape(steps, overlap, -1)


def _profile(seen: DoubleArray, stated: DoubleArray, overlap: int) -> tuple[DoubleArray, DoubleArray]:
    """Log likelihood and best k for every series and ratio, (series, ratios).

    With innovations e_t of variance k f_t, k = mean(e_t^2 / f_t), and what remains of the log likelihood is
    -(n log k + sum log f_t) / 2.
    """
    shape = (*seen.shape[1:], len(RATIOS))
    mean, var, begun = np.zeros(shape), np.zeros(shape), np.zeros((*seen.shape[1:], 1), bool)
    squares, logs, count = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for z, s in zip(seen[..., None], stated[..., None], strict=True):
        there = ~np.isnan(z)
        z, s = np.where(there, z, 0.0), np.where(there, s, 1.0)
        var = var + RATIOS * overlap
        f = var + s
        error = z - mean
        counted = there & begun
        squares += np.where(counted, error**2 / f, 0.0)
        logs += np.where(counted, np.log(f), 0.0)
        count += counted
        gain = np.where(begun, var / f, 1.0)
        mean = np.where(there, mean + gain * error, mean)
        var = np.where(there, np.where(begun, gain * s, s), var)
        begun = begun | there
    n = np.maximum(count.sum(axis=0), 1.0)
    k = np.maximum(squares.sum(axis=0) / n, 1e-300)
    return -0.5 * (n * np.log(k) + logs.sum(axis=0)), k


def kalman_rts(seen: DoubleArray, noise: DoubleArray, drift: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Means and variances given all observations: a scalar Kalman filter forwards, Rauch-Tung-Striebel backwards.

    seen and noise (times, series) with NaN where missing, drift (series,). The walk starts at the first
    observation; before it the first state is held. All-missing series stay NaN.
    """
    means, variances = np.full(seen.shape, np.nan), np.full(seen.shape, np.nan)
    mean, var = np.full(seen.shape[1], np.nan), np.full(seen.shape[1], np.nan)
    for t, (z, r) in enumerate(zip(seen, noise, strict=True)):
        there, begun = ~np.isnan(z), ~np.isnan(mean)
        var = var + drift
        gain = var / (var + r)
        updated = there & begun
        mean = np.where(updated, mean + gain * (z - mean), np.where(there, z, mean))
        var = np.where(updated, gain * r, np.where(there, r, var))
        means[t], variances[t] = mean, var
    return _backwards(means, variances, drift)


def _backwards(
    means: DoubleArray, variances: DoubleArray, drift: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """With J = P_t / P-_{t+1}: x_{t|T} = x_t + J (x_{t+1|T} - x_t), P_{t|T} = P_t + J^2 (P_{t+1|T} - P-_{t+1})."""
    means, variances = means.copy(), variances.copy()
    for t in range(len(means) - 2, -1, -1):
        predicted = variances[t] + drift
        back = np.divide(variances[t], predicted, out=np.ones_like(predicted), where=predicted > 0)
        late = np.isnan(means[t])
        steps_back = variances[t + 1] + drift
        mean = means[t] + back * (means[t + 1] - means[t])
        var = variances[t] + back**2 * (variances[t + 1] - predicted)
        means[t] = np.where(late, means[t + 1], mean)
        variances[t] = np.where(late, steps_back, var)
    return means, variances

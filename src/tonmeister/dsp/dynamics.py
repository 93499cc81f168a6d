"""Dynamics: static curves, ballistics, and the kernels of compressor, gate and de-esser.

Levels and gains are decibels inside; a gain is 0 or negative. Time constants are those of a first-order
lag: after one time constant a step is 1 - 1/e = 63 % done. Detection is linked: the loudest channel
decides for all, so that the image does not move.

Source: D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design: a tutorial and
analysis", JAES 60(6), 2012: the log-domain, smooth, branching design, smoothing after the gain computer.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tonmeister.dsp.denormals import flush
from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["compress", "deess", "gain_curve_db", "gate", "smooth_gain_db", "time_coefficient"]

_NEPER: Final = math.log(10.0) / 20.0
_UNITY_DB: Final = -1e-7
"""A gain closer to 0 dB than float32 can tell from 1 is taken for 0 dB while releasing."""


def time_coefficient(time_frames: float) -> float:
    """Pole of a first-order lag with this time constant: exp(-1 / time); 0 frames is at once."""
    return math.exp(-1.0 / time_frames) if time_frames > 0.0 else 0.0


def gain_curve_db(level_db: DoubleArray, threshold_db: float, ratio: float, knee_db: float) -> DoubleArray:
    """Gain (0 or negative) the static curve of a compressor gives to each level; same shape as `level_db`.

    With x the level above the threshold, R the ratio and W the knee::

        0                                    2 x < -W
        (1/R - 1) (x + W/2)^2 / (2 W)        2 |x| <= W
        (1/R - 1) x                          2 x > W
    """
    levels = np.ascontiguousarray(level_db, np.float64)
    gains: DoubleArray = np.empty_like(levels)
    _curve_array(levels.reshape(-1), float(threshold_db), float(ratio), float(knee_db), gains.reshape(-1))
    return gains


def smooth_gain_db(gain_db: DoubleArray, attack_frames: float, release_frames: float) -> DoubleArray:
    """Ballistics: the gain that follows `gain_db` (n,), starting from 0 dB.

    y[n] = c y[n-1] + (1 - c) g[n], with c of the attack while the gain falls and of the release while it
    rises. Time constants are in elements of the array, be they samples or 10 ms frames.
    """
    gains = np.array(gain_db, np.float64)
    _smooth_array(gains, time_coefficient(attack_frames), time_coefficient(release_frames))
    return gains


@kernel
def _curve(level_db: float, threshold_db: float, ratio: float, knee_db: float) -> float:
    over = level_db - threshold_db
    if 2.0 * over <= -knee_db:
        return 0.0
    slope = 1.0 / ratio - 1.0
    if 2.0 * over < knee_db:
        return slope * (over + 0.5 * knee_db) ** 2 / (2.0 * knee_db)
    return slope * over


@kernel
def _follow(gain_db: float, target_db: float, attack: float, release: float) -> float:
    if target_db < gain_db:
        return attack * gain_db + (1.0 - attack) * target_db
    moved = release * gain_db + (1.0 - release) * target_db
    return moved if moved < _UNITY_DB else 0.0


@kernel
def _curve_array(
    levels: DoubleArray, threshold_db: float, ratio: float, knee_db: float, gains: DoubleArray
) -> None:
    for n in range(len(levels)):
        gains[n] = _curve(levels[n], threshold_db, ratio, knee_db)


@kernel
def _smooth_array(gains: DoubleArray, attack: float, release: float) -> None:
    gain = 0.0
    for n in range(len(gains)):
        gain = _follow(gain, gains[n], attack, release)
        gains[n] = gain


@kernel
def _linked_peak(detector: FloatArray, frame: int) -> float:
    peak = 0.0
    for channel in range(detector.shape[0]):
        peak = max(peak, abs(float(detector[channel, frame])))
    return peak


@kernel
def compress(
    block: FloatArray,
    detector: FloatArray,
    threshold_db: float,
    ratio: float,
    knee_db: float,
    attack: float,
    release: float,
    makeup: float,
    state: DoubleArray,
) -> None:
    """Compress `block` in place by the level of `detector` (which may be `block`).

    y[n] = x[n] makeup 10^(g[n] / 20), g the smoothed curve of the level 20 log10 max_c |d_c[n]|. `state`
    (1,) is g; below the knee the curve is 0 and no logarithm is taken.
    """
    channels, frames = block.shape
    quiet = 10.0 ** ((threshold_db - 0.5 * knee_db) / 20.0)
    gain_db = state[0]
    for frame in range(frames):
        peak = _linked_peak(detector, frame)
        target = _curve(20.0 * math.log10(peak), threshold_db, ratio, knee_db) if peak > quiet else 0.0
        gain_db = _follow(gain_db, target, attack, release)
        gain = makeup if gain_db == 0.0 else makeup * math.exp(gain_db * _NEPER)
        for channel in range(channels):
            block[channel, frame] = block[channel, frame] * gain
    state[0] = gain_db


@kernel
def gate(
    block: FloatArray,
    threshold_db: float,
    hysteresis_db: float,
    ratio: float,
    range_db: float,
    decay: float,
    attack: float,
    hold_frames: int,
    release: float,
    state: DoubleArray,
) -> None:
    """Turn down what is below the threshold, in place.

    The level is a peak follower: e = max(|x|, decay e). It opens at the threshold, and closes when it has
    been below threshold - hysteresis for `hold_frames` frames. Open, the gain aims at 0 dB; closed, at
    max(-range, (ratio - 1) (level - threshold)); upward it moves with the attack, downward with the
    release. `state` (4,): follower, gain in dB, open (0 or 1), frames left to hold.
    """
    channels, frames = block.shape
    opens = 10.0 ** (threshold_db / 20.0)
    closes = 10.0 ** ((threshold_db - hysteresis_db) / 20.0)
    deepest = opens * 10.0 ** (-range_db / (20.0 * max(ratio - 1.0, 1e-9)))
    follower, gain_db, is_open, hold = state[0], state[1], state[2], state[3]
    for frame in range(frames):
        follower = flush(max(_linked_peak(block, frame), decay * follower))
        if follower >= opens or (is_open != 0.0 and follower >= closes):
            is_open, hold = 1.0, float(hold_frames)
        elif is_open != 0.0:
            if hold <= 0.0:
                is_open = 0.0
            hold = max(hold - 1.0, 0.0)
        target = 0.0
        if is_open == 0.0 and ratio > 1.0:
            target = -range_db
            if follower > deepest:
                target = max(-range_db, (ratio - 1.0) * min(20.0 * math.log10(follower) - threshold_db, 0.0))
        gain_db = _follow(gain_db, target, release, attack)
        if gain_db != 0.0:
            gain = math.exp(gain_db * _NEPER)
            for channel in range(channels):
                block[channel, frame] = block[channel, frame] * gain
    state[0], state[1], state[2], state[3] = follower, gain_db, is_open, hold


@kernel
def deess(
    block: FloatArray,
    g: float,
    threshold_db: float,
    ratio: float,
    range_db: float,
    attack: float,
    release: float,
    filters: DoubleArray,
    state: DoubleArray,
) -> None:
    """Turn down the treble while it is loud, in place: a high shelf whose gain follows the treble itself.

    A state-variable filter with trapezoidal integrators splits x = h + k b + l, k = sqrt(2), at the
    frequency whose prewarped step is g = tan(pi f / fs). The level is that of h; with A the smoothed gain
    of the curve (no less than -range)::

        y = A h + k sqrt(A) b + l

    is a Butterworth shelf at every A, and y = x at A = 1. `filters` (channels, 2) integrators, `state`
    (1,) the gain in dB. Source: V. Zavalishin, "The art of VA filter design" (2018), chapter 4; the shelf
    as in A. Simper, "Linear trapezoidal state variable filter" (2013).
    """
    channels, frames = block.shape
    k = math.sqrt(2.0)
    scale = 1.0 / (1.0 + g * (g + k))
    quiet = 10.0 ** (threshold_db / 20.0)
    high = np.empty(channels)
    band = np.empty(channels)
    gain_db = state[0]
    for frame in range(frames):
        peak = 0.0
        for channel in range(channels):
            s1, s2 = filters[channel, 0], filters[channel, 1]
            h = (float(block[channel, frame]) - (g + k) * s1 - s2) * scale
            b = g * h + s1
            low = g * b + s2
            filters[channel, 0] = flush(g * h + b)
            filters[channel, 1] = flush(g * b + low)
            high[channel], band[channel] = h, b
            peak = max(peak, abs(h))
        target = 0.0
        if peak > quiet:
            target = max(-range_db, _curve(20.0 * math.log10(peak), threshold_db, ratio, 0.0))
        gain_db = _follow(gain_db, target, attack, release)
        if gain_db != 0.0:
            root = math.exp(0.5 * gain_db * _NEPER)
            for channel in range(channels):
                less = (1.0 - root * root) * high[channel] + k * (1.0 - root) * band[channel]
                block[channel, frame] = block[channel, frame] - less
    state[0] = gain_db

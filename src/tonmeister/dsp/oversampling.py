"""A waveshaper at four times the rate, so that the harmonics it makes do not fold back.

Both resamplers are one linear-phase low-pass, a sinc cut at half the sample rate in a Kaiser window with
90 dB of stop band (J. F. Kaiser, 1974): flat to 0.453 of the sample rate (20 kHz at 44.1 kHz), closed from
0.547 on (what folds back lands above 0.453). One phase of it is a pure delay. Together they lag by 62 frames.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["FACTOR", "HALF_FRAMES", "LATENCY_FRAMES", "TAPS", "convolve", "resampler", "saturate"]

FACTOR: Final = 4
HALF_FRAMES: Final = 31
LATENCY_FRAMES: Final = 2 * HALF_FRAMES
TAPS: Final = 2 * HALF_FRAMES + 1
"""Per phase; the last tap of all phases but the first is zero."""

_KAISER_BETA: Final = 0.1102 * (90.0 - 8.7)


@lru_cache(maxsize=4)
def resampler(factor: int = FACTOR) -> DoubleArray:
    """Coefficients (factor, 63): c[p, k] = h[factor k + p], where h has unit gain in every phase."""
    length = factor * LATENCY_FRAMES + 1
    time = (np.arange(length) - factor * HALF_FRAMES) / factor
    taps = np.zeros(factor * TAPS)
    taps[:length] = np.sinc(time) * np.kaiser(length, _KAISER_BETA)
    phases = np.ascontiguousarray(taps.reshape(TAPS, factor).T)
    phases[0] = np.arange(TAPS) == HALF_FRAMES
    phases /= phases.sum(axis=1, keepdims=True)
    phases.flags.writeable = False
    return phases


@kernel
def convolve(source: DoubleArray, weights: DoubleArray, first: int, total: DoubleArray) -> None:
    """total[n] += sum_k weights[k] source[first + n - k]; taps outside, so that frames run in parallel."""
    for tap in range(len(weights)):
        weight = weights[tap]
        if weight != 0.0:
            segment = source[first - tap : first - tap + len(total)]
            for n in range(len(total)):
                total[n] += weight * segment[n]


@kernel
def saturate(
    block: FloatArray,
    drive: float,
    mix: float,
    phases: DoubleArray,
    inputs: DoubleArray,
    shaped: DoubleArray,
    total: DoubleArray,
) -> None:
    """out = (1 - mix) x + mix tanh(drive x) / drive, in place, 62 frames late.

    Polyphase up, shape, polyphase down: u[4 n + p] = sum_k c[p, k] x[n - k],
    y[n] = (1/4) sum_k h[k] tanh(drive u[4 n - k]) / drive. Work arrays hold 62 frames of history each
    before the block: `inputs` (channels, 62 + max), `shaped` (channels, 4, 63 + max), `total` (max,).
    """
    channels, frames = block.shape
    history = TAPS - 1
    sums = total[:frames]
    for channel in range(channels):
        x, u = inputs[channel], shaped[channel]
        for n in range(frames):
            x[history + n] = block[channel, n]
        for p in range(FACTOR):
            sums[:] = 0.0
            convolve(x, phases[p], history, sums)
            for n in range(frames):
                u[p, TAPS + n] = math.tanh(drive * sums[n]) / drive
        sums[:] = 0.0
        convolve(u[0], phases[0], TAPS, sums)
        for p in range(1, FACTOR):
            convolve(u[FACTOR - p], phases[p], TAPS - 1, sums)
        for n in range(frames):
            delayed = x[history + n - LATENCY_FRAMES]
            block[channel, n] = (1.0 - mix) * delayed + mix * (sums[n] / FACTOR)
        for n in range(history):
            x[n] = x[n + frames]
        for p in range(FACTOR):
            for n in range(TAPS):
                u[p, n] = u[p, n + frames]

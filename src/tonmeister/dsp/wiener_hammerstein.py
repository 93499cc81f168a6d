"""Filter, curve, filter: the streaming kernel of a learned waveshaper, and its filters at other sample rates."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.dsp.oversampling import convolve
from tonmeister.dsp.saaf import shape
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["resampled_taps", "run"]

_HALF_WIDTH: Final = 32
_KAISER_BETA: Final = 8.0


def resampled_taps(
    taps: DoubleArray, ahead_frames: int, from_rate: int, to_rate: int
) -> tuple[DoubleArray, int]:
    """A filter with the same response at another rate, and how many of its taps lie ahead of time 0.

    h'[n] = (b / f') sum_k h[k] sinc(b (n / f' - k / f)), b = min(f, f'), in a Kaiser window of 32 frames.
    """
    if from_rate == to_rate:
        return taps, ahead_frames
    narrow = min(from_rate, to_rate)
    reach_s = _HALF_WIDTH / narrow
    ahead = math.ceil((ahead_frames / from_rate + reach_s) * to_rate)
    behind = math.ceil(((len(taps) - 1 - ahead_frames) / from_rate + reach_s) * to_rate)
    new_s = np.arange(-ahead, behind + 1) / to_rate
    old_s = (np.arange(len(taps)) - ahead_frames) / from_rate
    apart = (new_s[:, None] - old_s[None, :]) * narrow
    inside = np.sqrt(np.maximum(1.0 - (apart / _HALF_WIDTH) ** 2, 0.0))
    window = np.i0(_KAISER_BETA * inside) / np.i0(_KAISER_BETA) * (np.abs(apart) <= _HALF_WIDTH)
    return np.asarray((np.sinc(apart) * window) @ taps * (narrow / to_rate)), ahead


@kernel
def run(
    block: FloatArray,
    gains: DoubleArray,
    pre: DoubleArray,
    rows: DoubleArray,
    post: DoubleArray,
    phases: DoubleArray,
    latency: int,
    inputs: DoubleArray,
    filtered: DoubleArray,
    shaped: DoubleArray,
    lowered: DoubleArray,
    total: DoubleArray,
) -> None:
    """out = dry x[n - latency] + wet (post * down(f(up(pre * (drive x))) - f(0))), in place.

    `gains` are drive, dry, wet; `rows` is the table of `dsp.saaf`; `phases` (factor, taps) of the resampler, or
    [[1]]. The work arrays hold their history before the block: `inputs` (channels, i + max),
    `filtered` (channels, taps - 1 + max), `shaped` (channels, factor, taps + max),
    `lowered` (channels, len(post) - 1 + max); `total` (max,).
    """
    channels, frames = block.shape
    factor, taps = phases.shape
    kept = inputs.shape[1] - len(total)
    history = len(post) - 1
    sums = total[:frames]
    rest = np.zeros(1)
    shape(np.zeros(1), rows, rest)
    for channel in range(channels):
        x, a, u, z = inputs[channel], filtered[channel], shaped[channel], lowered[channel]
        for n in range(frames):
            x[kept + n] = block[channel, n]
        sums[:] = 0.0
        convolve(x, pre, kept, sums)
        for n in range(frames):
            a[taps - 1 + n] = gains[0] * sums[n]
        for p in range(factor):
            sums[:] = 0.0
            convolve(a, phases[p], taps - 1, sums)
            shape(sums, rows, u[p, taps : taps + frames])
            for n in range(frames):
                u[p, taps + n] -= rest[0]
        sums[:] = 0.0
        convolve(u[0], phases[0], taps, sums)
        for p in range(1, factor):
            convolve(u[factor - p], phases[p], taps - 1, sums)
        for n in range(frames):
            z[history + n] = sums[n] / factor
        sums[:] = 0.0
        convolve(z, post, history, sums)
        for n in range(frames):
            block[channel, n] = gains[1] * x[kept + n - latency] + gains[2] * sums[n]
        for n in range(kept):
            x[n] = x[n + frames]
        for n in range(taps - 1):
            a[n] = a[n + frames]
        for p in range(factor):
            for n in range(taps):
                u[p, n] = u[p, n + frames]
        for n in range(history):
            z[n] = z[n + frames]

"""Reading a sampled signal at another rate: a windowed sinc whose every position is an exact fraction.

y[m] = b sum_k x[i + k] sinc(b (k - p / L)) kaiser, i + p / L = m M / L, b = min(f, f') / f. The Kaiser window spans 32
frames of the lower rate to each side: flat to 0.46 of it, closed from 0.54 on.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray

__all__ = ["ahead_frames", "phase_table", "read_at"]

_HALF_WIDTH: Final = 32
_KAISER_BETA: Final = 8.0


def ahead_frames(from_rate: int, to_rate: int) -> int:
    """How many frames beyond the one before a position are read, and as many before it less one."""
    return math.ceil(_HALF_WIDTH * max(from_rate / to_rate, 1.0))


@lru_cache(maxsize=16)
def phase_table(from_rate: int, to_rate: int) -> DoubleArray:
    """Taps (L, 2 ahead) for each fraction p / L between two frames, oldest frame first."""
    steps = to_rate // math.gcd(from_rate, to_rate)
    ahead, narrow = ahead_frames(from_rate, to_rate), min(to_rate / from_rate, 1.0)
    frames = np.arange(1 - ahead, ahead + 1)
    apart = (frames[None, :] - np.arange(steps)[:, None] / steps) * narrow
    inside = np.sqrt(np.maximum(1.0 - (apart / _HALF_WIDTH) ** 2, 0.0))
    table = np.sinc(apart) * np.i0(_KAISER_BETA * inside) * (np.abs(apart) <= _HALF_WIDTH)
    table /= table.sum(axis=1, keepdims=True)
    table.flags.writeable = False
    return table


@kernel
def read_at(
    held: DoubleArray, begins: int, table: DoubleArray, up: int, down: int, first: int, out: DoubleArray
) -> None:
    """out[c, m] = the signal at position (first + m) down / up; `held` (channels, frames) begins at frame `begins`."""
    ahead = table.shape[1] // 2
    for channel in range(len(out)):
        for m in range(out.shape[1]):
            place = (first + m) * down
            whole = place // up
            taps = table[place - whole * up]
            at = whole + 1 - ahead - begins
            total = 0.0
            for k in range(len(taps)):
                total += taps[k] * held[channel, at + k]
            out[channel, m] = total

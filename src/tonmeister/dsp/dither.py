"""Dither: the noise that turns rounding into noise, from a counter.

Each sample's noise is a hash of the seed and the sample's place, so that it does not matter in which blocks a
file is written. The hash is the finalizer of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014); its two halves are the two uniform numbers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.units import FloatArray

__all__ = ["dithered"]

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_LOW: Final = np.uint64(0xFFFFFFFF)


def dithered(block: FloatArray, seed: int, position: int, bits: int, integers: NDArray[np.int32]) -> None:
    """Quantize `block` (channels, frames) into `integers` (frames, channels) with TPDF dither.

    y = round(x 2^(bits - 1) + u1 - u2), held to the range. `position` is the first frame's place in the file.
    16 bits are the numbers themselves; 24 bits stand in the upper part of 32, as libsndfile takes them.
    """
    _dithered(block, np.uint64(seed % 2**64), np.uint64(position), bits, 8 if bits == 24 else 0, integers)


@kernel
def _dithered(
    block: FloatArray,
    seed: np.uint64,
    position: np.uint64,
    bits: int,
    shift: int,
    integers: NDArray[np.int32],
) -> None:
    channels, frames = block.shape
    full = 2.0 ** (bits - 1)
    unit = 2.0**-32
    base = (seed * np.uint64(channels) + np.uint64(1)) * _FIRST
    for frame in range(frames):
        for channel in range(channels):
            place = (position + np.uint64(frame)) * np.uint64(channels) + np.uint64(channel)
            z = base + (place + np.uint64(1)) * _STEP
            z = (z ^ (z >> np.uint64(30))) * _FIRST
            z = (z ^ (z >> np.uint64(27))) * _SECOND
            z = z ^ (z >> np.uint64(31))
            noise = (np.float64(np.int64(z >> np.uint64(32))) - np.float64(np.int64(z & _LOW))) * unit
            value = np.rint(np.float64(block[channel, frame]) * full + noise)
            value = min(max(value, -full), full - 1.0)
            integers[frame, channel] = np.int32(value) << shift

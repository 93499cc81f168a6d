"""Streaming meters as kernels: K-weighted energy, energy, peak and band energies in cells of 10 ms.

Cell k holds the frames from floor(k rate / 100) to floor((k + 1) rate / 100); all sums run in the order of the
frames and are carried from call to call, so that the results are the same bits for any cutting into blocks.
A cell is written when the first frame after it arrives, or by the caller at the end of the signal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["CELL_VALUES", "clipped_runs", "onset_cells", "weighted_cells"]

CELL_VALUES = 4
"""Per channel and cell: K-weighted energy, energy, peak, sum."""

TINY = 1e-30
"""Filter state below this is set to zero at the end of a cell, which keeps denormal numbers away."""

FULL_SCALE = 0.9999
RUN_FRAMES = 3


@kernel
def weighted_cells(
    block: FloatArray,
    sample_rate: int,
    position: int,
    sections: DoubleArray,
    state: DoubleArray,
    partial: DoubleArray,
    cross: DoubleArray,
    cells: DoubleArray,
    products: DoubleArray,
) -> int:
    """Feed (channels, frames); return how many cells were finished.

    `sections` (2, 5), `state` (channels, 4) and `partial` (channels, 4) and `cross` (1,) are carried;
    `cells` (enough, channels, 4) and `products` (enough,), left times right, receive what is finished.
    """
    channels, frames = block.shape
    b0, b1, b2, a1, a2 = sections[0, 0], sections[0, 1], sections[0, 2], sections[0, 3], sections[0, 4]
    c0, c1, c2, d1, d2 = sections[1, 0], sections[1, 1], sections[1, 2], sections[1, 3], sections[1, 4]
    first = (position * 100 - 1) // sample_rate if position > 0 else 0  # the cell of the last frame fed
    finished = 0
    for channel in range(channels):
        s1, s2, s3, s4 = state[channel, 0], state[channel, 1], state[channel, 2], state[channel, 3]
        weighted, energy = partial[channel, 0], partial[channel, 1]
        peak, total = partial[channel, 2], partial[channel, 3]
        cell, index, finished = first, 0, 0
        while index < frames:
            end = ((cell + 1) * sample_rate) // 100 - position
            if index >= end:
                cells[finished, channel, 0] = weighted
                cells[finished, channel, 1] = energy
                cells[finished, channel, 2] = peak
                cells[finished, channel, 3] = total
                weighted = energy = peak = total = 0.0
                if abs(s1) < TINY and abs(s2) < TINY:
                    s1 = s2 = 0.0
                if abs(s3) < TINY and abs(s4) < TINY:
                    s3 = s4 = 0.0
                finished += 1
                cell += 1
                continue
            stop = min(end, frames)
            for i in range(index, stop):
                x = np.float64(block[channel, i])
                y = b0 * x + s1
                s1 = b1 * x - a1 * y + s2
                s2 = b2 * x - a2 * y
                z = c0 * y + s3
                s3 = c1 * y - d1 * z + s4
                s4 = c2 * y - d2 * z
                weighted += z * z
                energy += x * x
                peak = max(peak, abs(x))
                total += x
            index = stop
        state[channel, 0], state[channel, 1], state[channel, 2], state[channel, 3] = s1, s2, s3, s4
        partial[channel, 0], partial[channel, 1] = weighted, energy
        partial[channel, 2], partial[channel, 3] = peak, total
    if channels == 2:
        product, cell, index, done = cross[0], first, 0, 0
        while index < frames:
            end = ((cell + 1) * sample_rate) // 100 - position
            if index >= end:
                products[done] = product
                product = 0.0
                done += 1
                cell += 1
                continue
            stop = min(end, frames)
            for i in range(index, stop):
                product += np.float64(block[0, i]) * np.float64(block[1, i])
            index = stop
        cross[0] = product
    return finished


@kernel
def onset_cells(
    block: FloatArray,
    sample_rate: int,
    position: int,
    sections: DoubleArray,
    state: DoubleArray,
    partial: DoubleArray,
    cells: DoubleArray,
) -> int:
    """Energies of four bands, added over the channels, in cells; return how many cells were finished.

    `sections` (3, 5) are low-passes; the bands are the lowest, the two differences, and what is above the
    highest. `state` (channels, 6) and `partial` (channels, 4) are carried, `cells` (enough, 4) receives.
    """
    channels, frames = block.shape
    cell = (position * 100 - 1) // sample_rate if position > 0 else 0  # the cell of the last frame fed
    finished = 0
    index = 0
    while index < frames:
        end = ((cell + 1) * sample_rate) // 100 - position
        if index >= end:
            for band in range(4):
                cells[finished, band] = 0.0
            for channel in range(channels):
                for band in range(4):
                    cells[finished, band] += partial[channel, band]
                    partial[channel, band] = 0.0
                for k in range(6):
                    if abs(state[channel, k]) < TINY:
                        state[channel, k] = 0.0
            finished += 1
            cell += 1
            continue
        stop = min(end, frames)
        for channel in range(channels):
            s0, s1, s2 = state[channel, 0], state[channel, 1], state[channel, 2]
            s3, s4, s5 = state[channel, 3], state[channel, 4], state[channel, 5]
            e0, e1, e2, e3 = (
                partial[channel, 0],
                partial[channel, 1],
                partial[channel, 2],
                partial[channel, 3],
            )
            for i in range(index, stop):
                x = np.float64(block[channel, i])
                low = sections[0, 0] * x + s0
                s0 = sections[0, 1] * x - sections[0, 3] * low + s1
                s1 = sections[0, 2] * x - sections[0, 4] * low
                middle = sections[1, 0] * x + s2
                s2 = sections[1, 1] * x - sections[1, 3] * middle + s3
                s3 = sections[1, 2] * x - sections[1, 4] * middle
                high = sections[2, 0] * x + s4
                s4 = sections[2, 1] * x - sections[2, 3] * high + s5
                s5 = sections[2, 2] * x - sections[2, 4] * high
                e0 += low * low
                e1 += (middle - low) * (middle - low)
                e2 += (high - middle) * (high - middle)
                e3 += (x - high) * (x - high)
            partial[channel, 0], partial[channel, 1], partial[channel, 2], partial[channel, 3] = (
                e0,
                e1,
                e2,
                e3,
            )
            state[channel, 0], state[channel, 1], state[channel, 2] = s0, s1, s2
            state[channel, 3], state[channel, 4], state[channel, 5] = s3, s4, s5
        index = stop
    return finished


@kernel
def clipped_runs(
    block: FloatArray, position: int, runs: NDArray[np.int64], starts: NDArray[np.int64], count: int
) -> int:
    """Count runs of three or more frames at full scale in any channel; return the new count.

    `runs` (channels,) carries the length of each channel's current run, `starts` receives the first positions.
    """
    channels, frames = block.shape
    for i in range(frames):
        before = False
        for channel in range(channels):
            before |= runs[channel] >= RUN_FRAMES
        now = False
        for channel in range(channels):
            runs[channel] = runs[channel] + 1 if abs(block[channel, i]) >= FULL_SCALE else 0
            now |= runs[channel] >= RUN_FRAMES
        if now and not before:
            if count < len(starts):
                starts[count] = position + i - (RUN_FRAMES - 1)
            count += 1
    return count

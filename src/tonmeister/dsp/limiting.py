"""The look-ahead limiter: a gain that is down before the peak arrives.

With d[n] the (true) peak and c the ceiling::

    r[n] = min(1, c / d[n])                          the gain this peak needs
    m[n] = min(r[n - W + 1 .. n])                    held over the window
    e[n] = m[n] if m[n] < e[n-1], else m[n] - a (m[n] - e[n-1])      release
    g[n] = mean of a mean of e over S frames         two boxes, a triangle

The weights of the boxes are positive and sum to 1 and W >= S, so g is never above r where the delayed peak
passes: there is no overshoot. The boxes are running sums of integers (e in steps of 2^-38), which neither
drift nor depend on where blocks begin; with e = 1 throughout, g is exactly 1. Source: P. Hämäläinen,
"Smoothing of the control signal without clipped output in digital peak limiters", DAFx 2002.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["COUNTERS", "LimiterWindow", "limit"]

COUNTERS: Final = 8
"""Integers of state: head and length of the minimum queue, time, three positions, two sums."""

_ONE: Final = 2**38
_SNAP: Final = 1e-9


class LimiterWindow:
    """The state of the gain computer for a look-ahead of S frames and a held window of W >= S frames."""

    def __init__(self, smooth_frames: int, window_frames: int) -> None:
        first = (smooth_frames + 1) // 2
        self.window_frames = window_frames
        self.queue_gains: DoubleArray = np.empty(window_frames + 1)
        self.queue_times: NDArray[np.int64] = np.empty(window_frames + 1, np.int64)
        self.first_box: NDArray[np.int64] = np.empty(first, np.int64)
        self.second_box: NDArray[np.int64] = np.empty(smooth_frames + 1 - first, np.int64)
        self.held: DoubleArray = np.empty(1)
        self.counters: NDArray[np.int64] = np.empty(COUNTERS, np.int64)
        self.reset()

    def reset(self) -> None:
        """Back to unity gain."""
        first, second = len(self.first_box), len(self.second_box)
        self.held[0] = 1.0
        self.first_box[:] = _ONE
        self.second_box[:] = _ONE * first
        self.counters[:] = (0, 0, 0, 0, 0, 0, _ONE * first, _ONE * first * second)


@kernel
def limit(
    block: FloatArray,
    peaks: DoubleArray,
    ceiling: float,
    release: float,
    delayed: FloatArray,
    window_frames: int,
    queue_gains: DoubleArray,
    queue_times: NDArray[np.int64],
    first_box: NDArray[np.int64],
    second_box: NDArray[np.int64],
    held: DoubleArray,
    counters: NDArray[np.int64],
) -> None:
    """Replace `block` (channels, frames) by the delayed input times the gain that `peaks` ask for.

    `peaks` (channels, frames) are linked by their maximum; `delayed` (channels, latency) is the delay line.
    """
    channels, frames = block.shape
    latency, capacity = delayed.shape[1], len(queue_gains)
    length1, length2 = len(first_box), len(second_box)
    scale = 1.0 / (float(_ONE) * length1 * length2)
    head, count, time = counters[0], counters[1], counters[2]
    at1, at2, at = counters[3], counters[4], counters[5]
    sum1, sum2 = counters[6], counters[7]
    level = held[0]
    for frame in range(frames):
        peak = 0.0
        for channel in range(channels):
            peak = max(peak, peaks[channel, frame])
        needed = ceiling / peak if peak > ceiling else 1.0
        while count > 0 and queue_gains[(head + count - 1) % capacity] >= needed:
            count -= 1
        queue_gains[(head + count) % capacity] = needed
        queue_times[(head + count) % capacity] = time
        count += 1
        if queue_times[head] <= time - window_frames:
            head = (head + 1) % capacity
            count -= 1
        time += 1
        lowest = queue_gains[head]
        level = lowest if lowest < level else lowest - release * (lowest - level)
        if lowest - level < _SNAP:
            level = lowest
        step = np.int64(level * _ONE)
        sum1 += step - first_box[at1]
        first_box[at1] = step
        sum2 += sum1 - second_box[at2]
        second_box[at2] = sum1
        at1 = at1 + 1 if at1 + 1 < length1 else 0
        at2 = at2 + 1 if at2 + 1 < length2 else 0
        gain = sum2 * scale
        for channel in range(channels):
            x = delayed[channel, at]
            delayed[channel, at] = block[channel, frame]
            block[channel, frame] = x * gain
        at = at + 1 if at + 1 < latency else 0
    held[0] = level
    counters[0], counters[1], counters[2] = head, count, time
    counters[3], counters[4], counters[5] = at1, at2, at
    counters[6], counters[7] = sum1, sum2

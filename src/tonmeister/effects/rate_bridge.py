"""A signal at another sample rate and back, block by block, late by a whole number of frames that is known before."""

from __future__ import annotations

import math

import numpy as np

from tonmeister.dsp.rational import ahead_frames, phase_table, read_at
from tonmeister.units import DoubleArray

__all__ = ["RateBridge"]


class RateBridge:
    """`lower` gives what there is of a block at the inner rate; `raise_` takes as much and gives back a block.

    What happens between them may lag by `inner_latency` inner frames; `latency_frames` says by how much the whole lags.
    With equal rates both do nothing.
    """

    def __init__(self, outer_rate: int, inner_rate: int, channels: int, inner_latency: int) -> None:
        self.converts = outer_rate != inner_rate
        self.latency_frames = inner_latency
        self._channels = channels
        if self.converts:
            common = math.gcd(outer_rate, inner_rate)
            self._outer, self._inner = outer_rate // common, inner_rate // common
            self._down, self._up = phase_table(outer_rate, inner_rate), phase_table(inner_rate, outer_rate)
            self._ahead = ahead_frames(outer_rate, inner_rate), ahead_frames(inner_rate, outer_rate)
            waits = -(-(inner_latency + self._ahead[1]) * self._outer // self._inner)
            self.latency_frames = waits + self._ahead[0]
            self._late = inner_latency
        self.reset()

    def reset(self) -> None:
        """Back to silence."""
        if self.converts:
            self._in, self._back = (_Held(self._channels, 8 * a + 8) for a in self._ahead)
            self._read = self._written = 0

    def lower(self, block: DoubleArray) -> DoubleArray:
        """Inner frames (channels, any) that are known now."""
        if not self.converts:
            return block
        self._in.add(block)
        known = self._in.end - 1 - self._ahead[0]
        last = ((known + 1) * self._inner - 1) // self._outer
        made = np.empty((self._channels, max(last + 1 - self._read, 0)))
        read_at(self._in.frames, self._in.begin, self._down, self._inner, self._outer, self._read, made)
        self._read += made.shape[1]
        self._in.forget(self._read * self._outer // self._inner - self._ahead[0])
        return made

    def raise_(self, inner: DoubleArray, frames: int) -> DoubleArray:
        """As many outer frames, `latency_frames` behind what `lower` took."""
        if not self.converts:
            return inner
        self._back.add(inner)
        made = np.empty((self._channels, frames))
        first = self._written - self.latency_frames
        late = self._late
        read_at(self._back.frames, self._back.begin - late, self._up, self._outer, self._inner, first, made)
        self._written += frames
        self._back.forget((first + frames) * self._inner // self._outer + late - self._ahead[1])
        return made


class _Held:
    """The recent frames of a signal that began with silence."""

    def __init__(self, channels: int, before: int) -> None:
        self.begin, self.end = -before, 0
        self.frames = np.zeros((channels, before))

    def add(self, frames: DoubleArray) -> None:
        self.frames = np.concatenate([self.frames, frames], axis=1)
        self.end += frames.shape[1]

    def forget(self, before: int) -> None:
        """What lies before a frame is not needed again."""
        if before > self.begin:
            self.frames = np.ascontiguousarray(self.frames[:, before - self.begin :])
            self.begin = before

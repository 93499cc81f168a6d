"""A room spread over several loudspeakers: feeds that are unlike one another and add up to what they were made from.

One signal becomes two with a delay or an all-pass filter D (Lauridsen 1954; both pass every frequency alike)::

    (x + D x) / 2,    (x - D x) / 2                   their cross spectrum (1 + D)(1 - D*) / 4 has no real part

Two become more by the same step with other filters: a tree whose leaves add up to x, and no two of which correlate at lag
zero. What is held goes through delays, which sound like a room there; noise goes through all-passes, which do not color it.
What is struck is not spread: it stays in front, where a blow belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tonmeister.dsp.denormals import flush
from tonmeister.dsp.jit import kernel
from tonmeister.spatial.numbers import numbers
from tonmeister.spatial.splitting import MedianSplit
from tonmeister.units import FloatArray

__all__ = ["AllPass", "Decorrelator", "Delay", "Feeds", "RoomFeeds"]


class Decorrelator(Protocol):
    """Passes every frequency with a gain of one."""

    def process(self, block: FloatArray) -> FloatArray:
        """(frames,) to the same shape."""


class Delay:
    """D = z^-n."""

    def __init__(self, delay_ms: float, sample_rate: int) -> None:
        self._held = np.zeros(max(round(delay_ms * sample_rate / 1000.0), 1), np.float32)

    def process(self, block: FloatArray) -> FloatArray:
        joined = np.concatenate([self._held, block])
        self._held = joined[len(block) :]
        return joined[: len(block)]


class AllPass:
    """D = prod_i (z^-n_i - g) / (1 - g z^-n_i), g = 0.6, four stages that are `delay_ms` long together (Schroeder 1962)."""

    GAIN = 0.6
    PARTS = (0.42, 0.28, 0.19, 0.11)

    def __init__(self, delay_ms: float, sample_rate: int) -> None:
        frames = delay_ms * sample_rate / 1000.0
        self._rings = [np.zeros(max(round(part * frames), 1)) for part in self.PARTS]
        self._places = [0] * len(self._rings)

    def process(self, block: FloatArray) -> FloatArray:
        out = block.astype(np.float64)
        for stage, ring in enumerate(self._rings):
            self._places[stage] = _all_pass(out, ring, self._places[stage], self.GAIN)
        return out.astype(np.float32)


@kernel
def _all_pass(signal: Any, ring: Any, at: Any, gain: Any) -> Any:
    """In place: w[n] = x[n] + g w[n - N];  y[n] = w[n - N] - g w[n]; returns the place in the ring."""
    for n in range(len(signal)):
        old = ring[at]
        new = flush(signal[n] + gain * old)
        signal[n] = old - gain * new
        ring[at] = new
        at = at + 1 if at + 1 < len(ring) else 0
    return at


class Feeds:
    """One signal as several that add up to it; with `lead` the first is half of it in power, else all are alike."""

    def __init__(
        self, count: int, make: Callable[[int], Decorrelator], *, lead: bool = False, level: int = 0
    ) -> None:
        self._count = count
        if count > 1:
            self._decorrelator = make(level)
            near = 1 if lead else count // 2
            self._near = Feeds(near, make, level=level + 1)
            self._far = Feeds(count - near, make, level=level + 1)

    def process(self, block: FloatArray) -> FloatArray:
        """(frames,) to (count, frames)."""
        if self._count == 1:
            return block[None]
        turned = self._decorrelator.process(block)
        near = np.float32(0.5) * (block + turned)
        return np.concatenate([self._near.process(near), self._far.process(block - near)])


class RoomFeeds:
    """A stereo room as feeds of its left, then of its right side: the front, then `surrounds` more, which add up to it.

    With `front` the front takes part in the spreading; without it, it has only what is struck. Takes blocks of any
    size, gives what is complete.
    """

    def __init__(self, surrounds: int, sample_rate: int, *, front: bool = True) -> None:
        self._transients = MedianSplit("transient", sample_rate)
        self._harmonics = MedianSplit("harmonic", sample_rate)
        self._struck = np.zeros((2, 0), np.float32)
        self._front = front

        def side(kind: Callable[[float, int], Decorrelator], name: str, number: int) -> Feeds:
            delays_ms = numbers(name)[number::2]
            return Feeds(surrounds + front, lambda level: kind(delays_ms[level], sample_rate), lead=front)

        self._held = [side(Delay, "harmonic.delays_ms", number) for number in range(2)]
        self._noise = [side(AllPass, "noise.delays_ms", number) for number in range(2)]

    def push(self, block: FloatArray) -> FloatArray:
        """Take (2, frames), give (2 (1 + surrounds), n)."""
        struck, rest = self._transients.push(block)
        return self._fed(struck, *self._harmonics.push(rest))

    def finish(self) -> FloatArray:
        """The feeds of what is left."""
        struck, rest = self._transients.finish()
        pieces = [self._harmonics.push(rest), self._harmonics.finish()]
        held, noise = (np.concatenate(both, axis=1) for both in zip(*pieces, strict=True))
        return self._fed(struck, held, noise)

    def _fed(self, struck: FloatArray, held: FloatArray, noise: FloatArray) -> FloatArray:
        self._struck = np.concatenate([self._struck, struck], axis=1)
        count = held.shape[1]
        struck, self._struck = self._struck[:, :count], self._struck[:, count:]
        sides = []
        for side in range(2):
            feeds = self._held[side].process(held[side]) + self._noise[side].process(noise[side])
            front = struck[side] + feeds[0] if self._front else struck[side]
            sides += [front[None], feeds[1:] if self._front else feeds]
        return np.concatenate(sides)

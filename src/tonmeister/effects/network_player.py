"""A learned network as an insert: its own sample rate inside, the treble beside it, the waveshaper twin to fall back on.

    y = (1 - mix) x + mix g_out (t x' + raise(n(v) - t v)),  v = lower(x'),  x' = g_in x

A network of a lower rate than the song's is given what it knows, v; what lies above passes with the gain t. Where the
network strays from its twin by more than the bound of its file, the twin plays (`dsp.guarding`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tonmeister.dsp.guarding import choose
from tonmeister.effects.networks import Network
from tonmeister.effects.rate_bridge import RateBridge
from tonmeister.effects.waveshaper import Waveshaper
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

if TYPE_CHECKING:
    from tonmeister.effects.learned import Learned

__all__ = ["GUARD_MEMORY_S", "Guard", "NetworkProcessor", "guard_memory"]

GUARD_MEMORY_S: Final = 0.05
GUARD_FADE_S: Final = 0.005
_NOTED_SHARE: Final = 0.005
"""Less than this of the sound from the twin is not worth a word."""


@dataclass(frozen=True, eq=False)
class Guard:
    """The waveshaper of the same device, and how far the network may stray from it."""

    twin: Waveshaper
    bound: float
    floor: float
    """Energy below which straying does not count, summed with the memory of `guard_memory`."""


def guard_memory(sample_rate: int) -> float:
    """a of `dsp.guarding` at a rate."""
    return math.exp(-1.0 / (GUARD_MEMORY_S * sample_rate))


class NetworkProcessor:
    """Network and twin side by side at the network's rate."""

    latency_frames = 0

    def __init__(
        self, effect: Learned, network: Network, guard: Guard | None, treble_gain: float = 1.0
    ) -> None:
        self._effect, self._network = effect, network
        self._guard = guard if effect.guard else None
        self._treble = treble_gain
        self._shares = np.zeros(2)
        self.unheard_frames = 0
        """Frames that were no numbers and were played as silence."""

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.effects.learned import Learned, WaveshaperProcessor

        rate = self._network.sample_rate
        self._stream = self._network.stream(channels)
        self._twin = WaveshaperProcessor(Learned(), self._guard.twin) if self._guard else None
        behind = self._stream.latency_frames
        if self._twin is not None:
            self._twin_frames = math.ceil(max_frames * rate / sample_rate) + 2
            self._twin.prepare(rate, channels, self._twin_frames)
            behind = max(behind, self._twin.latency_frames)
        self._bridge = RateBridge(sample_rate, rate, channels, behind)
        self.latency_frames = self._bridge.latency_frames
        twin_late = self._twin.latency_frames if self._twin else behind
        self._late = [
            _Late(channels, frames)
            for frames in (
                behind - self._stream.latency_frames,
                behind - twin_late,
                behind,
                self.latency_frames,
            )
        ]
        self._beside = self._effect.full_band and self._bridge.converts and rate < sample_rate
        self._choice = np.zeros((channels, 3))
        self._constants = guard_memory(rate), 1.0 - math.exp(-1.0 / (GUARD_FADE_S * rate))
        self._start()

    def process(self, block: FloatArray) -> FloatArray:
        x = block.astype(np.float64)
        wild = ~np.isfinite(x)
        if wild.any():
            self.unheard_frames += int(np.count_nonzero(wild.any(axis=0)))
            x[wild] = 0.0
        effect = self._effect
        driven = db_to_gain(effect.input_gain_db) * x
        inside = self._bridge.lower(driven)
        made = self._made(inside)
        dry = self._late[3](x)
        if self._beside:
            made -= self._treble * self._late[2](inside)
        wet = self._bridge.raise_(made, block.shape[1])
        if self._beside:
            wet = wet + (self._treble * db_to_gain(effect.input_gain_db)) * dry
        total = (1.0 - effect.mix) * dry + (effect.mix * db_to_gain(effect.output_gain_db)) * wet
        return np.asarray(total, np.float32)

    def reset(self) -> None:
        self._stream.reset()
        self._bridge.reset()
        if self._twin is not None:
            self._twin.reset()
        for late in self._late:
            late.reset()
        self._start()

    def notes(self) -> Iterator[str]:
        """What a person should know of how it was played."""
        if self._shares[0] > 0.0 and (share := self._shares[1] / self._shares[0]) > _NOTED_SHARE:
            yield (
                f"learned.model={self._effect.model}: on {share:.0%} of this sound the {self._network.name} strays from "
                "what its device can be: its waveshaper twin played there"
            )
        if self.unheard_frames:
            yield f"learned.model={self._effect.model}: {self.unheard_frames} frames were no numbers and were muted"

    def _start(self) -> None:
        self._choice[:] = 0.0
        self._choice[:, 2] = 1.0

    def _made(self, inside: DoubleArray) -> DoubleArray:
        """What network and guard make of it."""
        made = self._late[0](self._stream.process(inside))
        if self._twin is None or self._guard is None:
            return made.copy()
        played = [
            self._twin.process(inside[:, at : at + self._twin_frames].astype(np.float32))
            for at in range(0, inside.shape[1], self._twin_frames)
        ]
        if not played:
            return made.copy()
        other = self._late[1](np.concatenate(played, axis=1).astype(np.float64))
        made, other = np.ascontiguousarray(made), np.ascontiguousarray(other)
        memory, fade = self._constants
        choose(made, other, self._guard.bound, self._guard.floor, memory, fade, self._choice, self._shares)
        return made


class _Late:
    """Delays by a whole number of frames."""

    def __init__(self, channels: int, frames: int) -> None:
        self._held = np.zeros((channels, frames))

    def __call__(self, block: DoubleArray) -> DoubleArray:
        joined = np.concatenate([self._held, block], axis=1)
        self._held = joined[:, block.shape[1] :]
        return joined[:, : block.shape[1]]

    def reset(self) -> None:
        self._held = np.zeros_like(self._held)

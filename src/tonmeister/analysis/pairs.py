"""Microphones that share a source: their delay and polarity, from excerpts kept during the one pass.

Of each track in a group the three loudest stretches of two seconds are kept, on a grid that is the same for all
tracks, so that related tracks keep mostly the same stretches and memory stays bounded (about 1 MB a track).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from tonmeister.dsp.correlation import Lag, best_lag
from tonmeister.features import MicrophonePair
from tonmeister.units import FloatArray

__all__ = ["Excerpts", "find_pairs", "pair_of"]

STRETCH_S: Final = 2.0
STRETCHES: Final = 3
MAX_DELAY_S: Final = 0.020
"""20 ms: some seven meters of air."""
DECISIVE: Final = 0.3


class Excerpts:
    """Keeps the loudest stretches of the mean of the channels; stretch k begins at frame k * length."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._length = int(STRETCH_S * sample_rate)
        self._pending = np.zeros(0, np.float32)
        self._index = 0
        self._kept: dict[int, tuple[float, FloatArray]] = {}

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        self._pending = np.concatenate((self._pending, block.mean(axis=0)))
        while len(self._pending) >= self._length:
            self._keep(self._pending[: self._length].copy())
            self._pending = self._pending[self._length :].copy()

    def finish(self) -> Mapping[int, FloatArray]:
        """The kept stretches by their number, all of one length (the last one filled up with silence)."""
        if self._pending.any():
            self._keep(np.pad(self._pending, (0, self._length - len(self._pending))))
        return {index: samples for index, (_, samples) in sorted(self._kept.items())}

    def _keep(self, samples: FloatArray) -> None:
        energy = float(np.sum(np.square(samples, dtype=np.float64)))
        if energy > 0:
            self._kept[self._index] = energy, samples
        if len(self._kept) > STRETCHES:
            del self._kept[min(self._kept, key=lambda index: self._kept[index][0])]
        self._index += 1


def find_pairs(
    excerpts: Mapping[str, Mapping[int, FloatArray]],
    groups: Sequence[Sequence[str]],
    sample_rate: int,
    duplicates: frozenset[frozenset[str]] = frozenset(),
) -> tuple[MicrophonePair, ...]:
    """Every pair of tracks within a group whose correlation is decisive, in the order of the groups."""
    pairs = (
        pair_of(one, other, excerpts[one], excerpts[other], sample_rate)
        for group in groups
        for one, other in combinations(group, 2)
        if frozenset((one, other)) not in duplicates
    )
    return tuple(pair for pair in pairs if pair is not None)


def pair_of(
    one: str,
    other: str,
    one_excerpts: Mapping[int, FloatArray],
    other_excerpts: Mapping[int, FloatArray],
    sample_rate: int,
) -> MicrophonePair | None:
    """The pair with the earlier track as reference, or None where the two are not clearly one source."""
    shared = sorted(one_excerpts.keys() & other_excerpts.keys())
    if not shared:
        return None
    first, second = (np.stack([kept[i] for i in shared]) for kept in (one_excerpts, other_excerpts))
    lag = best_lag(first, second, max_lag_frames=round(MAX_DELAY_S * sample_rate))
    if lag is None or abs(lag.correlation) < DECISIVE:
        return None
    return _named(one, other, lag, sample_rate)


def _named(one: str, other: str, lag: Lag, sample_rate: int) -> MicrophonePair:
    reference, late = (one, other) if lag.frames >= 0 else (other, one)
    delay_ms = abs(lag.frames) * 1000.0 / sample_rate
    return MicrophonePair(reference, late, delay_ms, lag.correlation < 0, min(abs(lag.correlation), 1.0))

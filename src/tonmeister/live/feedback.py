"""The feedback guard: a narrow tone that stands alone and keeps rising is howling, and its strip is ducked.

The criteria are those of van Waterschoot and Moonen (AES 126, 2009): the highest spectral peak against the mean of
the spectrum, against its neighborhood and against its own harmonics, and whether it stays; it must also rise all the
while. A synthesizer that fades in one sine looks the same and is ducked too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.live.limits import limit
from tonmeister.live.show import Show
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Duck", "FeedbackGuard"]

_BROAD_BINS: Final = 3
"""Bins on either side that belong to a peak under a Hann window."""
_NEAR_BINS: Final = 8


@dataclass(frozen=True, slots=True)
class Duck:
    """A strip is ducked (`level_db` < 0) because of a tone, or let go (0)."""

    track: str
    level_db: float
    frequency_hz: float


class FeedbackGuard:
    """Listens to every input, hop by hop."""

    def __init__(self, show: Show) -> None:
        rate = show.sample_rate
        self._show = show
        self._length = 1 << round(np.log2(limit("feedback", "frame_s") * rate))
        self._hz = rate / self._length
        self._window = np.hanning(self._length).astype(np.float32)
        self._scale = 2.0 / float(self._window.sum())
        self._starts = np.array(list(show.first_lane.values()))
        self._tail: FloatArray = np.zeros((len(show.channels), self._length), np.float32)
        count = len(show.channels)
        self._bin = np.zeros(count, np.int64)
        self._level: DoubleArray = np.zeros(count)
        self._since: DoubleArray = np.zeros(count)
        self._hops: NDArray[np.int64] = np.zeros(count, np.int64)
        self._hold: dict[int, float] = {}

    def update(self, block: FloatArray, seconds: float) -> list[Duck]:
        """Take the next (lanes, frames), `seconds` long; the strips to duck or to let go."""
        self._tail = np.concatenate([self._tail, block[self._starts]], axis=1)[:, -self._length :]
        power = np.abs(np.fft.rfft(self._tail * self._window, axis=1) * self._scale) ** 2
        peak, level_db, alone = self._peaks(power)
        howling = self._rising(peak, level_db, alone)
        return self._ducks(howling, peak, seconds)

    def _peaks(self, power: DoubleArray) -> tuple[NDArray[np.int64], DoubleArray, NDArray[np.bool_]]:
        """Highest bin of each track, its level, and whether it stands alone."""
        lowest = int(limit("feedback", "lowest_hz") / self._hz)
        rows = np.arange(len(power))
        peak = np.asarray(power[:, lowest:].argmax(axis=1) + lowest)
        height = power[rows, peak] + 1e-30
        level_db = 10.0 * np.log10(height)
        bins = np.arange(power.shape[1])
        distance = np.abs(bins - peak[:, np.newaxis])
        others = np.where(distance <= _BROAD_BINS, 0.0, power)
        near = np.where(distance <= _NEAR_BINS, others, 0.0).max(axis=1)
        average = others.mean(axis=1)
        harmonic = np.maximum.reduce([self._around(power, peak * k) for k in (2, 3)])
        alone = (
            (level_db > limit("feedback", "level_db"))
            & (_over_db(height, average) > limit("feedback", "peak_to_average_db"))
            & (_over_db(height, near) > limit("feedback", "peak_to_neighbor_db"))
            & (_over_db(height, harmonic) > limit("feedback", "peak_to_harmonic_db"))
        )
        return peak, level_db, alone

    def _around(self, power: DoubleArray, at: NDArray[np.int64]) -> DoubleArray:
        """The largest of three bins, 0 behind the end."""
        last = power.shape[1] - 1
        rows = np.arange(len(power))
        three = [np.where(at + k <= last, power[rows, np.minimum(at + k, last)], 0.0) for k in (-1, 0, 1)]
        return np.asarray(np.maximum.reduce(three))

    def _rising(
        self, peak: NDArray[np.int64], level_db: DoubleArray, alone: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        goes_on = (
            alone
            & (np.abs(peak - self._bin) <= 1)
            & (level_db >= self._level + limit("feedback", "least_rise_db"))
        )
        self._hops = np.where(goes_on, self._hops + 1, 0)
        self._since = np.where(goes_on, self._since, level_db)
        self._bin, self._level = peak, level_db
        return np.asarray(
            (self._hops >= limit("feedback", "rising_hops"))
            & (level_db - self._since >= limit("feedback", "rise_db"))
        )

    def _ducks(self, howling: NDArray[np.bool_], peak: NDArray[np.int64], seconds: float) -> list[Duck]:
        names, said = list(self._show.channels), []
        for index in tuple(self._hold):
            self._hold[index] -= seconds
            if self._hold[index] <= 0.0 and not howling[index]:
                del self._hold[index]
                said.append(Duck(names[index], 0.0, 0.0))
        for index in np.flatnonzero(howling).tolist():
            if index not in self._hold:
                said.append(Duck(names[index], limit("feedback", "duck_db"), float(peak[index] * self._hz)))
            self._hold[index] = limit("feedback", "hold_s")
        return said


def _over_db(height: DoubleArray, other: DoubleArray) -> DoubleArray:
    return np.asarray(10.0 * np.log10(height / (other + 1e-30)))

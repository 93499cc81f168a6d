"""Beats at the desk where there is no score: every fourth one is a place, told a moment before it comes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tonmeister.engines.base import ScorePosition
from tonmeister.live.beats import BeatPosition, BeatTracker
from tonmeister.live.limits import limit
from tonmeister.live.timing import Prediction
from tonmeister.units import FloatArray

__all__ = ["BeatEar"]


class BeatEar:
    """Follows the beat of any music; says no place while there is no steady one."""

    def __init__(self, sample_rate: int) -> None:
        self._tracker = BeatTracker(sample_rate)
        self._predicted: dict[int, Prediction] = {}
        self._every = round(limit("score", "place_beats"))
        self._follows = False
        self._beat_s = math.nan
        self.place = self.reached = -1

    def update(self, block: FloatArray) -> ScorePosition | None:
        """Take the next (frames,); None without a steady beat."""
        where = self._tracker.update(np.ascontiguousarray(block[np.newaxis], np.float32))
        needed = limit("score", "beat_lost" if self._follows else "beat_found")
        self._follows = math.isfinite(where.beat_s) and where.confidence >= needed
        if not self._follows:
            self.place, self._predicted = -1, {}
            return None
        self._beat_s = where.beat_s
        self._find_places(where)
        expected_s = self._predicted[self.place].time_s if self.place > self.reached else None
        name = f"beat {self._every * self.place}" if self.place >= 0 else ""
        return ScorePosition(where.beat, math.nan, where.confidence, name, expected_s)

    def predictions(self) -> Mapping[int, Prediction]:
        """The next place as it is expected now."""
        return self._predicted

    def found(self, position: ScorePosition) -> str:
        """What to say when there is a beat."""
        return f"following the beat, {60.0 / self._beat_s:.0f} a minute"

    def lost(self) -> str:
        """What to say when there is none any more."""
        return "there is no steady beat: mixing by ear alone"

    def _find_places(self, where: BeatPosition) -> None:
        told = self.place
        self.reached = math.floor(where.beat / self._every)
        following = self.reached + 1
        beats = self._every * following - math.floor(where.beat)
        upcoming = self._tracker.upcoming(beats)
        self._predicted = {}
        self.place = self.reached
        if len(upcoming) == beats:
            coming = upcoming[-1]
            near = coming.time_s - where.time_s <= limit("score", "ahead_s")
            self._predicted[following] = Prediction(following, coming.time_s, coming.sd_s)
            self.place = following if near or told == following else self.reached

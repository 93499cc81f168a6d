"""The score at the desk: places that matter, each told a moment before it comes, so that a move arrives with it."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import numpy as np

from tonmeister.engines.base import ScorePosition
from tonmeister.live.limits import limit
from tonmeister.live.score_following import Follower
from tonmeister.live.scores import Score, read_score
from tonmeister.units import FloatArray

__all__ = ["ScoreEar", "ear_of"]


def ear_of(path: Path, sample_rate: int) -> ScoreEar:
    """An ear for the score in a file."""
    return ScoreEar(read_score(path), sample_rate)


class ScoreEar:
    """Follows a score; its places are the beginnings of sections, and every fourth beat between them."""

    def __init__(self, score: Score, sample_rate: int) -> None:
        self.score = score
        self._follower = Follower(score, sample_rate)
        self._rate, self._frames = sample_rate, 0
        self._events = [event.beat for event in score.events]
        self._places = _places(score)
        self._beats = [beat for beat, _ in self._places]

    def update(self, block: FloatArray) -> ScorePosition | None:
        """Take the next (frames,); None while the band has not begun, or the place is lost."""
        self._frames += len(block)
        where = self._follower.update(np.ascontiguousarray(block[np.newaxis], np.float32))
        if where.mode != "following":
            return None
        at = bisect_right(self._beats, where.beat) - 1
        expected_s = self._expected_s(at + 1)
        place = self._places[at + 1][1] if expected_s is not None else self._places[at][1] if at >= 0 else ""
        return ScorePosition(where.beat, where.sd_beats, where.confidence, place, expected_s)

    def _expected_s(self, place: int) -> float | None:
        """When a place will come, if that is soon and sure enough."""
        if place >= len(self._places):
            return None
        now_s = self._frames / self._rate
        for prediction in self._follower.upcoming(round(limit("score", "most_events"))):
            if self._events[prediction.event] >= self._beats[place] - 1e-6:
                soon = prediction.time_s - now_s <= limit("score", "ahead_s")
                sure = prediction.sd_s <= limit("score", "largest_sd_s")
                return max(prediction.time_s, now_s) if soon and sure else None
        return None


def _places(score: Score) -> list[tuple[float, str]]:
    """(beat, section and beat) in rising order."""
    marks = dict(score.markers)
    every = limit("score", "place_beats")
    beats = {every * k for k in range(int(score.length_beats // every) + 1)} | set(marks)
    found, section = [], ""
    for beat in sorted(beats):
        section = marks.get(beat, section)
        found.append((beat, f"{section} {beat:g}".strip()))
    return found

"""The score at the desk: places that matter, each told a moment before it comes, so that a move arrives with it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.base import ScorePosition
from tonmeister.live.limits import limit
from tonmeister.live.score_following import Follower
from tonmeister.live.scores import Score, read_score
from tonmeister.live.timing import Prediction, TimingOptions
from tonmeister.units import FloatArray

__all__ = ["ScoreEar", "ear_of"]

_NEAR: Final = 1e-6


def ear_of(path: Path, sample_rate: int) -> ScoreEar:
    """An ear for the score in a file."""
    return ScoreEar(read_score(path), sample_rate)


class ScoreEar:
    """Follows a score; its places are the beginnings of sections, and every fourth beat between them."""

    def __init__(self, score: Score, sample_rate: int, *, timing: TimingOptions | None = None) -> None:
        self.score = score
        self._follower = Follower(score, sample_rate, timing=timing)
        self._rate, self._frames = sample_rate, 0
        self._events = [event.beat for event in score.events]
        self._places = _places(score)
        self._beats = [beat for beat, _ in self._places]
        self._first_event = [bisect_left(self._events, beat - _NEAR) for beat in self._beats]
        self._predicted: dict[int, Prediction] = {}
        self._blind = False
        self._why = ""
        self.place = self.reached = -1

    def update(self, block: FloatArray) -> ScorePosition | None:
        """Take the next (frames,); None while the band has not begun, or the place or its time is lost."""
        self._frames += len(block)
        where = self._follower.update(np.ascontiguousarray(block[np.newaxis], np.float32))
        if where.mode != "following":
            self._why = {
                "ended": "the score is at its end: mixing by ear",
                "lost": "the place in the score is lost (the sound does not fit it): mixing by ear alone",
            }.get(where.mode, "")
            self.place, self._predicted = -1, {}
            return None
        self.reached = bisect_right(self._beats, where.beat + _NEAR) - 1
        self._predicted = self._predictions()
        if self._is_blind():
            self.place = -1
            return None
        self.place = self._told()
        name = self._places[self.place][1] if self.place >= 0 else ""
        expected_s = self._predicted[self.place].time_s if self.place > self.reached else None
        return ScorePosition(where.beat, where.sd_beats, where.confidence, name, expected_s)

    def predictions(self) -> Mapping[int, Prediction]:
        """The next place, as it is expected now, and the last one, as it was heard."""
        return self._predicted

    def found(self, position: ScorePosition) -> str:
        """What to say when the place is known."""
        return f"following the score from beat {position.beat:.0f}"

    def lost(self) -> str:
        """What to say when it no longer is."""
        return self._why

    def _told(self) -> int:
        """The next place once it is near; it stays told until it is reached, or the band leaps back."""
        following = self.reached + 1
        if following not in self._predicted:
            return self.reached
        near = self._predicted[following].time_s - self._now_s <= limit("score", "ahead_s")
        return following if near or self.place == following else self.reached

    @property
    def _now_s(self) -> float:
        return self._frames / self._rate

    def _predictions(self) -> dict[int, Prediction]:
        found = {}
        if self.reached >= 0 and (heard_s := self._heard_s(self._first_event[self.reached])) is not None:
            found[self.reached] = Prediction(self.reached, heard_s, 0.0)
        following = self.reached + 1
        if following < len(self._places):
            first = self._first_event[following]
            for prediction in self._follower.upcoming(round(limit("score", "most_events"))):
                if prediction.event >= first:
                    time_s = max(prediction.time_s, self._now_s)
                    found[following] = Prediction(following, time_s, prediction.sd_s)
                    break
        return found

    def _heard_s(self, event: int) -> float | None:
        """When an event of the score was heard, if that is among the last ones."""
        return next((o.time_s for o in reversed(self._follower.observed[-64:]) if o.event == event), None)

    def _is_blind(self) -> bool:
        """Whether the time of a place is too uncertain when it is near; it must be clearly better to be certain again.

        Far ahead all times are uncertain, and nothing depends on them yet.
        """
        coming = self._predicted.get(self.reached + 1)
        if coming is None:
            return self._blind
        near = coming.time_s - self._now_s <= limit("score", "ahead_s")
        largest = limit("score", "sure_again_sd_s" if self._blind else "largest_sd_s")
        self._blind = coming.sd_s > largest and (near or self._blind)
        if self._blind:
            self._why = f"the time of the next place is uncertain (by {1000 * coming.sd_s:.0f} ms): mixing by ear alone"
        return self._blind


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

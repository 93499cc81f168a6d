"""Where the band is in the score: online time warping over a belief, and the timing model behind it.

Every 20 ms a row of features is compared with the rows of the reference within 5 s around the present place. ``forward``
(the default) keeps the probability of every place and of three tempi: time warping whose paths are all kept, with the
steps from one row to the next as tempo. ``warping`` is Dixon's classic recursion with one best path [Dixon2005], at most
three steps the same way in a row; it is there to compare with. Nothing reads ahead of what was played.

When what is heard does not fit the score for two seconds, the follower says ``lost`` and the caller should listen to the
sound alone; it goes on searching, and comes back when it is sure again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.live.follower_kernels import distances, forward_step, warping_step
from tonmeister.live.following_features import FollowingFeatures
from tonmeister.live.reference import Reference, reference_of_score
from tonmeister.live.scores import Score
from tonmeister.live.timing import Habit, Prediction, TimingModel, TimingOptions
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Follower", "FollowerOptions", "Observed", "ScoreFollower", "ScorePosition"]

Mode = Literal["waiting", "following", "lost", "ended"]


@dataclass(frozen=True, slots=True)
class FollowerOptions:
    """Numbers of the follower; chosen on synthesized performances, not on the recording they are measured on."""

    method: Literal["forward", "warping"] = "forward"
    band_s: float = 5.0
    """How far from the present place it looks (spec: 5 s)."""
    tempi: tuple[float, ...] = (0.75, 1.0, 4 / 3)
    """Tempi beside each other, as ratios of the tempo that the reference has."""
    tempo_spread: float = 0.5
    """Standard deviation of a step about its tempo, rows."""
    tempo_switch: float = 0.01
    """Probability of passing to the next tempo, a row."""
    any_step: float = 0.02
    """Share of steps of zero to four rows that no tempo explains."""
    leap: float = 1e-9
    """Probability of a leap to anywhere in the band, a row: a bar that is skipped."""
    lost_leap: float = 1e-5
    """The same while it is lost."""
    wait: float = 0.9
    """Probability of staying in the silence before the first note, a row."""
    sharpness: float = 8.0
    """How much a cost counts, nats."""
    most_same_steps: int = 3
    """Of the classic recursion (Dixon 2005)."""
    detection_s: float = 0.025
    """How late the place is seen: the window must fill with a note first."""
    even_ratio: float = 0.66
    """Cost at the place over the band's mean cost at which this score and another are as likely."""
    even_sd_s: float = 0.14
    """Width of the belief at which they are."""
    lost_below: float = 0.3
    lost_after_s: float = 2.0
    found_above: float = 0.7
    found_after_s: float = 1.0
    """Once lost, it must be this sure for so long to be back: other music fits now and then."""
    confidence_s: float = 2.0
    pause_s: float = 0.3
    """Silence that is not in the score for longer than this holds the place."""


@dataclass(frozen=True, slots=True)
class ScorePosition:
    """Where the music is at `time_s`, the end of all sound so far."""

    beat: float
    sd_beats: float
    confidence: float
    """0 to 1; below 0.3 nothing should rely on it."""
    event: int
    """Index of the last event that was heard, -1 before the first."""
    time_s: float = 0.0
    mode: Mode = "waiting"


@dataclass(frozen=True, slots=True)
class Observed:
    """An event of the score as it was heard."""

    event: int
    beat: float
    time_s: float
    """When it was played, as far as one could tell at `said_s`."""
    said_s: float
    expected_s: float | None = None
    """When it was expected, at the event before it."""


class ScoreFollower(Protocol):
    """Anything that tells the place in a score from sound."""

    def update(self, block: FloatArray) -> ScorePosition: ...


class Follower:
    """Follows one performance of one score; `update` takes blocks (channels, frames) of any length."""

    def __init__(
        self,
        score: Score,
        sample_rate: int,
        *,
        options: FollowerOptions | None = None,
        reference: Reference | None = None,
        timing: TimingOptions | None = None,
        habits: Mapping[int, Habit] | None = None,
    ) -> None:
        if not score.events:
            raise BadInputError(f"{score.title}: holds no notes: there is nothing to follow")
        self.score = score
        self._options = options or FollowerOptions()
        self._rate = sample_rate
        self._features = FollowingFeatures(sample_rate)
        self._reference = reference or reference_of_score(score, sample_rate)
        self._events = np.array([e.beat for e in score.events])
        beat_s = score.seconds(score.length_beats) / max(score.length_beats, 1e-9)
        self.timing = TimingModel(self._events.tolist(), beat_s, options=timing, habits=habits)
        makers: dict[str, type[_Forward] | type[_Warping]] = {"forward": _Forward, "warping": _Warping}
        self._place = makers[self._options.method](self._reference, self._options, self.row_s)
        self.reset()

    @property
    def row_s(self) -> float:
        """Seconds between rows."""
        return self._features.hop / self._rate

    def reset(self) -> None:
        """Forget the performance, not the score."""
        self._features.reset()
        self._place.reset()
        self.timing.reset()
        self.observed: list[Observed] = []
        self._rows = 0
        self._frames = 0
        self._fit = _Fit(self._options, self.row_s)
        self._quiet_rows = 0
        self._last_beat = float(self._reference.beats[0])
        self._mode: Mode = "waiting"

    def update(self, block: FloatArray) -> ScorePosition:
        """Take the next block; where the music is at its end."""
        self._frames += block.shape[1]
        rows, silent = self._features.update(block)
        for row, quiet in zip(rows, silent, strict=True):
            self._rows += 1
            self._take(row, bool(quiet))
        return self.position

    @property
    def position(self) -> ScorePosition:
        """Where the music is after all blocks so far."""
        beat_s = self.timing.beat_s
        return ScorePosition(
            beat=self._last_beat,
            sd_beats=self._place.sd_rows * self.row_s / beat_s,
            confidence=self._fit.confidence if self._mode != "waiting" else 0.0,
            event=self.timing.event,
            time_s=self._frames / self._rate,
            mode=self._mode,
        )

    def upcoming(self, count: int) -> list[Prediction]:
        """When the next `count` events are expected; empty while it waits or is lost."""
        return self.timing.predictions(count) if self._mode == "following" else []

    def _take(self, row: DoubleArray, quiet: bool) -> None:
        self._quiet_rows = self._quiet_rows + 1 if quiet else 0
        if self._holds():
            self._fit.silence()
            self._settle()
            return
        self._place.step(row, lost=self._mode == "lost")
        if self._mode != "waiting":
            self._fit.take(self._place.cost, self._place.around, self._place.sd_rows, self._place.at)
        before = self._last_beat
        self._last_beat = self._beat()
        self._settle()
        if self._mode == "following":
            self._observe(before, self._last_beat)

    def _holds(self) -> bool:
        """Whether the players are silent where the score is not, or have not begun."""
        if self._quiet_rows == 0:
            return False
        if self._mode == "waiting":
            return True
        long = self._quiet_rows * self.row_s > self._options.pause_s
        return long and not self._reference.silent[min(round(self._place.at), len(self._reference.rows) - 1)]

    def _beat(self) -> float:
        place = self._place.at
        low = min(int(place), len(self._reference.beats) - 2)
        share = place - low
        return float((1 - share) * self._reference.beats[low] + share * self._reference.beats[low + 1])

    def _settle(self) -> None:
        """Change the mode as the confidence says."""
        if self._mode == "waiting":
            if self._last_beat >= self._events[0]:
                self._mode = "following"
        elif self._last_beat >= self.score.length_beats and self._fit.confidence >= self._options.lost_below:
            self._mode = "ended"
        elif self._mode == "following" and self._fit.low_s >= self._options.lost_after_s:
            self._mode = "lost"
        elif self._mode == "lost" and self._fit.high_s >= self._options.found_after_s:
            self._mode = "following"
            self._resume()

    def _resume(self) -> None:
        event = int(np.searchsorted(self._events, self._last_beat, side="right")) - 1
        self.timing.jump(max(event, 0), self._rows * self.row_s - self._options.detection_s)

    def _observe(self, before: float, after: float) -> None:
        """Tell the timing model of every event that the place has passed in this row."""
        first = self.timing.event + 1
        passed = int(np.searchsorted(self._events, after, side="right"))
        if passed - first > _MOST_EVENTS_A_ROW and after - before > _LEAP_BEATS:
            self._resume()
            return
        now_s = self._rows * self.row_s
        for event in range(first, passed):
            share = (self._events[event] - before) / (after - before) if after > before else 1.0
            heard_s = now_s - (1 - min(max(share, 0.0), 1.0)) * self.row_s - self._options.detection_s
            expected = self.timing.predictions(1)
            self.timing.observe(event, heard_s, sd_s=self._sd_s())
            self.observed.append(
                Observed(
                    event,
                    float(self._events[event]),
                    heard_s,
                    now_s,
                    expected[0].time_s if expected else None,
                )
            )

    def _sd_s(self) -> float:
        """How sure an observed time is: the detector, and half the width of the belief."""
        return math.hypot(_DETECTOR_SD_S, 0.5 * self._place.sd_rows * self.row_s)


_DETECTOR_SD_S: Final = 0.012
_RATIO_NATS: Final = 18.0
_WIDTH_NATS: Final = 2.25
_MOST_EVENTS_A_ROW: Final = 3
_LEAP_BEATS: Final = 1.0


class _Fit:
    """How well the sound fits the score, over some seconds.

    confidence = pace / (1 + exp(-z)),  z = 18 (even_ratio - r) + 2.25 ln(even_sd / sd), with r the cost at the place over
    the mean cost around it and sd the width of the belief. The weights part synthesized performances of their own
    score from those of another.
    """

    def __init__(self, options: FollowerOptions, row_s: float) -> None:
        self._options, self._row_s = options, row_s
        self._fade = 0.5 ** (row_s / (0.5 * options.confidence_s))
        self._ratio = options.even_ratio
        self._log_sd = math.log(0.5 * options.even_sd_s)
        self._walk: list[float] = []
        self.confidence = 0.5
        self.low_s = self.high_s = 0.0

    def take(self, cost: float, around: float, sd_rows: float, at: float) -> None:
        """The cost at the place, the mean cost of the band, the width of the belief and the place in rows."""
        if around <= 0:
            return
        log_sd = math.log(min(max(sd_rows, 0.5), 50.0) * self._row_s)
        self._ratio = self._fade * self._ratio + (1 - self._fade) * min(cost / around, 1.5)
        self._log_sd = self._fade * self._log_sd + (1 - self._fade) * log_sd
        self._walk.append(at)
        ratio_nats = _RATIO_NATS * (self._options.even_ratio - self._ratio)
        width_nats = _WIDTH_NATS * (math.log(self._options.even_sd_s) - self._log_sd)
        self._set(self._pace() / (1 + math.exp(-ratio_nats - width_nats)))

    def silence(self) -> None:
        """The players are silent where the score is not: less sure with every row."""
        self._set(self.confidence * self._fade)

    def _pace(self) -> float:
        """1 where the place moves about as fast as music does, less where it creeps or rushes."""
        rows = round(4.0 / self._row_s)
        if len(self._walk) <= rows:
            return 1.0
        pace = (self._walk[-1] - self._walk[-1 - rows]) / rows
        if len(self._walk) > 4 * rows:
            del self._walk[:rows]
        return min(max(pace / 0.5, 0.2), 1.0) if pace < 0.5 else min(max(2.0 / pace, 0.2), 1.0)

    def _set(self, confidence: float) -> None:
        self.confidence = confidence
        self.low_s = self.low_s + self._row_s if confidence < self._options.lost_below else 0.0
        self.high_s = self.high_s + self._row_s if confidence >= self._options.found_above else 0.0


class _Band:
    """What both recursions share: the band around the place, the costs in it."""

    def __init__(self, reference: Reference, options: FollowerOptions, row_s: float) -> None:
        self._rows = np.ascontiguousarray(reference.rows)
        self._options = options
        self._band = max(round(options.band_s / row_s), 1)
        self._costs = np.zeros(len(self._rows))
        self.at = self.sd_rows = self.cost = self.around = 0.0
        self._first, self._end = 0, 1

    def _look(self, row: DoubleArray, *, wider: int = 1) -> tuple[int, int]:
        """Costs of the row against the band around the place: [first, end)."""
        first = max(0, int(self.at) - self._band * wider)
        end = min(len(self._rows), int(self.at) + self._band * wider + 1)
        distances(row, self._rows, first, end, self._costs)
        self.around = float(self._costs[first:end].mean())
        return first, end


class _Forward(_Band):
    """Probability of every place and tempo."""

    def __init__(self, reference: Reference, options: FollowerOptions, row_s: float) -> None:
        super().__init__(reference, options, row_s)
        tempi = np.asarray(options.tempi)[:, None]
        steps = np.exp(
            -0.5 * ((np.arange(_MOST_ROWS_A_STEP + 1)[None, :] - tempi) / options.tempo_spread) ** 2
        )
        steps /= steps.sum(axis=1, keepdims=True)
        self._steps = steps * (1 - options.any_step) + options.any_step / steps.shape[1]
        self._belief = np.zeros((len(options.tempi), len(self._rows)))
        self._scratch = np.zeros_like(self._belief)

    def reset(self) -> None:
        self._belief[:] = 0.0
        self._belief[:, 0] = 1.0 / len(self._belief)
        self._first, self._end = 0, 1
        self.at = self.sd_rows = self.cost = self.around = 0.0

    def step(self, row: DoubleArray, *, lost: bool) -> None:
        """Take one row; the place is the middle of the most probable hump."""
        o = self._options
        first, end = self._look(row, wider=4 if lost else 1)
        leap = o.lost_leap if lost else o.leap
        forward_step(
            self._belief, self._scratch, self._costs, self._steps, first, end, self._first, self._end,
            o.sharpness, o.tempo_switch, leap, o.wait,
        )  # fmt: skip
        self._first, self._end = first, end
        places = self._belief[:, first:end].sum(axis=0)
        peak = int(np.convolve(places, np.ones(5), "same").argmax())
        low, high = max(peak - _HUMP_ROWS, 0), peak + _HUMP_ROWS + 1
        hump, where = places[low:high], np.arange(first + low, min(first + high, end))
        mass = float(hump.sum())
        self.at = float(hump @ where) / mass if mass > 0 else float(first + peak)
        self.sd_rows = math.sqrt(float(places @ (np.arange(first, end) - self.at) ** 2))
        self.cost = float(self._costs[first + peak])


_MOST_ROWS_A_STEP: Final = 4
_HUMP_ROWS: Final = 8


class _Warping(_Band):
    """Dixon's recursion: the best path to every place in the band."""

    def __init__(self, reference: Reference, options: FollowerOptions, row_s: float) -> None:
        super().__init__(reference, options, row_s)
        self._total = np.full((2, len(self._rows)), np.inf)
        self._runs = np.zeros((2, len(self._rows)))
        self._scratch = np.zeros((4, len(self._rows)))

    def reset(self) -> None:
        self._total[0], self._total[1] = np.inf, 0.0
        self._total[0, 0] = 0.0
        self._runs[:] = 0.0
        self._first, self._end = 0, 1
        self.at = self.sd_rows = self.cost = self.around = 0.0

    def step(self, row: DoubleArray, *, lost: bool) -> None:
        """Take one row; the place is the cell with the least mean cost."""
        first, end = self._look(row, wider=1)
        place = warping_step(
            self._total, self._runs, self._scratch, self._costs, first, end, self._first, self._end,
            self._options.most_same_steps,
        )  # fmt: skip
        self._first, self._end = first, end
        self.at, self.sd_rows, self.cost = float(place), 2.0, float(self._costs[place])

"""When is next: a Kalman filter over onset time and beat length, whose doubt grows with how far ahead it looks.

State (t_n, s_n): time of event n and seconds per beat; l_n is the written length from event n to the next, in beats::

    s_{n+1} = s_n + sigma_n,      t_{n+1} = t_n + l_n s_n + tau_n,      (sigma_n, tau_n) ~ N(mu_n, Gamma_n)

Raphael's timing model [Raphael2011]. A detected onset is an observation of t with the detector's variance; habits
(mu_n, Gamma_n) learned from rehearsals carry what these players do at this place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["Habit", "PlainPeriod", "Prediction", "TimingModel", "TimingOptions", "learn_habits"]

_SHORTEST_BEAT_S: Final = 0.1
_LONGEST_BEAT_S: Final = 5.0
_NARROWEST_TAU_S: Final = 0.002
_SURPRISING: Final = 2.0
"""Squared error over its expected variance; a well-fitted model passes it once in six events."""
_LIVELIER: Final = 1.3
_CALMER: Final = 0.93
"""With these, a model that fits stays where it is: 1.3 once for five times 0.93 and less."""
_LIVELIEST: Final = 12.0


@dataclass(frozen=True, slots=True)
class TimingOptions:
    """Standard deviations of the model (spec of the system: 3 ms a beat, 5 ms, 12 ms)."""

    tempo_sd_s: float = 0.003
    """Of the change of the beat length from event to event, seconds per beat."""
    event_sd_s: float = 0.005
    """Of an event about where the tempo puts it, s."""
    detector_sd_s: float = 0.012
    """Of a detected onset about the real one, s."""
    first_beat_sd_s: float = 0.15
    """How little the written tempo says about the one that is played, seconds per beat."""


@dataclass(frozen=True, slots=True)
class Habit:
    """What rehearsals say about an event: mean and variance of its tau (s), mean of its sigma (s per beat)."""

    tau_s: float = 0.0
    tau_variance: float | None = None
    sigma_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """When an event is expected; `sd_s` is how sure that is."""

    event: int
    time_s: float
    sd_s: float


class TimingModel:
    """Follows the times of events; ask it for the times of those to come."""

    def __init__(
        self,
        beats: Sequence[float],
        beat_s: float,
        *,
        options: TimingOptions | None = None,
        habits: Mapping[int, Habit] | None = None,
    ) -> None:
        self._beats = np.asarray(beats, dtype=np.float64)
        if len(self._beats) == 0 or np.any(np.diff(self._beats) <= 0):
            raise BadInputError("beats: the events of a score come one after the other: give rising beats")
        self._options, self._habits = options or TimingOptions(), habits or {}
        self._written_s = beat_s
        self.reset()

    def reset(self) -> None:
        """Forget the performance."""
        self.event = -1
        """The last event that was observed; -1 before the first."""
        self._state = np.array([0.0, self._written_s])
        self._cov = np.diag([1e6, self._options.first_beat_sd_s**2])
        self._liveliness = 1.0

    @property
    def beat_s(self) -> float:
        """Seconds per beat now."""
        return float(self._state[1])

    @property
    def time_s(self) -> float:
        """Estimated time of the last observed event."""
        return float(self._state[0])

    def observe(self, event: int, time_s: float, *, sd_s: float | None = None) -> None:
        """Event number `event` was heard at `time_s`; events in between may be missing, earlier ones are ignored."""
        if not math.isfinite(time_s) or event <= self.event or event >= len(self._beats):
            return
        if self.event >= 0:
            for n in range(self.event, event):
                self._state, self._cov = self._next(n, self._state, self._cov)
        self.event = event
        self._correct(time_s, sd_s if sd_s is not None else self._options.detector_sd_s)

    def jump(self, event: int, time_s: float) -> None:
        """The players are somewhere else: keep the tempo, forget the time."""
        self.event = event
        self._state = np.array([time_s, self._state[1]])
        self._cov = np.diag([4 * self._options.detector_sd_s**2, max(self._cov[1, 1], 0.02**2)])

    def predictions(self, count: int) -> list[Prediction]:
        """The next `count` events after the last observed one; empty before anything was heard."""
        if self.event < 0:
            return []
        state, cov, found = self._state, self._cov, []
        for n in range(self.event, min(self.event + count, len(self._beats) - 1)):
            state, cov = self._next(n, state, cov)
            found.append(Prediction(n + 1, float(state[0]), math.sqrt(max(float(cov[0, 0]), 0.0))))
        return found

    def _next(self, n: int, state: DoubleArray, cov: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        length = self._beats[n + 1] - self._beats[n]
        habit = self._habits.get(n + 1, Habit())
        tau_variance = habit.tau_variance if habit.tau_variance is not None else self._options.event_sd_s**2
        move = np.array([[1.0, length], [0.0, 1.0]])
        moved = move @ state + np.array([habit.tau_s, habit.sigma_s])
        return moved, move @ cov @ move.T + np.diag(
            [tau_variance, (self._liveliness * self._options.tempo_sd_s) ** 2]
        )

    def _correct(self, time_s: float, sd_s: float) -> None:
        """Kalman's correction for an observation of the time alone."""
        expected = self._cov[0, 0] + sd_s**2
        self._adapt((time_s - self._state[0]) ** 2 / expected)
        gain = self._cov[:, 0] / expected
        self._state = self._state + gain * (time_s - self._state[0])
        self._state[1] = min(max(self._state[1], _SHORTEST_BEAT_S), _LONGEST_BEAT_S)
        keep = np.eye(2) - np.outer(gain, [1.0, 0.0])
        cov = keep @ self._cov @ keep.T + sd_s**2 * np.outer(gain, gain)
        self._cov = (cov + cov.T) / 2

    def _adapt(self, surprise: float) -> None:
        """More room for the tempo where events come as a surprise again and again (rubato), less as they do not."""
        factor = _LIVELIER if surprise > _SURPRISING else _CALMER
        self._liveliness = min(max(self._liveliness * factor, 1.0), _LIVELIEST)


class PlainPeriod:
    """The plain fallback: the beat length alone, from one interval after the other.

    P- = P + 0.03;  e = IOI - IOI_score p;  k = P- IOI_score / (IOI_score^2 P- + 0.0213);  p = p + k e;
    P = (1 - k IOI_score) P-   (the variances of pymatchmaker).
    """

    PROCESS: Final = 0.03
    DETECTOR: Final = 0.0213

    def __init__(self, beat_s: float) -> None:
        self.beat_s = beat_s
        self._variance = 1.0

    def observe(self, interval_s: float, interval_beats: float) -> float:
        """The beat length after an interval of `interval_beats` took `interval_s`."""
        before = self._variance + self.PROCESS
        gain = before * interval_beats / (interval_beats**2 * before + self.DETECTOR)
        period = self.beat_s + gain * (interval_s - interval_beats * self.beat_s)
        self.beat_s = min(max(period, _SHORTEST_BEAT_S), _LONGEST_BEAT_S)
        self._variance = (1 - gain * interval_beats) * before
        return self.beat_s


def learn_habits(
    beats: Sequence[float], rehearsals: Sequence[Mapping[int, float]], *, options: TimingOptions | None = None
) -> dict[int, Habit]:
    """What players do at each event, from the event times (s) of rehearsals.

    tau of event n is how far it lies from where its neighbors put it: its time less the straight line from the event
    before it to the one after it. Two rehearsals are the least from which a variance can be learned.
    """
    chosen = options or TimingOptions()
    taus: dict[int, list[float]] = {}
    for times in rehearsals:
        for n in range(1, len(beats) - 1):
            if n - 1 in times and n in times and n + 1 in times:
                share = (beats[n] - beats[n - 1]) / (beats[n + 1] - beats[n - 1])
                straight = times[n - 1] + share * (times[n + 1] - times[n - 1])
                taus.setdefault(n, []).append(times[n] - straight)
    return {n: _habit(found, chosen) for n, found in taus.items() if len(found) > 1}


def _habit(taus: Sequence[float], options: TimingOptions) -> Habit:
    """Mean and variance, drawn toward the default as if it had been seen twice."""
    count = len(taus)
    variance = (2 * options.event_sd_s**2 + count * float(np.var(taus))) / (2 + count)
    return Habit(float(np.mean(taus)) * count / (2 + count), max(variance, _NARROWEST_TAU_S**2))

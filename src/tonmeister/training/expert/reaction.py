"""How late a hand is: the lag at which the beginnings of moves best meet the events they answer.

    S(L) = sum over moves m, events e of K(t_m - L - t_e),    K a bell of `learning.lag_smoothing` seconds

looked at from 0 to 2 s in steps of 20 ms. A learned table without this correction learns to be late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.numbers import number, numbers
from tonmeister.units import DoubleArray

__all__ = ["Reaction", "reaction_lag"]

_LEAST_MOVES = 8


@dataclass(frozen=True, eq=False)
class Reaction:
    """The lag that was found, and whether it can be believed."""

    lag_s: float
    """0 when nothing stands out."""
    surely: float
    """Height of the peak over the mean, in standard deviations of the rest."""
    moves: int
    lags_s: DoubleArray
    scores: DoubleArray

    @property
    def found(self) -> bool:
        return self.lag_s > 0.0

    def __str__(self) -> str:
        if self.moves < _LEAST_MOVES:
            return f"reaction lag not looked for: {self.moves} moves are too few"
        if not self.found:
            return f"no reaction lag stands out of chance among {self.moves} moves: taken as 0"
        height = f"{min(self.surely, 99.0):.0f} sd above chance"
        return f"reaction lag {self.lag_s * 1000:.0f} ms ({self.moves} moves, {height}): removed"


def reaction_lag(onsets_s: Sequence[float], events_s: Sequence[float]) -> Reaction:
    """The lag between events and the moves that answer them."""
    longest_s, step_s = numbers("learning.lag")
    lags = np.arange(0.0, longest_s + step_s / 2.0, step_s)
    moves, events = np.asarray(onsets_s, dtype=np.float64), np.asarray(events_s, dtype=np.float64)
    if len(moves) < _LEAST_MOVES or not len(events):
        return Reaction(0.0, 0.0, len(moves), lags, np.zeros(len(lags)))
    width = number("learning.lag_smoothing")
    scores = np.array([_matched(moves - lag, np.sort(events), width) for lag in lags])
    best = int(np.argmax(scores))
    rest = scores[np.abs(lags - lags[best]) > 4.0 * width]
    spread = max(float(rest.std()), 1.0) if rest.size else 1.0
    surely = float((scores[best] - rest.mean()) / spread) if rest.size else 0.0
    lag_s = float(lags[best]) if surely >= number("learning.lag_surely") else 0.0
    return Reaction(lag_s, surely, len(moves), lags, scores)


def _matched(times: DoubleArray, events: DoubleArray, width: float) -> float:
    """Sum of the bells between each time and its nearest event."""
    after = np.clip(np.searchsorted(events, times), 1, max(len(events) - 1, 1))
    before, behind = events[after - 1], events[np.minimum(after, len(events) - 1)]
    distance = np.minimum(np.abs(times - before), np.abs(times - behind))
    return float(np.exp(-0.5 * (distance / width) ** 2).sum())

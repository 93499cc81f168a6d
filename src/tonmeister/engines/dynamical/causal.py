"""The same system while the music plays: one window in, one belief out, nothing later is known.

What the whole song tells offline is taken from what was heard so far: loudness of the tracks and means of the features.

A person's hand is observed, too. Beside the gain x of each group stands the person's offset o from it, which hardly moves
by itself; a fader that a hand leaves at h says

    h = x + o + e,   e ~ N(0, HAND_DB^2),   o_t = o_(t-1) + w,   w ~ N(0, DRIFT_DB^2 per window)

so the filter learns the offset from each hand, and the rides go on around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.decisions import USER, Decision, Reason, SetGain
from tonmeister.engines.base import Heard, LiveMove
from tonmeister.engines.dynamical.frames import ACTIVE_DB, group_powers
from tonmeister.engines.dynamical.groups import grouped
from tonmeister.engines.dynamical.model import DynamicalModel, SongScale
from tonmeister.engines.dynamical.rides import DOUBT_DB, RANGE_DB
from tonmeister.engines.dynamical.state_space import KalmanFilter, StateSpace
from tonmeister.features import FRAME_HOP_S, FRAME_WINDOW_S
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import PARAMETERS
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["CausalInference", "DynamicalMixer", "Step", "with_hands"]

_LEAST_POWER: Final = 1e-9
_STILL_DB: Final = 0.25
"""A fader that would move by less stays where it is."""
_EVERY_HOPS: Final = 2
"""The desk is asked for measurements every second window, and gets two."""
HAND_DB: Final = 0.5
"""How exactly a person means the place of a fader; ours."""
OFFSET_DB: Final = 6.0
"""Standard deviation of a person's offset before anything is known; ours: the range of a ride."""
DRIFT_DB: Final = 0.01
SOURCE: Final = "Scott, Prockup, Schmidt & Kim, SMC 2011"


def with_hands(system: StateSpace) -> StateSpace:
    """The system with a person's offset per group as further states, and places of hands as further observations."""
    K, M = system.states, len(system.C)
    zero, one = np.zeros((K, K)), np.eye(K)
    return StateSpace(
        np.block([[system.A, zero], [zero, one]]),
        np.block([[system.C, np.zeros((M, K))], [one, one]]),
        np.block([[system.Q, zero], [zero, DRIFT_DB**2 * one]]),
        np.block([[system.R, np.zeros((M, K))], [np.zeros((K, M)), HAND_DB**2 * one]]),
        np.concatenate((system.mean, np.zeros(K))),
        np.block([[system.covariance, zero], [zero, OFFSET_DB**2 * one]]),
    )


@dataclass(frozen=True, eq=False)
class Step:
    """What is believed after a window."""

    mean_db: DoubleArray
    """Gain of each group re the model's mean, shape (K,)."""
    deviation_db: DoubleArray
    """Standard deviation, shape (K,)."""
    offset_db: DoubleArray
    """What a person wants each group to be louder than that, shape (K,)."""
    sounds: np.ndarray
    """Shape (K,)."""


class CausalInference:
    """Band powers of the tracks, window by window, to gains of the groups."""

    def __init__(
        self, model: DynamicalModel, members: Mapping[str, Sequence[str]], *, faithful: bool = False
    ) -> None:
        self._model, self._members, self._faithful = model, members, faithful
        self._filter = KalmanFilter(with_hands(model.observer(faithful)))
        self._heard = {name: np.zeros(2) for names in members.values() for name in names}
        """Per track: power added up, windows in which it sounded."""
        width = len(model.looks_at(faithful))
        self._sums, self._squares, self._counts = np.zeros(width), np.zeros(width), np.zeros(width)
        self._loudest = np.zeros(len(members))
        self._before: DoubleArray | None = None
        self._hands = np.full(len(members), np.nan)

    def hand(self, group: int, place_db: float) -> None:
        """A person has put the fader of a group there, re its level without rides; the next window learns from it."""
        self._hands[group] = place_db

    def update(self, powers: Mapping[str, FloatArray]) -> Step:
        """Take a window: band powers (30,) of each track, a hop after the one before."""
        frames = {name: np.asarray(powers[name])[None] for name in self._heard}
        groups = group_powers(frames, self._members, self._equal_db(frames))
        totals = groups[:, 0].sum(-1)
        self._loudest = np.maximum(self._loudest, totals)
        sounds = totals > np.maximum(self._loudest * 10.0 ** (ACTIVE_DB / 10.0), _LEAST_POWER)
        groups[~sounds] = 0.0
        pair = groups if self._before is None else np.concatenate((self._before, groups), axis=1)
        self._before = groups
        scaled = self._scaled(self._model.features(pair, self._faithful)[-1:])
        observed = self._model.observed(scaled, sounds[None], self._faithful)[0]
        belief = self._filter.update(np.concatenate((observed, self._hands)))
        self._hands = np.full(len(sounds), np.nan)
        K = len(sounds)
        deviation = np.sqrt(np.maximum(np.diag(belief.covariance)[:K], 0.0))
        if not self._faithful:
            deviation = deviation * self._model.spread_scales
        return Step(belief.mean[:K], deviation, belief.mean[K:], sounds)

    def _equal_db(self, frames: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Gains that make the groups equally loud, after what was heard of each track so far."""
        gains = {}
        for names in self._members.values():
            for name in names:
                power = float(frames[name].sum())
                if power > _LEAST_POWER:
                    self._heard[name] += (power, 1.0)
                total, windows = self._heard[name]
                gains[name] = -10.0 * np.log10(total / windows * len(names)) if windows else 0.0
        return gains

    def _scaled(self, features: DoubleArray) -> DoubleArray:
        """In the model's units, re what was heard so far where those are re the song."""
        seen = np.isfinite(features[0])
        self._sums[seen] += features[0, seen]
        self._squares[seen] += features[0, seen] ** 2
        self._counts[seen] += 1
        counts = np.maximum(self._counts, 1)
        means = self._sums / counts
        variance = self._squares / counts - means**2
        deviations = np.where(variance > 1e-9, np.sqrt(np.maximum(variance, 1e-12)), 1.0)
        return self._model.scaled(features, self._faithful, SongScale(means, deviations))


class DynamicalMixer:
    """Rides around the faders as the desk stands, and around where a person puts them meanwhile.

    While a hand is on a fader nothing moves it (the desk sees to that); when it lets go, the fader stays and rides go on
    from there. What the hand says of the whole group the other tracks of the group follow.
    """

    def __init__(
        self, multitrack: Multitrack, plan: MixPlan, model: DynamicalModel, *, faithful: bool, by: str
    ) -> None:
        self._members = grouped(multitrack.tracks, model.scheme)
        self._groups = {name: k for k, names in enumerate(self._members.values()) for name in names}
        self._inference = CausalInference(model, self._members, faithful=faithful)
        self._base_db = {name: _standing_db(plan, name) for name in multitrack.names}
        self._sent_db = dict(self._base_db)
        self._left: dict[str, float] = {}
        """Where hands left faders since the last window."""
        self._next_s, self._by, self._faithful = FRAME_WINDOW_S, by, faithful

    def stands(self, decision: Decision) -> None:
        """A person let go of a fader, or the desk moved one by half."""
        if not isinstance(decision, SetGain) or decision.strip not in self._base_db:
            return
        self._sent_db[decision.strip] = decision.gain_db
        if decision.by == USER:
            self._left[decision.strip] = decision.gain_db

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        """Moves twice a second, once a second has been heard."""
        if heard.time_s < self._next_s - 1e-9:
            return
        first = self._next_s == FRAME_WINDOW_S
        self._next_s += _EVERY_HOPS * FRAME_HOP_S
        windows = 1 if first else _EVERY_HOPS
        features = heard.recent(FRAME_WINDOW_S + (windows - 1) * FRAME_HOP_S)
        powers = {name: _newest(features[name].band_frames, windows) for name in self._base_db}
        self._listen_to_hands()
        for t in range(windows):
            step = self._inference.update({name: rows[t] for name, rows in powers.items()})
        self._settle(step)
        for k, (group, names) in enumerate(self._members.items()):
            if step.sounds[k]:
                yield from self._moves(group, names, self._place_db(step, k), step, k)

    def _listen_to_hands(self) -> None:
        """Tell the filter where hands left the faders, as the mean over the tracks of a group."""
        for k, names in enumerate(self._members.values()):
            if any(name in self._left for name in names):
                places = [self._left.get(n, self._sent_db[n]) - self._base_db[n] for n in names]
                self._inference.hand(k, float(np.mean(places)))

    def _settle(self, step: Step) -> None:
        """What the group does not explain of a hand is the track's own."""
        for name, left_db in self._left.items():
            self._base_db[name] = left_db - self._place_db(step, self._groups[name])
        self._left.clear()

    def _place_db(self, step: Step, k: int) -> float:
        """Where the faders of a group should be re their bases."""
        ride_db = float(step.mean_db[k])
        if not self._faithful:
            doubt = float(step.deviation_db[k]) / DOUBT_DB
            ride_db = float(np.clip(ride_db / (1.0 + doubt**2), -RANGE_DB, RANGE_DB))
        return ride_db + float(step.offset_db[k])

    def _moves(
        self, group: str, names: Sequence[str], place_db: float, step: Step, k: int
    ) -> Iterator[LiveMove]:
        text = (
            f"The {group} should stand {place_db:+.1f} dB around the level set, after what was heard so far"
        )
        offset_db = float(step.offset_db[k])
        text += f", of which {offset_db:+.1f} dB learned from your hand." if abs(offset_db) >= 0.1 else "."
        reason = Reason(text, SOURCE, f"dynamical.ride.{group}", f"sd {step.deviation_db[k]:.1f} dB")
        for name in names:
            level_db = PARAMETERS["gain_db"].clip(self._base_db[name] + place_db)
            if abs(level_db - self._sent_db[name]) >= _STILL_DB:
                self._sent_db[name] = level_db
                yield LiveMove(
                    SetGain(name, round(level_db, 2), reason=reason, by=self._by), ramp_s=FRAME_HOP_S
                )


def _standing_db(plan: MixPlan, name: str) -> float:
    """Where a fader stands; the mean of its way if it moves."""
    curve = plan[name].automation.get("gain_db")
    return float(np.mean(curve.values)) if curve else plan[name].gain_db


def _newest(frames: FloatArray | None, count: int) -> FloatArray:
    """The last `count` windows, (count, 30); silence where there are fewer."""
    kept = np.zeros((count, 30), np.float32)
    if frames is not None and len(frames):
        kept[-len(frames[-count:]) :] = frames[-count:]
    return kept

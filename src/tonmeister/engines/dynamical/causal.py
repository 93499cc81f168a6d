"""The same system while the music plays: one window in, one belief out, nothing later is known.

What the whole song tells offline is taken from what was heard so far: loudness of the tracks and means of the features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.decisions import Reason, SetGain
from tonmeister.engines.base import Heard, LiveMove
from tonmeister.engines.dynamical.frames import ACTIVE_DB, group_powers, observations
from tonmeister.engines.dynamical.groups import grouped
from tonmeister.engines.dynamical.model import DynamicalModel
from tonmeister.engines.dynamical.rides import DOUBT_DB, RANGE_DB
from tonmeister.engines.dynamical.state_space import KalmanFilter
from tonmeister.features import FRAME_HOP_S, FRAME_WINDOW_S
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import PARAMETERS
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["CausalInference", "DynamicalMixer", "Step"]

_LEAST_POWER: Final = 1e-9
_STILL_DB: Final = 0.25
"""A fader that would move by less stays where it is."""
_EVERY_HOPS: Final = 2
"""At the desk every second window is measured, which halves the work; the filter forecasts the others."""
SOURCE: Final = "Scott, Prockup, Schmidt & Kim, SMC 2011"


@dataclass(frozen=True, eq=False)
class Step:
    """What is believed after a window."""

    mean_db: DoubleArray
    """Gain of each group re the model's mean, shape (K,)."""
    deviation_db: DoubleArray
    """Standard deviation, shape (K,)."""
    sounds: np.ndarray
    """Shape (K,)."""


class CausalInference:
    """Band powers of the tracks, window by window, to gains of the groups."""

    def __init__(
        self, model: DynamicalModel, members: Mapping[str, Sequence[str]], *, faithful: bool = False
    ) -> None:
        self._model, self._members, self._faithful = model, members, faithful
        self._filter = KalmanFilter(model.observer(faithful))
        self._heard = {name: np.zeros(2) for names in members.values() for name in names}
        """Per track: power added up, windows in which it sounded."""
        self._sums, self._counts = np.zeros(len(model.feature_means)), np.zeros(len(model.feature_means))
        self._loudest = np.zeros(len(members))

    def update(self, powers: Mapping[str, FloatArray], hops: int = 1) -> Step:
        """Take a window: band powers (30,) of each track, `hops` after the one before."""
        for _ in range(hops - 1):
            self._filter.update(np.full(len(self._filter.model.C), np.nan))
        frames = {name: np.asarray(powers[name])[None] for name in self._heard}
        groups = group_powers(frames, self._members, self._equal_db(frames))
        totals = groups[:, 0].sum(-1)
        self._loudest = np.maximum(self._loudest, totals)
        sounds = totals > np.maximum(self._loudest * 10.0 ** (ACTIVE_DB / 10.0), _LEAST_POWER)
        scaled = self._scaled(observations(groups, self._model.layout)[0])
        belief = self._filter.update(self._model.observed(scaled, sounds[None], self._faithful)[0])
        return Step(belief.mean, np.sqrt(np.maximum(np.diag(belief.covariance), 0.0)), sounds)

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
        """Re the mean of what was heard so far, in the model's units."""
        if not self._model.per_song:
            return self._model.scaled(features)
        seen = np.isfinite(features[0])
        self._sums[seen] += features[0, seen]
        self._counts[seen] += 1
        return np.asarray((features - self._sums / np.maximum(self._counts, 1)) / self._model.feature_scales)


class DynamicalMixer:
    """Rides around the faders as the desk stands; a person's hand on a fader is the desk's affair."""

    def __init__(
        self, multitrack: Multitrack, plan: MixPlan, model: DynamicalModel, *, faithful: bool, by: str
    ) -> None:
        self._members = grouped(multitrack.tracks, model.scheme)
        self._inference = CausalInference(model, self._members, faithful=faithful)
        self._base_db = {name: _standing_db(plan, name) for name in multitrack.names}
        self._sent_db = dict(self._base_db)
        self._next_s, self._by, self._faithful = FRAME_WINDOW_S, by, faithful

    def update(self, heard: Heard) -> Iterator[LiveMove]:
        """Moves twice a second, once a second has been heard."""
        if heard.time_s < self._next_s - 1e-9:
            return
        self._next_s += _EVERY_HOPS * FRAME_HOP_S
        features = heard.recent(FRAME_WINDOW_S)
        step = self._inference.update(
            {name: _newest(features[name].band_frames) for name in self._base_db}, _EVERY_HOPS
        )
        for k, (group, names) in enumerate(self._members.items()):
            if step.sounds[k]:
                yield from self._moves(group, names, float(step.mean_db[k]), float(step.deviation_db[k]))

    def _moves(
        self, group: str, names: Sequence[str], mean_db: float, deviation_db: float
    ) -> Iterator[LiveMove]:
        ride_db = (
            mean_db
            if self._faithful
            else float(np.clip(mean_db / (1.0 + (deviation_db / DOUBT_DB) ** 2), -RANGE_DB, RANGE_DB))
        )
        text = (
            f"The {group} should stand {ride_db:+.1f} dB around the level set, after what was heard so far."
        )
        reason = Reason(text, SOURCE, f"dynamical.ride.{group}", f"sd {deviation_db:.1f} dB")
        for name in names:
            level_db = PARAMETERS["gain_db"].clip(self._base_db[name] + ride_db)
            if abs(level_db - self._sent_db[name]) >= _STILL_DB:
                self._sent_db[name] = level_db
                yield LiveMove(
                    SetGain(name, round(level_db, 2), reason=reason, by=self._by), ramp_s=FRAME_HOP_S
                )


def _standing_db(plan: MixPlan, name: str) -> float:
    """Where a fader stands; the mean of its way if it moves."""
    curve = plan[name].automation.get("gain_db")
    return float(np.mean(curve.values)) if curve else plan[name].gain_db


def _newest(frames: FloatArray | None) -> FloatArray:
    return np.zeros(30, np.float32) if frames is None or not len(frames) else frames[-1]

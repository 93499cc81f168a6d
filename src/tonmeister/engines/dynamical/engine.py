"""The engine `dynamical`: each group of instruments rides on a gain that a learned system infers from all tracks.

Every track is first brought to equal loudness inside its group, whose tracks feed one bus; the group's mean gain is a
`SetGain` of that bus and its deviation over time an `Automate` (a group of one track needs no bus). After another engine
(``textbook+dynamical``) the rides go around the faders that this engine left, whatever buses it made.

J. Scott, M. Prockup, E. M. Schmidt and Y. E. Kim, SMC 2011; J. Scott and Y. E. Kim, ISMIR 2011.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from tonmeister.decisions import AddBus, Automate, Decision, Reason, SetGain, SetOutput
from tonmeister.engines.base import CausalMixer
from tonmeister.engines.curves import to_curve
from tonmeister.engines.dynamical.frames import active, group_powers
from tonmeister.engines.dynamical.groups import grouped
from tonmeister.engines.dynamical.model import DynamicalModel, load_dynamical
from tonmeister.engines.dynamical.options import DynamicalOptions
from tonmeister.engines.dynamical.rides import Ride, rides
from tonmeister.engines.dynamical.state_space import Estimates, smoothed
from tonmeister.features import FRAME_HOP_S, FRAME_WINDOW_S, MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, PARAMETERS

__all__ = ["DynamicalEngine", "Inferred", "infer"]

SOURCE: Final = "Scott, Prockup, Schmidt & Kim, SMC 2011"
TOLERANCE_DB: Final = 0.25
"""How far a line between two breakpoints may be from the ride."""
STILL_DB: Final = 0.5
"""A ride that stays within this of its mean is no ride."""
TARGET_LUFS: Final = -23.0
"""Each group before its gain: EBU R 128, only to have one reference."""


@dataclass(frozen=True, eq=False)
class Inferred:
    """What the model says of a song."""

    model: DynamicalModel
    members: Mapping[str, Sequence[str]]
    """Group -> its tracks that sound."""
    equal_db: Mapping[str, float]
    """Track -> gain that makes its group as loud as any other."""
    times_s: np.ndarray
    """Centers of the windows, shape (F,)."""
    active: np.ndarray
    """Shape (F, K)."""
    estimates: Estimates
    """In dB around the model's means."""
    observed: np.ndarray
    """Scaled features, shape (F, M)."""
    faithful: bool = False
    """Whether the papers' own system inferred it."""


def infer(
    multitrack: Multitrack, features: MultitrackFeatures, model: DynamicalModel, *, faithful: bool = False
) -> Inferred:
    """Run the smoother over a song's features."""
    audible = [t for t in multitrack.tracks if not features[t.name].silent]
    members = grouped(audible, model.scheme)
    equal_db = equal_loudness_db(members, features)
    frames = {t.name: frames_of(features, t.name) for t in audible}
    powers = group_powers(frames, members, equal_db)
    scaled, sounds = model.scaled(model.features(powers, faithful), faithful), active(powers)
    estimates = smoothed(model.observer(faithful), model.observed(scaled, sounds, faithful))
    if not faithful:
        estimates = estimates.spread(model.spread_scales)
    times = np.arange(powers.shape[1]) * FRAME_HOP_S + 0.5 * FRAME_WINDOW_S
    return Inferred(model, members, equal_db, times, sounds, estimates, scaled, faithful)


def frames_of(features: MultitrackFeatures, name: str) -> np.ndarray:
    """Band powers of a track, window by window."""
    frames = features[name].band_frames
    return np.zeros((1, 30), np.float32) if frames is None else frames


def equal_loudness_db(members: Mapping[str, Sequence[str]], features: MultitrackFeatures) -> dict[str, float]:
    """Gain per track so that every group, its tracks equally loud and uncorrelated, measures the same."""
    gains: dict[str, float] = {}
    for names in members.values():
        share_db = 10.0 * math.log10(len(names)) if names else 0.0
        for name in names:
            gains[name] = TARGET_LUFS - share_db - (features[name].integrated_lufs or TARGET_LUFS)
    return gains


class DynamicalEngine:
    """Moving faders from a learned linear dynamical system."""

    name: ClassVar[str] = "dynamical"
    Options: ClassVar[type[DynamicalOptions]] = DynamicalOptions

    def __init__(self, options: DynamicalOptions | None = None, *, seed: int = 0) -> None:
        """Take the options; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or DynamicalOptions()
        self._model = load_dynamical(self._options.model)

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        """A level and a ride for each audible track."""
        yield from self.decide_after(multitrack, features, ())

    def decide_after(
        self, multitrack: Multitrack, features: MultitrackFeatures, earlier: Iterable[Decision]
    ) -> Iterator[Decision]:
        """Rides around the faders that earlier engines set; whole levels where none did."""
        faders: dict[str, float | None] = {}
        for decision in earlier:  # a fader that moves already is left alone
            if isinstance(decision, SetGain) and decision.strip != MASTER:
                faders[decision.strip] = decision.gain_db
            elif isinstance(decision, Automate) and decision.parameter == "gain_db":
                faders[decision.strip] = None
        inferred = infer(multitrack, features, self._model, faithful=self._options.profile == "faithful")
        found = rides(inferred.estimates, inferred.active, self._options)
        for k, (group, names) in enumerate(inferred.members.items()):
            if len(names) > 1 and not faders:
                yield from self._bus(multitrack, group, k, found[k], inferred)
                continue
            for name in names:
                if name not in faders or faders[name] is not None:
                    yield from self._track(name, group, k, found[k], inferred, faders.get(name))

    def start(self, multitrack: Multitrack, plan: MixPlan) -> CausalMixer:
        """Begin a performance."""
        from tonmeister.engines.dynamical.causal import DynamicalMixer

        faithful = self._options.profile == "faithful"
        return DynamicalMixer(multitrack, plan, self._model, faithful=faithful, by=self.name)

    def _bus(
        self, multitrack: Multitrack, group: str, k: int, ride: Ride, inferred: Inferred
    ) -> Iterator[Decision]:
        """Tracks of a group at equal loudness on a bus, which has the group's level and ride."""
        names = inferred.members[group]
        bus = _unused(f"{group} bus", multitrack.names)
        text = f"The {len(names)} tracks of the {group} move as one."
        made = Reason(text, SOURCE, f"dynamical.bus.{group}")
        yield AddBus(bus, "bus", reason=made, by=self.name)
        equal = Reason(f"As loud as the other {group}.", SOURCE, f"dynamical.equal.{group}")
        for name in names:
            level_db = PARAMETERS["gain_db"].clip(inferred.equal_db[name])
            yield SetGain(name, level_db, reason=equal, by=self.name)
            yield SetOutput(name, bus, reason=made, by=self.name)
        mean_db = float(inferred.model.weight_means[k]) + ride.mean_db
        level_db = PARAMETERS["gain_db"].clip(mean_db)
        yield SetGain(bus, level_db, reason=self._level_reason(group, mean_db, ride, inferred), by=self.name)
        yield from self._moving(bus, group, k, ride, inferred, level_db)

    def _track(
        self, name: str, group: str, k: int, ride: Ride, inferred: Inferred, fader_db: float | None
    ) -> Iterator[Decision]:
        mean_db = float(inferred.model.weight_means[k]) + ride.mean_db
        level_db = inferred.equal_db[name] + mean_db if fader_db is None else fader_db
        level_db = PARAMETERS["gain_db"].clip(level_db)
        if fader_db is None:
            yield SetGain(
                name, level_db, reason=self._level_reason(group, mean_db, ride, inferred), by=self.name
            )
        yield from self._moving(name, group, k, ride, inferred, level_db)

    def _moving(
        self, strip: str, group: str, k: int, ride: Ride, inferred: Inferred, level_db: float
    ) -> Iterator[Decision]:
        """The ride of a group around a fader, unless it hardly moves."""
        if np.ptp(ride.deviation_db) > STILL_DB:
            limits = PARAMETERS["gain_db"]
            path = np.clip(level_db + ride.deviation_db, limits.minimum, limits.maximum)
            curve = to_curve(inferred.times_s, path, TOLERANCE_DB)
            reason = self._ride_reason(group, k, ride, inferred)
            yield Automate(strip, "gain_db", curve, reason=reason, by=self.name)

    def _level_reason(self, group: str, mean_db: float, ride: Ride, inferred: Inferred) -> Reason:
        text = (
            f"The {group} of the songs the model has seen {'stand' if group.endswith('s') else 'stands'} "
            f"{mean_db:+.1f} dB from equal loudness in sound like this."
        )
        evidence = f"standard deviation {ride.deviation_of_state_db:.1f} dB"
        return Reason(text, SOURCE, f"dynamical.level.{group}", evidence, ride.confidence)

    def _ride_reason(self, group: str, k: int, ride: Ride, inferred: Inferred) -> Reason:
        low, high = float(ride.deviation_db.min()), float(ride.deviation_db.max())
        text = (
            f"The {group} moves between {low:+.1f} and {high:+.1f} dB around its level; what moves it most: "
            f"{', '.join(strongest(inferred, k))}."
        )
        return Reason(
            text,
            SOURCE,
            f"dynamical.ride.{group}",
            f"sd {ride.deviation_of_state_db:.1f} dB",
            ride.confidence,
        )


def _unused(name: str, taken: Iterable[str]) -> str:
    """A name for a bus that no track has."""
    used = {t.casefold() for t in taken}
    while name.casefold() in used:
        name += "_"
    return name


def strongest(inferred: Inferred, k: int, count: int = 3) -> list[str]:
    """The features that moved state `k` most over the song, in words, and which way."""
    scaled = np.where(np.isfinite(inferred.observed), inferred.observed, 0.0)
    if inferred.model.sees_features(inferred.faithful):
        parts = inferred.estimates.contributions[:, k]
    else:
        parts = scaled * inferred.model.regression.slopes[:, k]
    moved, along = np.abs(parts).mean(0), (parts * scaled).sum(0)
    columns = inferred.model.looks_at(inferred.faithful)
    return [
        f"{_in_words(columns[i])} ({'up' if along[i] > 0 else 'down'} when it rises)"
        for i in np.argsort(-moved, kind="stable")[:count]
        if moved[i] > 0
    ]


_OF_WHAT: Final = {
    "own": "{f} of the {g}",
    "others": "{f} of all but the {g}",
    "ratio": "{f} of the {g} against the rest",
}


def _in_words(column: str) -> str:
    group, kind, feature = column.split(":")
    return _OF_WHAT[kind].format(f=feature.replace("cepstrum", "spectral shape "), g=group)

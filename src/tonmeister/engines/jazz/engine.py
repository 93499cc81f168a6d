"""A soloist gets a place and a level from a network that hears it; blocks of the older chain work beside it.

The engine moves the soloist and leaves the other tracks where they are (unity, or where the engines before it in a
chain put them). On a separated recording the soloist is the track ``solo``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import cos, radians
from typing import ClassVar

import numpy as np

from tonmeister.audio import Audio, AudioReader
from tonmeister.decisions import AddInsert, Decision, Reason, SetGain, SetPan
from tonmeister.effects.width import Width
from tonmeister.engines.base import Ear
from tonmeister.engines.cited import CONFIDENCE
from tonmeister.engines.jazz.blocks import Situation, block_decisions
from tonmeister.engines.jazz.numbers import number
from tonmeister.engines.jazz.options import JazzOptions
from tonmeister.engines.jazz.pan_net import RATE_HZ, Answer, Placed, load_pan_network, pooled, powers
from tonmeister.engines.jazz.placement import ANGLES_DEG, GAINS, gain_db_of, pan_of_theta
from tonmeister.engines.jazz.soloist import find_soloist
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import PARAMETERS
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["JazzEngine"]

_SOURCE = "Mimilakis, Cano, Abesser & Schuller, WIMP (2016); weights taught on planted places"


class JazzEngine:
    """Decides for the soloist alone."""

    name: ClassVar[str] = "jazz"
    Options: ClassVar[type[JazzOptions]] = JazzOptions

    def __init__(self, options: JazzOptions | None = None, *, seed: int = 0) -> None:
        """Take the options; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or JazzOptions()
        self._ear: Ear | None = None
        self._notes: list[str] = []

    @property
    def notes(self) -> Sequence[str]:
        """What was left as it is, and why."""
        return tuple(self._notes)

    def listen(self, ear: Ear) -> None:
        self._ear = ear

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        """Place and level of the soloist, then the blocks."""
        return self.decide_after(multitrack, features, ())

    def decide_after(
        self, multitrack: Multitrack, features: MultitrackFeatures, earlier: Iterable[Decision]
    ) -> Iterator[Decision]:
        """The same around what engines before decided: their faders are where the soloist is heard from."""
        self._notes.clear()
        solo = find_soloist(multitrack, features, self._options.solo)
        if solo is None:
            self._notes.append(
                "no soloist: no track is named solo, leads, or plays a melody; all is left as it is"
            )
            return
        faders = {d.strip: d.gain_db for d in earlier if isinstance(d, SetGain)}
        here = Situation(
            multitrack, features, solo, {n: faders.get(n, 0.0) for n in features.audible}, self.name
        )
        if (placed := self._heard(here)) is not None:
            yield from self._placed(here, placed)
        yield from block_decisions(self._options.chosen, here, self._notes)

    def _heard(self, here: Situation) -> Placed | None:
        """What the network says of the soloist as loud as it stands in the mix."""
        if self._ear is None:
            self._notes.append(
                f"{here.solo}: the network could not listen, place and level are left as they are"
            )
            return None
        together = predicted_lufs(
            [here.features[n].momentary_lufs for n in here.gains_db], list(here.gains_db.values())
        )
        middle = _middle(self._ear.excerpt(here.solo, number("listen_s")))
        if together is None or not middle.size:
            return None
        level_db = number("reference_lufs") - together + here.gains_db[here.solo]
        network = load_pan_network(self._options.model)
        heard = powers(middle) * np.float32(db_to_gain(level_db) ** 2)
        return pooled(network, heard, self._options.profile, number("gate_db"))

    def _placed(self, here: Situation, placed: Placed) -> Iterator[Decision]:
        """Fader and pan, unless the network is unsure of them or a block sets them."""
        place, level = placed.theta_deg, placed.gain
        moved = self._sure(place, here.solo, "where it should stand")
        if moved:
            yield from self._panned(here, place)
        if "camts" in self._options.chosen:
            self._notes.append(f"{here.solo}: the network's level gives way to the block camts")
        elif self._sure(level, here.solo, "how loud it should be"):
            # an image that stays where it is has its place in the gain: g = sqrt(2) / cos(theta) is "as it was"
            gain = level.value if moved else level.value * cos(radians(place.value))
            change_db = gain_db_of(gain)
            fader = PARAMETERS["gain_db"].clip(here.gains_db[here.solo] + change_db)
            text = f"As loud as such a soloist is in what the network learned from: {change_db:+.1f} dB."
            yield SetGain(
                here.solo, fader, reason=_reason(text, "level", level, GAINS, "{:.1f}"), by=self.name
            )

    def _panned(self, here: Situation, place: Answer) -> Iterator[Decision]:
        side = "in the middle" if abs(place.value) < 0.5 else "right" if place.value > 0 else "left"
        degrees = "" if side == "in the middle" else f"{abs(place.value):.0f} degrees "
        text = f"Where such a soloist stands in what the network learned from: {degrees}{side}."
        why = _reason(text, "place", place, ANGLES_DEG, "{:.0f}")
        if here.features[here.solo].channels == 2:
            made_mono = Reason(
                "The soloist's own image is taken to the middle first: it is moved, not added again.",
                _SOURCE,
                "jazz.image",
                confidence=why.confidence,
            )
            yield AddInsert(here.solo, Width(0.0), reason=made_mono, by=self.name)
        yield SetPan(here.solo, pan_of_theta(place.value), reason=why, by=self.name)

    def _sure(self, answer: Answer, solo: str, what: str) -> bool:
        if self._options.profile == "faithful" or answer.confidence >= number("least_confidence"):
            return True
        self._notes.append(f"{solo}: the network is unsure {what} ({answer.confidence:.2f}), left as it is")
        return False


def _middle(audio: Audio) -> FloatArray:
    """(L + R) / 2 at the network's rate; shape (n,)."""
    with AudioReader.from_memory(audio, RATE_HZ) as reader:
        return np.asarray(reader.read(reader.frames).mean(axis=0), np.float32)


def _reason(text: str, rule: str, answer: Answer, values: DoubleArray, shown: str) -> Reason:
    """A reason with the likeliest classes as evidence."""
    best = np.argsort(answer.probabilities)[::-1][:3]
    classes = ", ".join(f"{shown.format(values[i])}: {100 * answer.probabilities[i]:.0f} %" for i in best)
    grade = CONFIDENCE["R"]
    return Reason(text, _SOURCE, f"jazz.{rule}", f"probabilities {classes}", grade * answer.confidence)

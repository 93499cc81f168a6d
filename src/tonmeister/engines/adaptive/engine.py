"""The low-level automatic mixer: faders that follow loudness, pans that follow the spectrum, no tags.

Gain staging, then equalizer and compressor when asked for, fader, pan. The comparator of De Man & Reiss
(2013): what can be done without knowing what the sources are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from tonmeister.decisions import AddInsert, Automate, Decision, SetGain, SetPan
from tonmeister.effects.gain import Gain
from tonmeister.engines.adaptive.faders import Faders, follow_loudness, stack_momentary, staging_gain_db
from tonmeister.engines.adaptive.inserts import compressor_inserts, equalizer_inserts
from tonmeister.engines.adaptive.numbers import bounds, number, reason
from tonmeister.engines.adaptive.options import AdaptiveOptions
from tonmeister.engines.adaptive.panning import Pannable, Placement, place_by_band, place_by_centroid
from tonmeister.engines.curves import to_curve
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import PARAMETERS

__all__ = ["AdaptiveEngine"]


class AdaptiveEngine:
    """Faders and pans that follow low-level features over time."""

    name: ClassVar[str] = "adaptive"
    Options: ClassVar[type[AdaptiveOptions]] = AdaptiveOptions

    def __init__(self, options: AdaptiveOptions | None = None, *, seed: int = 0) -> None:
        """Take the options; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or AdaptiveOptions()

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        """Decisions in the order of the signal: gain staging, inserts, faders, pans."""
        silent = [name for name in multitrack.names if features[name].silent]
        tracks = [features[name] for name in multitrack.names if name not in silent]
        leads = frozenset(track.name for track in multitrack.tracks if track.role == "lead")
        trims_db = [staging_gain_db(track) for track in tracks]
        faders = follow_loudness(stack_momentary(tracks) + np.array(trims_db)[:, np.newaxis])
        yield from (self._left_alone(name) for name in silent)
        yield from self._trims(tracks, trims_db)
        if self._options.equalizer:
            yield from equalizer_inserts(tracks, trims_db, by=self.name)
        if self._options.compressor:
            yield from compressor_inserts(tracks, trims_db, by=self.name)
        yield from self._faders(tracks, faders, leads)
        yield from self._pans(self._pannable(tracks, trims_db, faders, leads))

    def _left_alone(self, name: str) -> SetGain:
        why = reason(
            "Silent: the gate never opens, the fader stays at unity.", "staging.floor_lufs", rule="silent"
        )
        return SetGain(name, 0.0, reason=why, by=self.name)

    def _trims(self, tracks: Sequence[TrackFeatures], trims_db: Sequence[float]) -> Iterator[AddInsert]:
        """Gain staging as the first insert, where it moves anything."""
        allowed, (low, high) = Gain.ranges()["gain_db"], bounds("staging.range_lufs")
        for track, trim_db in zip(tracks, trims_db, strict=True):
            if trim_db:
                text = f"Gain staging: {trim_db:+.1f} dB bring the track between {low:g} and {high:g} LUFS."
                why = reason(text, "staging.range_lufs", rule="staging")
                effect = Gain(allowed.clip(trim_db))
                yield AddInsert(track.name, effect, slot="trim", reason=why, by=self.name)

    def _faders(
        self, tracks: Sequence[TrackFeatures], faders: Faders, leads: frozenset[str]
    ) -> Iterator[Decision]:
        for row, track in enumerate(tracks):
            if faders.open[row].any():
                yield self._ride(track.name, row, faders, lead=track.name in leads)
            else:
                text = "Too short or too quiet for the gate: the fader stays at unity."
                why = reason(text, "gate.thresholds_lufs", rule="gate")
                yield SetGain(track.name, 0.0, reason=why, by=self.name)

    def _ride(self, name: str, row: int, faders: Faders, *, lead: bool) -> Automate:
        boost_db = self._options.lead_boost_db if lead else 0.0
        allowed = PARAMETERS["gain_db"]
        gains_db = np.clip(faders.gain_db[row] + boost_db, allowed.minimum, allowed.maximum)
        curve = to_curve(faders.times_s, gains_db, number("fader.tolerance_db"))
        text = (
            f"The fader follows the average loudness of all that play: {gains_db.min():+.1f} to "
            f"{gains_db.max():+.1f} dB, open {faders.open[row].mean():.0%} of the time"
        )
        text += f"; {boost_db:+.1f} dB as a lead." if lead else "."
        why = reason(text, "fader.lead_boost_db" if lead else "loudness.window_s", rule="fader")
        return Automate(name, "gain_db", curve, reason=why, by=self.name)

    def _pannable(
        self,
        tracks: Sequence[TrackFeatures],
        trims_db: Sequence[float],
        faders: Faders,
        leads: frozenset[str],
    ) -> list[Pannable]:
        boosts_db = [self._options.lead_boost_db if track.name in leads else 0.0 for track in tracks]
        return [
            Pannable(track, track.name in leads, trims_db[row] + faders.mean_db(row) + boosts_db[row])
            for row, track in enumerate(tracks)
        ]

    def _pans(self, tracks: Sequence[Pannable]) -> Iterator[SetPan]:
        placements = self._placements(tracks)
        for track in tracks:
            if placement := placements.get(track.name):
                why = reason(placement.text, placement.knowledge, rule=placement.rule)
                yield SetPan(track.name, placement.pan, reason=why, by=self.name)

    def _placements(self, tracks: Sequence[Pannable]) -> dict[str, Placement]:
        if self._options.panner == "none":
            return {}
        if self._options.panner == "bands":
            return place_by_band(tracks, self._options.bank)
        return place_by_centroid(tracks, self._options.width, self._options.balance)

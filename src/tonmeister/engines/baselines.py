"""The two simplest engines: every fader at unity, and every track equally loud; all in the center.

No result of another engine means anything without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from tonmeister.decisions import Decision, Reason, SetGain, SetPan
from tonmeister.engines.baseline_options import LoudnessOptions, SumOptions
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import PARAMETERS

__all__ = ["LoudnessEngine", "SumEngine"]


class SumEngine:
    """Every fader at unity, everything in the center."""

    name: ClassVar[str] = "sum"
    Options: ClassVar[type[SumOptions]] = SumOptions

    def __init__(self, options: SumOptions | None = None, *, seed: int = 0) -> None:
        """Take no options; nothing is left to chance, so `seed` changes nothing."""

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        """Unity and center for each audible track; one word on each silent one."""
        for track in multitrack.tracks:
            if features[track.name].silent:
                yield _left_alone(track.name, self.name)
                continue
            why = Reason("The plain sum: the fader stays at unity.", "baseline", "sum.fader")
            yield SetGain(track.name, 0.0, reason=why, by=self.name)
            yield _centered(track.name, self.name)


class LoudnessEngine:
    """Every track equally loud, everything in the center."""

    name: ClassVar[str] = "loudness"
    Options: ClassVar[type[LoudnessOptions]] = LoudnessOptions

    def __init__(self, options: LoudnessOptions | None = None, *, seed: int = 0) -> None:
        """Take the options; nothing is left to chance, so `seed` changes nothing."""
        self._options = options or LoudnessOptions()

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        """One gain for each audible track, so that all measure the same and their sum the target."""
        audible = [features[name] for name in multitrack.names if not features[name].silent]
        each_lufs = equal_loudness_lufs(audible, self._options.target)
        for name in multitrack.names:
            if features[name].silent:
                yield _left_alone(name, self.name)
            else:
                yield self._level(features[name], each_lufs)
                yield _centered(name, self.name)

    def _level(self, track: TrackFeatures, each_lufs: float) -> SetGain:
        loudness = track.integrated_lufs or 0.0
        wanted_db = each_lufs - loudness
        gain_db = PARAMETERS["gain_db"].clip(wanted_db)
        text = (
            f"Equal loudness: from {loudness:.1f} to {each_lufs:.1f} LUFS, as every track, "
            f"for a mix near {self._options.target:.1f} LUFS."
        )
        notes = () if gain_db == wanted_db else (f"wanted {wanted_db:.1f} dB, more than the fader has",)
        evidence = f"integrated {loudness:.1f} LUFS"
        why = Reason(text, "ITU-R BS.1770-4; EBU R 128", "loudness.fader", evidence, notes=notes)
        return SetGain(track.name, gain_db, reason=why, by=self.name)


def equal_loudness_lufs(tracks: Sequence[TrackFeatures], target_lufs: float) -> float:
    """The loudness each track needs for their sum, taken as uncorrelated, to measure `target_lufs`."""
    gains_db = [target_lufs - (track.integrated_lufs or 0.0) for track in tracks]
    predicted = predicted_lufs([track.momentary_lufs for track in tracks], gains_db)
    return target_lufs if predicted is None else 2.0 * target_lufs - predicted


def _left_alone(name: str, by: str) -> SetGain:
    why = Reason("Silent: nothing to balance, the fader stays at unity.", "baseline", f"{by}.silent")
    return SetGain(name, 0.0, reason=why, by=by)


def _centered(name: str, by: str) -> SetPan:
    why = Reason("The baseline puts everything in the center.", "baseline", f"{by}.pan")
    return SetPan(name, 0.0, reason=why, by=by)

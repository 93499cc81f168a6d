"""What unmixing finds: gain and pan of every track over time, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.multitrack import Multitrack
from tonmeister.units import DoubleArray

if TYPE_CHECKING:
    from tonmeister.plan import MixPlan

__all__ = ["FLOOR_DB", "FoundTrack", "Unmixed"]

FLOOR_DB: Final = -60.0
"""Gains are not told apart below this: such a track is not in the mix."""


@dataclass(frozen=True, eq=False)
class FoundTrack:
    """One track as it stands in the mix; series are (frames,), NaN where the track is inactive."""

    name: str
    file: str
    gain_db: float | None
    """Over the whole song, re the track as it is read; None when the track is never active."""
    pan: float | None
    """-1 to 1 by the plan's pan law, a balance for a stereo track; None where the mix does not say."""
    inverted: bool
    """Polarity against the other tracks."""
    confidence: float
    """0 to 1, the mean over the active frames."""
    moves: bool
    """Whether its gain was moved by more than the uncertainty."""
    pans: bool
    """The same for its pan."""
    active: NDArray[np.bool_]
    curve_db: DoubleArray
    pan_curve: DoubleArray
    sd_db: DoubleArray
    """Standard deviation of the gain."""
    confidences: DoubleArray


@dataclass(frozen=True, eq=False)
class Unmixed:
    """The gains over time and the pans that turn the tracks into the mix."""

    multitrack: Multitrack
    mix: str
    mode: str
    """The estimator used: coherent, power or magnitude."""
    tracks: tuple[FoundTrack, ...]
    times_s: DoubleArray
    """Centers of the frames."""
    residual: DoubleArray
    """Share of the mix's energy in each frame that the tracks do not explain; NaN where it is silent."""
    residual_db: float
    """The same over the whole song, in decibels, in the mode's own domain (samples, powers, magnitudes)."""
    delay_ms: float
    """How late the mix is against the tracks."""
    inverted: bool
    """Polarity of the whole mix against the tracks."""
    recognized: bool
    """Whether the tracks were found in the waveform of the mix."""
    hop_s: float
    window_s: float
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> FoundTrack:
        return next(t for t in self.tracks if t.name == name)

    @property
    def confidence(self) -> float:
        """Mean over the tracks that are heard."""
        known = [t.confidence for t in self.tracks if t.gain_db is not None]
        return float(np.mean(known)) if known else 0.0

    def plan(self) -> MixPlan:
        """The mix as a plan of faders, pans and automation: to render again, explain, compare."""
        from tonmeister.unmixing.planning import plan_of

        return plan_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; what is missing is None."""
        return {
            "mix": self.mix,
            "mode": self.mode,
            "residual_db": self.residual_db,
            "delay_ms": self.delay_ms,
            "inverted": self.inverted,
            "recognized": self.recognized,
            "confidence": self.confidence,
            "hop_s": self.hop_s,
            "window_s": self.window_s,
            "stamp": "center",
            "time_s": _listed(self.times_s, 4),
            "residual": _listed(self.residual, 6),
            "tracks": [_track_to_dict(track) for track in self.tracks],
            "notes": list(self.notes),
        }


def _track_to_dict(track: FoundTrack) -> dict[str, Any]:
    return {
        "file": track.file,
        "name": track.name,
        "gain_db": track.gain_db,
        "pan": track.pan,
        "inverted": track.inverted,
        "confidence": track.confidence,
        "moves": track.moves,
        "pans": track.pans,
        "curve": {
            "gain_db": _listed(track.curve_db, 3),
            "pan": _listed(track.pan_curve, 3),
            "sd_db": _listed(track.sd_db, 3),
            "confidence": _listed(track.confidences, 3),
        },
    }


def _listed(series: DoubleArray, digits: int) -> list[float | None]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in series]

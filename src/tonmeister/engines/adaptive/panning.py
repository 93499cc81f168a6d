"""The panners of the low-level mixer: features in, one place and its reason for each track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from tonmeister.engines.adaptive import spread
from tonmeister.engines.adaptive.numbers import number, numbers
from tonmeister.features import HOP_S, TrackFeatures
from tonmeister.units import DoubleArray

__all__ = ["Pannable", "Placement", "place_by_band", "place_by_centroid"]

BANKS: Final[Mapping[str, str]] = {"first": "bands.first_bank_hz", "second": "bands.second_bank_hz"}


@dataclass(frozen=True, slots=True)
class Pannable:
    """An audible track as the panners see it."""

    features: TrackFeatures
    lead: bool
    gain_db: float
    """Gain staging plus the fader's mean while the track plays."""

    @property
    def name(self) -> str:
        return self.features.name

    @property
    def enters_s(self) -> float:
        """When the track is first active."""
        return HOP_S * int(np.argmax(self.features.active)) if self.features.active.any() else 0.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a track goes, 0 left to 1 right, and why."""

    place: float
    text: str
    knowledge: str
    """The entry of ``numbers.toml`` it rests on."""
    rule: str

    @property
    def pan(self) -> float:
        """The plan's pan, -1 left to 1 right."""
        return round(2.0 * self.place - 1.0, 4) + 0.0


def _kept_central(track: Pannable) -> Placement | None:
    """The tracks no panner touches: leads, and recordings that already have two sides."""
    if track.lead:
        return Placement(spread.CENTER, "Leads stay in the center.", "pan.centered_below_hz", "pan.lead")
    width = track.features.width
    if track.features.channels > 1 and width is not None and width > number("pan.stereo_width"):
        text = f"A stereo recording (side/mid energy {width:.2f}) keeps its own sides."
        return Placement(spread.CENTER, text, "pan.stereo_width", "pan.stereo")
    return None


def place_by_centroid(
    tracks: Sequence[Pannable], width_control: float, balanced: bool
) -> dict[str, Placement]:
    """Brighter sources farther out, neighbors in the spectrum on opposite sides, then sides evened out.

    Mansbridge, Finn & Reiss, AES 133 (2012), on the one spectral centroid that the features hold for a
    track, so a track keeps its place; the published mixer follows the centroid over time.
    """
    placed = {
        track.name: kept for track in tracks if (kept := _kept_central(track) or _low_or_alone(track, tracks))
    }
    free = sorted((track for track in tracks if track.name not in placed), key=lambda track: track.enters_s)
    places, dealt = spread.centroid_places([_centroid_hz(track) for track in free], width_control)
    at = {track.name: place for track, place in zip(free, places, strict=True)}
    if balanced and free:
        at = _balanced(tracks, at)
    for track, place in zip(free, places, strict=True):
        text = _centroid_text(_centroid_hz(track), place, at[track.name], dealt)
        placed[track.name] = Placement(at[track.name], text, "pan.exponent", "pan.centroid")
    return placed


def _low_or_alone(track: Pannable, tracks: Sequence[Pannable]) -> Placement | None:
    centroid_hz, limit_hz = track.features.centroid_hz, number("pan.centered_below_hz")
    if centroid_hz is None or centroid_hz < limit_hz:
        text = f"Low sources stay in the center: spectral centroid {centroid_hz or 0.0:.0f} Hz."
        return Placement(spread.CENTER, text, "pan.centered_below_hz", "pan.low")
    if len(tracks) == 1:
        text = "A single source stays in the center: there is nothing to set it apart from."
        return Placement(spread.CENTER, text, "pan.allowed_drift", "pan.single")
    return None


def _centroid_hz(track: Pannable) -> float:
    return track.features.centroid_hz or number("pan.centered_below_hz")


def _centroid_text(centroid_hz: float, wanted: float, place: float, dealt: bool) -> str:
    side = "left" if wanted < spread.CENTER else "right"
    text = f"Spectral centroid {centroid_hz:.0f} Hz: {side}, {abs(2 * wanted - 1):.2f} of the way out"
    if dealt:
        text += ", sides dealt anew to keep the middle"
    if abs(place - wanted) > 0.005:
        text += f"; then moved in to {abs(2 * place - 1):.2f} because that side was heavier"
    return text + "."


def _balanced(tracks: Sequence[Pannable], at: Mapping[str, float]) -> dict[str, float]:
    """Even out the balance bands, then the peak levels; tracks without a place here stay in the center."""
    places = np.array([at.get(track.name, spread.CENTER) for track in tracks])
    movable = np.array([[float(track.name in at)] for track in tracks])
    powers = spread.balance_powers(_third_octave_power(tracks))
    centroids_hz = np.array([max(_centroid_hz(track), 1.0) for track in tracks])
    places = spread.balance(places, powers, spread.balance_weights(centroids_hz) * movable)
    places = spread.balance(places, _peak_power(tracks), movable)
    return {track.name: float(place) for track, place in zip(tracks, places, strict=True) if track.name in at}


def _third_octave_power(tracks: Sequence[Pannable]) -> DoubleArray:
    """Mixed power of each track in third octaves; shape (tracks, 30)."""
    levels_db = [
        np.asarray(track.features.third_octave_db, dtype=np.float64) + track.gain_db for track in tracks
    ]
    return 10.0 ** (np.array(levels_db) / 10.0)


def _peak_power(tracks: Sequence[Pannable]) -> DoubleArray:
    """Squared mixed peak of each track; shape (tracks, 1)."""
    peaks = [track.features.sample_peak_db for track in tracks]
    gains = [track.gain_db for track in tracks]
    levels_db = [[-np.inf if peak is None else peak + gain] for peak, gain in zip(peaks, gains, strict=True)]
    return np.asarray(10.0 ** (np.array(levels_db) / 10.0))


def place_by_band(tracks: Sequence[Pannable], bank: Literal["first", "second"]) -> dict[str, Placement]:
    """Sources that share a dominant band are spread evenly; low bands and leads stay in the center.

    Perez Gonzalez & Reiss, EURASIP JASP (2010). Priority is the order of the tracks.
    """
    bank_hz = numbers(BANKS[bank])
    placed = {track.name: kept for track in tracks if (kept := _kept_central(track))}
    free = [track for track in tracks if track.name not in placed]
    powers = _third_octave_power(free) if free else np.zeros((0, 30))
    bands = {
        track.name: spread.dominant_band(power, bank_hz) for track, power in zip(free, powers, strict=True)
    }
    for name, place in spread.band_places(bands, bank_hz).items():
        sharing = sum(band == bands[name] for band in bands.values())
        text = f"Strongest near {bank_hz[bands[name]]:g} Hz, a band shared by {sharing}: spread evenly."
        if bank_hz[bands[name]] < number("pan.centered_below_hz"):
            text = f"Strongest near {bank_hz[bands[name]]:g} Hz: low sources stay in the center."
        placed[name] = Placement(place, text, "bands.inset", "pan.band")
    return placed

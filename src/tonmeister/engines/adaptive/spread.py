"""Where sources go: positions by spectral centroid, their balance, and positions by dominant band.

Positions run from 0 (left) over 0.5 (center) to 1 (right) as in the papers; the plan's pan is 2 P - 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.engines.adaptive.numbers import number, numbers
from tonmeister.units import DoubleArray

__all__ = [
    "CENTER",
    "balance",
    "balance_weights",
    "band_place",
    "band_places",
    "centroid_place",
    "centroid_places",
    "dominant_band",
    "pan_amount",
]

CENTER = 0.5
"""The position between both sides."""


def pan_amount(centroid_hz: float, highest_hz: float, width_control: float) -> float:
    """How far from the center a source goes, 0 to 1 for the whole side.

    (log SC / log(SC_max + (10 - width_control) SC_max / 3))^4 with SC the spectral centroid in hertz, SC_max
    the highest of the song, width_control 0 (narrow) to 10 (wide). Source: Mansbridge, Finn & Reiss (2012).
    """
    reach_hz = highest_hz + (10.0 - width_control) * highest_hz / 3.0
    return float((math.log(centroid_hz) / math.log(reach_hz)) ** number("pan.exponent"))


def centroid_place(centroid_hz: float, highest_hz: float, width_control: float, side: int) -> float:
    """Position of a source on a side, 0 left or 1 right: (amount (2 side - 1) + 1) / 2."""
    return (pan_amount(centroid_hz, highest_hz, width_control) * (2 * side - 1) + 1.0) / 2.0


def centroid_places(centroids_hz: Sequence[float], width_control: float) -> tuple[list[float], bool]:
    """Positions of sources in the order they enter, and whether the sides had to be dealt anew.

    Each goes opposite to the placed source with the nearest centroid (in hertz), the first one left. When
    the mean position drifts more than 0.2 from the center, the sides are reset: dealt again, from the
    widest source to the narrowest, each to the side that keeps the mean nearer the center (which order the
    published reset follows is not said).
    """
    highest_hz = max(centroids_hz, default=1.0)

    def place(which: int, side: int) -> float:
        return centroid_place(centroids_hz[which], highest_hz, width_control, side)

    sides: list[int] = []
    for which, centroid_hz in enumerate(centroids_hz):
        nearest = min(range(which), key=lambda other: abs(centroids_hz[other] - centroid_hz), default=None)
        sides.append(0 if nearest is None else 1 - sides[nearest])
    places = [place(which, side) for which, side in enumerate(sides)]
    if len(places) < 2 or abs(sum(places) / len(places) - CENTER) <= number("pan.allowed_drift"):
        return places, False
    return _dealt_anew([abs(position - CENTER) for position in places]), True


def _dealt_anew(distances: Sequence[float]) -> list[float]:
    """Positions at these distances from the center, sides chosen from the widest on to cancel out."""
    places, lean = [CENTER] * len(distances), 0.0
    for which in sorted(range(len(distances)), key=lambda index: -distances[index]):
        offset = distances[which] if lean < 0 else -distances[which]
        places[which], lean = CENTER + offset, lean + offset
    return places


def balance_weights(centroids_hz: DoubleArray) -> DoubleArray:
    """How strongly each source answers for each balance band: 1 / (1 + octaves between them).

    The papers say that the nearest sources move most; this falloff is our reconstruction. Shape (tracks,
    bands).
    """
    bands_hz = np.array(numbers("balance.bands_hz"))
    return np.asarray(1.0 / (1.0 + np.abs(np.log2(centroids_hz[:, np.newaxis] / bands_hz))))


def balance_powers(third_octave_power: DoubleArray) -> DoubleArray:
    """Power of each source in the balance bands, |H|^2 = 1 / (1 + Q^2 (f / f0 - f0 / f)^2).

    From (tracks, 30) third-octave powers to (tracks, bands).
    """
    frequency_hz, bands_hz = exact_centers_hz(3), np.array(numbers("balance.bands_hz"))
    ratio = frequency_hz[:, np.newaxis] / bands_hz
    response = 1.0 / (1.0 + (number("balance.quality") * (ratio - 1.0 / ratio)) ** 2)
    return np.asarray(third_octave_power @ response)


def balance(places: DoubleArray, powers: DoubleArray, weights: DoubleArray) -> DoubleArray:
    """Move sources of the heavier side inward until no band leans farther than 0.05.

    Left and right power of a band are the sums over all sources of power * cos^2 and sin^2 of (P pi / 2);
    its balance is the angle of the magnitudes, (2 / pi) atan(right / left), 0.5 when even. Each round moves
    a source by 0.3 * (balance - 0.5) * weight, never across the center. `places` (tracks,); `powers` and
    `weights` (tracks, bands), weight 0 for a source that must stay. Returns the new places.
    """
    places = places.copy()
    for _ in range(round(number("balance.rounds"))):
        leans = _leans(places, powers)
        leans[np.abs(leans) <= number("balance.tolerance")] = 0.0
        if not leans.any():
            break
        for band in np.flatnonzero(leans):
            places = _moved_inward(places, leans[band], weights[:, band])
    return places


def _leans(places: DoubleArray, powers: DoubleArray) -> DoubleArray:
    """How far each band's balance lies from even, negative to the left; 0 for an empty band."""
    angle = places * math.pi / 2.0
    left = np.sqrt(np.cos(angle) ** 2 @ powers)
    right = np.sqrt(np.sin(angle) ** 2 @ powers)
    lean = np.arctan2(right, left) * 2.0 / math.pi - CENTER
    return np.asarray(np.where(left + right > 0.0, lean, 0.0))


def _moved_inward(places: DoubleArray, lean: float, weights: DoubleArray) -> DoubleArray:
    """Shift the sources on the leaning side toward the center, at most onto it."""
    step = number("balance.move") * lean * weights
    if lean > 0.0:
        return np.where(places > CENTER, np.maximum(places - step, CENTER), places)
    return np.where(places < CENTER, np.minimum(places - step, CENTER), places)


def dominant_band(third_octave_power: DoubleArray, bank_hz: Sequence[float]) -> int:
    """Index of the filter of a bank that lets most power through.

    Each third octave is given to the filter whose frequency is nearest in octaves; shape (30,).
    """
    distance = np.abs(np.log2(exact_centers_hz(3)[:, np.newaxis] / np.array(bank_hz)))
    nearest = distance.argmin(axis=1)
    return int(np.bincount(nearest, weights=third_octave_power, minlength=len(bank_hz)).argmax())


def band_place(rank: int, count: int) -> float:
    """Position of the source of a rank (1 comes first) among `count` that share a dominant band.

    1/2 for a single one; (N - i - 1) / (2 (N - 1)) for i + N odd; 1 - (N - i) / (2 (N - 1)) for even; then
    0.059 toward the center without crossing it. Source: Perez Gonzalez & Reiss, EURASIP JASP (2010).
    """
    if count == 1:
        return CENTER
    span = 2.0 * (count - 1)
    odd = (rank + count) % 2
    place = (count - rank - 1) / span if odd else 1.0 - (count - rank) / span
    inset = number("bands.inset")
    return min(place + inset, CENTER) if place < CENTER else max(place - inset, CENTER)


def band_places(bands: Mapping[str, int], bank_hz: Sequence[float]) -> dict[str, float]:
    """Positions of sources given, by priority, with their dominant band; low bands stay in the center."""
    members: dict[int, list[str]] = {}
    for name, band in bands.items():
        members.setdefault(band, []).append(name)
    low_hz = number("pan.centered_below_hz")
    return {
        name: CENTER if bank_hz[band] < low_hz else band_place(rank, len(names))
        for band, names in members.items()
        for rank, name in enumerate(names, start=1)
    }

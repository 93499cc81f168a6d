"""Where tracks hide one another in bands that matter to both: what equalization may have to settle."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.dsp.bands import BARK_EDGES_HZ
from tonmeister.engines.asp.bands import erb_bands, erb_values
from tonmeister.engines.asp.knowledge import number, whole
from tonmeister.features import TrackFeatures
from tonmeister.units import DoubleArray

__all__ = ["Contest", "find_contests", "hidden_shares"]


@dataclass(frozen=True, slots=True)
class Contest:
    """In `band`, `rival` hides `track`: it must yield by `need_db` should the track own the band."""

    band: int
    track: int
    rival: int
    need_db: int


def hidden_shares(hidden: DoubleArray, measured: Sequence[TrackFeatures]) -> DoubleArray:
    """Share of the row's track that the column's track hides; shape (tracks, tracks).

    Mean over Bark bands of `hidden` (tracks, tracks, 24), weighted by the loudness of the bands (power^0.23, Zwicker).
    """
    powers = np.array([10.0 ** (np.asarray(m.bark_db, dtype=np.float64) / 10.0) for m in measured])
    weights = powers**0.23
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ijb,ib->ij", hidden, weights))


def find_contests(hidden: DoubleArray, measured: Sequence[TrackFeatures]) -> tuple[Contest, ...]:
    """The contests worth settling: at most three rivals a track, and the bands where most is hidden."""
    found = [c for index in range(len(measured)) for c in _of_track(index, hidden, measured)]
    strength: dict[int, float] = defaultdict(float)
    for contest, share in found:
        strength[contest.band] += share
    kept = sorted(strength, key=lambda band: (-strength[band], band))[: whole("eq.contested_bands")]
    return tuple(contest for contest, _ in found if contest.band in kept)


def _of_track(
    index: int, hidden: DoubleArray, measured: Sequence[TrackFeatures]
) -> Iterator[tuple[Contest, float]]:
    for band in essential_bands(measured[index]):
        shares = hidden[index, :, _bark(erb_bands()[band].center_hz)].copy()
        shares[index] = 0.0
        rivals = np.argsort(-shares, kind="stable")[: whole("mask.most_per_track")]
        for rival in rivals:
            share = float(shares[rival])
            if share >= number("eq.hidden") and measured[rival].checksum != measured[index].checksum:
                yield Contest(band, index + 1, int(rival) + 1, need_db(share)), share


def need_db(share: float) -> int:
    """By how much a rival that hides `share` of a band must yield until it hides half: 10 log10(2 share).

    The hidden part of a band, min(P, T), falls with the rival's level once the threshold T lies below P.
    """
    largest = whole("eq.largest_boost")
    return min(max(1, math.ceil(10.0 * math.log10(share / number("eq.hidden")) - 0.1)), largest)


def essential_bands(measured: TrackFeatures) -> list[int]:
    """The strongest local maxima among the ERB bands that reach 0.8 of the largest."""
    values = erb_values(measured.third_octave_db)
    padded = np.concatenate(([-1.0], values, [-1.0]))
    tops = [
        k
        for k in range(len(values))
        if values[k] >= number("eq.essential") and padded[k] < values[k] >= padded[k + 2]
    ]
    return sorted(sorted(tops, key=lambda k: (-values[k], k))[: whole("eq.bands_per_track")])


def _bark(frequency_hz: float) -> int:
    last = len(BARK_EDGES_HZ) - 2
    return int(np.clip(np.searchsorted(BARK_EDGES_HZ, frequency_hz, side="right") - 1, 0, last))

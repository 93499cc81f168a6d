"""The names that rules may read, and where their values come from.

A lookup answers with None what was not measured, or what the chosen feature set does not expose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.engines.textbook.expressions import Lookup
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.units import DoubleArray, power_to_db

__all__ = ["JARP_NAMES", "NAMES", "BusLevels", "bus_levels", "bus_lookup", "track_lookup"]


@dataclass(frozen=True, slots=True)
class BusLevels:
    """Predicted levels of a bus: the powers of what feeds it, added frame by frame."""

    peak_db: float | None
    rms_db: float | None
    lufs: float | None
    tracks: int


def _octave_db(index: int) -> Callable[[TrackFeatures], float | None]:
    """Level of an octave band relative to the whole track."""

    def read(track: TrackFeatures) -> float | None:
        powers = 10.0 ** (np.asarray(track.octave_db, dtype=np.float64) / 10.0)
        return None if track.silent else power_to_db(float(powers[index])) - power_to_db(float(powers.sum()))

    return read


_TRACK: Final[Mapping[str, Callable[[TrackFeatures], float | None]]] = {
    "track.peak_db": lambda t: t.peak_p999_db,
    "track.rms_db": lambda t: t.rms_db,
    "track.crest_db": lambda t: t.crest_db,
    "track.loudness_lufs": lambda t: t.integrated_lufs,
    "track.range_lu": lambda t: t.loudness_range_lu,
    "track.low_energy_ratio": lambda t: t.low_energy_ratio,
    "track.centroid_hz": lambda t: t.centroid_hz,
    "track.flatness": lambda t: t.flatness,
    "track.active_ratio": lambda t: t.active_ratio,
    "track.onset_rate_hz": lambda t: t.onset_rate_hz,
    "track.width": lambda t: t.width,
    "track.channels": lambda t: float(t.channels),
    "track.mud_db": _octave_db(3),
    "track.presence_db": _octave_db(7),
    "track.treble_db": _octave_db(8),
}
"""`mud`, `presence`, `treble`: the octaves at 250 Hz, 4 kHz and 8 kHz relative to the whole track."""

_BUS: Final[Mapping[str, Callable[[BusLevels], float | None]]] = {
    "bus.peak_db": lambda b: b.peak_db,
    "bus.rms_db": lambda b: b.rms_db,
    "bus.crest_db": lambda b: None if b.peak_db is None or b.rms_db is None else b.peak_db - b.rms_db,
    "bus.loudness_lufs": lambda b: b.lufs,
    "bus.tracks": lambda b: float(b.tracks),
}

_SONG: Final = ("song.tempo_bpm", "song.beat_s", "song.beat_fraction_ms", "song.duration_s", "song.tracks")

NAMES: Final = frozenset((*_TRACK, *_BUS, *_SONG))
"""Everything a rule may read."""

JARP_NAMES: Final = frozenset(("track.peak_db", "track.rms_db", "bus.peak_db", "bus.rms_db"))
"""What the JARP paper measured: peak and RMS."""


def track_lookup(
    track: TrackFeatures, song: MultitrackFeatures, tempo_bpm: float | None, *, jarp: bool
) -> Lookup:
    """Values of ``track.*`` and ``song.*``; in `jarp` only peak (of the samples) and RMS."""

    def lookup(name: str) -> float | None:
        if jarp and name not in JARP_NAMES:
            return None
        if jarp and name == "track.peak_db":
            return track.sample_peak_db
        return _finite(_TRACK[name](track) if name in _TRACK else _song_value(name, song, tempo_bpm))

    return lookup


def bus_lookup(bus: BusLevels, song: MultitrackFeatures, tempo_bpm: float | None, *, jarp: bool) -> Lookup:
    """Values of ``bus.*`` and ``song.*``."""

    def lookup(name: str) -> float | None:
        if jarp and name not in JARP_NAMES:
            return None
        return _finite(_BUS[name](bus) if name in _BUS else _song_value(name, song, tempo_bpm))

    return lookup


def bus_levels(
    level_db: DoubleArray, peak_level_db: DoubleArray, lufs: float | None, tracks: int
) -> BusLevels:
    """Levels of a sum from its 10 ms series (n,).

    Peak: 99.9th percentile of the peaks; RMS over the hops within 30 dB of the loudest twentieth.
    """
    powers = 10.0 ** (level_db / 10.0)
    loud = powers[powers > np.percentile(powers, 95) * 1e-3] if len(powers) else powers
    if not len(loud):
        return BusLevels(None, None, lufs, tracks)
    return BusLevels(float(np.percentile(peak_level_db, 99.9)), power_to_db(float(loud.mean())), lufs, tracks)


def _song_value(name: str, song: MultitrackFeatures, tempo_bpm: float | None) -> float | None:
    if name == "song.duration_s":
        return song.duration_s
    if name == "song.tracks":
        return float(len(song.tracks))
    if tempo_bpm is None or tempo_bpm <= 0 or not name.startswith("song."):
        return None
    beat_s = 60.0 / tempo_bpm
    times = {
        "song.tempo_bpm": tempo_bpm,
        "song.beat_s": beat_s,
        "song.beat_fraction_ms": _beat_fraction_ms(beat_s),
    }
    return times[name]


def _beat_fraction_ms(beat_s: float) -> float:
    """60 / (bpm 2^x) s, the smallest above 30 ms (Moffat & Sandler, AES 147 paper 10264, 2019)."""
    halvings = math.ceil(math.log2(1000.0 * beat_s / 30.0)) - 1
    return 1000.0 * beat_s / 2.0 ** max(halvings, 0)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

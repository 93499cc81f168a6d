"""What the network is told of each track: numbers that no change of level and no exchange of the sides moves.

Two steps, so that training can change a spectrum after measuring: `measures` takes a track's own numbers from its
features, `columns` sets them in relation to the rest of the song.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.dsp.bands import OCTAVE_HZ, exact_centers_hz
from tonmeister.dsp.loudness import k_weighting_power
from tonmeister.features import TrackFeatures
from tonmeister.multitrack import Track
from tonmeister.units import DoubleArray
from tonmeister.vocabulary import INSTRUMENTS, ROLES, family, parents

__all__ = ["BANDS", "NUMBERS", "Measures", "columns", "input_names", "measures", "weighted_db"]

BANDS: Final = 30
OCTAVES: Final = len(OCTAVE_HZ)
FLOOR_DB: Final = -60.0
"""Bands are told down to this below the track's loudness: what lies lower is noise."""
_ACTIVE_DB: Final = 30.0
NUMBERS: Final = (
    "crest_db", "loudness_range_lu", "momentary_over_integrated_lu", "short_term_over_integrated_lu",
    "momentary_p10_lu", "momentary_p50_lu", "momentary_p90_lu", "level_p10_db", "level_p50_db", "level_p95_db",
    "hop_crest_db", "active_ratio", "onsets_log", "flatness_db", "flux", "stereo", "width_db", "lean",
    "correlation",
)  # fmt: skip
"""A track's own numbers beside its spectrum, in this order."""
_RELATIONS: Final = (
    "tracks_log", "same_instrument", "same_family", "same_source", "lead_elsewhere", "hidden_share",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measures:
    """One track, by itself."""

    instrument: str
    role: str
    confidence: float
    group: str
    """Microphones of one source share a group; '' for none."""
    spectrum_db: DoubleArray
    """Power per third-octave band over active frames, any reference; shape (30,)."""
    movement_db: DoubleArray
    """Standard deviation over time of the level of each octave; shape (10,)."""
    numbers: DoubleArray
    """Shape (len(NUMBERS),)."""


def measures(track: Track, features: TrackFeatures) -> Measures:
    """What is kept of an audible track."""
    return Measures(
        track.instrument, track.role, float(track.confidence), track.group or "",
        np.asarray(features.third_octave_db, np.float64), _movement(features), _numbers(features),
    )  # fmt: skip


def _movement(features: TrackFeatures) -> DoubleArray:
    frames = features.band_frames
    if frames is None or not len(frames):
        return np.zeros(OCTAVES)
    octaves = frames.astype(np.float64).reshape(len(frames), OCTAVES, -1).sum(2)
    total_db = 10.0 * np.log10(octaves.sum(1) + 1e-20)
    playing = octaves[total_db > total_db.max() - _ACTIVE_DB]
    level_db = 10.0 * np.log10(playing + 1e-20)
    return np.asarray(np.minimum(np.maximum(level_db, level_db.max(0) - 60.0).std(0), 20.0))


def _numbers(features: TrackFeatures) -> DoubleArray:
    """In the order of `NUMBERS`; what does not exist counts as 0."""
    loudness = features.integrated_lufs or 0.0
    rms_db = features.rms_db if features.rms_db is not None else loudness
    momentary = _percentiles(features.momentary_lufs, loudness, (10, 50, 90))
    levels = _percentiles(features.level_db[features.active], rms_db, (10, 50, 95))
    playing = features.active[: len(features.peak_level_db)]
    crests = features.peak_level_db[playing] - features.level_db[: len(features.peak_level_db)][playing]
    width = features.width if features.width is not None else 0.0
    values = (
        features.crest_db, features.loudness_range_lu, _over(features.max_momentary_lufs, loudness),
        _over(features.max_short_term_lufs, loudness), *momentary, *levels,
        float(np.median(crests)) if len(crests) else 0.0, features.active_ratio,
        float(np.log1p(features.onset_rate_hz)), 10.0 * np.log10(max(features.flatness or 0.0, 1e-6)),
        features.flux, float(features.channels == 2), 10.0 * np.log10(width + 1e-3),
        abs(features.imbalance or 0.0), features.correlation if features.channels == 2 else 1.0,
    )  # fmt: skip
    return np.array([0.0 if value is None else float(value) for value in values])


def _over(value: float | None, reference: float) -> float:
    return 0.0 if value is None else value - reference


def _percentiles(values: np.ndarray, reference: float, shares: tuple[int, ...]) -> list[float]:
    heard = values[values > reference - _ACTIVE_DB]
    if not len(heard):
        return [0.0] * len(shares)
    return [float(v) - reference for v in np.percentile(heard, shares)]


def weighted_db(spectrum_db: DoubleArray) -> DoubleArray:
    """Level of spectra (..., 30) as a loudness meter weighs them, dB: 10 log10(sum_b K_b 10^(s_b / 10))."""
    powers = 10.0 ** (np.asarray(spectrum_db) / 10.0) * k_weighting_power(exact_centers_hz(3))
    return np.asarray(10.0 * np.log10(powers.sum(-1) + 1e-30))


def input_names() -> tuple[str, ...]:
    """What stands in each column of `columns`."""
    bands = (f"{hertz:.0f} Hz" for hertz in exact_centers_hz(3))
    return (
        *(f"instrument.{word}" for word in INSTRUMENTS), *(f"role.{word}" for word in ROLES), "confidence",
        *(f"spectrum.{band}" for band in bands), *(f"movement.{hertz:g} Hz" for hertz in OCTAVE_HZ), *NUMBERS,
        "centroid_log", "spread_log", "low_share", *(f"share.{hertz:g} Hz" for hertz in OCTAVE_HZ), *_RELATIONS,
    )  # fmt: skip


def columns(song: Sequence[Measures]) -> DoubleArray:
    """The inputs of the network, one row a track in the order of `song`; shape (tracks, len(input_names()))."""
    spectra = np.array([m.spectrum_db for m in song]).reshape(-1, BANDS)
    spectra = spectra - weighted_db(spectra)[:, None]
    powers = 10.0 ** (spectra / 10.0)
    octaves = powers.reshape(len(song), OCTAVES, -1).sum(2)
    shares = octaves / octaves.sum(0)
    rows = [_words(m) for m in song]
    parts = (
        np.array(rows), np.maximum(spectra, FLOOR_DB), np.array([m.movement_db for m in song]),
        np.array([m.numbers for m in song]), _shape(powers), shares, _relations(song, octaves, shares),
    )  # fmt: skip
    return np.concatenate(parts, axis=1)


def _words(track: Measures) -> DoubleArray:
    """Instrument with everything above it, and role, as weights between 0 and how sure they are."""
    above = parents(track.instrument)
    words = [track.confidence * (word in above) for word in INSTRUMENTS]
    roles = [track.confidence * (word == track.role) for word in ROLES]
    return np.array([*words, *roles, track.confidence])


def _shape(powers: DoubleArray) -> DoubleArray:
    """Centroid and spread on a logarithmic frequency axis, octaves from 1 kHz, and the share below 150 Hz."""
    place = np.log2(exact_centers_hz(3) / 1000.0)
    share = powers / powers.sum(1, keepdims=True)
    centroid = share @ place
    spread = np.sqrt(np.maximum(share @ place**2 - centroid**2, 0.0))
    low = share[:, exact_centers_hz(3) < 150.0].sum(1)
    return np.stack([centroid, spread, low], axis=1)


def _relations(song: Sequence[Measures], octaves: DoubleArray, shares: DoubleArray) -> DoubleArray:
    """How many others are of a kind, and how much of the track lies where others are stronger."""
    own = octaves / octaves.sum(1, keepdims=True)
    hidden = (own * (1.0 - shares)).sum(1)
    leads = np.array([m.role == "lead" for m in song])
    rows = []
    for i, m in enumerate(song):
        others = [n for j, n in enumerate(song) if j != i]
        rows.append([
            np.log2(len(song)), np.log1p(sum(n.instrument == m.instrument for n in others)),
            np.log1p(sum(family(n.instrument) == family(m.instrument) for n in others)),
            np.log1p(sum(bool(m.group) and n.group == m.group for n in others)),
            float(leads.sum() - leads[i] > 0), hidden[i],
        ])  # fmt: skip
    return np.array(rows)

"""The optional inserts of the low-level mixer: a compressor and an equalizer set from features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.dsp.loudness import k_weighting_response_db
from tonmeister.engines.adaptive.faders import forgetting
from tonmeister.engines.adaptive.numbers import bounds, number
from tonmeister.features import HOP_S, TrackFeatures
from tonmeister.units import DoubleArray

__all__ = [
    "CompressorSettings",
    "band_loudness_db",
    "compressor_settings",
    "compressor_times_ms",
    "crest_squared",
    "equalizer_gains_db",
]


@dataclass(frozen=True, slots=True)
class CompressorSettings:
    """What the features say; whether a compressor can do all of it is for its ranges to say."""

    threshold_db: float
    knee_db: float
    attack_ms: float
    release_ms: float
    crest_squared: float


def crest_squared(peak_level_db: DoubleArray, level_db: DoubleArray) -> DoubleArray:
    """Running squared crest factor as an amplitude ratio, C^2 = p / r; a sine has 2.

    p <- max(x^2, a p + (1 - a) x^2) on the peak of each frame, r <- a r + (1 - a) x^2 on its mean square; a
    forgets over 200 ms. From levels in decibels every 10 ms, (n,) each, to (n,). Unchecked recollection of
    Giannoulis, Massberg & Reiss (2013).
    """
    remember = forgetting(number("compressor.crest_window_s"), 1.0 / HOP_S)
    peaks = (10.0 ** (np.asarray(peak_level_db, dtype=np.float64) / 10.0)).tolist()
    squares = (10.0 ** (np.asarray(level_db, dtype=np.float64) / 10.0)).tolist()
    peak, mean, result = 0.0, squares[0] if squares else 1.0, []
    for new_peak, square in zip(peaks, squares, strict=True):
        peak = max(new_peak, remember * peak + (1.0 - remember) * new_peak)
        mean = remember * mean + (1.0 - remember) * square
        result.append(peak / mean)
    return np.array(result)


def compressor_times_ms(squared_crest: float) -> tuple[float, float]:
    """(attack, release) in milliseconds: 160 / C^2, and 2000 / C^2 less the attack.

    Source: Giannoulis, Massberg & Reiss (2013), from the table of Moffat & Sandler, AES 145 (2018).
    """
    attack_ms = number("compressor.attack_ms") / squared_crest
    release_ms = number("compressor.release_ms") / squared_crest - attack_ms
    (fastest, slowest), (shortest, longest) = (
        bounds("compressor.attack_range_ms"),
        bounds("compressor.release_range_ms"),
    )
    return min(max(attack_ms, fastest), slowest), min(max(release_ms, shortest), longest)


def compressor_settings(track: TrackFeatures, trim_db: float) -> CompressorSettings | None:
    """Settings for a track after its gain staging; None for a track without level.

    The published times follow the crest factor from moment to moment; a plan's inserts stand still, so the
    median over the active frames stands in.
    """
    if track.rms_db is None or not track.active.any():
        return None
    squared = float(np.median(crest_squared(track.peak_level_db, track.level_db)[track.active]))
    threshold_db = min(track.rms_db + trim_db + number("compressor.threshold_over_rms_db"), 0.0)
    attack_ms, release_ms = compressor_times_ms(squared)
    knee_db = number("compressor.knee_per_threshold") * abs(threshold_db)
    return CompressorSettings(threshold_db, knee_db, attack_ms, release_ms, squared)


def band_loudness_db(track: TrackFeatures) -> DoubleArray:
    """Loudness of each octave over active frames: band power plus K-weighting; (10,), NaN where empty.

    A band far below the track's strongest counts as empty, as does one above half the sample rate.
    """
    centers_hz = exact_centers_hz(1)
    power_db = np.asarray(track.octave_db, dtype=np.float64)
    empty = power_db < power_db.max() - number("equalizer.silent_below_db")
    return np.where(empty | (centers_hz > 0.5 * track.sample_rate), np.nan, power_db) + k_weighting_response_db(
        centers_hz
    )


def equalizer_gains_db(loudness_db: DoubleArray) -> DoubleArray:
    """Gains that bring every band of every track halfway to the mean over all, within 6 dB, mean removed.

    From band loudness (tracks, 10), NaN for empty bands, to gains of that shape, 0 for empty bands. Removing
    each track's own mean leaves its level to the fader.
    """
    limit = number("equalizer.limit_db")
    filled = ~np.isnan(loudness_db)
    if not filled.any():
        return np.zeros_like(loudness_db)
    wanted = number("equalizer.strength") * (np.nanmean(loudness_db) - loudness_db)
    gains = np.where(filled, np.clip(wanted, -limit, limit), 0.0)
    mean = gains.sum(axis=1, keepdims=True) / np.maximum(filled.sum(axis=1, keepdims=True), 1)
    return np.where(filled, gains - mean, 0.0)

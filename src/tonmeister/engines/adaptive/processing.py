"""The optional inserts of the low-level mixer: a compressor and an equalizer set from features."""

from __future__ import annotations

import numpy as np

from tonmeister.dsp.bands import OCTAVE_HZ
from tonmeister.dsp.loudness import k_weighting_response_db
from tonmeister.engines.adaptive.faders import forgetting
from tonmeister.engines.adaptive.numbers import bounds, number, numbers
from tonmeister.features import HOP_S, TrackFeatures
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "band_loudness_db",
    "compressor_times_ms",
    "crest_squared",
    "equalizer_gains_db",
    "median_crest_squared",
]


def crest_squared(peak_level_db: FloatArray | DoubleArray, level_db: FloatArray | DoubleArray) -> DoubleArray:
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


def median_crest_squared(track: TrackFeatures) -> float | None:
    """One squared crest factor for a track; None for a track that is never active.

    The published times follow the crest factor from moment to moment; a plan's inserts stand still, so the
    median over the active frames stands in.
    """
    if not track.active.any():
        return None
    return float(np.median(crest_squared(track.peak_level_db, track.level_db)[track.active]))


def band_loudness_db(track: TrackFeatures) -> DoubleArray:
    """Loudness of the equalizer's octaves over active frames: band power plus K-weighting; shape (bands,).

    NaN where a band counts as empty: far below the track's strongest, or above half the sample rate.
    """
    bands_hz = np.array(numbers("equalizer.bands_hz"))
    power_db = np.asarray(track.octave_db, dtype=np.float64)[np.isin(OCTAVE_HZ, bands_hz)]
    empty = power_db < float(np.max(track.octave_db)) - number("equalizer.silent_below_db")
    power_db[empty | (bands_hz > 0.5 * track.sample_rate)] = np.nan
    return power_db + k_weighting_response_db(bands_hz)


def equalizer_gains_db(loudness_db: DoubleArray) -> DoubleArray:
    """Gains that bring every band of every track halfway to the mean over all, within 6 dB, mean removed.

    From band loudness (tracks, bands), NaN for empty bands, to gains of that shape, 0 for empty bands. Removing
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

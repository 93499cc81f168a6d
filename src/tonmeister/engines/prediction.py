"""What a mix will measure before it is rendered, from the features of its tracks.

An engine hears nothing: filters act on the measured spectrum in closed form, the compressor's curve and
ballistics run on the measured 10 ms levels, and sums add the powers of unrelated tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.dsp.loudness import integrated_lufs, k_weighting_power, lufs_of_power
from tonmeister.effects.base import LinearEffect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.filters import HighPass
from tonmeister.effects.reverb import Reverb
from tonmeister.features import HOP_S
from tonmeister.units import SILENCE_DB, DoubleArray, FloatArray, power_to_db

__all__ = ["compressor_change_db", "filter_change_db", "predicted_lufs", "reverb_change_db"]

_POINTS_PER_BAND: Final = 5
_STEPS_PER_HOP: Final = 32
_PART_HOPS: Final = 6000
"""A minute at a time, so that memory does not grow with the song."""
_LEAD_IN_HOPS: Final = 500
"""Five seconds before each part, for the compressor to be where it would be."""


def predicted_lufs(momentary_lufs: Sequence[FloatArray], gains_db: Sequence[float]) -> float | None:
    """Integrated loudness of the sum of uncorrelated tracks; None when nothing passes the absolute gate.

    Momentary values are the gating blocks of BS.1770 (400 ms, three quarters overlapping): their powers are
    added over the tracks, then gated and averaged. `momentary_lufs` holds one (n,) series a track, `gains_db`
    the gain of each with centered pan.
    """
    powers = np.zeros(max((len(series) for series in momentary_lufs), default=0))
    for series, gain_db in zip(momentary_lufs, gains_db, strict=True):
        powers[: len(series)] += _powers(series) * 10.0 ** (gain_db / 10.0)
    return integrated_lufs(powers)


def _powers(loudness_lufs: FloatArray) -> DoubleArray:
    """Weighted mean squares of loudness values: the inverse of `lufs_of_power`."""
    offset = float(lufs_of_power(1.0))
    return np.asarray(10.0 ** ((np.asarray(loudness_lufs, dtype=np.float64) - offset) / 10.0))


def filter_change_db(
    third_octave_db: FloatArray, effects: Sequence[LinearEffect], sample_rate: int, *, weighted: bool = True
) -> float:
    """By how much linear effects change the loudness (or, not `weighted`, the power) of a track, in dB.

    10 log10( sum_f P(f) K(f) |H(f)|^2 / sum_f P(f) K(f) ), P the power per third octave (30,), spread evenly
    over five frequencies of each band; K the power response of the K-weighting.
    """
    if not effects:
        return 0.0
    offsets = 10.0 ** (np.arange(-2, 3) / _POINTS_PER_BAND * 0.1)
    frequency_hz = np.minimum(np.outer(exact_centers_hz(3), offsets), 0.49 * sample_rate).reshape(-1)
    powers = np.repeat(10.0 ** (np.asarray(third_octave_db, dtype=np.float64) / 10.0), _POINTS_PER_BAND)
    if weighted:
        powers = powers * k_weighting_power(frequency_hz, sample_rate)
    passed = powers.copy()
    for effect in effects:
        passed *= np.abs(effect.response(frequency_hz, sample_rate)) ** 2
    return power_to_db(float(passed.sum())) - power_to_db(float(powers.sum())) if powers.any() else 0.0


def compressor_change_db(
    compressor: Compressor,
    level_db: FloatArray,
    peak_level_db: FloatArray,
    *,
    gain_db: float = 0.0,
    third_octave_db: FloatArray | None = None,
    sample_rate: int = 48_000,
) -> float:
    """By how much a compressor changes the level of a track, in dB.

    The detector sees samples, the features hold the RMS and the peak of every 10 ms (each shape (n,)). Within
    a hop the magnitude is taken to be distributed as peak u^p, u even in (0, 1), with p = (crest^2 - 1) / 2
    so that the mean square is right (for a sine p = 1/2). `gain_db` is the gain before the compressor; a
    filter in the detector path is allowed for by the power it takes from `third_octave_db` (30,).
    """
    if not min(len(level_db), len(peak_level_db)):
        return compressor.makeup_db
    offset_db = _detector_change_db(compressor, third_octave_db, sample_rate)
    before = after = 0.0
    for start in range(0, len(level_db), _PART_HOPS):
        heard = slice(max(start - _LEAD_IN_HOPS, 0), start + _PART_HOPS)
        magnitude_db = _inner_levels(level_db[heard], peak_level_db[heard]) + gain_db
        gains_db = _compressed(compressor, magnitude_db + offset_db)
        powers = 10.0 ** (magnitude_db / 10.0)
        counted = slice((start - heard.start) * _STEPS_PER_HOP, None)
        before += float(powers[counted].sum())
        after += float((powers * 10.0 ** (gains_db / 10.0))[counted].sum())
    return power_to_db(after) - power_to_db(before) + compressor.makeup_db


def _compressed(compressor: Compressor, detected_db: DoubleArray) -> DoubleArray:
    """Gain over time, dB, for a detector level on the inner steps."""
    from tonmeister.dsp.dynamics import gain_curve_db, smooth_gain_db

    wanted = gain_curve_db(detected_db, compressor.threshold_db, compressor.ratio, compressor.knee_db)
    per_ms = _STEPS_PER_HOP / (HOP_S * 1000.0)
    return smooth_gain_db(wanted, compressor.attack_ms * per_ms, compressor.release_ms * per_ms)


def _inner_levels(level_db: FloatArray, peak_level_db: FloatArray) -> DoubleArray:
    """Levels within the hops, shape (n * 32,): the magnitudes of each hop, loud and soft ones in turn."""
    level, peak = np.asarray(level_db, dtype=np.float64), np.asarray(peak_level_db, dtype=np.float64)
    count = min(len(level), len(peak))
    level, peak = level[:count], np.maximum(peak[:count], level[:count])
    exponent = (10.0 ** (np.clip(peak - level, 0.0, 40.0) / 10.0) - 1.0) / 2.0
    inner = peak[:, None] + 20.0 * exponent[:, None] * np.log10(_scattered(_STEPS_PER_HOP))[None, :]
    return np.asarray(np.maximum(inner, SILENCE_DB).reshape(-1))


def _scattered(count: int) -> DoubleArray:
    """Even steps through (0, 1) in the bit-reversed order: neighbors lie far apart. `count` is a power of two."""
    order = np.zeros(1, dtype=np.int64)
    while len(order) < count:
        order = np.concatenate((2 * order, 2 * order + 1))
    return np.asarray((order + 0.5) / count)


def _detector_change_db(
    compressor: Compressor, third_octave_db: FloatArray | None, sample_rate: int
) -> float:
    cutoff_hz = compressor.sidechain_high_pass_hz
    if third_octave_db is None or cutoff_hz <= 10.0:
        return 0.0
    return filter_change_db(third_octave_db, [HighPass(cutoff_hz)], sample_rate, weighted=False)


def reverb_change_db(third_octave_db: FloatArray, reverb: Reverb, sample_rate: int) -> float:
    """Loudness of the wet signal of a room minus loudness of what enters it, in dB.

    The room has unit energy on the whole, spread over frequency as a network of lossy loops spreads it,
    E(f) ~ h / (1 - h) with h the mean of |H_i(f)|^2 over the line filters; its low cut comes before.
    """
    from tonmeister.dsp.reverb import design_room

    design = design_room(
        decay_s=reverb.decay_s, damping_hz=reverb.damping_hz, size=reverb.size, diffusion=reverb.diffusion,
        sample_rate=sample_rate,
    )  # fmt: skip

    def energy(frequency_hz: DoubleArray) -> DoubleArray:
        turn = np.cos(2.0 * np.pi * frequency_hz / sample_rate)[:, None]
        kept = np.mean(design.gains**2 / (1.0 - 2.0 * design.poles * turn + design.poles**2), axis=1)
        return np.asarray(kept / (1.0 - kept))

    centers_hz = np.minimum(exact_centers_hz(3), 0.49 * sample_rate)
    mean = float(energy(np.linspace(0.0, 0.5 * sample_rate, 512)).mean())
    powers = 10.0 ** (np.asarray(third_octave_db, dtype=np.float64) / 10.0)
    powers = powers * k_weighting_power(centers_hz, sample_rate)
    wet = powers * energy(centers_hz) / mean
    if reverb.low_cut_hz:
        wet = wet * np.abs(HighPass(max(reverb.low_cut_hz, 10.0)).response(centers_hz, sample_rate)) ** 2
    return power_to_db(float(wet.sum())) - power_to_db(float(powers.sum()))

"""Compressor and equalizer decisions of the low-level mixer, when its options ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tonmeister.decisions import AddInsert
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.engines.adaptive.numbers import number, numbers, reason
from tonmeister.engines.adaptive.processing import (
    band_loudness_db,
    compressor_times_ms,
    equalizer_gains_db,
    median_crest_squared,
)
from tonmeister.engines.prediction import compressor_change_db
from tonmeister.features import TrackFeatures
from tonmeister.units import DoubleArray, power_to_db

__all__ = ["compressor_inserts", "equalizer_inserts"]

_LEAST_DB = 0.1
"""Equalizer sections that move less are left out."""


def compressor_inserts(
    tracks: Sequence[TrackFeatures], trims_db: Sequence[float], *, by: str
) -> Iterator[AddInsert]:
    """A compressor for each track that has a level, after its gain staging."""
    for track, trim_db in zip(tracks, trims_db, strict=True):
        squared = median_crest_squared(track)
        if squared is not None and track.rms_db is not None:
            effect = _compressor(track, track.rms_db + trim_db, trim_db, squared)
            text = (
                f"Compressor: threshold {effect.threshold_db:.1f} dB, just over the RMS level; crest factor "
                f"{power_to_db(squared):.1f} dB gives {effect.attack_ms:.1f} ms attack and "
                f"{effect.release_ms:.0f} ms release."
            )
            why = reason(text, "compressor.attack_ms", rule="compressor")
            yield AddInsert(track.name, effect, reason=why, by=by)


def _compressor(track: TrackFeatures, rms_db: float, trim_db: float, squared_crest: float) -> Compressor:
    """Threshold RMS + 3 dB, knee half the threshold's distance from full scale, the highest ratio there is.

    The published make-up is proportional to the threshold by a factor we do not know. Ours gives back what
    the compressor is predicted to take, since the fader counts on a track that keeps its level.
    """
    allowed = Compressor.ranges()
    attack_ms, release_ms = compressor_times_ms(squared_crest)
    threshold_db = allowed["threshold_db"].clip(rms_db + number("compressor.threshold_over_rms_db"))
    knee_db = allowed["knee_db"].clip(number("compressor.knee_per_threshold") * abs(threshold_db))
    bare = Compressor(threshold_db, allowed["ratio"].maximum, knee_db, attack_ms, release_ms)
    lost_db = -compressor_change_db(bare, track.level_db, track.peak_level_db, gain_db=trim_db)
    return replace(bare, makeup_db=allowed["makeup_db"].clip(lost_db))


def equalizer_inserts(
    tracks: Sequence[TrackFeatures], trims_db: Sequence[float], *, by: str
) -> Iterator[AddInsert]:
    """An equalizer for each track whose bands are off the mean of all."""
    if not tracks:
        return
    loudness = np.array([band_loudness_db(t) + trim for t, trim in zip(tracks, trims_db, strict=True)])
    for track, gains_db in zip(tracks, equalizer_gains_db(loudness), strict=True):
        if sections := _sections(gains_db):
            moves = ", ".join(f"{s.gain_db:+.1f} dB at {s.frequency_hz:g} Hz" for s in sections)
            text = f"Octaves brought halfway to the mean loudness of all bands of all tracks: {moves}."
            why = reason(text, "equalizer.strength", rule="equalizer")
            yield AddInsert(track.name, Equalizer(sections), reason=why, by=by)


def _sections(gains_db: DoubleArray) -> tuple[EqSection, ...]:
    bands_hz, quality = numbers("equalizer.bands_hz"), number("equalizer.quality")
    return tuple(
        EqSection("peak", band_hz, round(float(gain_db), 2), quality)
        for band_hz, gain_db in zip(bands_hz, gains_db, strict=True)
        if abs(gain_db) >= _LEAST_DB
    )

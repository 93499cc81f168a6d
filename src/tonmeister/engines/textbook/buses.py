"""The drum bus and the mix bus: predicted levels of their sums, and the inserts the rules put there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.engines.prediction import compressor_change_db, filter_change_db
from tonmeister.engines.textbook.balance import sum_lufs
from tonmeister.engines.textbook.chain import compressor, equalizer, high_pass
from tonmeister.engines.textbook.channels import Channel, Chosen, Style
from tonmeister.engines.textbook.matching import Settings, Subject, apply_rules
from tonmeister.engines.textbook.measures import BusLevels, bus_levels, bus_lookup
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.features import MultitrackFeatures
from tonmeister.units import SILENCE_DB, DoubleArray, FloatArray

__all__ = ["BusChain", "bus_chain", "peak_db"]

Parts = Sequence[tuple[Channel, float]]
"""Channels, each with its gain in dB on the way to the bus."""


@dataclass(frozen=True, slots=True)
class BusChain:
    """What the rules put on a bus."""

    levels: BusLevels
    settings: Settings
    inserts: tuple[Chosen, ...]
    change_db: float
    """What the inserts do to the loudness, predicted."""


def bus_chain(
    name: str,
    stage: str,
    parts: Parts,
    features: MultitrackFeatures,
    rules: RuleSet,
    style: Style,
    *,
    tempo_bpm: float | None,
    tags: Mapping[str, frozenset[str]],
    confidence: float = 1.0,
) -> BusChain:
    """Let the rules of a bus speak about the predicted sum of its parts."""
    level_db, peak_level_db = _sum_db(parts, "level_db"), _sum_db(parts, "peak_level_db")
    levels = bus_levels(level_db, peak_level_db, sum_lufs(parts), len(parts))
    lookup = bus_lookup(levels, features, tempo_bpm, jarp=style.jarp)
    subject = Subject(name, tags, lookup, confidence)
    settings = apply_rules(rules, stage, subject, profile=style.profile, jarp=style.jarp)
    chosen = [
        high_pass(settings, subject),
        compressor(settings, subject, rules),
        equalizer(settings.tones, subject, style, features.sample_rate),
    ]
    inserts = tuple(c for c in chosen if c is not None)
    spectrum_db = _float32(_sum_db(parts, "third_octave_db"))
    change_db = _change_db(
        inserts, _float32(level_db), _float32(peak_level_db), spectrum_db, features.sample_rate
    )
    return BusChain(levels, settings, inserts, change_db)


def peak_db(parts: Parts) -> float:
    """Predicted peak of a sum: the 99.9th percentile of the added 10 ms peaks."""
    peaks = _sum_db(parts, "peak_level_db")
    return float(np.percentile(peaks, 99.9)) if len(peaks) else SILENCE_DB


def _sum_db(parts: Parts, series: str) -> DoubleArray:
    """Powers of the parts, added element by element, in dB."""
    length = max((len(getattr(channel.features, series)) for channel, _ in parts), default=0)
    total = np.zeros(length)
    for channel, gain_db in parts:
        levels = np.asarray(getattr(channel.features, series), dtype=np.float64)
        powers = 10.0 ** ((levels + gain_db + channel.change_db) / 10.0)
        total[: len(levels)] += np.where(levels > SILENCE_DB, powers, 0.0)
    return np.asarray(10.0 * np.log10(np.maximum(total, 10.0 ** (SILENCE_DB / 10.0))))


def _float32(series: DoubleArray) -> FloatArray:
    return series.astype(np.float32)


def _change_db(
    inserts: Sequence[Chosen],
    level_db: FloatArray,
    peak_db: FloatArray,
    spectrum_db: FloatArray,
    sample_rate: int,
) -> float:
    linear = [c.effect for c in inserts if isinstance(c.effect, (HighPass, Equalizer))]
    change_db = filter_change_db(spectrum_db, linear, sample_rate)
    for effect in (c.effect for c in inserts):
        if isinstance(effect, Compressor):
            change_db += compressor_change_db(
                effect, level_db, peak_db, third_octave_db=spectrum_db, sample_rate=sample_rate
            )
    return change_db

"""Stage C: coarse equalization, a high-pass and at most two broad sections.

The table is the answer of the profile `faithful`. In `improved` it is a prior: a section goes no farther than the
class's usual spectrum asks for, and as far as the label is sure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.engines.instrument.channels import Channel
from tonmeister.engines.instrument.numbers import class_spectrum_db, number
from tonmeister.engines.instrument.rows import EqRow
from tonmeister.features import TrackFeatures

__all__ = ["Tone", "net_response", "tone_of"]

_SHELF_TOP_HZ = 12500.0


@dataclass(frozen=True)
class Tone:
    """The effects of one channel, and what there is to say about them."""

    row: EqRow
    effects: tuple[HighPass | Equalizer, ...] = ()
    notes: tuple[str, ...] = ()


def tone_of(channel: Channel, row: EqRow, *, improved: bool) -> Tone:
    """The equalization of a channel; no effects where nothing is worth the while."""
    sections, notes = row.sections, list[str]()
    if improved:
        sections = tuple(_scaled(section, channel, row, notes) for section in sections)
    sections = tuple(s for s in sections if abs(s.gain_db) >= number("eq.smallest_db"))
    effects: list[HighPass | Equalizer] = []
    if row.high_pass_hz is not None:
        if improved and channel.confidence < number("eq.surest_filter"):
            notes.append(f"no high-pass: the label is only {channel.confidence:.0%} sure")
        else:
            effects.append(HighPass(row.high_pass_hz))
    if sections:
        effects.append(Equalizer(sections))
    return Tone(row, tuple(effects), tuple(notes))


def _scaled(section: EqSection, channel: Channel, row: EqRow, notes: list[str]) -> EqSection:
    gain_db = section.gain_db
    if row.spectrum is not None:
        missing_db = _missing_db(channel.features, row.spectrum, section)
        wanted = max(0.0, math.copysign(1.0, gain_db) * missing_db)
        gain_db = math.copysign(min(abs(gain_db), wanted), gain_db)
        notes.append(
            f"{section.frequency_hz:g} Hz: the class has {missing_db:+.1f} dB to it, the table {section.gain_db:+.1f}"
        )
    return replace(section, gain_db=round(gain_db * channel.confidence, 2))


def _missing_db(features: TrackFeatures, spectrum: str, section: EqSection) -> float:
    """Mean level of the class minus that of the track around a section, both re their total power, dB."""
    hz = exact_centers_hz(3)
    high_hz = _SHELF_TOP_HZ if section.shape == "high_shelf" else section.frequency_hz * math.sqrt(2.0)
    low_hz = 20.0 if section.shape == "low_shelf" else section.frequency_hz / math.sqrt(2.0)
    near = (hz >= low_hz) & (hz <= min(high_hz, 0.45 * features.sample_rate))
    if not near.any():
        return 0.0
    level_db = np.asarray(features.third_octave_db, dtype=np.float64)
    total_db = 10.0 * math.log10(max(float((10.0 ** (level_db / 10.0)).sum()), 1e-30))
    return float((class_spectrum_db(spectrum)[near] - (level_db[near] - total_db)).mean())


def net_response(tone: Tone, sample_rate: int) -> str:
    """The response of all of it at the octaves, in words."""
    hz = np.array([63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0])
    hz = hz[hz < 0.45 * sample_rate]
    response = np.ones(len(hz), dtype=np.complex128)
    for effect in tone.effects:
        response = response * effect.response(hz, sample_rate)
    values = 20.0 * np.log10(np.maximum(np.abs(response), 1e-10))
    return "net " + ", ".join(f"{f:g} Hz {v:+.1f}" for f, v in zip(hz, values + 0.0, strict=True)) + " dB"

"""Room for the lead: narrow cuts in the tracks that hide the bands in which it is most at home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tonmeister.dsp.bands import BARK_EDGES_HZ
from tonmeister.engines.textbook.channels import Channel, Style
from tonmeister.engines.textbook.matching import Tone, apply_rules
from tonmeister.engines.textbook.numbers import number
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.features import MultitrackFeatures
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["essential_bands", "masking_cuts"]

_LOUDNESS_EXPONENT: Final = 0.23
"""Loudness of a band grows with this power of its intensity (Zwicker & Fastl, Psychoacoustics)."""
_MOST_CUTS: Final = 2


def masking_cuts(
    channel: Channel, channels: Sequence[Channel], features: MultitrackFeatures, rules: RuleSet, style: Style
) -> list[Tone]:
    """At most two cuts that a rule allows in this channel, the more the better it hides the lead."""
    settings = apply_rules(rules, "tone", channel.subject, profile=style.profile, jarp=style.jarp)
    limit = settings.values.get("masking.limit_db")
    leads = [c for c in channels if c.role == "lead" and c.name != channel.name]
    if limit is None or not leads or channel.role == "lead" or not features.masking.size:
        return []
    hidden = _hidden(channel, leads, features)
    threshold, most_db = number("masking.hidden"), min(limit.value, number("masking.largest_cut"))
    worst = [int(b) for b in np.argsort(-hidden) if hidden[b] > threshold][:_MOST_CUTS]
    depths_db = {b: most_db * (hidden[b] - threshold) / (1.0 - threshold) for b in worst}
    return [_cut(b, -depths_db[b], limit.rule.id, rules) for b in sorted(worst)]


def essential_bands(bark_db: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Bark bands whose loudness is at least 0.8 of the loudest band's; shape (24,)."""
    loudness = 10.0 ** (_LOUDNESS_EXPONENT * np.asarray(bark_db, dtype=np.float64) / 10.0)
    return np.asarray(loudness >= number("masking.essential") * loudness.max())


def _hidden(channel: Channel, leads: Sequence[Channel], features: MultitrackFeatures) -> DoubleArray:
    """Largest share of an essential band of any lead that the channel hides; shape (24,)."""
    rows = list(features.tracks)
    shares = [
        np.where(
            essential_bands(c.features.bark_db),
            features.masking[rows.index(c.name), rows.index(channel.name)],
            0.0,
        )
        for c in leads
    ]
    return np.asarray(np.max(shares, axis=0), dtype=np.float64)


def _cut(band: int, gain_db: float, rule: str, rules: RuleSet) -> Tone:
    center_hz = float(np.sqrt(BARK_EDGES_HZ[band] * BARK_EDGES_HZ[band + 1]))
    found = next(r for r in rules.rules if r.id == rule)
    return Tone(float(gain_db), found, frequency_hz=center_hz, q=number("masking.q"))

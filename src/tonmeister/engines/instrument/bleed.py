"""How much of what a close microphone hears is its own source.

A microphone that hears another source is louder than its own source is, and equal loudness of microphones is not
equal loudness of sources (Moffat & Sandler, AES e-Brief 497, 2019). The share of microphone i that is the source of j
is the smaller of two bounds::

    c_ij = sum_f |S_ij|^2 / S_jj / sum_f S_ii     what j can explain of i at all: two sources that only play together
                                                  do not explain one another
    d_ij = q_0.1(P_i / P_j while j is loud) P_j / P_i   what i hears at least whenever j sounds
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tonmeister.engines.instrument.channels import Channel
from tonmeister.engines.instrument.numbers import number
from tonmeister.features import CrossPower, TrackFeatures
from tonmeister.units import DoubleArray, power_to_db

__all__ = ["source_change_db"]

_CLOSE: Final = ("kick", "snare", "toms", "hihat")
"""Classes whose microphones stand at one source; the others are there to hear everything."""
_LOUD_PERCENTILE: Final = 95.0


def source_change_db(channel: Channel, kit: Sequence[Channel], cross_power: CrossPower | None) -> float:
    """Level of the channel's own source minus the level of its microphone, dB, 0 or less."""
    if cross_power is None or channel.label not in _CLOSE:
        return 0.0
    others = [o for o in kit if o.label in _CLOSE and o.label != channel.label and o.source != channel.source]
    foreign = sum(
        min(_explained(channel.name, o.name, cross_power), _heard(channel.features, o.features))
        for o in others
    )
    return max(power_to_db(max(1.0 - foreign, 0.0)), -number("bleed.largest_correction_db"))


def _explained(name: str, other: str, cross_power: CrossPower) -> float:
    """Share of the power of one microphone that is coherent with another; 0 to 1."""
    if not {name, other} <= set(cross_power.names):
        return 0.0
    i, j = (cross_power.names.index(word) for word in (name, other))
    spectra = cross_power.third_octave.mean(axis=0)
    shared = np.abs(spectra[i, j]) ** 2 / np.maximum(spectra[j, j].real, 1e-30)
    own = float(spectra[i, i].real.sum())
    return float(min(shared.sum() / own, 1.0)) if own > 0 else 0.0


def _heard(features: TrackFeatures, other: TrackFeatures) -> float:
    """Share of the power of one microphone that is there whenever the other's source sounds; 0 to 1."""
    one, two = _powers(features), _powers(other)
    count = min(len(one), len(two))
    one, two = one[:count], two[:count]
    audible = two[two > 1e-12]
    if not len(audible) or not one.sum() > 0:
        return 0.0
    loud = two > np.percentile(audible, _LOUD_PERCENTILE) * 10.0 ** (-number("bleed.loud_range_db") / 10.0)
    leak = float(np.quantile(one[loud] / two[loud], number("bleed.quantile")))
    return min(leak * float(two.sum() / one.sum()), 1.0)


def _powers(features: TrackFeatures) -> DoubleArray:
    level_db = np.asarray(features.level_db, dtype=np.float64)
    return np.where(level_db > -120.0, 10.0 ** (level_db / 10.0), 0.0)

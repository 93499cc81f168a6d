"""How loud a part stands against all others, and whether it should move.

    L_part - L_rest    over the moments in which the part sounds (momentary loudness, ITU-R BS.1770)

A track that holds the share c of its source is taken for as much louder as the source is, 10 log10(1 / c). Nothing is
decided within the error of such a measurement, and no change goes beyond what the law of the remix
(`separation.remix_law`) allows for the separator's expected SDR.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tonmeister.decisions import Reason, SetGain
from tonmeister.engines.cited import cited_values
from tonmeister.features import MultitrackFeatures
from tonmeister.remixing.faders import BY, number, power_ratio
from tonmeister.separation.remix_law import allowed_gains_db, fader_db
from tonmeister.strip import PARAMETERS

__all__ = ["balance_decision", "level_against_rest_lu"]

_SILENT: Final = 1e-7
""" -70 LUFS, the absolute gate of BS.1770, as a power."""


def level_against_rest_lu(
    features: MultitrackFeatures, track: str, shares: Mapping[str, float]
) -> float | None:
    """Loudness of a source less that of all others together, while it sounds; None where one of them is silent."""
    power = {
        name: 10.0 ** (np.asarray(t.momentary_lufs, np.float64) / 10.0) / shares.get(name, 1.0)
        for name, t in features.tracks.items()
    }
    own = power.pop(track)
    if not len(own) or own.max() <= _SILENT or not power:
        return None
    active = own > own.max() * 10.0 ** (number("activity.gate_lu") / 10.0)
    rest = float(np.mean(sum(power.values())[active]))  # type: ignore[index]
    return float(10.0 * np.log10(np.mean(own[active]) / rest)) if rest > _SILENT else None


def balance_decision(
    features: MultitrackFeatures,
    track: str,
    wanted_lu: float | None,
    sdr_db: float | None,
    shares: Mapping[str, float],
) -> tuple[SetGain | None, str]:
    """The fader of a track that brings it to `wanted_lu` against the rest, and what to tell; None: leave it."""
    usual = cited_values("tonmeister.remixing")["balance.track_minus_rest_lu"]
    target = usual.numbers[0] if wanted_lu is None else wanted_lu
    measured = level_against_rest_lu(features, track, shares)
    if measured is None:
        return None, f"{track}: is silent, or nothing else sounds: its balance is left as it is"
    asked_db = target - measured
    dead_band = number("balance.dead_band_lu")
    if abs(asked_db) < dead_band:
        return None, (
            f"{track}: {measured:+.1f} LU against the rest is within {dead_band:g} LU of {target:+.1f}: left as it is"
        )
    low, high = _limits(features, track, sdr_db)
    gain_db = float(np.clip(asked_db, low, high))
    text = f"{track} stands at {measured:+.1f} LU against the rest and should at {target:+.1f}"
    cut = (f"{asked_db:+.1f} dB was limited",) if gain_db != asked_db else ()
    source = "asked for" if wanted_lu is not None else usual.source
    reason = Reason(f"{text}.", source=source, rule="remix.balance", evidence=usual.evidence, notes=cut)
    fader = max(fader_db(gain_db, shares.get(track, 1.0)), PARAMETERS["gain_db"].minimum)
    return SetGain(track, fader, reason=reason, by=BY), f"{text}: {gain_db:+.1f} dB"


def _limits(features: MultitrackFeatures, track: str, sdr_db: float | None) -> tuple[float, float]:
    limit, ratio = number("balance.limit_db"), power_ratio(features, track)
    if sdr_db is None or ratio is None:
        return -limit, limit
    low, high = allowed_gains_db(sdr_db, ratio, number("guard.floor_db"))
    return max(low, -limit), min(high, limit)

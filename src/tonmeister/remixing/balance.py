"""How loud a part stands against all others, whether it should move, and how far a separation lets it.

    L_part - L_rest    over the moments in which the part sounds (momentary loudness, ITU-R BS.1770)

Nothing is decided within the error of such a measurement, and no change goes beyond what the law of the remix
(`separation.remix_law`) allows for the separator's expected SDR.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tonmeister.decisions import Reason, SetGain
from tonmeister.engines.cited import cited_values
from tonmeister.features import MultitrackFeatures
from tonmeister.separation.remix_law import allowed_gains_db, expected_sdr_db
from tonmeister.units import DoubleArray

__all__ = ["BY", "balance_decision", "level_against_rest_lu", "power_ratio", "warnings"]

BY = "remix"


def _number(name: str) -> float:
    return cited_values("tonmeister.remixing")[name].numbers[0]


def level_against_rest_lu(features: MultitrackFeatures, track: str) -> float | None:
    """Loudness of a track less that of all others together, while it sounds; None where one of them is silent."""
    loudness = {name: np.asarray(t.momentary_lufs, np.float64) for name, t in features.tracks.items()}
    own = loudness.pop(track)
    if not len(own) or own.max() <= -70.0 or not loudness:
        return None
    active = own > own.max() + _number("activity.gate_lu")
    rest = sum(10.0 ** (values[active] / 10.0) for values in loudness.values())
    total = float(np.mean(rest))
    return _lu(10.0 ** (own[active] / 10.0)) - _lu(np.array([total])) if total > 1e-7 else None


def _lu(powers: DoubleArray) -> float:
    return float(10.0 * np.log10(np.mean(powers)))


def power_ratio(features: MultitrackFeatures, track: str) -> float | None:
    """rho: power of a track over that of all others; None where one of them is silent."""
    power = {
        name: float(np.mean(10.0 ** (np.asarray(t.level_db, np.float64) / 10.0))) if len(t.level_db) else 0.0
        for name, t in features.tracks.items()
    }
    own = power.pop(track)
    rest = sum(power.values())
    return own / rest if own > 1e-12 and rest > 1e-12 else None


def balance_decision(
    features: MultitrackFeatures, track: str, wanted_lu: float | None, sdr_db: float | None
) -> tuple[SetGain | None, str]:
    """The fader of a track that brings it to `wanted_lu` against the rest, and what to tell; None: leave it."""
    number = cited_values("tonmeister.remixing")["balance.track_minus_rest_lu"]
    target = number.numbers[0] if wanted_lu is None else wanted_lu
    measured = level_against_rest_lu(features, track)
    if measured is None:
        return None, f"{track}: is silent, or nothing else sounds: its balance is left as it is"
    asked_db = target - measured
    dead_band = _number("balance.dead_band_lu")
    if abs(asked_db) < dead_band:
        return None, (
            f"{track}: {measured:+.1f} LU against the rest is within {dead_band:g} LU of {target:+.1f}: left as it is"
        )
    low, high = _limits(features, track, sdr_db)
    gain_db = float(np.clip(asked_db, low, high))
    text = f"{track} stands at {measured:+.1f} LU against the rest and should at {target:+.1f}"
    cut = (f"{asked_db:+.1f} dB was limited",) if gain_db != asked_db else ()
    source = "asked for" if wanted_lu is not None else number.source
    reason = Reason(f"{text}.", source=source, rule="remix.balance", evidence=number.evidence, notes=cut)
    return SetGain(track, gain_db, reason=reason, by=BY), f"{text}: {gain_db:+.1f} dB"


def _limits(features: MultitrackFeatures, track: str, sdr_db: float | None) -> tuple[float, float]:
    limit, ratio = _number("balance.limit_db"), power_ratio(features, track)
    if sdr_db is None or ratio is None:
        return -limit, limit
    low, high = allowed_gains_db(sdr_db, ratio, _number("guard.floor_db"))
    return max(low, -limit), min(high, limit)


def warnings(
    features: MultitrackFeatures, gains_db: Mapping[str, float], sdr_db: Mapping[str, float]
) -> list[str]:
    """What to say about faders that go further than the separation carries."""
    told = []
    floor, limit = _number("guard.floor_db"), _number("balance.limit_db")
    for track, gain_db in gains_db.items():
        ratio = power_ratio(features, track)
        if gain_db == 0.0 or ratio is None:
            continue
        if track in sdr_db:
            low, high = allowed_gains_db(sdr_db[track], ratio, floor)
            if not low <= gain_db <= high:
                expected = expected_sdr_db(gain_db, sdr_db[track], ratio)
                told.append(
                    f"{track}: {gain_db:+.1f} dB is more than this separation carries: an SDR of about {expected:.0f} dB "
                    f"is to be expected, {floor:g} dB within {_range(low, high)}"
                )
        elif abs(gain_db) > limit:
            told.append(f"{track}: beyond {limit:g} dB what the separation missed may be heard")
    return told


def _range(low: float, high: float) -> str:
    return f"{f'{low:+.1f}' if low > -96 else 'off'} to {f'{high:+.1f}' if high < 24 else '+24'} dB"

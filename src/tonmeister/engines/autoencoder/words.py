"""What networks and controllers did, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tonmeister.dsp.erb_bands import centers_hz
from tonmeister.units import FloatArray

if TYPE_CHECKING:
    from tonmeister.engines.autoencoder.controller import Moves

__all__ = ["curve_text", "feature_text", "moves_text"]

_REGIONS: Final = (
    ("lows", 30.0, 150.0),
    ("low mids", 150.0, 500.0),
    ("mids", 500.0, 2000.0),
    ("upper mids", 2000.0, 5000.0),
    ("highs", 5000.0, 16000.0),
)
_DYNAMIC: Final = ("rms", "leq", "larm", "vickers_loudness", "loudness")
_DESCRIPTOR: Final = {
    "rms": "level", "leq": "level over four frames", "larm": "level that falls slowly",
    "vickers_loudness": "K-weighted level", "loudness": "loudness by Bark bands",
    "energy_low": "energy below 150 Hz", "energy_mid_low": "energy from 150 to 800 Hz",
    "energy_mid_high": "energy from 800 Hz to 4 kHz", "energy_high": "energy above 4 kHz",
    "spectral_energy": "energy", "bark_5": "energy from 510 to 630 Hz", "centroid": "brightness (centroid)",
    "contrast_valley_0": "valleys below 330 Hz", "contrast_coefficient_1": "contrast from 330 to 800 Hz",
    "pitch_salience": "clearness of pitch", "hpcp_33": "share of one pitch class (hpcp 33)",
}  # fmt: skip
_DB: Final = (
    *_DYNAMIC[:4],
    "energy_low",
    "energy_mid_low",
    "energy_mid_high",
    "energy_high",
    "spectral_energy",
    "bark_5",
)
_STATISTIC: Final = {
    "mean": "mean", "max": "highest", "stdev": "spread", "var": "variance", "dmean": "change from frame to frame",
    "dvar": "unrest from frame to frame", "dmean2": "bend from frame to frame", "dvar2": "unrest of the bends",
}  # fmt: skip
_SQUARED: Final = ("var", "dvar", "dvar2")


def curve_text(gains_db: FloatArray, profile: str) -> str:
    """Mean gains by region against their own mean, and how far they move: gains (steps, bands or bins)."""
    hertz = centers_hz() if profile == "improved" else np.linspace(0.0, 22_050.0, gains_db.shape[1])
    working = gains_db[np.abs(gains_db).max(1) > 0.05] if gains_db.size else gains_db
    if not len(working):
        return "nothing to change"
    mean = working.mean(0)
    level = float(mean[(hertz >= 100) & (hertz <= 8000)].mean())
    parts = []
    for name, low, high in _REGIONS:
        inside = (hertz >= low) & (hertz < high)
        value = float(mean[inside].mean() - level)
        if abs(value) >= 0.5:
            parts.append(f"{name} {value:+.1f} dB")
    loudest = np.percentile(working.mean(1), [10, 90])
    moving = float(loudest[1] - loudest[0])
    tone = ", ".join(parts) if parts else "hardly any change of tone"
    return f"{tone}; gains move over {moving:.1f} dB with the level"


def feature_text(name: str) -> str:
    """A feature's name for a reader."""
    descriptor, _, statistic = name.partition(".")
    words = _DESCRIPTOR.get(descriptor, descriptor.replace("_", " "))
    return f"{_STATISTIC[statistic]} of {words}" if statistic else words


def moves_text(moves: Moves, about: str, group: str) -> str:
    """Which features ask for a move: name, value, target, skill; those that say least to a reader last."""
    dynamic = [row for row in moves.moved if row[0].partition(".")[0] in _DYNAMIC]
    rest = sorted((row for row in moves.moved if row not in dynamic), key=lambda row: "hpcp" in row[0])
    chosen = (dynamic or rest) if about == "dynamics" else (rest or dynamic)
    if not chosen:
        return f"Nearer to finished {group} stems."
    told = "; ".join(
        f"{feature_text(name)} {before:.3g}, finished stems like it {target:.3g}, now {after:.3g}{_unit(name)} "
        f"(predicted {skill:.0%} better than no change)"
        for name, before, after, target, skill in chosen[:2]
    )
    return f"{told[0].upper()}{told[1:]}."


def _unit(name: str) -> str:
    descriptor, _, statistic = name.partition(".")
    if descriptor not in _DB:
        return ""
    return " dB²" if statistic in _SQUARED else " dB"

"""What networks and controllers did, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tonmeister.dsp.erb_bands import centers_hz
from tonmeister.units import DoubleArray, FloatArray

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
_STATISTIC: Final = {
    "mean": "mean", "max": "highest", "stdev": "spread", "var": "variance", "dmean": "change from frame to frame",
    "dvar": "unrest from frame to frame", "dmean2": "bend from frame to frame", "dvar2": "unrest of the bends",
}  # fmt: skip


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
    return f"{_STATISTIC.get(statistic, '')} of {descriptor.replace('_', ' ')}".strip().removeprefix("of ")


def moves_text(moves: Moves, about: str, group: str) -> str:
    """Which features ask for a move: name, value, target, skill."""
    dynamic = [row for row in moves.moved if row[0].partition(".")[0] in _DYNAMIC]
    rest = [row for row in moves.moved if row not in dynamic]
    chosen = (dynamic or rest) if about == "dynamics" else (rest or dynamic)
    if not chosen:
        return f"Nearer to finished {group} stems."
    told = "; ".join(
        f"{feature_text(name)} {_figure(before)}, finished stems like it {_figure(target)}, now {_figure(after)} "
        f"(predicted {skill:.0%} better than no change)"
        for name, before, after, target, skill in chosen[:2]
    )
    return f"{told[0].upper()}{told[1:]}."


def _figure(value: float) -> str:
    return f"{value:.3g}"


def mean_curve_db(gains_db: FloatArray) -> DoubleArray:
    """The dynamic equalizer as a static one, for a picture: mean over the steps in which it works."""
    working = gains_db[np.abs(gains_db).max(1) > 0.05] if gains_db.size else gains_db
    return np.asarray((working if len(working) else gains_db).mean(0), np.float64)

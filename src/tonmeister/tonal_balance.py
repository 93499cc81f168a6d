"""The tonal balance of a mix against the curve that finished mixes tend to (`target_curve.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from tonmeister.dsp.bands import OCTAVE_HZ, band_edges_hz, exact_centers_hz
from tonmeister.units import SILENCE_DB, DoubleArray

__all__ = ["TonalBalance", "target_density_db", "target_third_octave_db", "tolerance_db", "tonal_balance"]

_QUIET_DB = SILENCE_DB + 10.0
"""Three bands at the floor add up to a little more than the floor."""


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("tonmeister").joinpath("target_curve.toml").read_text("utf-8"))


def target_density_db(frequency_hz: DoubleArray) -> DoubleArray:
    """The curve as density (power per hertz), dB relative to the anchor; any shape."""
    curve = _data()["curve"]
    corners = np.array([row["from_hz"] for row in curve["segment"]])
    slopes = np.array([row["slope_db_per_octave"] for row in curve["segment"]])
    levels = np.concatenate(([0.0], np.cumsum(np.diff(np.log2(corners)) * slopes[:-1])))

    def level(hz: DoubleArray) -> DoubleArray:
        index = np.clip(np.searchsorted(corners, hz, side="right") - 1, 0, len(corners) - 1)
        return np.asarray(levels[index] + slopes[index] * np.log2(hz / corners[index]))

    return level(np.asarray(frequency_hz, dtype=np.float64)) - level(np.asarray(curve["anchor_hz"]))


def target_third_octave_db() -> DoubleArray:
    """The curve as power per third-octave band, dB up to a constant; shape (30,)."""
    return target_density_db(exact_centers_hz(3)) + 10.0 * np.log10(np.diff(band_edges_hz(3)))


def tolerance_db(frequency_hz: float) -> float:
    """How far from the curve a mix may lie at a frequency."""
    rows = _data()["tolerance"]
    return float(next((r for r in rows if frequency_hz <= r["to_hz"]), rows[-1])["tolerance_db"])


@dataclass(frozen=True, slots=True)
class TonalBalance:
    """How far each octave lies above (+) or below (-) the curve, dB; None without sound."""

    octave_hz: tuple[float, ...]
    deviation_db: tuple[float | None, ...]
    tolerance_db: tuple[float, ...]

    @property
    def outside(self) -> tuple[float, ...]:
        """Centers of the octaves that lie outside their tolerance."""
        rows = zip(self.octave_hz, self.deviation_db, self.tolerance_db, strict=True)
        return tuple(
            hz for hz, deviation, allowed in rows if deviation is not None and abs(deviation) > allowed
        )


def tonal_balance(third_octave_db: Sequence[float]) -> TonalBalance:
    """Compare a spectrum of 30 third octaves with the curve, octave by octave.

    Both are levels up to a constant: they are laid over one another so that the octaves with the narrowest
    tolerance (the middle of the spectrum) agree in the mean.
    """
    octaves, target = _octaves(third_octave_db), _octaves(target_third_octave_db())
    allowed = np.array([tolerance_db(hz) for hz in OCTAVE_HZ])
    heard = octaves > _QUIET_DB
    middle = heard & (allowed == allowed.min())
    difference = octaves - target
    offset = float(difference[middle].mean()) if middle.any() else 0.0
    deviation = [float(d) - offset if h else None for d, h in zip(difference, heard, strict=True)]
    return TonalBalance(OCTAVE_HZ, tuple(deviation), tuple(map(float, allowed)))


def _octaves(third_octave_db: Sequence[float] | DoubleArray) -> DoubleArray:
    """Power of three neighbouring thirds, in dB."""
    powers = 10.0 ** (np.asarray(third_octave_db, dtype=np.float64).reshape(len(OCTAVE_HZ), 3) / 10.0)
    return np.asarray(10.0 * np.log10(powers.sum(1)))

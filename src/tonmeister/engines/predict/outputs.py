"""What the network says of each track, and the tone controls it speaks in.

For each control a mean and a spread (one standard deviation), and how probable an insert is. A spread is compared
with that of the training songs as a whole: ``confidence = 1 - (spread / prior)^2``, the share of the variance that
knowing the track takes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.engines.cited import cited_values
from tonmeister.units import DoubleArray

__all__ = ["CONTROLS", "EQ", "KIND", "WANTED", "Prediction", "eq_basis_db", "equalizer", "number", "numbers"]

KIND: Final = "console predictor"
_PACKAGE: Final = "tonmeister.engines.predict"
EQ: Final = tuple(f"eq_{i}_db" for i in range(1, 7))
CONTROLS: Final = ("level_lu", "pan", *EQ, "threshold_lu", "ratio_log2", "send_db")
"""Loudness against the mean of the song's tracks; distance from the center; gains of the six bands; threshold
against the loudness that enters the compressor; log2 of the ratio; level of the reverberation against the source."""
WANTED: Final = ("compressed", "reverberant")


def numbers(name: str) -> tuple[float, ...]:
    """The cited values called `name`."""
    return cited_values(_PACKAGE)[name].numbers


def number(name: str) -> float:
    """The one cited value called `name`."""
    return numbers(name)[0]


def equalizer(gains_db: Sequence[float] | DoubleArray) -> Equalizer:
    """Six gains as an equalizer; gains of 0 make no section."""
    shapes = ("low_shelf", "peak", "peak", "peak", "peak", "high_shelf")
    bands = zip(shapes, numbers("eq.frequency"), gains_db, strict=True)
    return Equalizer(
        tuple(EqSection(shape, hertz, float(gain), number("eq.q")) for shape, hertz, gain in bands if gain)  # type: ignore[arg-type]
    )


@cache
def eq_basis_db() -> DoubleArray:
    """Response of each band per decibel, on the third octaves; shape (6, 30).

    In decibels the bands add up, and scale nearly with their gain.
    """
    rows, at_db = [], 6.0
    for i in range(6):
        response = equalizer([at_db * (i == j) for j in range(6)]).response(exact_centers_hz(3), 48_000)
        rows.append(20.0 * np.log10(np.abs(response)) / at_db)
    return np.array(rows)


@dataclass(frozen=True, eq=False)
class Prediction:
    """The network's word on one track."""

    mean: DoubleArray
    """In the order of `CONTROLS`."""
    spread: DoubleArray
    wanted: DoubleArray
    """Probabilities, in the order of `WANTED`."""
    prior: DoubleArray
    """Spread of each control over the training songs."""

    def confidence(self, control: str) -> float:
        """0: no more is known than of any track; 1: no doubt."""
        i = CONTROLS.index(control)
        return float(np.clip(1.0 - (self.spread[i] / self.prior[i]) ** 2, 0.0, 1.0))

    def __getitem__(self, control: str) -> float:
        return float(self.mean[CONTROLS.index(control)])

    def spread_of(self, control: str) -> float:
        return float(self.spread[CONTROLS.index(control)])

    def probability(self, what: str) -> float:
        return float(self.wanted[WANTED.index(what)])

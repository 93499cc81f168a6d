"""Conversions between units, and ranges as objects.

Levels are decibels re full scale, 20 log10 for amplitudes; a quantity's unit stands in its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tonmeister.errors import BadInputError

__all__ = [
    "FloatArray",
    "DoubleArray",
    "ComplexArray",
    "Range",
    "db_to_gain",
    "gain_to_db",
    "power_to_db",
    "db_to_power",
    "SILENCE_DB",
]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]
    DoubleArray = NDArray[np.float64]
    ComplexArray = NDArray[np.complex128]
else:  # names for annotations only: verbs that read no audio need no numpy
    FloatArray = DoubleArray = ComplexArray = Any

SILENCE_DB = -200.0
"""Floor that stands for minus infinity, so that no level is ever infinite in arithmetic or JSON."""


def db_to_gain(level_db: float) -> float:
    """Amplitude ratio of a level: 10^(level_db / 20)."""
    return math.pow(10.0, level_db / 20.0)


def gain_to_db(gain: float) -> float:
    """Level of an amplitude ratio: 20 log10 |gain|, not below `SILENCE_DB`."""
    magnitude = abs(gain)
    return max(20.0 * math.log10(magnitude), SILENCE_DB) if magnitude > 0 else SILENCE_DB


def db_to_power(level_db: float) -> float:
    """Power ratio of a level: 10^(level_db / 10)."""
    return math.pow(10.0, level_db / 10.0)


def power_to_db(power: float) -> float:
    """Level of a power ratio: 10 log10 power, not below `SILENCE_DB`."""
    return max(10.0 * math.log10(power), SILENCE_DB) if power > 0 else SILENCE_DB


@dataclass(frozen=True, slots=True)
class Range:
    """The values a parameter may take: validation, help, sliders and [0, 1] mapping come from it.

    ``curve`` says how equal steps of a control move the value: ``linear``, or ``log`` for
    frequencies and times (both bounds must then be positive).
    """

    minimum: float
    maximum: float
    unit: str = ""
    curve: Literal["linear", "log"] = "linear"

    def __contains__(self, value: float) -> bool:
        return self.minimum <= value <= self.maximum

    def __str__(self) -> str:
        return f"{self.minimum:g} to {self.maximum:g}{' ' + self.unit if self.unit else ''}"

    def check(self, name: str, value: float) -> float:
        """Return `value`; raise `BadInputError` when it is not a number within the range."""
        if not isinstance(value, (int, float)) or math.isnan(value) or value not in self:
            raise BadInputError(f"{name}={value!r} is out of range: give {self}")
        return value

    def clip(self, value: float) -> float:
        """The nearest value inside the range."""
        return min(max(value, self.minimum), self.maximum)

    def to_fraction(self, value: float) -> float:
        """Position of `value` on a control that runs from 0 to 1."""
        if self.curve == "log":
            return math.log(value / self.minimum) / math.log(self.maximum / self.minimum)
        return (value - self.minimum) / (self.maximum - self.minimum)

    def from_fraction(self, fraction: float) -> float:
        """Value at a position between 0 and 1: the inverse of `to_fraction`."""
        if self.curve == "log":
            return self.minimum * math.pow(self.maximum / self.minimum, fraction)
        return self.minimum + fraction * (self.maximum - self.minimum)


KNOWN_UNITS: Mapping[str, str] = {
    "_db": "decibels (gain, or level re full scale)",
    "_dbtp": "decibels true peak re full scale",
    "_lufs": "loudness units re full scale (ITU-R BS.1770)",
    "_lu": "loudness units (a difference)",
    "_hz": "hertz",
    "_ms": "milliseconds",
    "_s": "seconds",
    "_frames": "sample frames",
    "_beats": "quarter notes",
    "_bpm": "beats per minute",
    "_deg": "degrees",
}
"""Unit suffixes of names, wherever names appear: parameters, features, rule files."""

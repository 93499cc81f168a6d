"""A waveshaper that was learned: pre-filter, curve, post-filter, and the file they are kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.units import DoubleArray

__all__ = [
    "AHEAD_FRAMES",
    "FACTORS",
    "MODEL_KIND",
    "NETWORK",
    "SHAPES",
    "TAPS",
    "Waveshaper",
    "waveshaper_of",
]

MODEL_KIND: Final = "learned_effect"
NETWORK: Final = "waveshaper"
TAPS: Final = 64
AHEAD_FRAMES: Final = 16
"""How many taps of each filter lie ahead of time 0, so that it may be of linear phase."""
FACTORS: Final = (1, 2, 4)
SHAPES: Final[Mapping[str, tuple[int, ...]]] = {"pre": (TAPS,), "shaper": (27,), "post": (TAPS,)}


@dataclass(frozen=True, eq=False)
class Waveshaper:
    """y = post * f(pre * (input_scale x)); 155 numbers, and what they are good for."""

    pre: DoubleArray
    shaper: DoubleArray
    """v_0, v_1, w_1 to w_25 of `dsp.saaf`."""
    post: DoubleArray
    input_scale: float = 1.0
    """Brings the sound it learned from into the range of the curve."""
    oversampling: int = 4
    sample_rate: int | None = None
    """None fits any rate."""

    @classmethod
    def identity(cls) -> Waveshaper:
        """Which only delays."""
        impulse = np.zeros(TAPS)
        impulse[AHEAD_FRAMES] = 1.0
        line = np.zeros(27)
        line[1] = 1.0
        return cls(impulse, line, impulse.copy())

    def arrays(self) -> dict[str, DoubleArray]:
        """What goes into the file."""
        return {"pre": self.pre, "shaper": self.shaper, "post": self.post}

    def settings(self) -> dict[str, Any]:
        """What goes onto the card."""
        return {
            "network": NETWORK,
            "sample_rate": self.sample_rate,
            "input_scale": self.input_scale,
            "oversampling": self.oversampling,
        }


def waveshaper_of(arrays: Mapping[str, DoubleArray], settings: Mapping[str, Any]) -> Waveshaper:
    """A waveshaper from arrays of the right shapes and its part of a card; raises `ModelError` for odd settings."""
    rate, factor, scale = (settings.get(k) for k in ("sample_rate", "oversampling", "input_scale"))
    if not isinstance(rate, int) or not 4000 <= rate <= 768_000 or factor not in FACTORS:
        raise ModelError(f"sample_rate={rate!r}, oversampling={factor!r}: learn it again")
    if not isinstance(scale, (int, float)) or not 0.0 < scale < 1e6:
        raise ModelError(f"input_scale={scale!r} is no factor: learn it again")
    return Waveshaper(**arrays, input_scale=float(scale), oversampling=factor, sample_rate=rate)

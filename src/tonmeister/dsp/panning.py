"""The pan law: where a source stands between two loudspeakers."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["PAN_LAW", "pan_gains"]

PAN_LAW: Final = "constant power, 0 dB center"


def pan_gains(pan: float) -> tuple[float, float]:
    """Left and right gain of a pan position, -1 to 1; (1, 1) at the center.

    theta = (pan + 1) pi / 4, left = sqrt(2) cos(theta), right = sqrt(2) sin(theta).
    """
    if pan == 0.0:
        return 1.0, 1.0
    theta = (pan + 1.0) * math.pi / 4.0
    return math.sqrt(2.0) * math.cos(theta), math.sqrt(2.0) * math.sin(theta)

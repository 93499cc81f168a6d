"""Places and levels as the network says them, and as a plan does: the one place where the two meet.

The network speaks of an angle theta, -45 to 45 degrees, positive to the RIGHT, and a linear gain g, with the law ::

    L = g cos(theta + pi/4),   R = g sin(theta + pi/4),   L^2 + R^2 = g^2

(authors' code of Mimilakis et al. 2016). A plan's pan p runs from -1 (left) to 1, with the law of `dsp.panning`,
L = G sqrt(2) cos((p + 1) pi/4): the same gains for p = theta / 45 and G = g / sqrt(2). A loudspeaker layout counts
azimuth positive to the LEFT.

Its forty classes are 19 angles in steps of 5 degrees, then 21 gains in steps of 0.1::

    index = (theta + 45) / 5           index = 19 + g / 0.1
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray, db_to_gain, gain_to_db

__all__ = [
    "ANGLES_DEG", "CLASSES", "GAINS", "azimuth_deg", "decode", "encode", "gain_db_of", "gain_of_db", "pan_of_theta",
    "place_of_gains", "stereo_gains", "theta_of_pan",
]  # fmt: skip

ANGLES_DEG: Final[DoubleArray] = np.arange(-45.0, 46.0, 5.0)
GAINS: Final[DoubleArray] = np.arange(21) / 10.0
CLASSES: Final = len(ANGLES_DEG) + len(GAINS)
_WIDEST_DEG: Final = 45.0


def stereo_gains(theta_deg: float, gain: float) -> tuple[float, float]:
    """(L, R) of a place and a gain."""
    theta = math.radians(theta_deg)
    return gain * math.cos(theta + math.pi / 4), gain * math.sin(theta + math.pi / 4)


def place_of_gains(left: float, right: float) -> tuple[float, float]:
    """(theta, g) of two gains that are not negative: the inverse of `stereo_gains`."""
    return math.degrees(math.atan2(right, left)) - 45.0, math.hypot(left, right)


def encode(theta_deg: float, gain: float) -> tuple[int, int]:
    """The two of forty classes nearest to a place and a gain; what lies outside goes to the border."""
    angle = round((min(max(theta_deg, -_WIDEST_DEG), _WIDEST_DEG) + _WIDEST_DEG) / 5.0)
    return angle, len(ANGLES_DEG) + round(min(max(gain, 0.0), float(GAINS[-1])) / 0.1)


def decode(angle: int, gain: int) -> tuple[float, float]:
    """(theta, g) of two classes."""
    return float(ANGLES_DEG[angle]), float(GAINS[gain - len(ANGLES_DEG)])


def pan_of_theta(theta_deg: float) -> float:
    """A plan's pan."""
    return min(max(theta_deg / _WIDEST_DEG, -1.0), 1.0)


def theta_of_pan(pan: float) -> float:
    """The inverse of `pan_of_theta`."""
    return pan * _WIDEST_DEG


def azimuth_deg(theta_deg: float, *, half_width_deg: float = 30.0) -> float:
    """Azimuth of a layout, positive to the left, whose front loudspeakers stand at +-`half_width_deg`."""
    return -theta_deg * half_width_deg / _WIDEST_DEG


def gain_db_of(gain: float) -> float:
    """A plan's fader: G = g / sqrt(2), in dB."""
    return gain_to_db(gain / math.sqrt(2.0))


def gain_of_db(gain_db: float) -> float:
    """The inverse of `gain_db_of`."""
    return math.sqrt(2.0) * db_to_gain(gain_db)

"""What a remix with imperfect tracks loses: the smaller the change, the less.

Of a mixture x = v + a and an estimate e of v, a remix by the factor g is y = x + (g - 1) e, where r = g v + a is wanted::

    SDR(g) = 10 log10( |g v + a|^2 / ((g - 1)^2 |e - v|^2) )                          exactly
    SDR(g) ~ s + 10 log10( (g^2 + 1 / rho) / (g - 1)^2 )       v, a uncorrelated; s = SDR of e, rho = P_v / P_a

The gain that is reached is 20 log10 |1 + (g - 1) c|, c the share of v in e by least squares on {v, a}. Simpson, Roma &
Plumbley, "Deep Remix", arXiv:1505.00289, name the effect; the formulas are derived here.

c need not be known: masks that give each bin its expected share of power make <e, v> = <e, e> and <v, v> = <e, x> on
average, so c ~ <e, e> / <e, x>, and a fader at 1 + (g - 1) / c moves the true source by g.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray, db_to_gain, gain_to_db

__all__ = [
    "achieved_gain_db",
    "allowed_gains_db",
    "expected_sdr_db",
    "expected_share",
    "fader_db",
    "share_reached",
]

_LEAST_SHARE: Final = 0.3
"""No fader goes further than if this much of a source were in its track."""


def expected_sdr_db(gain_db: float, separation_sdr_db: float, power_ratio: float = 1.0) -> float:
    """Remix SDR of a change by `gain_db`, with rho = `power_ratio`; infinite for no change."""
    gain = db_to_gain(gain_db)
    if gain == 1.0:
        return math.inf
    return separation_sdr_db + 10.0 * math.log10((gain**2 + 1.0 / power_ratio) / (gain - 1.0) ** 2)


def allowed_gains_db(
    separation_sdr_db: float, power_ratio: float = 1.0, floor_db: float = 15.0
) -> tuple[float, float]:
    """Least and most gain whose expected remix SDR is at least `floor_db`; infinite where nothing limits.

    With T = 10^((F - s) / 10) > 1 the factors are (T -+ sqrt(T (1 + 1 / rho) - 1 / rho)) / (T - 1).
    """
    ratio = 10.0 ** ((floor_db - separation_sdr_db) / 10.0)
    if ratio <= 1.0:
        return _db(_lowest_unlimited(ratio, power_ratio)), math.inf
    root = math.sqrt(ratio * (1.0 + 1.0 / power_ratio) - 1.0 / power_ratio)
    return _db((ratio - root) / (ratio - 1.0)), _db((ratio + root) / (ratio - 1.0))


def _lowest_unlimited(ratio: float, power_ratio: float) -> float:
    """For T <= 1: the factor below which the floor is not met, or 0."""
    if ratio <= 1.0 / power_ratio:
        return 0.0
    if ratio == 1.0:
        return 0.5 * (1.0 - 1.0 / power_ratio)
    root = math.sqrt(max(ratio * (1.0 + 1.0 / power_ratio) - 1.0 / power_ratio, 0.0))
    return max((root - ratio) / (1.0 - ratio), 0.0)


def _db(factor: float) -> float:
    return gain_to_db(factor) if factor > 0.0 else -math.inf


def share_reached(target: DoubleArray, rest: DoubleArray, estimate: DoubleArray) -> float:
    """c: the coefficient of `target` in `estimate`, fitted together with `rest`; all (channels, frames)."""
    columns = np.stack([target.ravel(), rest.ravel()])
    gram = columns @ columns.T
    return float(np.linalg.lstsq(gram, columns @ estimate.ravel(), rcond=None)[0][0])


def achieved_gain_db(gain_db: float, share: float) -> float:
    """What a fader at `gain_db` does to the true source when its estimate holds `share` of it."""
    return gain_to_db(1.0 + (db_to_gain(gain_db) - 1.0) * share)


def expected_share(own_energy: float, shared_energy: float) -> float:
    """c from <e, e> and <e, x>, the energy of a track and what it has in common with the mixture; 0.3 to 1."""
    return min(max(own_energy / shared_energy, _LEAST_SHARE), 1.0) if shared_energy > 0.0 else 1.0


def fader_db(gain_db: float, share: float) -> float:
    """Where the fader of a track that holds `share` of a source must stand to move the source by `gain_db`.

    The inverse of `achieved_gain_db`; -infinity where turning the track off is still not enough.
    """
    return gain_db if share == 1.0 else _db(1.0 + (db_to_gain(gain_db) - 1.0) / share)

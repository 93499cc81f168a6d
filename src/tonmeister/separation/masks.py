"""From how much of a bin belongs to a track to the gain that cuts it out.

A rule turns the shares p_k (tracks, channels or 1, bins, frames) that an estimator gives into gains of that shape::

    soft          M_k = p_k
    hard(alpha)   M_k = [p_k > alpha]
    complement    M_k = p_k, and the last track gets 1 - sum of the others
    soft_db(g)    M_k = (g^p_k - 1) / (g - 1), so that 1 + (g - 1) M_k = g^p_k: gains interpolate in decibels

With alpha > 0.5 doubtful bins are in no mask and stay in the residual; with alpha < 0.5 masks overlap (Simpson,
"Probabilistic binary-mask cocktail-party source separation", arXiv:1503.06962).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import FloatArray, db_to_gain

__all__ = [
    "MaskRule",
    "binary_mask",
    "complement",
    "hard",
    "parse_rule",
    "ratio_mask",
    "shares_of",
    "soft",
    "soft_db",
    "wiener_mask",
]

MaskRule = Callable[[FloatArray], FloatArray]

_QUIETEST_DB: Final = -40.0
"""Where `soft_db` stops turning down: g^p has no limit at g = 0."""
_TINY: Final = 1e-20


def soft(shares: FloatArray) -> FloatArray:
    """The shares as they are."""
    return shares


def hard(alpha: float) -> MaskRule:
    """All or nothing: a bin belongs to every track whose share is above `alpha`."""
    return lambda shares: (shares > alpha).astype(np.float32)


def complement(shares: FloatArray) -> FloatArray:
    """The last track gets whatever the others leave."""
    rest = np.clip(1.0 - shares[:-1].sum(axis=0, keepdims=True), 0.0, 1.0)
    return np.concatenate([shares[:-1], rest])


def soft_db(gain: float) -> MaskRule:
    """Masks for a remix by `gain` (a factor, floored at -40 dB) whose bins move by ``gain ** share``."""
    floored = max(gain, db_to_gain(_QUIETEST_DB))
    if math.isclose(floored, 1.0, abs_tol=1e-6):
        return soft
    return lambda shares: np.clip((floored**shares - 1.0) / (floored - 1.0), 0.0, 1.0).astype(np.float32)


_RULES: Final = {"soft": soft, "complement": complement}


def parse_rule(text: str) -> MaskRule:
    """Read ``soft``, ``complement``, ``hard`` or ``hard:0.7``."""
    name, colon, alpha = text.partition(":")
    if name == "hard":
        try:
            level = float(alpha) if colon else 0.5
        except ValueError:
            level = math.nan
        if not 0.0 < level < 1.0:
            raise BadInputError(f"mask {text!r}: give a confidence between 0 and 1, for example hard:0.7")
        return hard(level)
    if text not in _RULES:
        known = ["soft", "hard", "complement"]
        raise BadInputError(
            f"mask {text!r} is not known{nearest(text, known)}: give soft, hard:0.7 or complement"
        )
    return _RULES[text]


def shares_of(magnitudes: FloatArray, exponent: float = 1.0) -> FloatArray:
    """T_k^q / sum_j T_j^q of magnitudes (tracks, ...); silence belongs to nobody. q = 2 are Wiener masks."""
    powers = np.asarray(magnitudes, np.float32) ** np.float32(exponent)
    return np.asarray(powers / np.maximum(powers.sum(axis=0), np.float32(_TINY)), np.float32)


def binary_mask(target: FloatArray, others: FloatArray, threshold_db: float = 0.0) -> FloatArray:
    """1 where the magnitude of a track is more than `threshold_db` above that of the others, 0 elsewhere."""
    return np.asarray(target > others * np.float32(db_to_gain(threshold_db)), np.float32)


def ratio_mask(target: FloatArray, others: FloatArray, exponent: float = 1.0) -> FloatArray:
    """(T / (T + B))^q of magnitudes; 0 in silence."""
    share = target / np.maximum(target + others, np.float32(_TINY))
    return np.asarray(share**exponent, np.float32)


def wiener_mask(target: FloatArray, others: FloatArray, alpha: float) -> FloatArray:
    """T^a / (T^a + B^a), the alpha-Wiener mask; a = 2 is Wiener's.

    Liutkus & Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015.
    """
    shares: FloatArray = shares_of(np.stack([target, others]), alpha)[0]
    return shares

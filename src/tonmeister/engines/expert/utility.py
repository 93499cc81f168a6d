"""The influence diagram: of the steps of a fader, the one with the highest expected utility.

    U = -w1 masking - w2 |move in dB| - w3 |prominence - intended| / step,     w = 1, 0.2, 1

The masking of a step of v dB is the share that others hide at the new level, 1 / (1 + 10^(v / 10) (1 - m) / m), the
prominence its measured loudness plus v, the intended one is the hidden node's value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.numbers import number, numbers
from tonmeister.units import DoubleArray

__all__ = ["Situation", "best_step", "expected_utility", "utilities"]


@dataclass(frozen=True, eq=False)
class Situation:
    """What a fader's utility depends on."""

    prominence: DoubleArray
    """P(intended prominence | findings), shape (states,)."""
    loudness_rel_lu: float = 0.0
    """Loudness against the others at the soundcheck's level."""
    masked: float = 0.0
    """Share of the part that others hide there, 0 to 1."""
    held_db: float | None = None
    """Where the fader stands; None before the first event: the first move is free."""


def utilities(step_db: float, situation: Situation) -> DoubleArray:
    """U of one step for each intended prominence; shape (states,)."""
    w1, w2, w3 = numbers("utility.weights")
    intended = np.array(numbers("utility.prominence_lu"))
    moved = 0.0 if situation.held_db is None else abs(step_db - situation.held_db)
    away = np.abs(situation.loudness_rel_lu + step_db - intended) / number("utility.step_lu")
    return np.asarray(-w1 * _hidden(situation.masked, step_db) - w2 * moved - w3 * away)


def _hidden(masked: float, step_db: float) -> float:
    """The share hidden after a step: others keep their power, the part's own grows."""
    inside = min(max(masked, 0.0), 0.999)
    return 0.0 if inside <= 0.0 else 1.0 / (1.0 + math.pow(10.0, step_db / 10.0) * (1.0 - inside) / inside)


def expected_utility(step_db: float, situation: Situation) -> float:
    """E[U] over what prominence is intended."""
    return float(situation.prominence @ utilities(step_db, situation))


def best_step(values: Sequence[float | None], situation: Situation) -> int:
    """Index of the step with the highest expected utility; "off" is no step."""
    return max(
        (i for i, v in enumerate(values) if v is not None),
        key=lambda i: (expected_utility(values[i] or 0.0, situation), -i),
    )

"""Several consoles from one prediction: take 1 is its mean, others are drawn from its spreads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tonmeister.engines.predict.outputs import Prediction, number

__all__ = ["drawn"]


def drawn(said: Sequence[Prediction], *, seed: int, take: int) -> list[Prediction]:
    """The predictions with their means moved within the spreads; the same for the same seed and take.

    Whether there is an insert is drawn, too, where it is in doubt.
    """
    if take == 1:
        return list(said)
    random = np.random.default_rng((seed, take))
    reach = number("take.reach")
    moved = []
    for one in said:
        step = np.clip(random.standard_normal(len(one.mean)), -reach, reach)
        doubt = np.clip(one.wanted + 0.5 * (random.random(len(one.wanted)) - 0.5), 0.0, 1.0)
        moved.append(replace(one, mean=one.mean + step * one.spread, wanted=doubt))
    return moved

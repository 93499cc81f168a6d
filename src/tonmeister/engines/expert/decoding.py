"""From a posterior to a value of a control, and whether it is worth moving there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tonmeister.engines.expert.model import Choice
from tonmeister.engines.expert.numbers import number
from tonmeister.units import DoubleArray

__all__ = ["Decoded", "decode", "worth_moving"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a posterior says about a control."""

    value: float | None
    """None is off."""
    state: int
    """The likeliest state (of those that are not off, unless it is off)."""
    confidence: float
    averaged: bool
    """Whether the value is a mean over states, or the likeliest state alone."""


def decode(chances: DoubleArray, choice: Choice) -> Decoded:
    """The mean over the states' values, without "off", or the likeliest state of a switch; `chances`: (states,).

    Off when that is likelier than all else. Where two states that are no neighbors compete, a mean is what nobody wants:
    then the likeliest state is taken, and the confidence halved. Where nearly nothing is known the confidence is halved
    too, but the mean kept: a switch to the likeliest state would make a level that slides a little jump.
    """
    off = next((i for i, v in enumerate(choice.values) if v is None), None)
    if off is not None and chances[off] > number("decode.off"):
        return Decoded(None, off, float(chances[off]), False)
    valued = np.array([i for i in range(len(chances)) if i != off])
    share = chances[valued] / max(float(chances[valued].sum()), 1e-300)
    best = int(np.argmax(share))
    values = np.array([v for v in choice.values if v is not None])
    confidence = float(chances[valued[best]])
    if not choice.graded:
        return Decoded(float(values[best]), int(valued[best]), confidence, False)
    if _divided(share):
        return Decoded(float(values[best]), int(valued[best]), confidence / 2.0, False)
    sure = confidence / 2.0 if _unknown(share) else confidence
    return Decoded(float(share @ values), int(valued[best]), sure, True)


def _divided(share: DoubleArray) -> bool:
    """Whether two states that are no neighbors compete."""
    peaks = np.flatnonzero(share > number("decode.two_peaks"))
    return any(b - a > 1 for a in peaks for b in peaks)


def _unknown(share: DoubleArray) -> bool:
    """Whether the states are nearly equally likely."""
    entropy = -float(np.sum(share * np.log(np.maximum(share, 1e-300))))
    return entropy > number("decode.entropy") * math.log(len(share))


def worth_moving(
    new: Decoded, held_value: float | None, chances: DoubleArray, choice: Choice, *, section_start: bool
) -> bool:
    """Whether a control leaves its held value for a new one.

    The values must differ enough, and the new state must beat the held one by enough, unless a section begins.
    """
    if (new.value is None) != (held_value is None):
        return True
    if new.value is None or held_value is None:
        return False
    least = number("hysteresis.pan") if choice.control == "pan" else number("hysteresis.gain")
    if abs(new.value - held_value) < least:
        return False
    held = min(
        (i for i, v in enumerate(choice.values) if v is not None),
        key=lambda i: abs((choice.values[i] or 0.0) - held_value),
    )
    return section_start or float(chances[new.state] - chances[held]) >= number("hysteresis.probability")

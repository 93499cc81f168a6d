"""A rough tempo from the onset strength of all tracks: an estimate, never a fact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tonmeister.dsp.loudness import CELLS_PER_S
from tonmeister.units import FloatArray

__all__ = ["estimate_tempo_bpm"]

SLOWEST_BPM: Final = 60.0
FASTEST_BPM: Final = 180.0
CENTER_BPM: Final = 120.0
OCTAVES: Final = 1.0
"""Center and width of the preference for moderate tempi (a log-normal, as in Ellis, JNMR 36(1), 2007)."""
CONFIDENT: Final = 0.2
SHORTEST_S: Final = 8.0


def estimate_tempo_bpm(strengths: Sequence[FloatArray]) -> float | None:
    """The lag with the strongest autocorrelation of the summed strength, 60 to 180 bpm; None when unclear."""
    longest = max((len(s) for s in strengths), default=0)
    if longest < SHORTEST_S * CELLS_PER_S:
        return None
    total = np.zeros(longest)
    for strength in strengths:
        total[: len(strength)] += strength
    total -= total.mean()
    spectrum = np.fft.rfft(total, 1 << (2 * longest - 1).bit_length())
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:longest]
    if correlation[0] <= 0:
        return None
    correlation = correlation / correlation[0]
    lags = np.arange(math.ceil(6000 / FASTEST_BPM), math.floor(6000 / SLOWEST_BPM) + 1)
    # four periods sharpen a lag that is a whole number of cells to a quarter of a cell
    preference = np.exp(-0.5 * (np.log2(6000 / lags / CENTER_BPM) / OCTAVES) ** 2)
    best = int(lags[np.argmax(correlation[lags] * preference)])
    if correlation[best] < CONFIDENT:
        return None
    multiple = 4
    near = np.arange(multiple * best - multiple, multiple * best + multiple + 1)
    return float(6000 * multiple / near[np.argmax(correlation[near])])

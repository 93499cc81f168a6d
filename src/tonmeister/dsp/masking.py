"""How much of one sound's band power another hides: Bark bands, a spreading function, a shared threshold.

Spreading over d Bark upwards: 15.81 + 7.5 (d + 0.474) - 17.5 sqrt(1 + (d + 0.474)^2) dB
(Schroeder, Atal & Hall, JASA 66(6), 1979). The threshold lies 5.5 dB below the spread power, the value for
a masker of noise (Johnston, IEEE JSAC 6(2), 1988): music in company is closer to noise than to one tone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["hidden_shares", "masking_thresholds", "spreading_db"]

OFFSET_DB: Final = 5.5


def spreading_db(distance_bark: DoubleArray) -> DoubleArray:
    """Level of the excitation `distance_bark` above (positive) or below the masker's band, re the masker."""
    shifted = distance_bark + 0.474
    return np.asarray(15.81 + 7.5 * shifted - 17.5 * np.sqrt(1.0 + shifted * shifted))


def masking_thresholds(powers: FloatArray) -> FloatArray:
    """Thresholds that band powers (frames, 24) raise, same shape and unit."""
    band = np.arange(powers.shape[1])
    spread = 10.0 ** ((spreading_db(np.subtract.outer(band, band).astype(np.float64)) - OFFSET_DB) / 10)
    return np.asarray((spread[None] * powers[:, None, :]).sum(-1), dtype=np.float32)


@kernel
def hidden_shares(powers: FloatArray, thresholds: FloatArray, shares: DoubleArray) -> None:
    """sum_t min(P[t, b], T_j[t, b]) / sum_t P[t, b], per masker and band.

    `powers` (frames, bands), `thresholds` (maskers, frames, bands); `shares` (maskers, bands) is written,
    0 where there is no power.
    """
    maskers, frames, bands = thresholds.shape
    total = np.zeros(bands)
    for t in range(frames):
        for b in range(bands):
            total[b] += powers[t, b]
    for j in range(maskers):
        hidden = np.zeros(bands)
        for t in range(frames):
            for b in range(bands):
                hidden[b] += min(powers[t, b], thresholds[j, t, b])
        for b in range(bands):
            shares[j, b] = hidden[b] / total[b] if total[b] > 0.0 else 0.0

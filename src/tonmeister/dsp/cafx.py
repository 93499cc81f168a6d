"""CAFx on one frame, in float32 without a framework: filter bank, envelopes, latent network, curves, synthesis.

M. A. Martinez Ramirez and J. D. Reiss, "Modeling of nonlinear audio effects with end-to-end deep neural networks"
(2018). `training.effects.cafx` is the twin that learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp import saaf
from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["CHANNELS", "FRAME", "SHAPES", "Cafx", "Weights", "run_frame", "window"]

FRAME: Final = 1024
CHANNELS: Final = 128
TAPS: Final = 64
ENVELOPE_TAPS: Final = 128
POOL: Final = 16
POOLED: Final = FRAME // POOL
BEHIND: Final = (TAPS - 1) // 2
"""How many taps of the filter bank lie before the time they are for."""
HIDDEN: Final = (128, 64, 64)

_SIZES: Final = (CHANNELS, *HIDDEN, CHANNELS)
SHAPES: Final[Mapping[str, tuple[int, ...]]] = {
    "bank": (CHANNELS, TAPS),
    "bank_bias": (CHANNELS,),
    "envelope": (CHANNELS, ENVELOPE_TAPS),
    "envelope_bias": (CHANNELS,),
    "local": (CHANNELS, POOLED, POOLED),
    "local_bias": (CHANNELS, POOLED),
    "shared.weight": (POOLED, POOLED),
    "shared.bias": (POOLED,),
    **{f"dense.{n}.weight": (_SIZES[n + 1], _SIZES[n]) for n in range(len(_SIZES) - 1)},
    **{f"dense.{n}.bias": (_SIZES[n + 1],) for n in range(len(_SIZES) - 1)},
    "curves": (CHANNELS, saaf.NUMBERS),
}
"""The 602,176 numbers; the synthesis uses the filter bank itself."""

Weights = Mapping[str, FloatArray]
Places = NDArray[np.intp]
_FFT: Final = 1152
"""At least 1024 + 127, and a product of small primes."""


@dataclass(frozen=True, eq=False)
class Cafx:
    """The numbers, ready to be played."""

    weights: Weights
    tables: FloatArray
    """`saaf.table` of each curve (128, 27, 4)."""
    response: Any
    """Conjugate spectra of the envelope filters (128, 577)."""

    @classmethod
    def of(cls, weights: Weights) -> Cafx:
        """From arrays of the shapes in `SHAPES`."""
        tables = np.stack([saaf.table(row.astype(np.float64)) for row in weights["curves"]])
        response = np.conj(np.fft.rfft(weights["envelope"], _FFT)).astype(np.complex64)
        return cls(weights, tables.astype(np.float32), response)


def window() -> DoubleArray:
    """The Hann window of the output: hops of half a frame add up to 1."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME))


def run_frame(frame: FloatArray, net: Cafx) -> FloatArray:
    """One frame (1024,) in and out."""
    residual = bands(frame, net.weights)
    pooled, at = pool(envelopes(residual, net))
    bent = dense(unpool(latent(pooled, net.weights), at) * residual, net.weights)
    bend(bent, net.tables)
    return synthesis(bent, net.weights["bank"])


def bands(frame: FloatArray, weights: Weights) -> FloatArray:
    """R (1024, 128): X[n] = sum_k w[k] x[n + k - 31]."""
    padded = np.pad(frame, (BEHIND, TAPS - 1 - BEHIND))
    rows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, TAPS))
    return np.asarray(rows @ weights["bank"].T + weights["bank_bias"])


def envelopes(residual: FloatArray, net: Cafx) -> FloatArray:
    """Each band's own 128 taps over its absolute value, before the softplus: (128, 1024)."""
    before = (ENVELOPE_TAPS - 1) // 2
    levels = np.zeros((CHANNELS, _FFT), np.float32)
    np.abs(residual.T, out=levels[:, before : before + FRAME])
    spectra = np.fft.rfft(levels)
    spectra *= net.response
    slow = np.fft.irfft(spectra, _FFT)[:, :FRAME]
    return np.asarray(slow + net.weights["envelope_bias"][:, None], np.float32)


def pool(slow: FloatArray) -> tuple[FloatArray, Places]:
    """Z (128, 64), softplus of the greatest of 16, and its place; the first of equals. Softplus only grows."""
    greatest, at = np.empty((CHANNELS, POOLED), np.float32), np.empty((CHANNELS, POOLED), np.intp)
    _greatest(slow, greatest, at)
    return softplus(greatest), at


@kernel
def _greatest(slow: FloatArray, greatest: FloatArray, at: Places) -> None:
    for c in range(greatest.shape[0]):
        for cell in range(greatest.shape[1]):
            most, place = slow[c, cell * POOL], 0
            for n in range(1, POOL):
                value = slow[c, cell * POOL + n]
                if value > most:
                    most, place = value, n
            greatest[c, cell], at[c, cell] = most, place


def latent(pooled: FloatArray, weights: Weights) -> FloatArray:
    """Z_hat (128, 64): each channel's own dense layer along time, then one that all share."""
    local = softplus((weights["local"] @ pooled[..., None])[..., 0] + weights["local_bias"])
    return softplus(local @ weights["shared.weight"].T + weights["shared.bias"])


def unpool(values: FloatArray, at: Places) -> FloatArray:
    """Back at their places, zeros elsewhere: (1024, 128)."""
    cells = np.zeros((CHANNELS, POOLED, POOL), np.float32)
    np.put_along_axis(cells, at[..., None], values[..., None], 2)
    return np.ascontiguousarray(cells.reshape(CHANNELS, FRAME).T)


def dense(channels: FloatArray, weights: Weights) -> FloatArray:
    """Four layers across channels at each time; softplus between them."""
    last = len(_SIZES) - 2
    for n in range(last + 1):
        channels = channels @ weights[f"dense.{n}.weight"].T + weights[f"dense.{n}.bias"]
        if n < last:
            channels = softplus(channels)
    return channels


def synthesis(bent: FloatArray, bank: FloatArray) -> FloatArray:
    """The adjoint of `bands`: y[m] = sum_k w[k] X[m - k + 31]."""
    parts = np.ascontiguousarray((bent @ bank).T)
    whole = np.zeros(FRAME + TAPS - 1, np.float32)
    for k, part in enumerate(parts):
        whole[k : k + FRAME] += part
    return whole[BEHIND : BEHIND + FRAME]


def softplus(x: FloatArray) -> FloatArray:
    """log(1 + exp(-|x|)) + max(x, 0)."""
    rest = np.abs(x)
    np.negative(rest, out=rest)
    np.exp(rest, out=rest)
    rest += 1.0
    np.log(rest, out=rest)
    rest += np.maximum(x, 0.0)
    return rest


@kernel
def bend(values: FloatArray, tables: FloatArray) -> None:
    """values[n, c] = f_c(values[n, c]), in place."""
    intervals = tables.shape[1] - 2
    for n in range(values.shape[0]):
        for c in range(values.shape[1]):
            x = values[n, c]
            place = (x + 1.0) * (intervals / 2.0)
            k = 0
            if place >= intervals:
                k = intervals + 1
            elif place >= 0.0:
                k = int(place) + 1
            t = x - tables[c, k, 0]
            values[n, c] = tables[c, k, 1] + t * (tables[c, k, 2] + t * tables[c, k, 3])

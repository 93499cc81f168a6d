"""Made-up devices whose sound is well defined: everything bends at eight times the rate and folds nothing back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from tonmeister.units import ComplexArray, DoubleArray

__all__ = ["DEVICES"]

_FACTOR: Final = 8

Device = Callable[[DoubleArray, int], DoubleArray]


def _raised(x: DoubleArray, bend: Callable[[DoubleArray], DoubleArray]) -> DoubleArray:
    """A curve at eight times the rate; nothing above half the rate comes back. x (..., frames)."""
    frames = x.shape[-1]
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 64 + frames % 2)])
    size = padded.shape[-1]
    up = np.fft.irfft(np.fft.rfft(padded), size * _FACTOR) * _FACTOR
    down = np.fft.irfft(np.fft.rfft(bend(up))[..., : size // 2 + 1], size) / _FACTOR
    return np.asarray(down[..., :frames])


def _filtered(x: DoubleArray, response: Callable[[ComplexArray], ComplexArray]) -> DoubleArray:
    """Through a causal rational filter, given as a function of z^-1; its ring is kept for two seconds."""
    frames = x.shape[-1]
    size = 1 << (2 * frames - 1).bit_length()
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    return np.asarray(np.fft.irfft(np.fft.rfft(x, size) * response(delay), size)[..., :frames])


def _low(hz: float, rate: int) -> Callable[[ComplexArray], ComplexArray]:
    """One pole: (1 - a) / (1 - a z^-1)."""
    a = float(np.exp(-2.0 * np.pi * hz / rate))
    return lambda delay: np.asarray((1.0 - a) / (1.0 - a * delay))


def _bell(hz: float, gain_db: float, quality: float, rate: int) -> Callable[[ComplexArray], ComplexArray]:
    """The peaking equalizer of R. Bristow-Johnson's cookbook."""
    w, a = 2.0 * np.pi * hz / rate, 10.0 ** (gain_db / 40.0)
    alpha, middle = np.sin(w) / (2.0 * quality), -2.0 * np.cos(w)
    return lambda d: np.asarray(
        (1 + alpha * a + middle * d + (1 - alpha * a) * d**2)
        / (1 + alpha / a + middle * d + (1 - alpha / a) * d**2)
    )


def tanh_distortion(x: DoubleArray, sample_rate: int) -> DoubleArray:
    """0.5 tanh(8 x)."""
    return 0.5 * _raised(x, lambda u: np.tanh(8.0 * u))


def diode(x: DoubleArray, sample_rate: int) -> DoubleArray:
    """An uneven clipper: the upper half bends sooner than the lower one."""
    return 0.4 * _raised(x, lambda u: np.where(u > 0.0, np.tanh(10.0 * u), 2.0 * np.tanh(5.0 * u)) / 1.5)


def hard_clip(x: DoubleArray, sample_rate: int) -> DoubleArray:
    """Dull before, +-0.25, dull behind."""
    inside = _filtered(x, _low(3000.0, sample_rate))
    return _filtered(_raised(inside, lambda u: np.clip(2.0 * u, -0.25, 0.25)), _low(4000.0, sample_rate))


def soft_clip(x: DoubleArray, sample_rate: int) -> DoubleArray:
    """x / sqrt(1 + (3 x)^2) behind a bell at 800 Hz and before a low-pass at 3 kHz."""
    inside = _filtered(x, _bell(800.0, 6.0, 1.0, sample_rate))
    return _filtered(_raised(inside, lambda u: u / np.sqrt(1.0 + 9.0 * u * u)), _low(3000.0, sample_rate))


def equalizer(x: DoubleArray, sample_rate: int) -> DoubleArray:
    """+9 dB at 200 Hz, -12 dB at 1.5 kHz: linear."""
    return _filtered(
        _filtered(x, _bell(200.0, 9.0, 1.0, sample_rate)), _bell(1500.0, -12.0, 1.0, sample_rate)
    )


def chain(x: DoubleArray, sample_rate: int) -> DoubleArray:
    """The equalizer into the diode."""
    return diode(equalizer(x, sample_rate), sample_rate)


DEVICES: Final[Mapping[str, Device]] = {
    "tanh": tanh_distortion,
    "diode": diode,
    "hard clip": hard_clip,
    "soft clip": soft_clip,
    "equalizer": equalizer,
    "chain": chain,
}

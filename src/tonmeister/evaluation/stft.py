"""Short-time spectra for the losses and features: frames without centering, in chunks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import FloatArray

__all__ = ["frame_count", "framed", "hann", "magnitude", "magnitudes", "root_hann", "spectra"]

_CHUNK_SAMPLES = 1 << 20


@cache
def hann(length: int) -> FloatArray:
    """Periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


@cache
def root_hann(length: int) -> FloatArray:
    """Square root of the periodic Hann window."""
    return np.sqrt(hann(length))


def frame_count(frames: int, length: int, hop: int) -> int:
    """How many whole windows fit into a signal."""
    return max((frames - length) // hop + 1, 0)


def framed(signal: FloatArray, length: int, hop: int, *, partial: bool = False) -> Iterator[FloatArray]:
    """Windows of (frames,) as chunks (windows, length); `partial` fills the last window up with silence."""
    if partial:
        missing = max(length - len(signal), 0) or -(len(signal) - length) % hop
        signal = np.pad(signal, (0, missing))
    count = frame_count(len(signal), length, hop)
    rows = max(_CHUNK_SAMPLES // length, 1)
    if not count:
        return
    windows = np.lib.stride_tricks.sliding_window_view(signal, length)[::hop]
    for start in range(0, count, rows):
        yield windows[start : min(start + rows, count)]


def spectra(
    signal: FloatArray, fft: int, hop: int, window: FloatArray, *, partial: bool = False
) -> Iterator[NDArray[np.complex64]]:
    """Spectra of (frames,) as chunks (windows, fft / 2 + 1)."""
    for chunk in framed(signal, len(window), hop, partial=partial):
        yield np.fft.rfft(chunk * window, fft, axis=-1).astype(np.complex64, copy=False)


def magnitudes(
    signal: FloatArray, fft: int, hop: int, window: FloatArray, *, partial: bool = False
) -> Iterator[FloatArray]:
    """|STFT| of (frames,) as chunks (windows, fft / 2 + 1)."""
    for chunk in spectra(signal, fft, hop, window, partial=partial):
        yield magnitude(chunk)


def magnitude(spectrum: NDArray[np.complex64]) -> FloatArray:
    """|X|; faster than np.abs, which guards against overflow that audio does not reach."""
    return np.asarray(np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag)))

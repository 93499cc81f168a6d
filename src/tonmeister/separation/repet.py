"""Separation by repetition: what comes again with the beat is accompaniment, what does not is the voice.

Over a block of spectra: the beat spectrum b, the mean autocorrelation of the spectrogram's rows, shows the period p,
the lag whose multiples are peaks that stand out most from what is around them; the repeating segment S is the median
of all segments of that length; what exceeds it does not repeat::

    W = min(S, V),  M_accompaniment = W / V,  M_vocals = 1 - W / V

Rafii & Pardo, "REpeating Pattern Extraction Technique (REPET)", IEEE TASLP 21(1), 2013. Below 100 Hz nobody sings, as
in the paper.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.separation.base import Framing, Spectrum
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Repet", "beat_spectrum", "repeating_period"]

_RATE: Final = 44_100
_HOP: Final = 1024
_SHORTEST_PERIOD_S: Final = 0.8
_LONGEST_PERIOD_S: Final = 8.0
_TOLERANCE_FRAMES: Final = 2
_SONG_FROM_HZ: Final = 100.0
_TINY: Final = np.float32(1e-12)


class Repet:
    """Tracks ``vocals`` and ``accompaniment``; learns the period anew in blocks of 24 s."""

    tracks = ("vocals", "accompaniment")
    framing = Framing(_RATE, "hann", 2 * _HOP, 2 * _HOP, _HOP)
    context_frames = 0
    block_frames = 24 * _RATE // _HOP

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """Masks of each channel."""
        magnitude = np.abs(spectrum)
        period = repeating_period(beat_spectrum(magnitude.mean(axis=0)))
        repeating = magnitude if period is None else _repeating(magnitude, period)
        repeats = repeating / np.maximum(magnitude, _TINY)
        lowest = round(_SONG_FROM_HZ * self.framing.fft_frames / _RATE)
        repeats[:, :lowest] = 1.0
        return np.stack([1.0 - repeats, repeats]).astype(np.float32)


def beat_spectrum(magnitude: FloatArray) -> DoubleArray:
    """Mean autocorrelation over time of the rows of (bins, frames), 1 at lag 0; zeros where nothing moves.

    Rows are centered and of one norm (ours; the paper takes their power as it is), so that no tone outweighs the rest.
    """
    frames = magnitude.shape[1]
    rows = magnitude - magnitude.mean(axis=1, keepdims=True, dtype=np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    transformed = np.abs(np.fft.rfft(rows, 2 * frames, axis=1)) ** 2
    correlation = np.fft.irfft(transformed.sum(axis=0))[:frames] / np.arange(frames, 0, -1)
    return np.asarray(correlation / correlation[0] if correlation[0] > 0.0 else np.zeros(frames))


def repeating_period(beats: DoubleArray) -> int | None:
    """The lag, in frames, at which a block repeats best; None where it is too short to repeat three times."""
    frames_per_s = _RATE / _HOP
    first = round(_SHORTEST_PERIOD_S * frames_per_s)
    last = min(round(_LONGEST_PERIOD_S * frames_per_s), len(beats) // 3)
    if last <= first:
        return None
    trusted = beats[: 3 * len(beats) // 4]
    return first + int(np.argmax([_prominence(trusted, lag) for lag in range(first, last)]))


def _prominence(beats: DoubleArray, lag: int) -> float:
    """How far the peaks at the multiples of `lag` stand above their surroundings, on average (algorithm 1)."""
    reach, total = 3 * lag // 4, 0.0
    multiples = range(lag, len(beats) - _TOLERANCE_FRAMES, lag)
    for at in multiples:
        around = beats[at - reach : at + reach + 1]
        peak = at - reach + int(np.argmax(around))
        if abs(peak - at) <= _TOLERANCE_FRAMES:
            total += float(beats[peak] - around.mean())
    return total / max(len(multiples), 1)


def _repeating(magnitude: FloatArray, period: int) -> FloatArray:
    """The part of (channels, bins, frames) that every period has: the median segment, nowhere above the block."""
    channels, bins, frames = magnitude.shape
    count = -(-frames // period)
    padded = np.full((channels, bins, count * period), np.nan, np.float32)
    padded[..., :frames] = magnitude
    segments = padded.reshape(channels, bins, count, period)
    whole = frames - (count - 1) * period
    median = np.empty((channels, bins, period), np.float32)
    median[..., :whole] = np.median(segments[..., :whole], axis=2)
    median[..., whole:] = np.median(segments[:, :, : count - 1, whole:], axis=2)
    return np.minimum(np.tile(median, count)[..., :frames], magnitude)

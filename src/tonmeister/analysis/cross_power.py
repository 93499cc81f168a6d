"""Cross-spectra of the pieces of a kit: microphones that hear one another do not add up like strangers.

Every track keeps the same moments of the song, evenly spread, so that memory stays bounded (about 1.5 MB a channel at
48 kHz) and no file is read twice. A song shorter than the moments is kept whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.spectrum import THIRD_OCTAVE, band_layout, bin_scale, frame_length, hann
from tonmeister.features import CrossPower
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Moments", "cross_power", "moment_starts"]

MOMENT_S: Final = 0.5
MOMENTS: Final = 16
_TOGETHER: Final = 32
"""Frames transformed at once."""


def moment_starts(frames: int, sample_rate: int) -> tuple[NDArray[np.int64], int]:
    """First frame of each kept moment of a song of so many frames, and the length of each."""
    length = int(MOMENT_S * sample_rate)
    if frames <= MOMENTS * length:
        return np.zeros(1, np.int64), max(frames, 1)
    centers = (np.arange(MOMENTS) + 0.5) * frames / MOMENTS
    return np.asarray(centers - length / 2, dtype=np.int64), length


class Moments:
    """Keeps the moments of one track; what lies behind its end is silence."""

    def __init__(self, sample_rate: int, channels: int, song_frames: int) -> None:
        self._starts, self._length = moment_starts(song_frames, sample_rate)
        self._position = 0
        self.samples: FloatArray = np.zeros((channels, len(self._starts) * self._length), np.float32)

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        here, there = self._position, self._position + block.shape[1]
        for index, start in enumerate(self._starts):
            first, last = max(int(start), here), min(int(start) + self._length, there)
            if first < last:
                at = index * self._length + first - int(start)
                self.samples[:, at : at + last - first] = block[:, first - here : last - here]
        self._position = there


def cross_power(moments: Mapping[str, FloatArray], sample_rate: int) -> CrossPower:
    """Mean cross-spectra of tracks that kept the same moments, each (channels, frames).

    S_ij(band) = mean over frames of sum over bins of w X_i conj(X_j), w the share of the bin that lies in the band;
    Hann windows of 93 ms, half overlapped.
    """
    names = tuple(moments)
    sides = [_one_side(moments, 0, sample_rate)]
    stereo = any(len(kept) > 1 for kept in moments.values())
    sides.append(_one_side(moments, 1, sample_rate) if stereo else sides[0])
    return CrossPower(names, np.stack(sides))


def _one_side(moments: Mapping[str, FloatArray], side: int, sample_rate: int) -> NDArray[np.complex128]:
    signals = np.stack([kept[min(side, len(kept) - 1)] for kept in moments.values()])
    total = np.zeros((len(signals), len(signals), THIRD_OCTAVE.stop - THIRD_OCTAVE.start), np.complex128)
    count = 0
    for spectra in _spectra(signals, sample_rate):
        for band, (bins, weights) in enumerate(_bands(sample_rate)):
            part = (spectra[:, :, bins] * weights).reshape(len(signals), -1)
            total[:, :, band] += part @ part.conj().T
        count += spectra.shape[1]
    return np.asarray(total * bin_scale(frame_length(sample_rate)) / max(count, 1))


def _spectra(signals: FloatArray, sample_rate: int) -> Iterator[NDArray[np.complex64]]:
    """Spectra (tracks, some frames, bins) of signals (tracks, frames)."""
    length = frame_length(sample_rate)
    hop = length // 2
    missing = -signals.shape[1] % hop + hop
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(signals, ((0, 0), (hop, missing))), length, axis=1
    )[:, ::hop]
    for start in range(0, windows.shape[1], _TOGETHER):
        yield np.fft.rfft(windows[:, start : start + _TOGETHER] * hann(length)).astype(np.complex64)


@cache
def _bands(sample_rate: int) -> tuple[tuple[slice, DoubleArray], ...]:
    """Bins of each third octave, and the square roots of their shares in it."""
    bins, shares = band_layout(sample_rate)
    highest = frame_length(sample_rate) // 2
    return tuple(
        _band(int(low), int(high), low_share, high_share, highest)
        for (low, high), (low_share, high_share) in zip(bins[THIRD_OCTAVE], shares[THIRD_OCTAVE], strict=True)
    )


def _band(
    low: int, high: int, low_share: float, high_share: float, highest: int
) -> tuple[slice, DoubleArray]:
    weights = np.ones(high - low + 1)
    if high == low:
        weights[0] = low_share + high_share - 1.0
    else:
        weights[0], weights[-1] = low_share, high_share
    last = min(high, highest)
    return slice(low, max(last + 1, low)), np.sqrt(weights[: max(last + 1 - low, 0)]).astype(np.float32)

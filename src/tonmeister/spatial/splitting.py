"""The room apart from what sounds in it, and the struck apart from the held: splits whose parts add up to the input.

**Primary and ambient**, from how alike left and right are. With X the short-time spectra and <.> a recursive mean over
time::

    c = |<X_L conj X_R>| / sqrt(<|X_L|^2> <|X_R|^2>),    a = (1 - c)^q,    ambient = a X,   direct = (1 - a) X

A direct source is the same in both channels up to a gain, so c = 1 and a = 0; a room is not (Avendano & Jot 2004). Bins
below -80 dBFS are direct. A signal that is mono through and through has c = 1 everywhere; there the room is what decays:
with P = max(|X|^2, r P') the level a bin came from, a = 0.3 (1 - |X|^2 / P), nothing at an onset.

**Transients and held tones**, from the shape of the spectrogram: medians over time keep what lasts, medians over frequency
keep what is struck (FitzGerald 2010); a bin belongs to one when its median is `margin` times the other.

All of them take blocks of any size and give what is complete; `finish` gives the rest.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.dsp.stft import Stft, StftAnalysis, StftSynthesis
from tonmeister.spatial.numbers import number
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["AmbienceSplit", "MedianSplit", "Split"]

_MEDIAN: Final = 17
"""Frames or bins of a running median; odd."""
_EMPTY: Final = 1e-30


def _transform(window_ms: float, hops: int, sample_rate: int) -> Stft:
    """A transform with a window of the power of two nearest to a duration."""
    length = int(2 ** max(round(np.log2(window_ms * sample_rate / 1000.0)), 5))
    return Stft.of("hann", length, length, length // hops)


class Split:
    """Cuts a part out of a stereo signal by a mask over its spectrum; the rest is what is left of the signal."""

    def __init__(self, stft: Stft) -> None:
        self._stft = stft
        self._analysis, self._synthesis = StftAnalysis(stft), StftSynthesis(stft)
        self._held = np.zeros((2, 0), np.float32)
        self._frames = self._given = 0

    def push(self, block: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Take (2, frames); give as much of the part and of the rest as is complete, of the same length."""
        self._held = np.concatenate([self._held, block], axis=1)
        self._frames += block.shape[1]
        return self._parted(self._synthesis.push(self._masked(self._analysis.push(block), last=False)))

    def finish(self) -> tuple[FloatArray, FloatArray]:
        """What is left: part and rest are now as long as the signal."""
        if not self._frames:
            return self._held, self._held
        spectra = self._masked(self._analysis.finish(), last=True)
        pieces = [self._parted(self._synthesis.push(spectra))]
        pieces.append(self._parted(self._synthesis.finish(self._frames)))
        part, rest = (np.concatenate(both, axis=1) for both in zip(*pieces, strict=True))
        return part, rest

    def _parted(self, part: Any) -> tuple[FloatArray, FloatArray]:
        count = min(part.shape[1], self._held.shape[1])
        whole, self._held = self._held[:, :count], self._held[:, count:]
        part = part[:, :count].astype(np.float32, copy=False)
        return part, whole - part

    def _masked(self, spectra: Any, *, last: bool) -> Any:
        """The spectra (2, bins, n) of the part, as far as they are known."""
        raise NotImplementedError


class AmbienceSplit(Split):
    """The part is the room, times `amount`."""

    def __init__(self, sample_rate: int, *, amount: float = 1.0, mono: bool = False) -> None:
        super().__init__(_transform(number("split.window_ms"), 4, sample_rate))
        self._amount, self._mono = amount, mono
        hops_per_s = sample_rate / self._stft.hop_frames
        self._keep = float(np.exp(-1000.0 / (number("split.smoothing_ms") * hops_per_s)))
        self._decay = float(np.exp(-1000.0 / (number("split.decay_ms") * hops_per_s)))
        self._exponent, self._cap = number("split.exponent"), number("split.mono_cap")
        self._floor = (db_to_gain(number("split.floor_db")) * self._stft.window.sum() / 2.0) ** 2
        self._means: Any = None
        self._peaks: DoubleArray = np.zeros(0)

    def _masked(self, spectra: Any, *, last: bool) -> Any:
        shares = self._decaying(spectra) if self._mono else self._unlike(spectra)
        return spectra * (self._amount * shares).astype(np.float32)

    def _unlike(self, spectra: Any) -> DoubleArray:
        """a (bins, n) of how different the channels are."""
        left, right = spectra.astype(np.complex128)
        products = np.stack([np.abs(left) ** 2, np.abs(right) ** 2, left * np.conj(right)])
        means = np.empty_like(products)
        held = products[:, :, :1].mean(axis=2) if self._means is None and products.shape[2] else self._means
        for frame in range(products.shape[2]):
            held = means[:, :, frame] = self._keep * held + (1.0 - self._keep) * products[:, :, frame]
        self._means = held
        own = np.sqrt(means[0].real * means[1].real)
        coherence = np.minimum(np.abs(means[2]) / np.maximum(own, _EMPTY), 1.0)
        heard = (means[0] + means[1]).real > 2.0 * self._floor
        return np.where(heard, (1.0 - coherence) ** self._exponent, 0.0)

    def _decaying(self, spectra: Any) -> DoubleArray:
        """a (bins, n) of how far each bin has fallen from where it came."""
        powers = (np.abs(spectra) ** 2).mean(axis=0, dtype=np.float64)
        shares = np.zeros_like(powers)
        held = self._peaks if len(self._peaks) else np.zeros(len(powers))
        for frame in range(powers.shape[1]):
            held = np.maximum(powers[:, frame], self._decay * held)
            shares[:, frame] = 1.0 - powers[:, frame] / np.maximum(held, _EMPTY)
        self._peaks = held
        return np.where(powers > self._floor, self._cap * shares, 0.0)


class MedianSplit(Split):
    """The part is what is struck (``transient``) or held (``harmonic``); one mask for both channels."""

    def __init__(self, part: Literal["transient", "harmonic"], sample_rate: int) -> None:
        super().__init__(_transform(number(f"{part}.window_ms"), 4, sample_rate))
        self._transient, self._margin = part == "transient", number(f"{part}.margin")
        half = _MEDIAN // 2
        self._magnitudes = np.zeros((self._stft.bins, half), np.float32)
        self._waiting = np.zeros((2, self._stft.bins, 0), np.complex64)

    def _masked(self, spectra: Any, *, last: bool) -> Any:
        half = _MEDIAN // 2
        magnitudes = np.abs(spectra).sum(axis=0).astype(np.float32)
        ending = np.zeros((len(magnitudes), half if last else 0), np.float32)
        self._magnitudes = np.concatenate([self._magnitudes, magnitudes, ending], axis=1)
        self._waiting = np.concatenate([self._waiting, spectra], axis=2)
        count = self._magnitudes.shape[1] - 2 * half
        if count <= 0:
            return self._waiting[:, :, :0]
        held, struck = self._medians(count)
        one, other = (struck, held) if self._transient else (held, struck)
        mask = (one > self._margin * other).astype(np.float32)
        ready, self._waiting = self._waiting[:, :, :count], self._waiting[:, :, count:]
        self._magnitudes = self._magnitudes[:, count:]
        return ready * mask

    def _medians(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Over time and over frequency, each (bins, count)."""
        half, bins = _MEDIAN // 2, len(self._magnitudes)
        over_time = np.empty((bins, count), np.float32)
        _running_medians(np.ascontiguousarray(self._magnitudes), over_time)
        middle = self._magnitudes[:, half : half + count].T
        over_frequency = np.empty((count, bins), np.float32)
        _running_medians(np.ascontiguousarray(np.pad(middle, ((0, 0), (half, half)))), over_frequency)
        return over_time, over_frequency.T


@kernel
def _running_medians(rows: Any, medians: Any) -> None:
    """Medians (n, count) of every odd window of the rows (n, count + window - 1), kept sorted while it moves on."""
    count = medians.shape[1]
    window = rows.shape[1] - count + 1
    room = np.empty(window, np.float32)
    for row in range(len(rows)):
        values = rows[row]
        for i in range(window):
            _insert(room, i, values[i])
        medians[row, 0] = room[window // 2]
        for start in range(1, count):
            at, old = 0, values[start - 1]
            while at < window - 1 and room[at] != old:
                at += 1
            for i in range(at, window - 1):
                room[i] = room[i + 1]
            _insert(room, window - 1, values[start + window - 1])
            medians[row, start] = room[window // 2]


@kernel
def _insert(room: Any, count: Any, value: Any) -> None:
    """Put a value among the first `count`, which are sorted."""
    at = count
    while at > 0 and room[at - 1] > value:
        room[at] = room[at - 1]
        at -= 1
    room[at] = value

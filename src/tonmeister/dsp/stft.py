"""Short-time spectra and back, for signals of any length in blocks of any size.

Frame t is centered on sample t h (hop h), so the first and last frames reach over the ends of the signal, where they
see silence. With the window w and spectra X_t the way back is overlap-add without a second window::

    x[n] = sum_t IFFT(X_t)[n - t h + c] / sum_t w[n - t h + c]

where c is the window's center. Both sums run over the frames that exist, so the ends come back like the middle. The
sum below is linear in X: what holds for masks that add up to one holds for the sound they cut out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray

__all__ = ["Stft", "StftAnalysis", "StftSynthesis", "WINDOWS", "window"]

Signal = NDArray[Any]
"""float32 or float64."""

_TINY: Final = 1e-8


def _hann(length: int) -> DoubleArray:
    """Periodic: w[n] = (1 - cos(2 pi n / N)) / 2."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length))


WINDOWS: Final = {"hann": _hann, "bartlett": np.bartlett}
"""``hann`` is periodic; ``bartlett`` is the symmetric triangle, zero at both ends, meant for odd lengths."""


def window(name: str, length: int) -> DoubleArray:
    """A window of `WINDOWS`, its center 1."""
    return np.asarray(WINDOWS[name](length), np.float64)


@dataclass(frozen=True, eq=False)
class Stft:
    """A short-time transform: a window, padded with silence on both sides to the length of the transform, and a hop."""

    window: DoubleArray
    fft_frames: int
    hop_frames: int

    def __post_init__(self) -> None:
        length = len(self.window)
        if not length // 2 >= self.hop_frames > 0 or self.fft_frames < length:
            raise ValueError(f"window {length}, FFT {self.fft_frames} and hop {self.hop_frames} do not fit")

    @classmethod
    def of(cls, name: str, window_frames: int, fft_frames: int, hop_frames: int) -> Stft:
        """A transform with a window of `WINDOWS`."""
        return cls(window(name, window_frames), fft_frames, hop_frames)

    @property
    def padded(self) -> DoubleArray:
        """The window in the middle of a frame of the transform's length."""
        before = (self.fft_frames - len(self.window)) // 2
        return np.pad(self.window, (before, self.fft_frames - len(self.window) - before))

    @property
    def lead_frames(self) -> int:
        """Samples of a frame before its center."""
        return (self.fft_frames - len(self.window)) // 2 + len(self.window) // 2

    @property
    def bins(self) -> int:
        return self.fft_frames // 2 + 1

    def count(self, frames: int) -> int:
        """Spectra of a signal of so many samples: centers from its first sample to behind its last."""
        return -(-frames // self.hop_frames) + 1 if frames else 0

    def forward(self, signal: Signal) -> NDArray[Any]:
        """Spectra (..., bins, count) of a signal (..., frames)."""
        analysis = StftAnalysis(self)
        return np.concatenate([analysis.push(signal), analysis.finish()], axis=-1)

    def inverse(self, spectra: NDArray[Any], frames: int) -> Signal:
        """The signal (..., frames) of spectra (..., bins, count)."""
        synthesis = StftSynthesis(self)
        return np.concatenate([synthesis.push(spectra), synthesis.finish(frames)], axis=-1)


class StftAnalysis:
    """Blocks in, spectra out, each as soon as all its samples are there."""

    def __init__(self, stft: Stft) -> None:
        self._stft = stft
        self._held: Signal | None = None
        self._pushed = self._made = 0

    def push(self, block: Signal) -> NDArray[Any]:
        """Take (..., frames), give the spectra (..., bins, n) that are now complete."""
        if self._held is None:
            self._held = np.zeros((*block.shape[:-1], self._stft.lead_frames), block.dtype)
        self._pushed += block.shape[-1]
        self._held = np.concatenate([self._held, block], axis=-1)
        return self._take((self._held.shape[-1] - self._stft.fft_frames) // self._stft.hop_frames + 1)

    def finish(self) -> NDArray[Any]:
        """The spectra that reach over the end."""
        assert self._held is not None, "nothing was pushed"
        stft = self._stft
        left = stft.count(self._pushed) - self._made
        missing = max((left - 1) * stft.hop_frames + stft.fft_frames - self._held.shape[-1], 0)
        silence = np.zeros((*self._held.shape[:-1], missing), self._held.dtype)
        self._held = np.concatenate([self._held, silence], axis=-1)
        return self._take(left)

    def _take(self, count: int) -> NDArray[Any]:
        stft, held = self._stft, self._held
        assert held is not None
        complex_type = np.result_type(held.dtype, np.complex64)
        if count <= 0:
            return np.zeros((*held.shape[:-1], stft.bins, 0), complex_type)
        views = np.lib.stride_tricks.sliding_window_view(held, stft.fft_frames, axis=-1)
        frames = views[..., : count * stft.hop_frames : stft.hop_frames, :][..., :count, :]
        spectra = np.fft.rfft(frames * stft.padded.astype(held.dtype), axis=-1).astype(
            complex_type, copy=False
        )
        self._held = held[..., count * stft.hop_frames :]
        self._made += count
        return np.ascontiguousarray(np.swapaxes(spectra, -1, -2))


class StftSynthesis:
    """Spectra in, samples out, each as soon as no later frame reaches it."""

    def __init__(self, stft: Stft) -> None:
        self._stft = stft
        self._held: Signal | None = None
        self._weight = np.zeros(0)
        self._made = self._taken = 0

    def push(self, spectra: NDArray[Any]) -> Signal:
        """Take (..., bins, n), give the samples (..., frames) that are now complete."""
        stft, count, padded = self._stft, spectra.shape[-1], self._stft.padded
        real_type = spectra.real.dtype
        if self._held is None:
            self._held = np.zeros((*spectra.shape[:-2], 0), real_type)
        if count == 0:
            return self._held[..., :0]
        frames = np.fft.irfft(np.swapaxes(spectra, -1, -2), stft.fft_frames, axis=-1)
        first = self._made * stft.hop_frames - self._taken
        self._grow(first + (count - 1) * stft.hop_frames + stft.fft_frames)
        for index in range(count):
            start = first + index * stft.hop_frames
            self._held[..., start : start + stft.fft_frames] += frames[..., index, :].astype(real_type)
            self._weight[start : start + stft.fft_frames] += padded
        self._made += count
        return self._take((self._made - 1) * stft.hop_frames - self._taken)

    def finish(self, frames: int) -> Signal:
        """The rest, so that `frames` samples have been given in all."""
        assert self._held is not None, "nothing was pushed"
        left = self._stft.lead_frames + frames - self._taken
        self._grow(left)
        return self._take(left)

    def _grow(self, length: int) -> None:
        assert self._held is not None
        missing = max(length - self._held.shape[-1], 0)
        silence = np.zeros((*self._held.shape[:-1], missing), self._held.dtype)
        self._held = np.concatenate([self._held, silence], axis=-1)
        self._weight = np.concatenate([self._weight, np.zeros(missing)])

    def _take(self, length: int) -> Signal:
        """Remove so many samples; those before the signal's first are thrown away."""
        assert self._held is not None
        early = min(max(self._stft.lead_frames - self._taken, 0), length)
        weight = np.maximum(self._weight[early:length], _TINY)
        out = self._held[..., early:length] / weight.astype(self._held.dtype)
        self._held, self._weight = self._held[..., length:], self._weight[length:]
        self._taken += length
        return np.asarray(out)

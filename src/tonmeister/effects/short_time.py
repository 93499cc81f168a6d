"""What effects share that change spectra: frames of sound to spectra and back, in blocks of any size.

The window is the square root of a periodic Hann window of 2048 frames, before and behind; at a hop of a quarter the
squares add up to 2. The processor hands on each frame a whole window later: that is its latency, at every rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import FloatArray

__all__ = ["FRAME", "Change", "ShortTimeProcessor", "bin_hz"]

FRAME: Final = 2048
_HOP: Final = FRAME // 4
_OVERLAP: Final = 2.0
"""What the squared windows of four neighbors add up to."""

Change = Callable[[NDArray[Any]], NDArray[Any]]
"""(channels, bins) complex to the same."""


def bin_hz(sample_rate: int) -> NDArray[np.float64]:
    """Frequencies of the bins."""
    return np.asarray(np.fft.rfftfreq(FRAME, 1.0 / sample_rate), np.float64)


class ShortTimeProcessor:
    """A stateful twin for effects that change one spectrum after the other.

    `prepared` is told the rate and the channels and returns what changes a spectrum, without a memory of its own.
    """

    latency_frames = FRAME

    def __init__(self, prepared: Callable[[int, int], Change]) -> None:
        self._prepared = prepared

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        self._change = self._prepared(sample_rate, channels)
        self._window = np.sin(np.pi * np.arange(FRAME) / FRAME)
        self._past = np.zeros((channels, FRAME))
        self._sums = np.zeros((channels, FRAME))
        self._filled = 0

    def process(self, block: FloatArray) -> FloatArray:
        done, frames = 0, block.shape[1]
        while done < frames:
            count = min(_HOP - self._filled, frames - done)
            here = slice(done, done + count)
            at = FRAME - _HOP + self._filled
            self._past[:, at : at + count] = block[:, here]
            block[:, here] = self._sums[:, self._filled : self._filled + count]
            self._filled += count
            done += count
            if self._filled == _HOP:
                self._step()
        return block

    def _step(self) -> None:
        """One frame is complete: add what becomes of it, and move on by a hop."""
        changed = self._change(np.fft.rfft(self._past * self._window, axis=1))
        self._sums[:, :-_HOP] = self._sums[:, _HOP:]
        self._sums[:, -_HOP:] = 0.0
        self._sums += np.fft.irfft(changed, FRAME, axis=1) * (self._window / _OVERLAP)
        self._past[:, :-_HOP] = self._past[:, _HOP:]
        self._filled = 0

    def reset(self) -> None:
        self._past.fill(0.0)
        self._sums.fill(0.0)
        self._filled = 0

"""Masks made from the true tracks: the ceiling of what masks on these spectra can do, and the floor of doing nothing.

``binary`` is the ideal binary mask (a bin belongs to the track that is louder than all others together), ``ratio`` the
ideal ratio mask |S_k| / sum_j |S_j|. For evaluation: an estimator that gets above them has heard the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from tonmeister.dsp.stft import Stft
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.masks import binary_mask, shares_of
from tonmeister.units import FloatArray

__all__ = ["Identity", "Oracle"]

_FRAMING: Final = Framing(None, "hann", 2048, 2048, 512)


class Oracle:
    """Masks of known tracks (name -> (channels, frames)), for one run over their mixture from its beginning."""

    context_frames = 0

    def __init__(
        self, tracks: Mapping[str, FloatArray], kind: Literal["binary", "ratio"], framing: Framing = _FRAMING
    ) -> None:
        self.tracks = tuple(tracks)
        self.framing = framing
        stft = Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)
        magnitudes = np.stack([np.abs(stft.forward(sound)) for sound in tracks.values()])
        self._masks = _ideal(magnitudes, kind)
        self._given = 0

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """The next frames' masks."""
        first, self._given = self._given, self._given + spectrum.shape[-1]
        return self._masks[..., first : self._given]


def _ideal(magnitudes: FloatArray, kind: str) -> FloatArray:
    if kind == "ratio":
        return shares_of(magnitudes)
    others = magnitudes.sum(axis=0) - magnitudes
    return np.stack([binary_mask(own, rest) for own, rest in zip(magnitudes, others, strict=True)])


class Identity:
    """Gives every track the whole mixture, as large as would be right if all were equally loud."""

    framing = _FRAMING
    context_frames = 0

    def __init__(self, tracks: tuple[str, ...]) -> None:
        self.tracks = tracks

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """The same share everywhere."""
        shape = (len(self.tracks), 1, *spectrum.shape[1:])
        return np.full(shape, 1.0 / len(self.tracks), np.float32)

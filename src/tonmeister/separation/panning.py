"""Separation by place: what sounds in the middle, and what to the sides.

The panning index of a bin tells where its energy stands, -1 left to 1 right (Avendano, "Frequency-domain source
identification and manipulation in stereo mixes", WASPAA 2003)::

    psi   = 2 max(Re(L R*), 0) / (|L|^2 + |R|^2)
    index = (1 - psi) sign(|R| - |L|)
    W_p   = exp(-(index - p)^2 / (2 w^2))

and each place p gets its window's share of all windows. The real part stands for the magnitude of the paper: what is
out of phase between the channels is wide and not in the middle. Mono is middle to within a five-hundredth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.masks import shares_of
from tonmeister.units import FloatArray

__all__ = ["PanningIndex", "center", "panning_index", "places"]

_WIDTH: Final = 0.14
"""Standard deviation of a place's window: neighbors, half the way to a side apart, then hardly touch."""
_TINY: Final = np.float32(1e-20)


def center() -> PanningIndex:
    """The middle, and everything else."""
    return PanningIndex({"center": (0.0,), "sides": (-0.5, 0.5, -1.0, 1.0)})


def places() -> PanningIndex:
    """Left, middle, right."""
    return PanningIndex({"left": (-0.5, -1.0), "center": (0.0,), "right": (0.5, 1.0)})


class PanningIndex:
    """Tracks by place, each place one or several indices."""

    framing = Framing(None, "hann", 4096, 4096, 1024)
    context_frames = 0

    def __init__(self, indices: Mapping[str, tuple[float, ...]]) -> None:
        self.tracks = tuple(indices)
        self._indices = tuple(indices.values())

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """The same masks for both channels."""
        index = panning_index(spectrum)
        windows = [
            np.max([np.exp(-((index - place) ** 2) / (2.0 * _WIDTH**2)) for place in own], axis=0)
            for own in self._indices
        ]
        return shares_of(np.stack(windows))[:, None]


def panning_index(spectrum: Spectrum) -> FloatArray:
    """Where each bin (bins, frames) of a spectrum (1 or 2, bins, frames) stands; 0 for mono and silence."""
    left, right = spectrum[0], spectrum[-1]
    left_power, right_power = np.abs(left) ** 2, np.abs(right) ** 2
    total = left_power + right_power
    psi = 2.0 * np.maximum((left * right.conj()).real, 0.0) / np.maximum(total, _TINY)
    return np.asarray(
        np.where(total > _TINY, (1.0 - psi) * np.sign(right_power - left_power), 0.0), np.float32
    )

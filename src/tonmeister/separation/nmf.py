"""Separation with learned bases: each track is a sum of spectral patches that such tracks are made of.

A patch is 20 successive frames of band magnitudes, one after the other in a column of V. With the bases W (columns that
sum to 1; some belong to each track) only the activations H are found, by Kullback-Leibler multiplicative updates::

    H <- H * W^T (V / (W H))

A track's share of a patch is (W H) of its own bases over that of all; patches begin every 5 frames and what they say of
a frame is averaged. Lee & Seung, NIPS 2000; the baseline of Simpson, Roma & Plumbley, arXiv:1504.04658, on bands.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.model_files.store import load_model
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.front_end import FrontEnd
from tonmeister.separation.masks import shares_of
from tonmeister.units import FloatArray

__all__ = ["FRONT_END", "KIND", "PATCH_FRAMES", "Nmf", "activations", "patches", "shipped"]

KIND: Final = "separation-bases"
PATCH_FRAMES: Final = 20
FRONT_END: Final = FrontEnd(Framing(44_100, "hann", 2048, 2048, 512), bands=96)
_HOP: Final = 5
_ROUNDS: Final = 60
_TINY: Final = np.float32(1e-12)


def shipped() -> Nmf:
    """With the bases that come with tonmeister."""
    model = load_model("separation-bases", kind=KIND)
    tracks = tuple(str(name) for name in model.card.settings["tracks"])
    return Nmf({name: model.array(name).astype(np.float32) for name in tracks})


class Nmf:
    """Tracks by their bases, (bands * 20, any number) each."""

    framing = FRONT_END.framing
    context_frames = PATCH_FRAMES
    """A multiple of the patches' hop, so that chunks share one grid."""

    def __init__(self, bases: dict[str, FloatArray]) -> None:
        rows = FRONT_END.bands * PATCH_FRAMES
        if any(b.ndim != 2 or b.shape[0] != rows for b in bases.values()):
            raise ModelError(f"bases of a separation have {rows} rows: these were learned for something else")
        self.tracks = tuple(bases)
        self._bases = np.concatenate(list(bases.values()), axis=1)
        ends = np.cumsum([b.shape[1] for b in bases.values()])
        self._own = [slice(int(e - b.shape[1]), int(e)) for e, b in zip(ends, bases.values(), strict=True)]

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """One set of masks for all channels, from the louder channel of each bin."""
        magnitude = np.sqrt(FRONT_END.power(spectrum))
        found = activations(self._bases, patches(magnitude))
        parts = [_overlapped(self._bases[:, own] @ found[own], len(magnitude)) for own in self._own]
        return FRONT_END.spread(shares_of(np.stack(parts)))[:, None]


def patches(magnitude: FloatArray, hop: int = _HOP) -> FloatArray:
    """Columns of 20 successive frames of (frames, bands), silence behind the end."""
    frames, bands = magnitude.shape
    count = -(-frames // hop)
    padded = np.pad(magnitude, ((0, (count - 1) * hop + PATCH_FRAMES - frames), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (PATCH_FRAMES, bands))[::hop, 0]
    return np.ascontiguousarray(views.reshape(count, PATCH_FRAMES * bands).T)


def activations(bases: FloatArray, columns: FloatArray, rounds: int = _ROUNDS) -> FloatArray:
    """H (bases, columns) with W H near V; a column of silence gets none."""
    level = columns.sum(axis=0) / bases.shape[1]
    found = np.broadcast_to(level, (bases.shape[1], columns.shape[1])).astype(np.float32)
    for _ in range(rounds):
        found = found * (bases.T @ (columns / np.maximum(bases @ found, _TINY)))
    return np.asarray(found, np.float32)


def _overlapped(columns: FloatArray, frames: int) -> FloatArray:
    """Patches added up where they overlap: (frames, bands)."""
    count = columns.shape[1]
    stacked = columns.T.reshape(count, PATCH_FRAMES, -1)
    total = np.zeros(((count - 1) * _HOP + PATCH_FRAMES, stacked.shape[2]), np.float32)
    for index, patch in enumerate(stacked):
        total[index * _HOP : index * _HOP + PATCH_FRAMES] += patch
    return total[:frames]

"""Normal equations of track gains, one set per block of time, filled in one pass over the audio.

A block knows, for each side of the mix, G = U'U, b = U'v and v'v, where the columns of U are the tracks and v is the
mix: as samples (coherent), as magnitudes or as powers of short-time spectra. Sums over blocks are the equations of
longer stretches, so windows of any length and whole songs follow from the same pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray
from tonmeister.unmixing.reading import Block

__all__ = ["Equations", "Spectra", "Waveform", "collect"]

_SUBFRAME_S: Final = 1024 / 44_100
"""Spectra of 1024 samples at 44.1 kHz, the nearest power of two at other rates."""


@dataclass(frozen=True)
class Equations:
    """Normal equations of consecutive stretches of time."""

    gram: DoubleArray
    """(stretches, 1 or sides, tracks, tracks)."""
    cross: DoubleArray
    """(stretches, sides, tracks)."""
    mix: DoubleArray
    """Energy of the mix in the mode's own domain, (stretches, sides)."""
    tracks: DoubleArray
    """Energy of the tracks' samples, (stretches, 1 or sides, tracks)."""
    sounding: DoubleArray
    """Energy of the mix's samples, (stretches, sides)."""
    size: int
    """Rows of U in one stretch."""

    @property
    def stretches(self) -> int:
        return len(self.cross)

    def mapped(self, function: Callable[[DoubleArray], DoubleArray], *, size: int | None = None) -> Equations:
        """The equations after the same thing was done to every array; `size` is the new number of rows."""
        return Equations(
            gram=function(self.gram),
            cross=function(self.cross),
            mix=function(self.mix),
            tracks=function(self.tracks),
            sounding=function(self.sounding),
            size=self.size if size is None else size,
        )

    def summed(self, blocks: int) -> Equations:
        """Equations of overlapping windows of `blocks` stretches each, advancing by one."""
        width = min(blocks, self.stretches)
        return self.mapped(lambda values: _moving_sum(values, width), size=self.size * width)

    def weighted(self, weights: DoubleArray) -> Equations:
        """One stretch: the weighted sum of all; weights (stretches,)."""
        return self.mapped(
            lambda values: np.asarray(np.tensordot(weights, values, axes=(0, 0))[None]),
            size=self.size * self.stretches,
        )

    def turned(self, signs: DoubleArray) -> Equations:
        """The equations as they would be with the tracks multiplied by `signs` (tracks,)."""
        gram = self.gram * signs[:, None] * signs[None, :]
        return dataclasses.replace(self, gram=gram, cross=self.cross * signs)


def _moving_sum(values: DoubleArray, width: int) -> DoubleArray:
    count = len(values) - width + 1
    total = values[:count].copy()
    for shift in range(1, width):
        total += values[shift : shift + count]
    return total


class Waveform:
    """Samples as they are."""

    sets: Final = 1

    def rows(self, tracks: DoubleArray, mix: DoubleArray) -> tuple[Block, ...]:
        """Tracks (sides, tracks, frames) and mix (sides, frames), unchanged."""
        return ((tracks, mix),)


class Spectra:
    """Magnitudes and powers of spectra under a Hann window, half overlapping; a spectrum counts where it ends."""

    sets: Final = 2

    def __init__(self, sample_rate: int) -> None:
        self.length = 1 << round(np.log2(_SUBFRAME_S * sample_rate))
        self._hop = self.length // 2
        self._window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self.length) / self.length)).astype(
            np.float32
        )
        self._held: tuple[DoubleArray, DoubleArray] | None = None

    def rows(self, tracks: DoubleArray, mix: DoubleArray) -> tuple[Block, ...]:
        """Magnitudes and powers, each (sides, tracks, rows) and (sides, rows)."""
        u, v = self._joined(tracks, mix)
        u, v = self._magnitudes(u), self._magnitudes(v)
        return (u, v), (np.square(u), np.square(v))

    def _joined(self, tracks: DoubleArray, mix: DoubleArray) -> Block:
        """What was held back before, with the new block; what does not fill a hop is held back again."""
        if self._held is None:
            self._held = (np.zeros((*tracks.shape[:2], self._hop)), np.zeros((len(mix), self._hop)))
        u = np.concatenate((self._held[0], tracks), axis=-1)
        v = np.concatenate((self._held[1], mix), axis=-1)
        done = max((u.shape[-1] - self.length) // self._hop + 1, 0) * self._hop
        self._held = (u[..., done:], v[..., done:])
        return u, v

    def _magnitudes(self, samples: DoubleArray) -> DoubleArray:
        """Magnitudes of all whole spectra, laid in one row."""
        if samples.shape[-1] < self.length:
            return np.zeros((*samples.shape[:-1], 0))
        views = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), self.length, axis=-1)
        spectra = np.abs(np.fft.rfft(views[..., :: self._hop, :] * self._window))
        return spectra.reshape(*samples.shape[:-1], -1).astype(np.float64)


def collect(blocks: Iterable[Block], domain: Waveform | Spectra) -> list[Equations]:
    """One `Equations` per set of the domain (samples; or magnitudes and powers)."""
    parts: list[list[Equations]] = [[] for _ in range(domain.sets)]
    for tracks, mix in blocks:
        energies = np.sum(np.square(tracks), axis=-1), np.sum(np.square(mix), axis=-1)
        for part, rows in zip(parts, domain.rows(tracks, mix), strict=True):
            part.append(_equations_of(*rows, *energies))
    return [_joined(part) for part in parts]


def _equations_of(u: DoubleArray, v: DoubleArray, tracks: DoubleArray, sounding: DoubleArray) -> Equations:
    """Equations of one stretch; energies (sides, tracks) and (sides,) are those of the samples."""
    gram = u @ np.swapaxes(u, -1, -2)
    cross = np.einsum("ckn,cn->ck", np.broadcast_to(u, (len(v), *u.shape[1:])), v)
    energy = np.sum(np.square(v), axis=-1)
    return Equations(gram[None], cross[None], energy[None], tracks[None], sounding[None], u.shape[-1])


def _joined(parts: Sequence[Equations]) -> Equations:
    def along(name: str) -> DoubleArray:
        return np.concatenate([getattr(part, name) for part in parts])

    return Equations(
        gram=along("gram"), cross=along("cross"), mix=along("mix"), tracks=along("tracks"),
        sounding=along("sounding"), size=max(part.size for part in parts),
    )  # fmt: skip

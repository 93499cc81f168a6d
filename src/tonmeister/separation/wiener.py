"""The multichannel Wiener filter: estimates of the tracks refined by where they come from.

Each track j is a source with a power v_j(f, t) and a place, the spatial covariance R_j(f); the mixture's covariance is
C(f, t) = sum_j v_j R_j. One round of expectation and maximization::

    v_j(f, t) = |y_j(f, t)|^2 / channels
    R_j(f)    = sum_t y_j y_j^H / sum_t v_j
    y_j(f, t) = v_j R_j C^-1 x

Duong, Vincent & Gribonval, IEEE TASLP 18(7), 2010; Nugraha, Liutkus & Vincent, IEEE/ACM TASLP 24(9), 2016. The tracks
come out adding up to the mixture; what belongs to none is a source of its own in between.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.separation.base import Spectrum
from tonmeister.units import ComplexArray, DoubleArray

__all__ = ["BLOCK_FRAMES", "wiener"]

BLOCK_FRAMES: Final = 300
"""Spectra over which a source is taken to stay at its place."""
_FLOOR: Final = 1e-5
"""Of the mixture's mean power, added to the diagonal so that every covariance can be inverted."""


def wiener(estimates: Spectrum, mixture: Spectrum, rounds: int = 1) -> Spectrum:
    """Refined (tracks, channels, bins, frames) of a mixture (channels, bins, frames), for one block of spectra."""
    if rounds == 0 or not mixture.any():
        return estimates
    rest = mixture - estimates.sum(axis=0)
    sources = np.concatenate([estimates, rest[None]]).transpose(0, 2, 3, 1).astype(np.complex128)
    x = mixture.transpose(1, 2, 0).astype(np.complex128)
    floor = _FLOOR * float(np.mean(np.abs(x) ** 2)) * np.eye(x.shape[-1])
    for _ in range(rounds):
        sources = _round(sources, x, floor)
    return np.ascontiguousarray(sources[:-1].transpose(0, 3, 1, 2).astype(np.complex64))


def _round(sources: ComplexArray, x: ComplexArray, floor: DoubleArray) -> ComplexArray:
    """Sources (tracks, bins, frames, channels) after one round."""
    power = np.mean(np.abs(sources) ** 2, axis=-1)
    places = np.einsum("jftc,jftd->jfcd", sources, sources.conj())
    places /= np.maximum(power.sum(axis=-1), 1e-30)[..., None, None]
    covariance = np.einsum("jft,jfcd->ftcd", power, places) + floor
    whitened = np.linalg.solve(covariance, x[..., None])[..., 0]
    return np.asarray(power[..., None] * np.einsum("jfcd,ftd->jftc", places, whitened))

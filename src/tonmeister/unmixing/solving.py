"""Least squares from normal equations, many small problems at once, with and without the bound at zero.

Columns are scaled to unit length first, so that the small ridge means the same for loud and quiet tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray
from tonmeister.unmixing.equations import Equations

__all__ = ["ALIKE", "Fit", "alike", "fit", "least_squares", "nonnegative", "whole_song"]

BoolArray = NDArray[np.bool_]

RIDGE: Final = 1e-9
ALIKE: Final = 0.98
"""Cosine of two columns above which their gains cannot be told apart."""
ALIKE_RIDGE: Final = 0.01
"""Pull of such tracks towards their gains over the whole song."""
_PATIENCE: Final = 3
_MOST_EXCHANGES: Final = 10
"""Per track: far more than are ever needed, so that rounding cannot make it go on for ever."""
_SLACK: Final = 1e-12
_ROUNDS: Final = 4
_OUTLYING: Final = 2.0
"""A stretch counts less when its residual is this many times the median (Huber's weights)."""
_CHUNK: Final = 256
"""Stretches solved at once."""


@dataclass(frozen=True)
class Fit:
    """Gains of stretches of time; shapes (stretches, sides, tracks), NaN where a track is inactive."""

    gains: DoubleArray
    variance: DoubleArray
    """Variance of the gains from the residual, were all rows independent."""
    residual: DoubleArray
    """Energy that is left, (stretches, sides), in the mode's own domain."""


def least_squares(gram: DoubleArray, cross: DoubleArray, active: BoolArray, pull: DoubleArray) -> DoubleArray:
    """Minimize x'(G + pull)x - 2b'x over the active entries; the others are 0.

    gram (n, K, K), cross (n, K), active (n, K), pull (K,); columns of unit length.
    """
    right = np.where(active, cross, 0.0)
    return np.asarray(np.linalg.solve(_matrix(gram, active, pull), right[..., None])[..., 0])


def _matrix(gram: DoubleArray, active: BoolArray, pull: DoubleArray) -> DoubleArray:
    """G + ridge + pull among the active entries, the identity elsewhere."""
    both = active[:, :, None] & active[:, None, :]
    diagonal = np.where(active, RIDGE + pull, 1.0)
    return np.where(both, gram, 0.0) + np.eye(gram.shape[-1]) * diagonal[:, None, :]


def nonnegative(gram: DoubleArray, cross: DoubleArray, active: BoolArray, pull: DoubleArray) -> DoubleArray:
    """The same with all x >= 0, by exchanging whole blocks of the free set until none is infeasible.

    Block principal pivoting with single exchanges as the way out of cycles (Judice and Pires 1994; Kim and Park,
    SIAM J. Sci. Comput. 33(6), 2011).
    """
    free = active.copy()
    fewest = np.full(len(cross), gram.shape[-1] + 1)
    patience = np.full(len(cross), _PATIENCE)
    todo = np.arange(len(cross))
    x = np.zeros_like(cross)
    for _ in range(_MOST_EXCHANGES * (gram.shape[-1] + 1)):
        x[todo] = least_squares(gram[todo], cross[todo], free[todo], pull)
        wrong = _infeasible(gram[todo], cross[todo], x[todo], free[todo], active[todo], pull)
        count = wrong.sum(axis=1)
        patience[todo] = np.where(count < fewest[todo], _PATIENCE, patience[todo] - 1)
        fewest[todo] = np.minimum(fewest[todo], count)
        exchanged = np.where((patience[todo] < 0)[:, None], _last_of(wrong), wrong)
        free[todo] ^= exchanged
        todo = todo[count > 0]
        if not len(todo):
            break
    return np.maximum(x, 0.0)


def _infeasible(
    gram: DoubleArray, cross: DoubleArray, x: DoubleArray, free: BoolArray, active: BoolArray, pull: DoubleArray
) -> BoolArray:  # fmt: skip
    """Free entries below zero, and bound ones that would do better above it."""
    slope = np.einsum("nkl,nl->nk", gram, x) + (RIDGE + pull) * x - cross
    tolerance = _SLACK * np.abs(cross).max(axis=1, keepdims=True)
    below = x < -_SLACK * np.abs(x).max(axis=1, keepdims=True)
    wrong: BoolArray = np.where(free, below, active & (slope < -tolerance))
    return wrong


def _last_of(wrong: BoolArray) -> BoolArray:
    """Of each row's true entries only the last."""
    last: BoolArray = wrong & (np.cumsum(wrong[:, ::-1], axis=1)[:, ::-1] == 1)
    return last


def fit(
    equations: Equations, active: BoolArray, *, bounded: bool, prior: DoubleArray | None = None,
    pulled: BoolArray | None = None,
) -> Fit:  # fmt: skip
    """Solve every stretch for the tracks `active` (stretches, 1 or sides, tracks) in it.

    `prior` (sides, tracks) draws those `pulled` (tracks,) towards it.
    """
    shape = equations.cross.shape
    active = np.broadcast_to(active, shape)
    gains, variance = np.full(shape, np.nan), np.full(shape, np.nan)
    residual = np.zeros(shape[:2])
    for side in range(shape[1]):
        towards = np.zeros(shape[2]) if prior is None else np.nan_to_num(prior[side])
        pull = np.zeros(shape[2]) if pulled is None else np.where(pulled, ALIKE_RIDGE, 0.0)
        for start in range(0, shape[0], _CHUNK):
            part = slice(start, start + _CHUNK)
            gram = equations.gram[part, min(side, equations.gram.shape[1] - 1)]
            one = _fit_side(
                gram, equations.cross[part, side], equations.mix[part, side], active[part, side],
                towards, pull, equations.size, bounded,
            )  # fmt: skip
            gains[part, side], variance[part, side], residual[part, side] = one
    return Fit(gains, variance, residual)


def _fit_side(
    gram: DoubleArray, cross: DoubleArray, mix: DoubleArray, active: BoolArray,
    prior: DoubleArray, pull: DoubleArray, size: int, bounded: bool,
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:  # fmt: skip
    lengths = np.sqrt(np.einsum("nkk->nk", gram))
    active = active & (lengths > 0)
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=active)
    unit = gram * scale[:, :, None] * scale[:, None, :]
    cross_unit = cross * scale + pull * prior * lengths  # pull |x - prior|^2 adds pull * prior to the right
    solve = nonnegative if bounded else least_squares
    x = solve(unit, cross_unit, active, pull) * scale
    left = mix - 2.0 * np.einsum("nk,nk->n", x, cross) + np.einsum("nk,nkl,nl->n", x, gram, x)
    left = np.maximum(left, 0.0)
    spread = np.einsum("nkk->nk", np.linalg.inv(_matrix(unit, active, pull))) * scale**2
    noise = left / np.maximum(size - active.sum(axis=1), 1)
    return np.where(active, x, np.nan), np.where(active, spread * noise[:, None], np.nan), left


def whole_song(equations: Equations, ever: BoolArray, *, bounded: bool) -> DoubleArray:
    """Gains (sides, tracks) that hold for the whole song, NaN for a track that is never active (`ever`, same shape).

    Stretches that fit badly, such as those where a track is moved, count less: least squares are solved anew with
    Huber's weights of the relative residuals.
    """
    weights = np.ones(equations.stretches)
    for _ in range(_ROUNDS):
        gains: DoubleArray = fit(equations.weighted(weights), ever[None], bounded=bounded).gains[0]
        left = _relative_residual(equations, np.nan_to_num(gains))
        known = np.isfinite(left)
        if not known.any():
            break
        outlying = np.maximum(left, 1e-30) / max(_OUTLYING * float(np.median(left[known])), 1e-30)
        weights = np.where(known, np.minimum(1.0, 1.0 / outlying), 0.0)
    return np.asarray(gains)


def _relative_residual(equations: Equations, gains: DoubleArray) -> DoubleArray:
    """Residual over mix energy of every stretch under fixed gains; NaN where the mix is silent."""
    gram = np.broadcast_to(equations.gram, (*equations.cross.shape, equations.cross.shape[-1]))
    left = equations.mix.sum(axis=1) - 2.0 * np.einsum("tck,ck->t", equations.cross, gains)
    left += np.einsum("ck,tckl,cl->t", gains, gram, gains)
    energy = equations.mix.sum(axis=1)
    return np.asarray(
        np.divide(np.maximum(left, 0.0), energy, out=np.full(len(energy), np.nan), where=energy > 0)
    )


def alike(equations: Equations) -> list[tuple[int, int]]:
    """Pairs of tracks whose columns point the same way over the whole song on every side."""
    gram = equations.gram.sum(axis=0)
    lengths = np.sqrt(np.einsum("ckk->ck", gram))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    cosines = np.abs(gram * scale[:, :, None] * scale[:, None, :]).min(axis=0)
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(cosines > ALIKE, 1)), strict=True)]

"""Which features each group needs: greedy forward selection by the error on songs left out.

One feature at a time is added that lowers most the error of a ridge regression on songs it has not seen, until the next
would lower it by less than 3 %. Sums of squares and products per song say everything, so that no frame is looked at
twice: with G, c, q the centered moments of all other songs and G', c', q' those of the song left out,

    b = (G + ridge n diag G / n)^-1 c          error = q' - 2 b c' + b G' b
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.dynamical.frames import FEATURES, KINDS, MENU, column_names
from tonmeister.training.dynamical.learning import TrainingSong
from tonmeister.units import DoubleArray

__all__ = ["menu_columns", "on_menu", "selected"]

MOST: Final = 6
LEAST_GAIN: Final = 0.03
_TINY: Final = 1e-9


def menu_columns(groups: Sequence[str]) -> tuple[str, ...]:
    """All features of `frames.MENU` of each group, of all but it, and of the one against the other."""
    return column_names(groups, "+".join(KINDS), MENU)


def on_menu(columns: Sequence[str], groups: Sequence[str]) -> NDArray[np.bool_]:
    """Which column a group may choose, shape (M, K): all of its own, and the papers' features of the other groups.

    With everything open to everyone the search finds chance: 210 columns and two dozen songs.
    """
    parts = [column.split(":") for column in columns]
    return np.array([[g == k or (kind == "own" and f in FEATURES) for k in groups] for g, kind, f in parts])


def selected(
    songs: Sequence[TrainingSong], ridge: float, menu: NDArray[np.bool_], *, most: int = MOST
) -> NDArray[np.bool_]:
    """The features (M,) of the `menu` (M, K) that each group (K,) is forecast from; shape (M, K).

    A group that fewer than two songs have needs none.
    """
    neutral = _column_means(np.concatenate([s.features for s in songs]))
    filled = [np.where(np.isfinite(s.features), s.features, neutral) for s in songs]
    chosen = np.zeros(menu.shape, bool)
    for k in range(menu.shape[1]):
        open_to = np.flatnonzero(menu[:, k])
        rows = zip(filled, songs, strict=True)
        folds = _Folds.of([(y[:, open_to], s.weights[:, k], s.artist or s.title) for y, s in rows])
        if folds is not None:
            chosen[open_to[_greedy(folds, ridge, most)], k] = True
    return chosen


def _greedy(folds: _Folds, ridge: float, most: int) -> list[int]:
    kept: list[int] = []
    best = folds.error_of_mean()
    while len(kept) < min(most, folds.width):
        candidates = np.setdiff1d(np.arange(folds.width), kept)
        errors = folds.errors(
            np.column_stack((np.tile(kept, (len(candidates), 1)), candidates)).astype(int), ridge
        )
        at = int(np.argmin(errors))
        if not errors[at] < (1.0 - LEAST_GAIN) * best:
            break
        best = float(errors[at])
        kept.append(int(candidates[at]))
    return kept


@dataclass(frozen=True, eq=False)
class _Folds:
    """Moments of one group's weights and all features, per song left out; centered at the mean of the others."""

    counts: DoubleArray
    """Frames of the others, shape (folds,)."""
    gram: DoubleArray
    """Of the others, shape (folds, M, M)."""
    cross: DoubleArray
    """Shape (folds, M)."""
    left_gram: DoubleArray
    left_cross: DoubleArray
    left_square: DoubleArray
    """Of the song left out, shape (folds,)."""
    frames: float

    @classmethod
    def of(cls, songs: Sequence[tuple[DoubleArray, DoubleArray, str]]) -> _Folds | None:
        """None where fewer than two songs have the group."""
        rows = [(np.column_stack((np.ones(len(y)), y, x))[np.isfinite(x)], artist) for y, x, artist in songs]
        rows = [(row, artist) for row, artist in rows if len(row)]
        artists = sorted({artist for _, artist in rows})
        if len(artists) < 2:
            return None
        moments = np.array([sum(row.T @ row for row, a in rows if a == artist) for artist in artists])
        others = moments.sum(0) - moments
        mean = others[:, 0] / others[:, :1, 0]
        other, left = (_centered(m, mean) for m in (others, moments))
        return cls(
            others[:, 0, 0], other[:, :-1, :-1], other[:, :-1, -1],
            left[:, :-1, :-1], left[:, :-1, -1], left[:, -1, -1], float(moments[:, 0, 0].sum()),
        )  # fmt: skip

    @property
    def width(self) -> int:
        """How many features there are to choose from."""
        return int(self.gram.shape[1])

    def error_of_mean(self) -> float:
        return float(self.left_square.sum()) / self.frames

    def errors(self, subsets: NDArray[np.int_], ridge: float) -> DoubleArray:
        """Mean squared error of each subset of features; subsets (n, size), result (n,)."""
        rows, columns = subsets[:, :, None], subsets[:, None, :]
        gram, left = self.gram[:, rows, columns], self.left_gram[:, rows, columns]
        spread = np.diagonal(gram, axis1=-2, axis2=-1)
        penalty = ridge * np.maximum(spread, _TINY * self.counts[:, None, None])
        gram = gram + penalty[..., None] * np.eye(subsets.shape[1])
        slopes = np.linalg.solve(gram, self.cross[:, subsets][..., None])[..., 0]
        missed = np.einsum("fns,fns->fn", slopes, self.left_cross[:, subsets])
        spent = np.einsum("fns,fnst,fnt->fn", slopes, left, slopes)
        return np.asarray((self.left_square[:, None] - 2.0 * missed + spent).sum(0) / self.frames)


def _centered(moments: DoubleArray, mean: DoubleArray) -> DoubleArray:
    """Moments about `mean` (folds, M + 2) of moments about zero whose first row and column are sums."""
    sums, count = moments[:, 0], moments[:, 0, 0]
    about = (
        moments - mean[:, :, None] * sums[:, None, :] - sums[:, :, None] * mean[:, None, :]
        + count[:, None, None] * mean[:, :, None] * mean[:, None, :]
    )  # fmt: skip
    return np.asarray(about[:, 1:, 1:])


def _column_means(values: DoubleArray) -> DoubleArray:
    counts = np.isfinite(values).sum(0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), 0.0)

"""One mode's answer, before smoothing: gains of every frame and of the whole song, polarity, residual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray, db_to_gain, db_to_power
from tonmeister.unmixing.equations import Equations
from tonmeister.unmixing.readout import Sides
from tonmeister.unmixing.result import FLOOR_DB
from tonmeister.unmixing.solving import alike, fit, whole_song

__all__ = ["Solution", "solve_mode"]

BoolArray = NDArray[np.bool_]

SILENT_POWER: Final = 1e-10
"""-100 dB re full scale: quieter frames are never active."""
LOUD_PERCENTILE: Final = 95.0
BEYOND_CHANCE: Final = 4.0
"""Standard errors."""
ONE_SIDED: Final = 1e-6
"""A side this much weaker (in energy) than the other one says nothing about the track."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What one mode found."""

    mode: str
    windows: Equations
    sides: Sides
    """Gains (frames, sides, tracks), NaN where a track is inactive or the mix does not reach."""
    static: DoubleArray
    """Over the whole song, (sides, tracks)."""
    opposite: BoolArray
    """Tracks whose polarity differs from the others', (tracks,)."""
    inverted: bool
    residual: DoubleArray
    """Share of the mix's energy in each frame that is left."""
    share: float
    """The same over the whole song."""
    alike: Sequence[tuple[int, int]]


def solve_mode(
    mode: str, blocks: Equations, covered: BoolArray, *, overlap: int, activity_db: float, inverted: bool
) -> Solution:
    """Solve windows of `overlap` blocks each, where the mix covers them (`covered`, one per block).

    Raises `BadInputError` when there is no such window, or no track is active in any.
    """
    valid = np.asarray(np.lib.stride_tricks.sliding_window_view(covered, overlap).all(axis=1))
    if not valid.any():
        raise BadInputError(
            "the mix covers no stretch of the tracks: check that it is their mix, and --delay"
        )
    windows = blocks.summed(overlap)
    active = _active(windows, activity_db) & valid[:, None, None]
    if not active.any():
        raise BadInputError("every track is silent where the mix is: check the export")
    bounded = mode != "coherent"
    blocks = blocks.mapped(lambda values: values[covered])
    static = whole_song(blocks, np.asarray(active.any(axis=0)), bounded=bounded)
    opposite = np.zeros(static.shape[1], bool)
    if not bounded:
        inverted, opposite = _polarity(static, blocks)
        opposite &= _surely_negative(windows.mapped(lambda v: v[::overlap]), active[::overlap], inverted)
        signs = np.where(opposite ^ inverted, -1.0, 1.0)
        blocks, windows, static = blocks.turned(signs), windows.turned(signs), static * signs
    pairs = alike(blocks)
    pulled = np.isin(np.arange(static.shape[1]), np.asarray(pairs, int).ravel())
    found = fit(windows, active, bounded=bounded, prior=static, pulled=pulled)
    residual, share = _residual(windows, found.residual, valid)
    sides, static = Sides(found.gains, found.variance), np.maximum(static, 0.0)
    if mode == "power":
        sides, static = _rooted(sides), np.sqrt(static)
    return Solution(mode, windows, sides, static, opposite, inverted, residual, share, pairs)


def _active(windows: Equations, activity_db: float) -> BoolArray:
    """Which side of which track says something in which frame, (frames, sides, tracks)."""
    energy = windows.tracks.sum(axis=1)
    audible = energy > SILENT_POWER * windows.size * windows.tracks.shape[1]
    active = audible & (energy > db_to_power(activity_db) * _loud(energy, audible))
    sided = windows.tracks > ONE_SIDED * energy[:, None, :]
    return np.broadcast_to(active[:, None, :] & sided, windows.cross.shape)


def _loud(energy: DoubleArray, audible: BoolArray) -> DoubleArray:
    """What each track reaches in its loud frames, (tracks,); infinite where it is silent."""
    pairs = zip(energy.T, audible.T, strict=True)
    return np.array([np.percentile(e[a], LOUD_PERCENTILE) if a.any() else np.inf for e, a in pairs])


def _polarity(static: DoubleArray, blocks: Equations) -> tuple[bool, BoolArray]:
    """Whether most of what the tracks add up to is inverted, and which tracks stand against that."""
    gains = np.nan_to_num(static)
    energy = np.einsum("tckk->ck", blocks.gram)
    pushed = np.sum(np.sign(gains) * np.square(gains) * energy, axis=0)
    inverted = bool(pushed.sum() < 0)
    heard = np.abs(gains).max(axis=0) > db_to_gain(FLOOR_DB)
    return inverted, np.asarray(heard & ((pushed < 0) != inverted) & (pushed != 0))


def _surely_negative(windows: Equations, active: BoolArray, inverted: bool) -> BoolArray:
    """Tracks whose gains in separate windows are negative beyond chance, with the polarity of the mix taken out."""
    gains = fit(windows, active, bounded=False).gains * (-1.0 if inverted else 1.0)
    gains = gains.reshape(-1, gains.shape[-1])
    count = np.maximum((~np.isnan(gains)).sum(axis=0), 1)
    mean = np.nansum(gains, axis=0) / count
    spread = np.sqrt(np.nansum(np.square(gains - mean), axis=0) / count)
    return np.asarray(mean < -BEYOND_CHANCE * spread / np.sqrt(count))


def _residual(windows: Equations, left: DoubleArray, valid: BoolArray) -> tuple[DoubleArray, float]:
    energy = np.where(valid, windows.mix.sum(axis=1), 0.0)
    left = np.where(valid, left.sum(axis=1), 0.0)
    total = float(energy.sum())
    share = np.divide(left, energy, out=np.full(len(left), np.nan), where=energy > 0)
    return share, float(left.sum()) / total if total > 0 else 1.0


def _rooted(sides: Sides) -> Sides:
    """Gains from gains of power: the square root and, to first order, its variance."""
    sd = np.sqrt(sides.variance)
    safe = np.maximum(np.maximum(sides.gains, sd), 1e-30)
    return Sides(np.sqrt(sides.gains), sides.variance / (4.0 * safe))

"""What the system observes: a few numbers per group and window of one second, from band powers.

With P_b the power in third octave b (center f_b) of a group, and a_b = sqrt(P_b) its amplitude:

    level    = 10 log10 sum P_b                              (dB)
    centroid = sum f_b a_b / sum a_b, as log2                (octaves)
    slope    = least-squares line through 20 log10 a_b over log2 f_b   (dB per octave)

The features of the papers (RMS, spectral centroid, spectral slope), in units in which equal steps sound equal. Powers
of the tracks of a group add. A group without sound has NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["ACTIVE_DB", "FEATURES", "LAYOUTS", "Layout", "describe", "group_powers", "kinds", "observations"]

FEATURES: Final = ("level", "centroid", "slope")
ACTIVE_DB: Final = -40.0
"""Below its loud frames (95th percentile) by more than this a group is taken as silent."""
_FLOOR: Final = 1e-9
"""Power (-90 dB) below which nothing sounds."""
_OCTAVES: Final = np.log2(exact_centers_hz(3))
Layout = Literal["own", "others", "ratio", "own+others"]
LAYOUTS: Final[tuple[Layout, ...]] = ("own", "others", "ratio", "own+others")


def kinds(layout: str) -> int:
    """How many kinds of features a layout puts side by side."""
    return len(layout.split("+"))


def group_powers(
    band_frames: Mapping[str, FloatArray], groups: Mapping[str, Sequence[str]], gains_db: Mapping[str, float]
) -> DoubleArray:
    """Band powers of each group of tracks, each track at its gain; shape (groups, windows, 30)."""
    windows = max((len(frames) for frames in band_frames.values()), default=0)
    powers = np.zeros((len(groups), windows, len(_OCTAVES)))
    for row, names in zip(powers, groups.values(), strict=True):
        for name in names:
            frames = band_frames[name]
            row[: len(frames)] += frames * 10.0 ** (gains_db.get(name, 0.0) / 10.0)
    return powers


def describe(powers: DoubleArray) -> DoubleArray:
    """Level, centroid and slope of band powers (..., 30); shape (..., 3), NaN in silence."""
    total = powers.sum(-1)
    sounds = total > _FLOOR
    amplitude = np.sqrt(powers)
    level = 10.0 * np.log10(np.maximum(total, _FLOOR))
    weight = np.maximum(amplitude.sum(-1), 1e-12)
    centroid = np.log2(np.maximum((amplitude * 2.0**_OCTAVES).sum(-1) / weight, 1.0))
    decibels = 10.0 * np.log10(np.maximum(powers, _FLOOR * 1e-3))
    x = _OCTAVES - _OCTAVES.mean()
    slope = ((decibels - decibels.mean(-1, keepdims=True)) * x).sum(-1) / float(x @ x)
    return np.where(sounds[..., None], np.stack((level, centroid, slope), -1), np.nan)


def observations(powers: DoubleArray, layout: Layout) -> tuple[DoubleArray, tuple[str, ...]]:
    """Features of all groups side by side, (windows, M), and a name for each column's kind and feature.

    `own` looks at each group, `others` at the sum of all other groups, `ratio` at own minus others.
    """
    own = describe(powers)
    others = describe(np.maximum(powers.sum(0)[None] - powers, 0.0))
    parts = {"own": own, "others": others, "ratio": own - others}
    used = layout.split("+")
    columns = [
        parts[kind][g, :, f] for g in range(len(powers)) for kind in used for f in range(len(FEATURES))
    ]
    names = tuple(f"{g}:{kind}:{f}" for g in range(len(powers)) for kind in used for f in FEATURES)
    return np.array(columns).T.reshape(powers.shape[1], len(names)), names


def active(powers: DoubleArray) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which group sounds in which window; shape (windows, groups)."""
    level = 10.0 * np.log10(np.maximum(powers.sum(-1), 1e-20))
    loud = np.array([np.percentile(row[row > -90.0], 95) if (row > -90.0).any() else np.inf for row in level])
    return np.asarray((level > np.maximum(loud[:, None] + ACTIVE_DB, -90.0)).T)

"""What the system observes: a few numbers per group and window of one second, from band powers.

With P_b the power in third octave b (center f_b, o_b = log2 f_b) of a group, a_b = sqrt(P_b) its amplitude and
L_b = 10 log10 P_b (at least 60 dB below the sum):

    level     = 10 log10 sum P_b                             (dB)
    centroid  = log2 (sum f_b a_b / sum a_b)                 (octaves)
    slope     = least-squares line through L_b over o_b      (dB per octave)
    spread    = sqrt(sum (o_b - mean)^2 a_b / sum a_b)       (octaves)
    rolloff   = octave below which 85 % of the power lies
    crossings = log2 (2 sqrt(sum f_b^2 P_b / sum P_b))       (zero crossings per second; S. O. Rice, 1945)
    crest     = max L_b - level                              (dB)
    flatness  = mean L_b - 10 log10 mean P_b                 (dB)
    contrast  = mean over octaves of max L_b - min L_b       (dB)
    flux      = root mean square of L_b minus that of the window before   (dB)
    cepstrum2 to cepstrum5 = cosine transform of L_b: the shape of the spectrum beyond its slope

The first three are the features of the papers (RMS, spectral centroid, spectral slope), in units in which equal steps
sound equal; the others are the menu that a recipe selects from. Powers of the tracks of a group add. A group that does
not sound has NaN: its features are missing, not low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "ACTIVE_DB",
    "FEATURES",
    "KINDS",
    "MENU",
    "Layout",
    "active",
    "column_names",
    "describe",
    "group_powers",
    "is_column",
    "observations",
]

FEATURES: Final = ("level", "centroid", "slope")
MENU: Final = (
    *FEATURES, "spread", "rolloff", "crossings", "crest", "flatness", "contrast", "flux",
    "cepstrum2", "cepstrum3", "cepstrum4", "cepstrum5",
)  # fmt: skip
KINDS: Final = ("own", "others", "ratio")
"""Of the group, of the sum of all other groups, the one minus the other."""
Layout = Literal["own", "others", "ratio", "own+others"]
ACTIVE_DB: Final = -40.0
"""Below its loud frames (95th percentile) by more than this a group is taken as silent."""
_FLOOR: Final = 1e-9
"""Power (-90 dB) below which nothing sounds."""
_BAND_FLOOR: Final = 1e-6
_CENTERS_HZ: Final = exact_centers_hz(3)
_OCTAVES: Final = np.log2(_CENTERS_HZ)
_LINE: Final = _OCTAVES - _OCTAVES.mean()
_BANDS: Final = len(_OCTAVES)
_COSINES: Final = np.cos(np.pi * np.outer(np.arange(2, 6), np.arange(_BANDS) + 0.5) / _BANDS) / _BANDS


def group_powers(
    band_frames: Mapping[str, FloatArray], groups: Mapping[str, Sequence[str]], gains_db: Mapping[str, float]
) -> DoubleArray:
    """Band powers of each group of tracks, each track at its gain; shape (groups, windows, 30)."""
    windows = max((len(frames) for frames in band_frames.values()), default=0)
    powers = np.zeros((len(groups), windows, _BANDS))
    for row, names in zip(powers, groups.values(), strict=True):
        for name in names:
            frames = band_frames[name]
            row[: len(frames)] += frames * 10.0 ** (gains_db.get(name, 0.0) / 10.0)
    return powers


def describe(powers: DoubleArray) -> DoubleArray:
    """The features of `MENU` of band powers (..., windows, 30); shape (..., windows, 14), NaN in silence."""
    total = powers.sum(-1)
    whole = np.maximum(total, _FLOOR)[..., None]
    amplitude = np.sqrt(powers)
    share = amplitude / np.maximum(amplitude.sum(-1, keepdims=True), 1e-12)
    band_db = 10.0 * np.log10(np.maximum(powers, _BAND_FLOOR * whole))
    level = 10.0 * np.log10(whole[..., 0])
    octave = share @ _OCTAVES
    octaves_db = band_db.reshape(*band_db.shape[:-1], -1, 3)
    found = {
        "level": level,
        "centroid": np.log2(np.maximum(share @ _CENTERS_HZ, 1.0)),
        "slope": band_db @ _LINE / float(_LINE @ _LINE),
        "spread": np.sqrt(np.maximum((share * (_OCTAVES - octave[..., None]) ** 2).sum(-1), 0.0)),
        "rolloff": _OCTAVES[np.argmax(np.cumsum(powers, -1) >= 0.85 * total[..., None], -1)],
        "crossings": np.log2(np.maximum(2.0 * np.sqrt((powers / whole) @ _CENTERS_HZ**2), 1.0)),
        "crest": band_db.max(-1) - level,
        "flatness": band_db.mean(-1) - level + 10.0 * np.log10(_BANDS),
        "contrast": (octaves_db.max(-1) - octaves_db.min(-1)).mean(-1),
        "flux": _flux(band_db),
        **{f"cepstrum{i + 2}": values for i, values in enumerate(np.moveaxis(band_db @ _COSINES.T, -1, 0))},
    }
    return np.where((total > _FLOOR)[..., None], np.stack([found[name] for name in MENU], -1), np.nan)


def _flux(band_db: DoubleArray) -> DoubleArray:
    """Root mean square change since the window before; NaN in the first."""
    change = np.full(band_db.shape[:-1], np.nan)
    change[..., 1:] = np.sqrt((np.diff(band_db, axis=-2) ** 2).mean(-1))
    return change


def column_names(
    groups: Sequence[str], layout: str = "own", features: Sequence[str] = FEATURES
) -> tuple[str, ...]:
    """``group:kind:feature`` for every group, every kind of the layout (joined by +) and every feature."""
    return tuple(f"{g}:{kind}:{f}" for g in groups for kind in layout.split("+") for f in features)


def is_column(name: str, groups: Sequence[str]) -> bool:
    """Whether `name` is a column that `observations` knows."""
    group, _, rest = name.partition(":")
    kind, _, feature = rest.partition(":")
    return group in groups and kind in KINDS and feature in MENU


def observations(powers: DoubleArray, groups: Sequence[str], columns: Sequence[str]) -> DoubleArray:
    """The `columns` of band powers (groups, windows, 30), shape (windows, M); NaN where a group does not sound."""
    sounds = active(powers).T
    own = np.where(sounds[..., None], describe(powers), np.nan)
    rest = np.where(sounds[..., None], powers, 0.0)
    others = describe(np.maximum(rest.sum(0)[None] - rest, 0.0))
    parts = {"own": own, "others": others, "ratio": own - others}
    found = np.full((powers.shape[1], len(columns)), np.nan)
    for i, column in enumerate(columns):
        group, kind, feature = column.split(":")
        found[:, i] = parts[kind][groups.index(group), :, MENU.index(feature)]
    return found


def active(powers: DoubleArray) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which group sounds in which window; shape (windows, groups)."""
    level = 10.0 * np.log10(np.maximum(powers.sum(-1), 1e-20))
    loud = np.array([np.percentile(row[row > -90.0], 95) if (row > -90.0).any() else np.inf for row in level])
    return np.asarray((level > np.maximum(loud[:, None] + ACTIVE_DB, -90.0)).T)

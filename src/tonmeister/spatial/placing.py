"""Where the two channels of a strip go: gains of every loudspeaker, by vector base panning.

A source at direction p sounds from the loudspeakers around it, whose unit vectors l_i are the corners of a face of the
layout's hull: pairs in one layer, triplets with height (Pulkki 1997). Powers, not amplitudes, solve the equation::

    p = sum_i g_i^2 l_i

so that the energy vector points at p (vector base intensity panning; Pernaux, Boussard & Jot 1998). Amplitudes, the
original, leave it up to 20 degrees beside p where loudspeakers are far apart, as 30 and 110 degrees are.

The left channel of a strip goes to ``azimuth + spread / 2``, the right one to ``azimuth - spread / 2``; with azimuth 0
and spread 60 they stay where stereo has them. What both have in common, m = (L + R) / 2, moves to the center by the share
d::

    C = sqrt(2) d m,   L - d m,   R - d m           Lo = L - d m + k C = L for every d, k = 0.7071

Gains are scaled so that each channel keeps its level in the stereo downmix. In ``exact`` mode each channel stays on its
own side, where sum_j k_j w_j = 1: the downmix is the stereo strip itself. In ``free`` mode it goes wherever it is sent.
Source: the algebra is our own; checked by test.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from tonmeister.spatial.layouts import Layout, direction
from tonmeister.strip import Place
from tonmeister.units import DoubleArray

__all__ = ["MODES", "Mode", "center_share", "channel_gains", "direction_gains", "placement"]

Mode = Literal["exact", "free"]
MODES: Final[Sequence[Mode]] = ("exact", "free")
_ALMOST: Final = 1e-9


def direction_gains(layout: Layout, azimuth_deg: float, elevation_deg: float = 0.0) -> DoubleArray:
    """Gains (channels,) of a source at a direction, their squares adding up to one.

    Directions that the layout does not enclose (below it, above a single layer, behind stereo) come from the nearest
    place that it has.
    """
    powers = (
        _of_faces(layout, direction(azimuth_deg, max(elevation_deg, 0.0)))
        if any(s.elevation_deg for s in layout.speakers)
        else _of_pairs(layout, azimuth_deg)
    )
    return np.asarray(np.sqrt(powers / powers.sum()))


def _of_faces(layout: Layout, wanted: DoubleArray) -> DoubleArray:
    """3-D: the triplet around the direction; where faces lie in one plane and overlap, the mean of them."""
    corners = np.array(_faces(layout))
    found = np.linalg.solve(layout.directions[corners].swapaxes(1, 2), wanted[None, :, None])[:, :, 0]
    around = np.flatnonzero(found.min(axis=1) >= min(-_ALMOST, found.min(axis=1).max()))
    powers = np.zeros(layout.channels)
    for face in around:
        powers[corners[face]] += np.maximum(found[face], 0.0)
    return powers


def _of_pairs(layout: Layout, azimuth_deg: float) -> DoubleArray:
    """2-D: the two neighbors on either side; over a gap of half a circle or more, what is behind folds to the front."""
    azimuth_deg = (azimuth_deg + 180.0) % 360.0 - 180.0
    ring = sorted((s.azimuth_deg, i) for i, s in enumerate(layout.speakers) if not s.lfe)
    ring.append((ring[0][0] + 360.0, ring[0][1]))
    for (right_deg, right), (left_deg, left) in itertools.pairwise(ring):
        within = (azimuth_deg - right_deg) % 360.0
        if within <= left_deg - right_deg + _ALMOST:
            if left_deg - right_deg >= 180.0:
                side = 1.0 if azimuth_deg >= 0 else -1.0
                folded = side * min(180.0 - abs(azimuth_deg), abs(azimuth_deg))
                edge = max(abs(left_deg - 360.0), abs(right_deg))
                return _of_pairs(layout, float(np.clip(folded, -edge, edge)))
            pair = np.array([direction(right_deg, 0.0)[:2], direction(left_deg, 0.0)[:2]])
            powers = np.zeros(layout.channels)
            powers[[right, left]] = np.linalg.solve(pair.T, direction(azimuth_deg, 0.0)[:2]).clip(0.0)
            return powers
    raise AssertionError("a ring has no gaps")


@lru_cache
def _faces(layout_: Layout) -> tuple[tuple[int, int, int], ...]:
    """Triplets of loudspeakers whose plane has all others on one side: the hull, apart from its floor."""
    vectors = layout_.directions
    heard = [i for i, s in enumerate(layout_.speakers) if not s.lfe]
    found = []
    for face in itertools.combinations(heard, 3):
        a, b, c = vectors[list(face)]
        normal = np.cross(b - a, c - a)
        if np.linalg.norm(normal) < _ALMOST or abs(np.linalg.det(vectors[list(face)])) < _ALMOST:
            continue
        beyond = (vectors[heard] - a) @ normal
        if (beyond <= _ALMOST).all() or (beyond >= -_ALMOST).all():
            found.append(face)
    return tuple(found)


def channel_gains(
    layout: Layout, azimuth_deg: float, elevation_deg: float, mode: Mode, side: int
) -> DoubleArray:
    """Gains (channels,) of the channel of one side (1 left, -1 right), at its old level in the downmix."""
    if mode == "free":
        gains = direction_gains(layout, azimuth_deg, elevation_deg)
    else:
        reached = side * max(side * ((azimuth_deg + 180.0) % 360.0 - 180.0), 30.0)
        gains = _on_one_side(layout, direction_gains(layout, reached, elevation_deg), side)
    return gains / float(np.linalg.norm(layout.downmix @ gains))


def _on_one_side(layout: Layout, gains: DoubleArray, side: int) -> DoubleArray:
    """Gains of loudspeakers on the other side given to their mirror images, the center's to the front."""
    kept = np.zeros_like(gains)
    for channel, speaker in enumerate(layout.speakers):
        if speaker.azimuth_deg * side > 0 or speaker.lfe:
            kept[channel] += gains[channel]
        elif speaker.azimuth_deg == 0:
            kept[0 if side > 0 else 1] += gains[channel]
        else:
            mirrored = speaker.label.translate(str.maketrans("+-", "-+"))
            kept[layout.labels.index(mirrored)] += gains[channel]
    return kept


def center_share(gains: DoubleArray, center: DoubleArray | None, share: float) -> DoubleArray:
    """Gains (channels, 2) with a share of what left and right have in common moved to the `center` gains."""
    if center is None or share == 0.0:
        return gains
    common = np.full((2, 2), 0.5)
    return gains @ (np.eye(2) - share * common) + np.outer(center, np.full(2, np.sqrt(2.0) * share / 2.0))


def placement(place: Place, layout: Layout, mode: Mode) -> DoubleArray:
    """Gains (channels, 2) of a strip's two channels.

    In free mode both may meet in one direction, where they add up: they are scaled so that a source in the middle of
    the strip keeps its level in the downmix.
    """
    half = place.spread_deg / 2.0
    columns = [
        channel_gains(layout, place.azimuth_deg + side * half, place.elevation_deg, mode, side)
        for side in (1, -1)
    ]
    gains = np.stack(columns, axis=1)
    if mode == "free":
        gains = gains * (np.sqrt(2.0) / float(np.linalg.norm((layout.downmix @ gains).sum(axis=1))))
    at = layout.index("M+000")
    center = None if at is None else np.eye(layout.channels)[at]
    return center_share(gains, center, place.center)

"""Which channels of a recording belong together, so that separators for mono and stereo serve any layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tonmeister.units import FloatArray

__all__ = ["downmix_matrix", "groups", "spread"]

_GROUPS: Final[Mapping[int, tuple[tuple[int, ...], ...]]] = {
    1: ((0,),),
    2: ((0, 1),),
    3: ((0, 1), (2,)),
    4: ((0, 1), (2, 3)),
    5: ((0, 1), (2,), (3, 4)),
    6: ((0, 1), (2,), (4, 5)),
    7: ((0, 1), (2,), (4,), (5, 6)),
    8: ((0, 1), (2,), (4, 5), (6, 7)),
}
"""By number of channels, in the order of WAV files: pairs of left and right, and single ones in the middle.

The low-frequency effects of 5.1 and more are in no group: they stay in the residual.
"""

_AWAY_FROM_FRONT: Final = 0.7071
"""Center and surrounds in a stereo downmix (ITU-R BS.775)."""


def groups(channels: int) -> tuple[tuple[int, ...], ...]:
    """Pairs and single channels of a recording; more than eight channels are taken one by one."""
    return _GROUPS.get(channels, tuple((c,) for c in range(channels)))


def downmix_matrix(channels: int) -> FloatArray:
    """What each channel gives to left and right, (2, channels): front pair 1, everything else 0.7071."""
    matrix = np.zeros((2, channels), np.float32)
    for index, group in enumerate(groups(channels)):
        gain = 1.0 if index == 0 and len(group) == 2 else _AWAY_FROM_FRONT
        for side in (0, 1):
            matrix[side, group[side % len(group)]] = gain
    return matrix


def spread(masks: FloatArray, channels: int) -> FloatArray:
    """Masks (tracks, 1 or 2, bins, frames) of a stereo downmix for all channels of the recording.

    A channel takes the masks of the side it went to, one in the middle their mean, one that was left out none.
    """
    matrix = downmix_matrix(channels)
    shares = matrix / np.maximum(matrix.sum(axis=0), 1e-9)
    both = np.broadcast_to(masks, (masks.shape[0], 2, *masks.shape[2:]))
    return np.asarray(np.einsum("sc,tsbn->tcbn", shares, both), np.float32)

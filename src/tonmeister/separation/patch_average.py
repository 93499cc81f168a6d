"""A recording cut into overlapping patches, and back: what each patch says of a frame is averaged.

    p(t) = mean over all patches k that hold frame t of Z_k(t - k)

Up to as many values as a patch has frames, fewer at the ends (Simpson et al., arXiv:1504.04658; the code released with
it averages within each patch instead).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.units import FloatArray

__all__ = ["HOPS", "PatchNet", "average_over_patches", "checked_hop", "context_frames", "mean_within_patches"]

PatchNet = Callable[[FloatArray], FloatArray]
"""(patches, length, bands) to the same shape."""
HOPS: Final = (1, 2, 4, 5)
"""Distances of patches: divisors of the chunks in which recordings come, so that chunks change nothing."""
_AT_ONCE: Final = 256


def checked_hop(hop: int, length: int) -> int:
    """`hop`, if patches of `length` frames that are so far apart leave out no frame."""
    if hop not in HOPS or hop > length:
        allowed = ", ".join(str(h) for h in HOPS if h <= length)
        raise BadInputError(f"hop_patches={hop}: give one of {allowed}")
    return hop


def context_frames(length: int, hop: int) -> int:
    """How many frames on either side decide on a frame: with hops, no patch that ends with a chunk may reach it."""
    return length - 1 if hop == 1 else -(-length // hop) * hop


def average_over_patches(features: FloatArray, net: PatchNet, *, length: int, hop: int = 1) -> FloatArray:
    """What `net` says of patches that begin every `hop` frames, and of one that ends with the last: (frames, bands).

    `features` are (frames, bands); a recording shorter than a patch is continued with its last frame.
    """
    frames = len(features)
    if frames < length:
        features = np.pad(features, ((0, length - frames), (0, 0)), mode="edge")
    last = len(features) - length
    starts = np.unique(np.append(np.arange(0, last + 1, hop), last))
    total = np.zeros_like(features, dtype=np.float32)
    count = np.zeros((len(features), 1), np.float32)
    for first in range(0, len(starts), _AT_ONCE):
        chosen = starts[first : first + _AT_ONCE]
        answers = net(features[chosen[:, None] + np.arange(length)])
        for offset in range(length):
            total[chosen + offset] += answers[:, offset]
            count[chosen + offset] += 1
    return total[:frames] / count[:frames]


def mean_within_patches(features: FloatArray, net: PatchNet, *, length: int) -> FloatArray:
    """For comparison, what the released code does: frame t gets the mean over the patch that begins with it."""
    padded = np.pad(features, ((0, length - 1), (0, 0)), mode="edge")
    answers = [
        net(padded[np.arange(first, min(first + _AT_ONCE, len(features)))[:, None] + np.arange(length)]).mean(
            1
        )
        for first in range(0, len(features), _AT_ONCE)
    ]
    return np.concatenate(answers)

"""Deep Karaoke and Deep Remix: how likely it is that the voice dominates a bin [Simpson2015karaoke].

The network sees patches of 20 frames; a frame's answer is the mean over the patches that hold it, and a logistic map
that was fitted on other songs makes it a true frequency::

    p' = s(k logit(p) + c)          shares: voice p', all else 1 - p'

Which rule cuts with these shares is the caller's choice (`separation.masks`).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.separation.base import Spectrum
from tonmeister.separation.network_model import NetworkEstimator, NetworkModel
from tonmeister.separation.patch_average import (
    average_over_patches,
    checked_hop,
    context_frames,
    mean_within_patches,
)
from tonmeister.units import FloatArray

__all__ = ["DeepRemix", "SongRelativeDeepRemix", "calibrated"]

_CLOSEST: Final = 1e-6
_WHOLE_SONG_FRAMES: Final = 1 << 21
"""Seven hours."""


def calibrated(p: FloatArray, slope: float, offset: float) -> FloatArray:
    """s(slope logit(p) + offset)."""
    p = np.clip(p, _CLOSEST, 1.0 - _CLOSEST)
    return np.asarray(1.0 / (1.0 + np.exp(-(slope * np.log(p / (1.0 - p)) + offset))), np.float32)


class DeepRemix(NetworkEstimator):
    """A `MaskEstimator` with the shares of the voice and of all else.

    `hop_patches` is how many frames apart patches begin: more is faster and coarser. `legacy_intra_patch_mean` gives
    each frame the mean over the patch that begins with it, as the code released with the paper does.
    """

    def __init__(
        self, network: NetworkModel, *, hop_patches: int = 1, legacy_intra_patch_mean: bool = False
    ) -> None:
        super().__init__(network)
        self._hop, self._legacy = checked_hop(hop_patches, network.frames), legacy_intra_patch_mean
        calibration = network.settings.get("calibration") or {"slope": 1.0, "offset": 0.0}
        self._slope, self._offset = float(calibration["slope"]), float(calibration["offset"])

    @property
    def context_frames(self) -> int:
        return context_frames(self.network.frames, self._hop)

    def probability(self, power: FloatArray) -> FloatArray:
        """How likely the voice dominates each band, calibrated, of band powers (frames, bands)."""
        length = self.network.frames
        if self._legacy:
            mean = mean_within_patches(power, self._patches, length=length)
        else:
            mean = average_over_patches(power, self._patches, length=length, hop=self._hop)
        return calibrated(mean, self._slope, self._offset)

    def masks(self, spectrum: Spectrum) -> FloatArray:
        front_end = self.network.front_end
        p = front_end.spread(self.probability(front_end.power(spectrum)))
        return np.stack([p, 1.0 - p])[:, None]

    def _patches(self, power: FloatArray) -> FloatArray:
        return self.network(power).reshape(power.shape)


class SongRelativeDeepRemix(DeepRemix):
    """The released code's `legacy_song_minmax`: p is stretched to 0..1 over the song, which is held in memory whole.

    An instrumental then gets confident vocals: for comparison only.
    """

    block_frames: Final = _WHOLE_SONG_FRAMES

    def probability(self, power: FloatArray) -> FloatArray:
        p = super().probability(power)
        low, high = float(p.min()), float(p.max())
        return np.asarray((p - low) / max(high - low, _CLOSEST), np.float32)

"""The fully convolutional networks of Grais and Plumbley (2017): magnitudes in, magnitudes of one source out.

    mask = clip(S / Y, 0, 1), averaged over the patches that hold a frame [Grais2017]

Few weights, many operations: patches begin every 4 frames by default.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.separation.base import Spectrum
from tonmeister.separation.network_model import NetworkEstimator, NetworkModel
from tonmeister.separation.patch_average import average_over_patches, checked_hop, context_frames
from tonmeister.units import FloatArray

__all__ = ["Convolutional"]

_TINY: Final = 1e-9


class Convolutional(NetworkEstimator):
    """A `MaskEstimator` of one track; `hop_patches` is how many frames apart patches begin."""

    def __init__(self, network: NetworkModel, *, hop_patches: int = 4) -> None:
        super().__init__(network)
        self._hop = checked_hop(hop_patches, network.frames)

    @property
    def context_frames(self) -> int:
        return context_frames(self.network.frames, self._hop)

    def masks(self, spectrum: Spectrum) -> FloatArray:
        power = self.network.front_end.power(spectrum)
        mean = average_over_patches(power, self._masks, length=self.network.frames, hop=self._hop)
        return self.network.front_end.spread(mean[None])[:, None]

    def _masks(self, power: FloatArray) -> FloatArray:
        shown = self.network.shown(power)
        return np.clip(self.network(power)[:, 0] / np.maximum(shown, np.float32(_TINY)), 0.0, 1.0)

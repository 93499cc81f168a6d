"""The fully convolutional networks of Grais and Plumbley (2017): magnitudes in, magnitudes of one source out.

    mask = clip(S / Y, 0, 1), averaged over the patches that hold a frame (`grais2017`)

Few weights, many operations: patches begin every 8 frames by default.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.separation.base import Framing, Spectrum
from tonmeister.separation.network_model import NetworkModel
from tonmeister.separation.patch_average import average_over_patches
from tonmeister.units import FloatArray

__all__ = ["Convolutional"]

_TINY: Final = 1e-9


class Convolutional:
    """A `MaskEstimator` of one track; `hop_patches` divides the chunks in which recordings come (see `DeepRemix`)."""

    def __init__(self, network: NetworkModel, *, hop_patches: int = 8) -> None:
        self._network, self._hop = network, hop_patches

    @property
    def tracks(self) -> tuple[str, ...]:
        return self._network.tracks

    @property
    def framing(self) -> Framing:
        return self._network.front_end.framing

    @property
    def context_frames(self) -> int:
        return -(-(self._network.frames - 1) // self._hop) * self._hop

    def masks(self, spectrum: Spectrum) -> FloatArray:
        power = self._network.front_end.power(spectrum)
        mean = average_over_patches(power, self._masks, length=self._network.frames, hop=self._hop)
        return self._network.front_end.spread(mean[None])[:, None]

    def _masks(self, power: FloatArray) -> FloatArray:
        shown = self._network.shown(power)
        return np.clip(self._network(power)[:, 0] / np.maximum(shown, np.float32(_TINY)), 0.0, 1.0)

"""Four masks of every source, each taught another cost, and their mean [Grais2016].

    Z_i = mean of the binary, ratio, signal and discriminative masks of source i;  Z_i <- Z_i / max(1, sum_j Z_j)

so that the tracks together never exceed the mixture.
"""

from __future__ import annotations

import numpy as np

from tonmeister.errors import BadInputError, ModelError, nearest
from tonmeister.separation.base import Spectrum
from tonmeister.separation.network_model import NetworkEstimator, NetworkModel
from tonmeister.units import FloatArray

__all__ = ["MaskEnsemble", "bounded"]


def bounded(masks: FloatArray) -> FloatArray:
    """Masks (tracks, ...) whose sum is at most 1."""
    return np.asarray(masks / np.maximum(masks.sum(0), np.float32(1.0)), np.float32)


class MaskEnsemble(NetworkEstimator):
    """A `MaskEstimator`; `target` takes the masks of one cost alone instead of the mean of all."""

    def __init__(self, network: NetworkModel, *, target: str | None = None) -> None:
        super().__init__(network)
        targets = [str(word) for word in network.settings.get("targets", ())]
        if not targets:
            raise ModelError(f"{network.model.path}: the card names no targets: get the model again")
        if target is not None and target not in targets:
            raise BadInputError(
                f"target={target!r}{nearest(target, targets)}: give one of {', '.join(targets)}, or none"
            )
        self._targets = len(targets)
        self._chosen = range(len(targets)) if target is None else [targets.index(target)]

    @property
    def context_frames(self) -> int:
        return self.network.frames // 2

    def masks(self, spectrum: Spectrum) -> FloatArray:
        bands = self.band_masks(self.network.front_end.power(spectrum))
        return self.network.front_end.spread(bounded(bands))[:, None]

    def band_masks(self, power: FloatArray) -> FloatArray:
        """(tracks, frames, bands) of band powers (frames, bands); at the ends the first and last frame go on."""
        half = self.network.frames // 2
        padded = np.pad(power, ((half, half), (0, 0)), mode="edge")
        kinds = self.kinds(self.network.shown(padded[None]))[0]
        return np.swapaxes(kinds[:, list(self._chosen)].mean(1), 0, 1)

    def kinds(self, features: FloatArray) -> FloatArray:
        """All masks (n, frames - context, targets, tracks, bands) of what the networks are shown (n, frames, bands)."""
        number, frames, bands = features.shape
        count = frames - self.network.frames + 1
        patches = features[:, np.arange(count)[:, None] + np.arange(self.network.frames)]
        masks = self.network.of_features(patches.reshape(number * count, self.network.frames, bands))
        return masks.reshape(number, count, self._targets, len(self.tracks), bands)

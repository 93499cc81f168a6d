"""A further network that combines the four masks of every source instead of taking their mean [Grais2016].

    Z_i <- s(logit(mean of the four masks) + correction),  then bounded like the mean

The network sees the four masks of one source over seven frames, the mixture in the middle frame and which source it is;
it gives a correction per band. It is taught on songs that the four networks did not learn from, since there they are as
wrong as they will be later. That it corrects the mean instead of replacing it is ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.errors import ModelError
from tonmeister.separation.base import Spectrum
from tonmeister.separation.mask_ensemble import MaskEnsemble, bounded
from tonmeister.separation.network_model import INPUT, OUTPUT, NetworkEstimator, NetworkModel, open_network
from tonmeister.units import FloatArray

__all__ = ["CombinedMasks", "combiner_inputs", "mean_logit"]

_CLOSEST: Final = 1e-4
"""Masks nearer to 0 or 1 count as that near."""


def combiner_inputs(kinds: FloatArray, shown: FloatArray) -> FloatArray:
    """What the network sees, (n x tracks, inputs), the tracks of a frame one after the other.

    `kinds` are masks (n, frames, targets, tracks, bands), `shown` is the mixture in the middle frame (n, bands), scaled.
    """
    number, tracks = len(kinds), kinds.shape[3]
    masks = np.moveaxis(kinds, 3, 1).reshape(number * tracks, -1)
    which = np.tile(np.eye(tracks, dtype=np.float32), (number, 1))
    return np.concatenate([masks, np.repeat(shown, tracks, axis=0), which], axis=1)


def mean_logit(kinds: FloatArray) -> FloatArray:
    """logit of the mean mask in the middle frame, (n x tracks, bands)."""
    mean = kinds[:, kinds.shape[1] // 2].mean(1).reshape(-1, kinds.shape[-1])
    mean = np.clip(mean, _CLOSEST, 1.0 - _CLOSEST)
    return np.asarray(np.log(mean / (1.0 - mean)), np.float32)


class CombinedMasks(NetworkEstimator):
    """A `MaskEstimator`; its card names the ensemble, which lies beside it or ships."""

    def __init__(self, network: NetworkModel) -> None:
        super().__init__(network)
        self.ensemble = _ensemble(network)
        self._frames = network.frames - self.ensemble.network.frames + 1

    @property
    def context_frames(self) -> int:
        return self.network.frames // 2

    def masks(self, spectrum: Spectrum) -> FloatArray:
        bands = self.band_masks(self.network.front_end.power(spectrum))
        return self.network.front_end.spread(bounded(bands))[:, None]

    def band_masks(self, power: FloatArray) -> FloatArray:
        """(tracks, frames, bands) of band powers (frames, bands); at the ends the first and last frame go on."""
        half = self.context_frames
        shown = self.network.shown(np.pad(power, ((half, half), (0, 0)), mode="edge")[None])
        kinds = self.ensemble.kinds(shown)[0]
        windows = kinds[np.arange(len(power))[:, None] + np.arange(self._frames)]
        seen = combiner_inputs(windows, shown[0, half : half + len(power)])
        correction = self.network.model.run({INPUT: seen})[OUTPUT]
        combined = 1.0 / (1.0 + np.exp(-(mean_logit(windows) + correction)))
        shape = (len(power), len(self.tracks), power.shape[1])
        return np.asarray(np.swapaxes(combined.reshape(shape), 0, 1), np.float32)


def _ensemble(network: NetworkModel) -> MaskEnsemble:
    """The ensemble that a combiner was taught with."""
    path, settings = network.model.path, network.settings
    name = str(settings.get("ensemble", ""))
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ModelError(f"{path}: ensemble={name!r} is no name of a model: get the model again")
    beside = path.with_name(f"{name}.onnx")
    base = open_network(beside if beside.is_file() else name)
    if base.model.card.sha256 != settings.get("ensemble_sha256"):
        raise ModelError(
            f"{path}: was taught with another {name} than {base.model.path}: get both models again"
        )
    fits = (base.front_end, base.tracks) == (network.front_end, network.tracks)
    if not fits or network.frames < base.frames:
        raise ModelError(f"{path}: does not fit {base.model.path}: get both models again")
    return MaskEnsemble(base)

"""What the networks are taught: the cost of what they give, patch by patch.

With Y the magnitude of the mixture, S_i those of the stems, E the mixture's energy and w = E^a, its mean 1:

    binary-mse       (1/2) sum (Z - B)^2,  B = [V > A]                          (Simpson et al., 2015)
    binary-bce       mean of w times the cross entropy of Z and V^2 / (V^2 + A^2)
    ratio            mean of w (Z_i - R_i)^2,  R_i = S_i / (S_i + O_i)             (Roma et al., WAC 2016)
    four-masks       binary, ratio, signal (Z_i Y - S_i)^2, and the same less 0.05 (Z_i Y - S_j)^2 of all others
                     (after Grais et al., AES 140; the formulas are a reconstruction)
    combined         (Z_i Y - S_i)^2 of the masks that a network made of those of an ensemble
    magnitude        mean of (Z - S)^2, in units of the patch
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from tonmeister.separation.mask_combiner import combiner_inputs, mean_logit
from tonmeister.separation.mask_ensemble import MaskEnsemble
from tonmeister.training.separation.patches import Batch
from tonmeister.training.separation.presets import TARGETS, Preset
from tonmeister.training.separation.stems import STEMS
from tonmeister.training.torch_library import torch_module
from tonmeister.units import FloatArray

__all__ = ["GAMMA", "Loss", "loss_of", "voice_share"]

GAMMA: Final = 0.05
"""How much a mask is pushed away from the other stems; bounded as long as GAMMA (stems - 1) < 1."""
_TINY: Final = 1e-9

Loss = Callable[[Sequence[Any], Batch], Any]
"""(modules, batch) -> cost."""


def loss_of(preset: Preset, ensemble: MaskEnsemble | None = None) -> Loss:
    """The cost of a preset; `ensemble` is whose masks ``combined`` combines."""
    made: dict[str, Callable[[Preset], Loss]] = {
        "binary-mse": _binary_mse,
        "binary-bce": _binary_bce,
        "ratio": _ratio,
        "four-masks": _four_masks,
        "combined": partial(_combined, ensemble=ensemble),
        "magnitude": _magnitude,
    }
    return made[preset.learning.loss](preset)


def voice_share(stems: FloatArray) -> FloatArray:
    """V^2 / (V^2 + A^2) of powers (stems, ...): 0 where both are silent."""
    voice, rest = stems[0], stems[1:].sum(0)
    return np.asarray(voice / np.maximum(voice + rest, _TINY), np.float32)


def _tensor(values: Any) -> Any:
    return torch_module().from_numpy(np.ascontiguousarray(values, np.float32))


def _weights(batch: Batch, power: float) -> FloatArray:
    """E^power with mean 1 over each patch."""
    weights = np.asarray(batch.mixture**power, np.float32)
    return np.asarray(weights / (weights.mean((1, 2), keepdims=True) + np.float32(_TINY)), np.float32)


def _flat(batch: Batch) -> Any:
    return _tensor(batch.features).flatten(1)


def _binary_mse(preset: Preset) -> Loss:
    def loss(modules: Sequence[Any], batch: Batch) -> Any:
        wanted = _tensor(voice_share(batch.stems) > 0.5).flatten(1)
        return ((modules[0](_flat(batch)) - wanted) ** 2).sum() / (2 * len(wanted))

    return loss


def _binary_bce(preset: Preset) -> Loss:
    torch = torch_module()

    def loss(modules: Sequence[Any], batch: Batch) -> Any:
        wanted = _tensor(voice_share(batch.stems)).flatten(1)
        weight = _tensor(_weights(batch, preset.learning.energy_power)).flatten(1)
        given = modules[0](_flat(batch)).clamp(1e-6, 1 - 1e-6)
        return torch.nn.functional.binary_cross_entropy(given, wanted, weight)

    return loss


def _ratio(preset: Preset) -> Loss:
    numbers = [STEMS.index(track) for track in preset.tracks]

    def loss(modules: Sequence[Any], batch: Batch) -> Any:
        x, weight = _flat(batch), _tensor(_weights(batch, preset.learning.energy_power))[:, 0]
        total = 0.0
        for module, number in zip(modules, numbers, strict=True):
            own = np.sqrt(batch.stems[number])
            rest = np.sqrt(batch.stems.sum(0) - batch.stems[number])
            wanted = _tensor(own / np.maximum(own + rest, _TINY))[:, 0]
            total = total + (weight * (module(x) - wanted) ** 2).mean()
        return total

    return loss


def _four_masks(preset: Preset) -> Loss:
    torch = torch_module()

    def loss(modules: Sequence[Any], batch: Batch) -> Any:
        x, stems = _flat(batch), _tensor(np.sqrt(batch.stems))[:, :, 0].transpose(0, 1)
        mixture = _tensor(np.sqrt(batch.mixture))
        weight = _tensor(_weights(batch, preset.learning.energy_power))
        total = stems.sum(1, keepdim=True)
        given = torch.cat([m(x) for m in modules], 1).reshape(len(x), len(TARGETS), len(STEMS), -1)
        masks = given.unbind(1)
        binary, ratio = (stems > total - stems).float(), stems / (total + _TINY)
        wrong = sum(((masks[3] * mixture - stems.roll(k, 1)) ** 2).mean() for k in range(1, len(STEMS)))
        return (
            (weight * (masks[0] - binary) ** 2).mean()
            + (weight * (masks[1] - ratio) ** 2).mean()
            + ((masks[2] * mixture - stems) ** 2).mean()
            + ((masks[3] * mixture - stems) ** 2).mean()
            - GAMMA * wrong
        )

    return loss


def _combined(preset: Preset, ensemble: MaskEnsemble | None) -> Loss:
    assert ensemble is not None

    def loss(modules: Sequence[Any], batch: Batch) -> Any:
        kinds = ensemble.kinds(batch.features)
        seen = combiner_inputs(kinds, batch.features[:, preset.frames // 2])
        masks = (modules[0](_tensor(seen)) + _tensor(mean_logit(kinds))).sigmoid()
        stems = _tensor(np.sqrt(batch.stems))[:, :, 0].transpose(0, 1)
        return ((masks.reshape(stems.shape) * _tensor(np.sqrt(batch.mixture)) - stems) ** 2).mean()

    return loss


def _magnitude(preset: Preset) -> Loss:
    number = STEMS.index(preset.tracks[0])

    def loss(modules: Sequence[Any], batch: Batch) -> Any:
        given = modules[0](_tensor(batch.features)[:, None])[:, 0]
        level = batch.features.std() / max(float(np.sqrt(batch.mixture).std()), _TINY)
        relative = preset.feature == "relative"
        wanted = np.sqrt(batch.stems[number]) * np.float32(1.0 if relative else level)
        return ((given - _tensor(wanted)) ** 2).mean()

    return loss

"""The training loop: one for all networks; the best state on songs that are not learned from is kept."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.separation.mask_ensemble import MaskEnsemble
from tonmeister.training.separation.losses import loss_of
from tonmeister.training.separation.modules import build
from tonmeister.training.separation.patches import Patches
from tonmeister.training.separation.presets import Learning, Preset
from tonmeister.training.torch_library import torch_module

__all__ = ["Learned", "learn"]

_CHECKED: Final = 1_000
"""Patches of a look at the songs held out."""
_HALVED_AFTER: Final = 4

Told = Callable[[float, float, float], None]
"""Share done, loss of the latest sweep, loss on the songs held out."""


@dataclass(frozen=True, eq=False)
class Learned:
    """Trained modules, one per branch."""

    modules: list[Any]
    losses: tuple[tuple[float, float], ...]
    """(training, held out) of each sweep."""


def learn(
    preset: Preset,
    taught: Patches,
    held: Patches,
    seed: int,
    *,
    ensemble: MaskEnsemble | None = None,
    told: Told | None = None,
) -> Learned:
    """Train the networks of a preset; `ensemble` is whose masks a combiner combines."""
    torch = torch_module()
    torch.manual_seed(seed)
    learning, rng = preset.learning, np.random.default_rng([seed, 2])
    modules = [build(layers, wide=preset.wide) for layers in preset.branches]
    loss, optimizer = loss_of(preset, ensemble), _optimizer(modules, learning)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=_HALVED_AFTER)
    losses: list[tuple[float, float]] = []
    best, since = _states(modules), 0
    for sweep in range(learning.sweeps):
        total = count = 0.0
        batches = taught.batches(
            learning.patches, learning.batch, rng, gain_db=learning.gain_db, hidden=learning.hidden
        )
        for batch in batches:
            optimizer.zero_grad()
            cost = loss(modules, batch)
            cost.backward()
            optimizer.step()
            total, count = total + float(cost.detach()), count + 1
        with torch.no_grad():
            checks = [float(loss(modules, b)) for b in held.evenly(_CHECKED, learning.batch)]
        checked = float(np.mean(checks))
        since = 0 if not losses or checked < min(h for _, h in losses) else since + 1
        best = _states(modules) if since == 0 else best
        losses.append((total / count, checked))
        if learning.optimizer == "adam":
            schedule.step(checked)
        if told is not None:
            told((sweep + 1) / learning.sweeps, *losses[-1])
        if since >= learning.patience:
            break
    for module, state in zip(modules, best, strict=True):
        module.load_state_dict(state)
        module.eval()
    return Learned(modules, tuple(losses))


def _states(modules: list[Any]) -> list[Any]:
    return [copy.deepcopy(module.state_dict()) for module in modules]


def _optimizer(modules: list[Any], learning: Learning) -> Any:
    optim: Any = torch_module().optim
    weights = [p for module in modules for p in module.parameters()]
    if learning.optimizer == "sgd":
        return optim.SGD(weights, learning.rate, momentum=learning.momentum)
    kinds = {"adam": optim.Adam, "adadelta": optim.Adadelta}
    return kinds[learning.optimizer](weights, lr=learning.rate, weight_decay=learning.weight_decay)

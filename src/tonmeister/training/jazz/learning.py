"""The training loop of the separator, and what both loops share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.separation.jazz import ALPHA
from tonmeister.training.jazz.frames import SoloFrames
from tonmeister.training.jazz.networks import build_solo, centered
from tonmeister.training.torch_library import torch_module

__all__ = ["LearningOptions", "Told", "learn_solo", "moved", "scheduled"]

_LEVEL_DB: Final = (-18.0, 6.0)
"""Mixtures are heard louder and softer by so much, so that the level of a recording does not matter."""
_FLOOR: Final = -10.0
_NORM_LIMIT: Final = 0.35
_COMPRESSION: Final = 0.5
"""Errors count by the power of their band to this exponent, so that the loud lows are not all there is."""

Told = Callable[[float, float], None]
"""Told how far a run is, 0 to 1, and the latest mean loss."""


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How long and how fast."""

    epochs: int = 10
    frames: int = 120_000
    """Frames of an epoch, drawn from all."""
    batch: int = 512
    rate: float = 1e-3


def scheduled(options: LearningOptions, parameters: Any) -> tuple[int, Any, Any]:
    """(steps of an epoch, optimizer, schedule)."""
    torch = torch_module()
    per_epoch = max(options.frames // options.batch, 1)
    optimizer = torch.optim.Adam(parameters, lr=options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, total_steps=options.epochs * per_epoch, pct_start=0.1
    )
    return per_epoch, optimizer, schedule


def learn_solo(frames: SoloFrames, options: LearningOptions, seed: int, *, context: int, told: Told) -> Any:
    """A separator that knows `frames`."""
    torch = torch_module()
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 1])
    bands = frames.features.shape[1]
    network = build_solo(bands=bands, context=context)
    per_epoch, optimizer, schedule = scheduled(options, network.parameters())
    first = np.repeat(frames.borders[:-1], np.diff(frames.borders))
    last = np.repeat(frames.borders[1:] - 1, np.diff(frames.borders))
    around = np.arange(-context, context + 1)
    for epoch in range(options.epochs):
        total = 0.0
        for _ in range(per_epoch):
            chosen = rng.integers(0, len(first), options.batch)
            at = np.clip(chosen[:, None] + around, first[chosen, None], last[chosen, None])
            heard = frames.features[at].astype(np.float32)
            level = rng.uniform(*_LEVEL_DB, (len(chosen), 1, 1)).astype(np.float32) / 10.0
            heard = np.maximum(heard + level, _FLOOR).reshape(len(chosen), -1)
            weight = 10.0 ** (_COMPRESSION * frames.features[chosen].astype(np.float32))
            loss = _mask_loss(
                network(centered(torch.from_numpy(heard))),
                torch.from_numpy(frames.gains[chosen].astype(np.float32)),
                torch.from_numpy(weight / weight.mean()),
            )
            total += moved(loss, network, optimizer, schedule)
        told((epoch + 1) / options.epochs, total / per_epoch)
    return network.eval()


def _mask_loss(scores: Any, gains: Any, weight: Any) -> Any:
    """Error of the alpha-Wiener mask behind m = sigmoid(z): m^a / (m^a + (1 - m)^a) = sigmoid(a z)."""
    torch = torch_module()
    return (weight * (torch.sigmoid(ALPHA * scores) - gains) ** 2).mean()


def moved(loss: Any, network: Any, optimizer: Any, schedule: Any) -> float:
    """One step down the gradient; returns the loss."""
    optimizer.zero_grad()
    loss.backward()
    torch_module().nn.utils.clip_grad_norm_(network.parameters(), _NORM_LIMIT)
    optimizer.step()
    schedule.step()
    return float(loss.detach())

"""The training loop: pictures spoiled anew each time they are seen, scores of instruments and families made right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.training.identifier.network import build_network
from tonmeister.training.identifier.pictures import NO_ROLE, Pictures
from tonmeister.training.identifier.taught import CLASSES, UNKNOWN
from tonmeister.training.torch_library import torch_module
from tonmeister.vocabulary import ROLES, family

__all__ = ["LearningOptions", "learn"]

_DB: Final = 1.0 / 80.0
"""One decibel in a picture."""


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How long and how fast."""

    epochs: int = 14
    batch: int = 64
    rate: float = 3e-3
    smoothing: float = 0.05
    """Share of the target that goes to all classes alike."""
    family_weight: float = 0.5
    role_weight: float = 0.2


def learn(
    pictures: Pictures,
    options: LearningOptions,
    seed: int,
    *,
    progress: Callable[[float, float], None] | None = None,
) -> Any:
    """A trained network; `progress` is told how far it is, 0 to 1, and the mean loss of the latest epoch."""
    torch = torch_module()
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng([seed, 1])
    network = build_network(len(CLASSES), len(ROLES))
    steps = options.epochs * -(-len(pictures.classes) // options.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=steps, pct_start=0.2)
    loss_of = _loss(options)
    network.train()
    for epoch in range(options.epochs):
        order, total = rng.permutation(len(pictures.classes)), 0.0
        for at in range(0, len(order), options.batch):
            chosen = order[at : at + options.batch]
            if len(chosen) < 2:
                schedule.step()
                continue
            images = torch.from_numpy(pictures.images[chosen]).float() / 255.0
            classes = torch.from_numpy(pictures.classes[chosen])
            roles = torch.from_numpy(pictures.roles[chosen])
            optimizer.zero_grad()
            loss = loss_of(network(_spoiled(images, torch)[:, None]), classes, roles)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        if progress is not None:
            progress((epoch + 1) / options.epochs, total / len(order))
    return network.eval()


def families_of_classes() -> tuple[tuple[str, ...], np.ndarray]:
    """Families in order, and the number of each class's family."""
    names = [UNKNOWN if word == UNKNOWN else family(word) for word in CLASSES]
    words = tuple(dict.fromkeys(names))
    return words, np.array([words.index(name) for name in names])


def _loss(options: LearningOptions) -> Callable[[Any, Any, Any], Any]:
    torch = torch_module()
    words, of_class = families_of_classes()
    family_of = torch.from_numpy(of_class)
    inside = torch.nn.functional.one_hot(family_of, len(words)).float()
    cross_entropy = torch.nn.functional.cross_entropy

    def loss(scores: Any, classes: Any, roles: Any) -> Any:
        leaves = scores[:, : len(CLASSES)]
        total = cross_entropy(leaves, classes, label_smoothing=options.smoothing)
        summed = torch.log(torch.softmax(leaves, dim=1) @ inside + 1e-9)
        total = total + options.family_weight * torch.nn.functional.nll_loss(summed, family_of[classes])
        known = roles != NO_ROLE
        if bool(known.any()):
            total = total + options.role_weight * cross_entropy(scores[known, len(CLASSES) :], roles[known])
        return total

    return loss


def _spoiled(images: Any, torch: Any) -> Any:
    """Higher or lower, another track overheard, other tone, later start, a raised floor, and stripes left out.

    Images are (n, bands, steps), 0 to 1.
    """
    count, bands, steps = images.shape
    images = _overhearing(_shifted(images, torch), torch)
    octave = torch.linspace(-1, 1, bands)[None, :, None]
    bell_at, bell_width = torch.rand(count, 1, 1) * 2 - 1, 0.1 + 0.4 * torch.rand(count, 1, 1)
    tone = 8 * _DB * torch.randn(count, 1, 1) * octave
    tone = tone + 6 * _DB * torch.randn(count, 1, 1) * torch.exp(-(((octave - bell_at) / bell_width) ** 2))
    images = torch.where(images > 0, images + tone, images)
    images = torch.clamp(images - images.amax(dim=(1, 2), keepdim=True) + 1.0, 0.0, 1.0)
    floor = torch.rand(count, 1, 1) * 0.45 * (torch.rand(count, 1, 1) < 0.4)
    slope = 0.1 * torch.randn(count, 1, 1) * octave
    hiss = torch.where(floor > 0, floor + slope + 0.04 * torch.randn(images.shape), torch.zeros_like(images))
    images = torch.maximum(images, torch.clamp(hiss, 0.0, 1.0))
    later = (torch.rand(count) * 24 * (torch.rand(count) < 0.5)).long()
    at = torch.arange(steps)[None, :] - later[:, None]
    images = (
        torch.gather(images, 2, at.clamp(min=0)[:, None, :].expand(-1, bands, -1)) * (at >= 0)[:, None, :]
    )
    return (
        images * _stripes(count, bands, 8, torch)[:, :, None] * _stripes(count, steps, 16, torch)[:, None, :]
    )


def _shifted(images: Any, torch: Any) -> Any:
    """Half of them up to two bands higher or lower; what comes in from outside repeats the outermost band."""
    count, bands, steps = images.shape
    by = torch.randint(-2, 3, (count,)) * (torch.rand(count) < 0.5)
    at = (torch.arange(bands)[None, :] - by[:, None]).clamp(0, bands - 1)
    return torch.gather(images, 1, at[:, :, None].expand(-1, -1, steps))


def _overhearing(images: Any, torch: Any) -> Any:
    """A quarter of them with another of the batch 10 to 35 dB softer: the louder of both wherever they meet."""
    count = len(images)
    softer = (10 + 25 * torch.rand(count, 1, 1)) * _DB
    heard = torch.where(torch.rand(count, 1, 1) < 0.25, images[torch.randperm(count)] - softer, 0.0)
    return torch.maximum(images, heard)


def _stripes(count: int, length: int, widest: int, torch: Any) -> Any:
    """Rows of ones with, half of the time, a stripe of zeros."""
    start, width = torch.rand(count, 1) * length, torch.rand(count, 1) * widest * (torch.rand(count, 1) < 0.5)
    at = torch.arange(length)[None, :]
    return ((at < start) | (at >= start + width)).float()

"""Training CAFx: frames whose output is weighted by a Hann window, as when it plays.

Published: convolutions first, to give back what they hear; then everything by the mean absolute error, 32 frames at a
time, Adam at 1e-4 and at a quarter of the rate after 20 judgements without progress (of 1000 steps each there, of 100 here).
Ours, where not `faithful`: the network begins passing its input (`cafx.build_cafx`), its curves as the curve that fits
best by least squares; the error-to-signal ratio counts beside the absolute error; silence is heard in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.dsp import saaf
from tonmeister.dsp.cafx import FRAME
from tonmeister.effects.networks import HOP, CafxNetwork
from tonmeister.learned_effects.fit import Progress
from tonmeister.learned_effects.learn import Course
from tonmeister.training.effects.cafx import build_cafx
from tonmeister.training.effects.learning import Best, Budget, NetworkOptions, Sounds
from tonmeister.training.torch_library import best_device, torch_module
from tonmeister.units import DoubleArray

__all__ = ["best_curve", "pretrain", "train_cafx"]


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How the weights are found."""

    steps: int
    """Where nobody says how many."""
    batch: int
    rate: float
    curve_rate: float
    judge_every: int
    patience: int
    """Judgements without progress."""


OURS: Final = _Recipe(1500, 16, 3e-4, 3e-3, 25, 12)
PUBLISHED: Final = _Recipe(12_000, 32, 1e-4, 1e-4, 100, 20)
PRETRAIN_STEPS: Final = 1000
FALL: Final = 0.25
MOST_FALLS: Final = 3
"""As published the rate falls when patience ends; the fourth time the training does (ours: the paper's end is not known)."""
WARM_STEPS: Final = 20
CURVATURE: Final = 1e-7
"""Weight of the squared curvatures."""
_MOST_JUDGED: Final = 96
_RIDGE: Final = 1e-6


def train_cafx(
    sounds: Sounds, options: NetworkOptions, seed: int, progress: Progress | None
) -> tuple[CafxNetwork, Course]:
    """The trained network at level 1, and how it went."""
    torch, where = torch_module(), best_device()
    recipe = PUBLISHED if options.faithful else OURS
    budget = Budget(options.steps or recipe.steps, options.minutes, progress)
    net = build_cafx(seed, passing=not options.faithful).to(where)
    frames = _Frames(torch, where, sounds, recipe.batch, np.random.default_rng([seed, 1]))
    best, interrupted = Best(), False
    try:
        if options.faithful:
            pretrain(net, frames.batch, min(PRETRAIN_STEPS, budget.steps), late=lambda: budget.done > 0.5)
        else:
            _bend(torch, net, sounds)
        _main(torch, net, frames, budget, best, recipe)
    except KeyboardInterrupt:
        if best.weights is None:
            raise
        interrupted = True
    assert best.weights is not None
    weights = {k: v.cpu().numpy().astype(np.float32) for k, v in best.weights.items()}
    dry_gain = float(weights.pop("dry_gain"))
    told = {"profile": "faithful" if options.faithful else "improved", "valid_esr": round(best.loss, 6)}
    return CafxNetwork(weights, 16000, dry_gain=dry_gain), Course(budget.taken, interrupted, told)


def pretrain(
    net: Any, batch: Any, steps: int, rate: float = 3e-3, late: Callable[[], bool] = lambda: False
) -> float:
    """Filter bank and envelopes learn to give back what they hear, dry and wet alike; the last loss (ESR).

    Ends early when it is `late`.
    """
    torch = torch_module()
    learned = [net.bank, net.bank_bias, net.envelope, net.envelope_bias]
    optimizer = torch.optim.Adam(learned, lr=rate, betas=(0.9, 0.99))
    esr = float("nan")
    for step in range(steps):
        if late():
            break
        for group in optimizer.param_groups:
            group["lr"] = rate * (1.0 - 0.95 * step / steps)
        heard = torch.cat(batch())
        error = net.reconstruct(heard) - heard
        optimizer.zero_grad()
        error.abs().mean().backward()
        optimizer.step()
        esr = float((error.detach() ** 2).sum() / (heard**2).sum().clamp_min(1e-9))
    return esr


def best_curve(sounds: Sounds) -> DoubleArray:
    """The 27 numbers of the curve without memory that fits best: linear least squares."""
    x, y = (np.concatenate([pair[i] for pair in sounds.learned]).astype(np.float64) for i in (0, 1))
    x, y = (a[:: max(len(x) // 100_000, 1)] for a in (x, y))
    columns = np.stack([np.ones_like(x), x, *(saaf.basis(x, k) for k in range(saaf.INTERVALS))])
    square = columns @ columns.T
    return np.asarray(np.linalg.solve(square + _RIDGE * np.diag(np.diag(square) + 1e-9), columns @ y))


class _Frames:
    """Frames of what is learned from, at random; and those the learning is stopped by."""

    def __init__(
        self, torch: Any, where: Any, sounds: Sounds, size: int, generator: np.random.Generator
    ) -> None:
        self._torch, self._where, self._size, self._random = torch, where, size, generator
        padded = [tuple(np.pad(a, (HOP, FRAME)) for a in pair) for pair in sounds.learned]
        self._dry, self._wet = (np.concatenate([p[i] for p in padded]) for i in (0, 1))
        self.judged = [self._all(*pair) for pair in sounds.judged]

    def batch(self) -> tuple[Any, Any]:
        starts = self._random.integers(0, len(self._dry) - FRAME, self._size)
        return self._tensors([(a, starts) for a in (self._dry, self._wet)])

    def _all(self, dry: Any, wet: Any) -> tuple[Any, Any]:
        starts = np.arange(0, len(dry) - FRAME + 1, HOP)
        starts = starts[:: max(len(starts) * 4 // _MOST_JUDGED, 1)]
        return self._tensors([(dry, starts), (wet, starts)])

    def _tensors(self, wanted: list[tuple[Any, Any]]) -> tuple[Any, Any]:
        rows = [np.stack([a[s : s + FRAME] for s in starts]) for a, starts in wanted]
        first, second = (self._torch.from_numpy(r).to(self._where) for r in rows)
        return first, second


def _bend(torch: Any, net: Any, sounds: Sounds) -> None:
    """Every curve as the one that fits best; the envelopes of the channels that are the signal stay at rest."""
    with torch.no_grad():
        net.curves[:] = torch.as_tensor(best_curve(sounds), dtype=net.curves.dtype)
    net.envelope.register_hook(_still(torch, net.envelope.shape[0] // 2))


def _still(torch: Any, rows: int) -> Any:
    """The envelopes of the channels that begin as the signal stay at zero: they decide where cells are read."""

    def hook(gradient: Any) -> Any:
        return torch.cat([torch.zeros_like(gradient[:rows]), gradient[rows:]])

    return hook


def _main(torch: Any, net: Any, frames: _Frames, budget: Budget, best: Best, recipe: _Recipe) -> None:
    faithful = recipe is PUBLISHED
    slow = [p for name, p in net.named_parameters() if p.requires_grad and name != "curves"]
    groups = [{"params": slow, "base": recipe.rate}, {"params": [net.curves], "base": recipe.curve_rate}]
    optimizer = torch.optim.Adam(groups, lr=recipe.rate, betas=(0.9, 0.99))
    window = torch.hann_window(FRAME, device=net.bank.device)
    falls = 0
    best.offer(_valid_esr(torch, net, frames.judged, window), net)
    while budget.done < 1.0:
        if best.stale >= recipe.patience:
            falls, best.stale = falls + 1, 0
            if not faithful or falls > MOST_FALLS:
                break
        part = FALL**falls if faithful else 0.02 + 0.49 * (1.0 + np.cos(np.pi * budget.done))
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * min(1.0, (budget.taken + 1) / WARM_STEPS) * part
        dry, wet = frames.batch()
        error, wanted = window * (net(dry) - wet), window * wet
        loss = error.abs().mean() / (wanted.abs().mean() + 1e-4)
        if not faithful:
            loss = loss + (error**2).sum() / ((wanted**2).sum() + 1e-3)
            loss = loss + CURVATURE * (net.curves[:, 2:] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(slow, 1.0)
        optimizer.step()
        budget.step()
        if budget.taken % recipe.judge_every == 0:
            best.offer(_valid_esr(torch, net, frames.judged, window), net)
    best.offer(_valid_esr(torch, net, frames.judged, window), net)


def _valid_esr(torch: Any, net: Any, judged: list[tuple[Any, Any]], window: Any) -> float:
    with torch.no_grad():
        error = energy = 0.0
        for dry, wet in judged[:8]:
            error += float(((window * (net(dry) - wet)) ** 2).sum())
            energy += float(((window * wet) ** 2).sum())
    return error / max(energy, 1e-12)

"""The network that places: what it hears, how it is taught, how its pooled answers are sharpened.

It hears the soloist as the separator gives it for half of the frames, as the best gains would give it for the rest; the
mixture is first brought to the loudness of reference, so that the level of what it hears means something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.jazz.numbers import number
from tonmeister.engines.jazz.placement import ANGLES_DEG, encode
from tonmeister.model_files.store import Model
from tonmeister.separation.jazz import ALPHA, CONTEXT
from tonmeister.separation.masks import wiener_mask
from tonmeister.training.jazz.frames import SoloFrames
from tonmeister.training.jazz.learning import LearningOptions, Told, moved, scheduled
from tonmeister.training.jazz.networks import build_pan, centered
from tonmeister.training.torch_library import torch_module
from tonmeister.units import DoubleArray, db_to_power

__all__ = ["PanFrames", "learn_pan", "pan_frames", "sharpness"]

_FLOOR: Final = -10.0
_LEAST_MASK: Final = 1e-4
_BATCH: Final = 4096
_SHARPNESS: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)


@dataclass(frozen=True, eq=False)
class PanFrames:
    """Frames of soloists and what is to be said of them."""

    heard: tuple[NDArray[np.float16], NDArray[np.float16]]
    """Features (frames, bands) as separated by the network, and by the best gains."""
    owners: NDArray[np.int64]
    """Number of the mixture of each frame."""
    energy: DoubleArray
    """Of each frame; 0 where the gate is closed."""
    places: DoubleArray
    """(theta, gain) of each mixture."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """(angle, gain) of each mixture, each counted from 0."""
        pairs = np.array([encode(theta, gain) for theta, gain in self.places])
        return np.asarray(pairs - np.array([0, len(ANGLES_DEG)]), np.int64)


def pan_frames(frames: SoloFrames, solo: Model) -> PanFrames:
    """What a separator `solo` makes of mixtures whose places are known."""
    masks = _masks(frames, solo)
    lengths = np.diff(frames.borders)
    known = np.isfinite(frames.places).all(axis=1)
    level = np.repeat((number("reference_lufs") - frames.places[:, 2]) / 10.0, lengths)[:, None]
    keep = np.repeat(known, lengths)
    owners = np.repeat(np.cumsum(known) - 1, lengths)[keep]
    base = frames.features[keep].astype(np.float32) + level[keep].astype(np.float32)
    heard = tuple(
        np.maximum(base + 2.0 * np.log10(np.maximum(m[keep].astype(np.float32), _LEAST_MASK)), _FLOOR)
        for m in (masks, frames.gains)
    )
    energy = np.sum(10.0 ** heard[0].astype(np.float64), axis=1)
    loudest = np.zeros(int(known.sum()))
    np.maximum.at(loudest, owners, energy)
    energy[energy < loudest[owners] * db_to_power(number("gate_db"))] = 0.0
    ours, best = (h.astype(np.float16) for h in heard)
    return PanFrames((ours, best), owners, energy, frames.places[known][:, :2])


def _masks(frames: SoloFrames, solo: Model) -> NDArray[np.float16]:
    """The masks that cut, m^a / (m^a + (1 - m)^a); (frames, bands)."""
    out = np.zeros_like(frames.gains)
    around = np.arange(-CONTEXT, CONTEXT + 1)
    first = np.repeat(frames.borders[:-1], np.diff(frames.borders))
    last = np.repeat(frames.borders[1:] - 1, np.diff(frames.borders))
    for start in range(0, len(out), _BATCH):
        here = np.arange(start, min(start + _BATCH, len(out)))
        at = np.clip(here[:, None] + around, first[here, None], last[here, None])
        heard = frames.features[at].astype(np.float32).reshape(len(here), -1)
        masks = np.asarray(solo.run({"features": heard})["masks"], np.float32)
        out[here] = wiener_mask(masks, np.float32(1.0) - masks, ALPHA)
    return out


def learn_pan(frames: PanFrames, options: LearningOptions, seed: int, *, told: Told) -> Any:
    """A network that knows where the soloists of `frames` belong."""
    torch = torch_module()
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 2])
    network = build_pan(bands=frames.heard[0].shape[1])
    per_epoch, optimizer, schedule = scheduled(options, network.parameters())
    chance = np.cumsum(_shares(np.sqrt(frames.energy), frames.owners))
    angles, gains = frames.classes.T
    cross_entropy = torch.nn.functional.cross_entropy
    for epoch in range(options.epochs):
        total = 0.0
        for _ in range(per_epoch):
            chosen = np.searchsorted(chance, rng.random(options.batch) * chance[-1])
            separated = rng.random((len(chosen), 1)) < 0.5
            heard = np.where(separated, frames.heard[0][chosen], frames.heard[1][chosen]).astype(np.float32)
            scores = network(centered(torch.from_numpy(heard)))
            owners = frames.owners[chosen]
            loss = cross_entropy(scores[:, : len(ANGLES_DEG)], torch.from_numpy(angles[owners]))
            loss = loss + cross_entropy(scores[:, len(ANGLES_DEG) :], torch.from_numpy(gains[owners]))
            total += moved(loss, network, optimizer, schedule)
        told((epoch + 1) / options.epochs, total / per_epoch)
    return network.eval()


def _shares(weights: DoubleArray, owners: NDArray[np.int64]) -> DoubleArray:
    """Weights that add up to one within each mixture, so that all count alike."""
    sums = np.bincount(owners, weights)
    return weights / np.maximum(sums[owners], 1e-20)


def sharpness(frames: PanFrames, network: Any) -> dict[str, float]:
    """The exponents of pooled answers with which they say truly how sure they are."""
    torch = torch_module()
    with torch.no_grad():
        scores = network(centered(torch.from_numpy(frames.heard[0].astype(np.float32))))
        parts = (scores[:, : len(ANGLES_DEG)], scores[:, len(ANGLES_DEG) :])
        logs = [torch.log_softmax(part, dim=1).numpy().astype(np.float64) for part in parts]
    weights = _shares(frames.energy, frames.owners)
    return {
        name: _sharpest(_pooled(log, weights, frames.owners), classes)
        for name, log, classes in zip(("angle", "gain"), logs, frames.classes.T, strict=True)
    }


def _pooled(logs: DoubleArray, weights: DoubleArray, owners: NDArray[np.int64]) -> DoubleArray:
    out = np.zeros((int(owners.max()) + 1, logs.shape[1]))
    np.add.at(out, owners, weights[:, None] * logs)
    return out


def _sharpest(pooled: DoubleArray, classes: NDArray[np.int64]) -> float:
    """The exponent with which the true classes are likeliest."""

    def surprise(exponent: float) -> float:
        logs = exponent * pooled
        logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
        return -float(np.mean(logs[np.arange(len(classes)), classes]))

    return min(_SHARPNESS, key=surprise)

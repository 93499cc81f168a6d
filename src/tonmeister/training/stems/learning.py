"""The improved network's training: bounded gains per band that bring the raw stem's bands to the finished one's.

With a the amplitude of a band of the raw stem, b of the finished one, g the smoothed gain, the loss is

    mean |20 log10((a 10^(g/20) + e) / (b + e))| + 0.01 mean |g| + 0.01 mean |g_t - g_(t-1)|
        + 4 mean |a 10^(g/20) - b| / mean b

whose last term is ours: what is reported is the error of linear magnitudes, where loud bands count most.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.effects.stem_model import AROUND, BAND_HOP, MOST_DB, heard_as, smoothing
from tonmeister.errors import BadInputError
from tonmeister.training.stems.networks import build_improved
from tonmeister.training.stems.raw import RATE
from tonmeister.training.torch_library import torch_module
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["BandClip", "LearnedBands", "LearningOptions", "learn_bands", "windows"]

_FLOOR: Final = 1e-4
_QUIET: Final = 10 ** (-70.0 / 20.0)
_LINEAR_WEIGHT: Final = 4.0
Progress = Callable[[float, float], None]


@dataclass(frozen=True, eq=False)
class BandClip:
    """Band amplitudes of one pair, (frames, 64) each."""

    song: str
    raw: FloatArray = field(repr=False)
    stem: FloatArray = field(repr=False)
    hinted: DoubleArray = field(repr=False)
    """The hints of the raw one."""


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How long and how fast."""

    steps: int = 2500
    batch: int = 16
    length: int = 48
    """Frames of a segment."""
    rate: float = 1e-3
    hidden: int = 256
    checks: int = 20
    """How often the held-out songs are heard on the way; the best of these states is kept."""
    held_share: float = 0.12


@dataclass(frozen=True, eq=False)
class LearnedBands:
    """A trained network and what its input is centered and scaled by."""

    network: Any
    mean: np.ndarray
    deviation: np.ndarray
    loss: float
    """On the held-out songs."""
    steps: int
    """At which this was."""
    interrupted: bool = False


def windows(amplitudes: FloatArray) -> FloatArray:
    """What the network hears at each frame: five frames in a row, silence beyond the ends; (frames, 320)."""
    heard = np.pad(heard_as(amplitudes), ((AROUND, AROUND), (0, 0)))
    count = len(amplitudes)
    return np.concatenate([heard[i : i + count] for i in range(2 * AROUND + 1)], axis=1)


def learn_bands(
    clips: Sequence[BandClip],
    options: LearningOptions,
    seed: int,
    *,
    split_seed: int | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> LearnedBands:
    """Train on the clips, some songs held out to stop at the best; an interrupt keeps the best so far.

    `split_seed` says which songs, so that networks from several seeds are judged by the same; None takes `seed`.
    """
    torch = torch_module()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng([seed, 10])
    split_seed = seed if split_seed is None else split_seed
    train, held = _split(clips, options.held_share, np.random.default_rng([split_seed, 13]))
    mean, deviation = _scaling(train)
    network = build_improved(options.hidden)
    optimizer = torch.optim.Adam(network.parameters(), lr=options.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    scaled = (torch.from_numpy(mean), torch.from_numpy(deviation))
    checked = [_batch(held, options, np.random.default_rng([split_seed, 11, i]), torch) for i in range(12)]
    best, kept, at = np.inf, copy.deepcopy(network.state_dict()), 0
    stopped = False
    every = max(options.steps // options.checks, 1)
    try:
        for step in range(options.steps):
            loss = _loss(network, _batch(train, options, rng, torch), scaled, torch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if (step + 1) % every and step + 1 < options.steps:
                continue
            with torch.no_grad():
                now = float(np.mean([float(_loss(network, b, scaled, torch)) for b in checked]))
            if now < best:
                best, kept, at = now, copy.deepcopy(network.state_dict()), step + 1
                _save(checkpoint, kept)
            if progress is not None:
                progress((step + 1) / options.steps, now)
    except KeyboardInterrupt:
        if not at:
            raise
        stopped = True
    network.load_state_dict(kept)
    return LearnedBands(network.eval(), mean, deviation, best, at, stopped)


def _split(
    clips: Sequence[BandClip], share: float, rng: np.random.Generator
) -> tuple[list[BandClip], list[BandClip]]:
    songs = sorted({c.song for c in clips})
    if len(songs) < 3:
        raise BadInputError(
            f"{len(songs)} songs are too few to learn from: give at least 3, a hundred to be of use"
        )
    held = set(rng.permutation(songs)[: max(1, round(share * len(songs)))].tolist())
    return [c for c in clips if c.song not in held], [c for c in clips if c.song in held]


def _scaling(clips: Sequence[BandClip]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation per band, the same for the five frames: (320,) each."""
    heard = np.concatenate([heard_as(c.raw[::4]) for c in clips])
    mean, deviation = heard.mean(0), np.maximum(heard.std(0), 0.05)
    return np.tile(mean, 2 * AROUND + 1), np.tile(deviation, 2 * AROUND + 1)


def _batch(clips: Sequence[BandClip], options: LearningOptions, rng: np.random.Generator, torch: Any) -> Any:
    """Random segments: (input, raw amplitudes, stem amplitudes), shapes (batch, length, ...)."""
    inputs: list[FloatArray] = []
    raws: list[FloatArray] = []
    stems: list[FloatArray] = []
    while len(inputs) < options.batch:
        clip = clips[int(rng.integers(len(clips)))]
        start = int(rng.integers(max(len(clip.raw) - options.length, 0) + 1))
        raw, stem = (x[start : start + options.length] for x in (clip.raw, clip.stem))
        if len(raw) < options.length:
            raw, stem = (np.pad(x, ((0, options.length - len(x)), (0, 0))) for x in (raw, stem))
        around = clip.raw[max(start - AROUND, 0) : start + options.length + AROUND]
        before, after = AROUND - min(start, AROUND), 0
        after = options.length + 2 * AROUND - before - len(around)
        padded = np.pad(around, ((before, after), (0, 0)))
        inputs.append(windows(padded)[AROUND:-AROUND])
        raws.append(raw)
        stems.append(stem)
    return tuple(torch.from_numpy(np.stack(x)) for x in (inputs, raws, stems))


def _loss(network: Any, batch: Any, scaled: Any, torch: Any) -> Any:
    inputs, raw, stem = batch
    gains = MOST_DB * network((inputs - scaled[0]) / scaled[1])
    sounding = ((raw**2).sum(2).sqrt() > _QUIET).float()[..., None]
    gains = _smooth(gains * sounding, torch)
    made = raw * 10 ** (gains / 20)
    log_error = (20 * (torch.log10(made + _FLOOR) - torch.log10(stem + _FLOOR))).abs()
    linear = (made - stem).abs().mean() / stem.mean().clamp(min=1e-6)
    calm = 0.01 * gains.abs().mean() + 0.01 * (gains[:, 1:] - gains[:, :-1]).abs().mean()
    weight = sounding.mean().clamp(min=1e-3)
    return (log_error * sounding).mean() / weight + calm + _LINEAR_WEIGHT * linear


def _smooth(gains: Any, torch: Any) -> Any:
    """g_t = c g_(t-1) + (1 - c) w_t as one product with a triangular matrix; begins at the first value."""
    count, c = gains.shape[1], smoothing(BAND_HOP / RATE)
    back = np.arange(count)[:, None] - np.arange(count)[None, :]
    kernel = np.where(back >= 0, (1 - c) * c ** np.maximum(back, 0), 0.0)
    kernel[:, 0] = c ** np.arange(count)
    return torch.einsum("ij,njb->nib", torch.from_numpy(kernel.astype(np.float32)), gains)


def _save(checkpoint: Path | None, state: Any) -> None:
    """The best weights so far, complete or not at all."""
    if checkpoint is None:
        return
    from safetensors.torch import save_file

    partial = checkpoint.with_name(f".{checkpoint.name}.part")
    save_file(state, str(partial))
    partial.replace(checkpoint)

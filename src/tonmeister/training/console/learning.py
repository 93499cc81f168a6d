"""From songs with known consoles to a network that is as sure as it may be.

    loss = sum over known controls of [z^2 / 2 + ln s], z = (target - mean) / s       Gaussian likelihood
         + cross-entropy of the inserts
         + mean |difference| of the third-octave spectra of the sum and of the difference of both sides

The last compares what the console makes, so that different consoles with one result are not told apart; it is
computed from powers alone and does not change when left and right are exchanged. Songs are heard in several variants:
levels and places drawn anew, spectra turned by known tone controls, tracks left out, names forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.engines.predict.measures import Measures, columns, input_names, weighted_db
from tonmeister.engines.predict.outputs import CONTROLS, EQ, WANTED, eq_basis_db, number
from tonmeister.training.console.network import build_network
from tonmeister.training.console.songs import TARGETS, ConsoleSong, mixed_again
from tonmeister.training.console.spoiling import draw_tone
from tonmeister.training.torch_library import torch_module
from tonmeister.units import DoubleArray

__all__ = ["Example", "Learned", "LearningOptions", "control_targets", "example", "learn", "spread_stretch"]

_BATCH: Final = 16
_FEATURE_WEIGHT: Final = 0.03
"""Per decibel of the mix's spectra."""
_TONED: Final = 0.5
_LEFT_OUT: Final = 0.5
_LEAST_TRACKS: Final = 2
_FITTED: Final = slice(3, 29)
"""Third octaves in which a tone curve is fitted: 50 Hz to 16 kHz."""
_RIDGE: Final = 0.005


@dataclass(frozen=True)
class LearningOptions:
    """How long, and how varied."""

    epochs: int = 100
    variants: int = 10
    """Of each song."""
    rate: float = 1.5e-3
    patience: int = 25


@dataclass(frozen=True, eq=False)
class Example:
    """One variant of a song as arrays, tracks in rows."""

    inputs: DoubleArray
    targets: DoubleArray
    """In the order of `CONTROLS`; NaN where unknown."""
    wanted: DoubleArray
    """In the order of `WANTED`; NaN where unknown."""
    spectra_db: DoubleArray
    """Of each track at equal loudness; (tracks, 30)."""


@dataclass(frozen=True, eq=False)
class Learned:
    """The network in its best state, and what brings its numbers to units."""

    network: Any
    center: DoubleArray
    prior: DoubleArray
    losses: tuple[tuple[float, float], ...]
    """Per epoch, on the training songs and on those kept back."""


def control_targets(song: ConsoleSong) -> tuple[DoubleArray, DoubleArray]:
    """Targets in the order of `CONTROLS` and of `WANTED`; the level against the mean of the song."""
    named = dict(zip(TARGETS, song.targets.T, strict=True))
    gains = _band_gains(song.curves_db)
    named |= {
        "level_lu": named["level_lu"] - np.nanmean(named["level_lu"]),
        **dict(zip(EQ, gains.T, strict=True)),
    }
    targets = np.stack([named[name] for name in CONTROLS], axis=1)
    return targets, np.stack([named[name] for name in WANTED], axis=1)


def _band_gains(curves_db: DoubleArray) -> DoubleArray:
    """Gains of the six bands nearest to curves (tracks, 30), by least squares with a little ridge."""
    basis = eq_basis_db()[:, _FITTED]
    normal = basis @ basis.T + _RIDGE * np.eye(len(basis)) * basis.shape[1]
    largest = number("eq.largest")
    return np.asarray(
        np.clip(np.linalg.solve(normal, basis @ curves_db[:, _FITTED].T).T, -2 * largest, 2 * largest)
    )


def example(song: ConsoleSong) -> Example:
    """A song as arrays, as it is."""
    targets, wanted = control_targets(song)
    spectra = np.array([m.spectrum_db for m in song.tracks])
    return Example(columns(song.tracks), targets, wanted, spectra - weighted_db(spectra)[:, None])


def _variant(song: ConsoleSong, random: np.random.Generator) -> Example:
    """A song mixed again, with some tracks left out, spectra turned, and words forgotten."""
    song = mixed_again(song, random)
    keep = np.arange(len(song.tracks))
    if len(keep) > _LEAST_TRACKS and random.random() < _LEFT_OUT:
        keep = np.sort(random.choice(keep, int(random.integers(_LEAST_TRACKS, len(keep))), replace=False))
    curves = song.curves_db[keep].copy()
    tracks = []
    for row, i in enumerate(keep):
        track = _forgetful(song.tracks[i], random)
        if random.random() < _TONED:
            tone = draw_tone(random).response(exact_centers_hz(3), 48_000)
            tone_db = 20.0 * np.log10(np.abs(tone))
            track, curves[row] = (
                replace(track, spectrum_db=track.spectrum_db + tone_db),
                curves[row] - tone_db,
            )
        tracks.append(track)
    return example(replace(song, tracks=tuple(tracks), targets=song.targets[keep], curves_db=curves))


def _forgetful(track: Measures, random: np.random.Generator) -> Measures:
    """Names in practice: often right, sometimes only the family, sometimes nothing."""
    from tonmeister.vocabulary import family

    draw, sure = random.random(), float(random.uniform(0.6, 1.0))
    if draw < 0.1:
        return replace(track, instrument="other", role="foreground", confidence=0.0, group="")
    if draw < 0.2:
        return replace(track, instrument=family(track.instrument), confidence=0.6 * sure)
    role = "foreground" if random.random() < 0.15 else track.role
    return replace(track, role=role, confidence=track.confidence * sure)


def learn(
    songs: Sequence[ConsoleSong],
    kept_back: Sequence[ConsoleSong],
    options: LearningOptions,
    seed: int,
    progress: Callable[[float, float], None],
) -> Learned:
    """Train on `songs`, stop where `kept_back` gets worse; interrupted, the best so far is handed back."""
    torch: Any = torch_module()
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    variants = [[example(s), *(_variant(s, random) for _ in range(options.variants - 1))] for s in songs]
    held = [example(song) for song in kept_back]
    center, prior = _statistics([row[0] for row in variants])
    network = build_network(len(input_names()))
    _standardize(network, np.concatenate([e.inputs for row in variants for e in row]))
    fit = _Fit(network, center, prior)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.02)
    steps = options.epochs * math.ceil(len(songs) / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=steps)
    losses: list[tuple[float, float]] = []
    best, state, waited = math.inf, network.state_dict(), 0
    try:
        for epoch in range(options.epochs):
            order = random.permutation(len(songs))
            heard = [variants[i][int(random.integers(options.variants))] for i in order]
            trained = fit.epoch(heard, optimizer, schedule)
            losses.append((trained, fit.loss_of(held)))
            progress((epoch + 1) / options.epochs, losses[-1][1])
            waited += 1
            if losses[-1][1] < best:
                best, waited = losses[-1][1], 0
                state = {name: value.clone() for name, value in network.state_dict().items()}
            if waited >= options.patience:
                break
    except KeyboardInterrupt:
        if not losses:
            raise
    network.load_state_dict(state)
    network.eval()
    return Learned(network, center, prior, tuple(losses))


def _statistics(examples: Sequence[Example]) -> tuple[DoubleArray, DoubleArray]:
    """Mean and spread of each control over all tracks; 0 and 1 where nobody knows any."""
    targets = np.concatenate([e.targets for e in examples])
    known = np.isfinite(targets)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, targets, 0.0).sum(0) / count
    spread = np.sqrt(np.where(known, (targets - mean) ** 2, 0.0).sum(0) / count)
    return mean, np.where(spread > 1e-3, spread, 1.0)


def _standardize(network: Any, inputs: DoubleArray) -> None:
    torch: Any = torch_module()
    scale = np.maximum(inputs.std(0), 0.05)
    network.center.copy_(torch.tensor(inputs.mean(0), dtype=torch.float32))
    network.scale.copy_(torch.tensor(1.0 / scale, dtype=torch.float32))


class _Fit:
    """Batches and the loss."""

    def __init__(self, network: Any, center: DoubleArray, prior: DoubleArray) -> None:
        torch: Any = torch_module()
        self._torch, self._network = torch, network
        self._center = torch.tensor(center, dtype=torch.float32)
        self._prior = torch.tensor(prior, dtype=torch.float32)
        self._basis = torch.tensor(eq_basis_db(), dtype=torch.float32)
        self._weights = torch.tensor(10.0 ** (weighted_db(np.where(np.eye(30), 0.0, -300.0)) / 10.0)).float()

    def epoch(self, examples: Sequence[Example], optimizer: Any, schedule: Any) -> float:
        self._network.train()
        total = 0.0
        for start in range(0, len(examples), _BATCH):
            optimizer.zero_grad()
            loss = self._loss(examples[start : start + _BATCH])
            loss.backward()
            self._torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(examples[start : start + _BATCH])
        return total / len(examples)

    def loss_of(self, examples: Sequence[Example]) -> float:
        self._network.eval()
        with self._torch.no_grad():
            return float(self._loss(examples))

    def _loss(self, examples: Sequence[Example]) -> Any:
        torch = self._torch
        there = self._padded([np.ones((len(e.inputs), 1)) for e in examples])[..., 0] > 0
        inputs, targets, wanted, spectra = (
            self._padded([getattr(e, name) for e in examples])
            for name in ("inputs", "targets", "wanted", "spectra_db")
        )
        mean, spread, scores = self._network(inputs, there)
        mean = self._centered(mean, there)
        known = torch.isfinite(targets) & there[..., None]
        aim = torch.where(known, (torch.nan_to_num(targets) - self._center) / self._prior, mean.detach())
        likelihood = (0.5 * ((aim - mean) / spread) ** 2 + spread.log()) * known
        settled = torch.isfinite(wanted) & there[..., None]
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, torch.nan_to_num(wanted), reduction="none"
        )
        return (
            likelihood.sum() / known.sum().clamp(min=1)
            + (entropy * settled).sum() / settled.sum().clamp(min=1) * 0.5
            + _FEATURE_WEIGHT * self._feature_loss(mean, aim, known, spectra, there)
        )

    def _centered(self, mean: Any, there: Any) -> Any:
        """The level against the mean of the song."""
        torch = self._torch
        level = mean[..., 0]
        middle = (level * there).sum(1, keepdim=True) / there.sum(1, keepdim=True)
        return torch.cat([(level - middle)[..., None], mean[..., 1:]], -1)

    def _feature_loss(self, mean: Any, aim: Any, known: Any, spectra: Any, there: Any) -> Any:
        """Mean |difference| in dB of both spectra, of the songs in which levels and pans are known of all tracks."""
        made, true = self._spectra(mean, spectra, there), self._spectra(aim, spectra, there)
        whole = (known[..., :2].all(-1) | ~there).all(1)
        difference = (made - true).abs().mean((1, 2))
        return (difference * whole).sum() / whole.sum().clamp(min=1)

    def _spectra(self, controls: Any, spectra: Any, there: Any) -> Any:
        """Third octaves of the sum and the difference of both sides, dB; (songs, 2, 30), at a common loudness.

        A mono source at pan p enters left and right with cos and sin of (p + 1) pi / 4, so the powers of sum and
        difference are 1 + cos(p pi / 2) and 1 - cos(p pi / 2).
        """
        torch = self._torch
        values = controls * self._prior + self._center
        toned = spectra + values[..., 2:8] @ self._basis
        heard = 10.0 * torch.log10((10.0 ** (toned / 10.0) * self._weights).sum(-1) + 1e-9)
        power = 10.0 ** ((toned + (values[..., 0] - heard)[..., None]) / 10.0) * there[..., None]
        turn = torch.cos(values[..., 1].clamp(0.0, 1.0) * (math.pi / 2))[..., None]
        total = (power * self._weights).sum((1, 2))[:, None]
        both = [(power * (1.0 + turn)).sum(1), (power * (1.0 - turn + 0.02)).sum(1)]
        return torch.stack([10.0 * torch.log10(p / total + 1e-6) for p in both], 1)

    def _padded(self, arrays: Sequence[DoubleArray]) -> Any:
        longest = max(len(a) for a in arrays)
        padded = [np.pad(a, ((0, longest - len(a)), (0, 0))) for a in arrays]
        return self._torch.tensor(np.stack(padded), dtype=self._torch.float32)


def spread_stretch(learned: Learned, kept_back: Sequence[ConsoleSong]) -> DoubleArray:
    """By how much the spreads of each control must grow for the songs kept back to be as surprising as they say.

    The root mean square of (target - mean) / spread; 1 where fewer than 20 are known.
    """
    z = np.concatenate([standardized_errors(learned, song) for song in kept_back])
    counts = np.isfinite(z).sum(0)
    squares = np.where(np.isfinite(z), z, 0.0) ** 2
    return np.where(counts >= 20, np.sqrt(squares.sum(0) / np.maximum(counts, 1)), 1.0)


def standardized_errors(learned: Learned, song: ConsoleSong) -> DoubleArray:
    """(target - mean) / spread; (tracks, controls), NaN where unknown."""
    torch: Any = torch_module()
    one = example(song)
    inputs = torch.tensor(one.inputs[None], dtype=torch.float32)
    with torch.no_grad():
        mean, spread, _ = learned.network(inputs, torch.ones(1, len(one.inputs), dtype=torch.bool))
    values = mean[0].numpy().astype(np.float64) * learned.prior + learned.center
    values[:, 0] -= values[:, 0].mean()
    return np.asarray((one.targets - values) / (spread[0].numpy() * learned.prior))

"""Training of the draft of a finished stem (`engines.autoencoder.draft`): whole clips, brought to the same loudness.

With a' the band amplitudes of the raw stem behind the gains, scaled to the K-weighted power of the finished one's b, and L
the level over all bands in dB, the loss is

    mean |20 log10((a' + e) / (b + e))| + 4 mean |a' - b| / mean b + mean |L(a') - L(b)|
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.dsp.erb_bands import BANDS, centers_hz
from tonmeister.dsp.loudness import k_weighting_power
from tonmeister.engines.autoencoder.draft import (
    ACTIVE_DB,
    ARRAY_SHAPES,
    BASIS,
    CURVE_DILATIONS,
    LOUD,
    MOST_DB,
    MOVE_DILATIONS,
    REACH,
    SCALE_DB,
    Draft,
    octaves,
    seen,
)
from tonmeister.training.stems.learning import BandClip
from tonmeister.training.stems.raw import RATE
from tonmeister.training.torch_library import torch_module
from tonmeister.units import FloatArray

__all__ = ["DraftOptions", "LearnedDraft", "build_draft", "learn_draft"]

_FLOOR: Final = 1e-9
_AMPLITUDE_FLOOR: Final = 1e-4
_QUIET: Final = 10 ** (-70.0 / 20.0)
_LINEAR_WEIGHT: Final = 4.0
_CHECKED_AT_ONCE: Final = 16
Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """How long and how fast."""

    steps: int = 6000
    batch: int = 8
    rate: float = 3e-3
    decay: float = 1e-3
    """Of the weights."""
    dropout: float = 0.1
    checks: int = 20
    """How often the held-out songs are heard on the way; the best of these states is kept."""


@dataclass(frozen=True, eq=False)
class LearnedDraft:
    """A trained network."""

    draft: Draft
    loss: float
    """On the clips held out."""
    steps: int
    """At which this was."""
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class _Lesson:
    """Clips as the network takes them, float32."""

    maps: FloatArray
    scalars: FloatArray
    raw: FloatArray
    """(clips, frames, 64); shorter clips are followed by silence."""
    stem: FloatArray


def build_draft(scalars: FloatArray, dropout: float) -> Any:
    """The network with its first weights, which say 0 dB; `scalars` (clips, 54) are what it centers and scales by."""
    torch: Any = torch_module()
    nn: Any = torch.nn
    functional: Any = nn.functional
    mean, scale = scalars.mean(0), np.maximum(scalars.std(0), 1e-3)

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scalars_mean = nn.Parameter(torch.from_numpy(mean), requires_grad=False)
            self.scalars_scale = nn.Parameter(torch.from_numpy(scale), requires_grad=False)
            self.basis = nn.Parameter(torch.from_numpy(_first_basis()))
            for name, shape in ARRAY_SHAPES.items():
                if name.endswith(".weight"):
                    outputs, inputs, *taps = shape
                    made = nn.Conv1d(inputs, outputs, taps[0]) if taps else nn.Linear(inputs, outputs)
                    setattr(self, name.removesuffix(".weight"), made)
            for layer in (self.curve, self.move):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.left_out = nn.Dropout(dropout)

        def forward(self, maps: Any, scalars: Any, raw: Any) -> Any:
            """(n, 10, 64), (n, 54), (n, frames, 64) -> gains in dB (n, frames, 64)."""
            scaled = ((scalars - self.scalars_mean) / self.scalars_scale).clamp(-4, 4)
            words = self.words1(self.left_out(functional.relu(self.words0(scaled))))[:, :, None]
            x = torch.cat([maps, words.expand(-1, -1, BANDS)], 1)
            for number, dilation in enumerate(CURVE_DILATIONS):
                made = functional.relu(self._layer(f"curve{number}", x, dilation))
                x = x + self.left_out(made) if number else made
            curve = SCALE_DB * self.curve(x)
            power = raw**2 * 10 ** (curve / 10)
            levels = _db(torch, torch.einsum("ntb,kb->nkt", power, self.basis.clamp(min=0)))
            x = torch.cat([_heard(torch, levels), words.expand(-1, -1, levels.shape[2])], 1)
            x = functional.relu(self.hear(x))
            for number, dilation in enumerate(MOVE_DILATIONS):
                x = x + self.left_out(functional.relu(self._layer(f"move{number}", x, dilation)))
            moves = torch.einsum("nkt,kb->ntb", SCALE_DB * self.move(x), self.basis)
            return (curve + moves).clamp(*MOST_DB)

        def _layer(self, name: str, x: Any, dilation: int) -> Any:
            layer = getattr(self, name)
            return functional.conv1d(
                x, layer.weight, layer.bias, padding=dilation * (layer.kernel_size[0] // 2), dilation=dilation
            )

    return Network()


def _first_basis() -> FloatArray:
    """All bands, those above 5 kHz, those below 250 Hz, those around 3 kHz and around 500 Hz."""
    x = octaves()
    rows = [
        np.ones(BANDS), 1 / (1 + 2.0 ** (3 * (np.log2(5.0) - x))), 1 / (1 + 2.0 ** (3 * (x + 2.0))),
        np.exp(-((x - np.log2(3.0)) ** 2)), np.exp(-((x + 1.0) ** 2)),
    ]  # fmt: skip
    assert len(rows) == BASIS
    return np.array(rows, np.float32)


def _heard(torch: Any, levels: Any) -> Any:
    """As `draft._heard`, many clips at once: (n, 5, frames) -> (n, 8, frames)."""
    full = levels[:, 0]
    sounds = (full > full.amax(1, keepdim=True) - ACTIVE_DB).to(full.dtype)
    count = sounds.sum(1, keepdim=True)
    against = _db(torch, (10 ** (full / 10) * sounds).sum(1, keepdim=True) / count)
    level = full - against
    window = torch.from_numpy(np.hanning(2 * REACH + 3)[1:-1].astype(np.float32))[None, None]
    over, among = (
        torch.nn.functional.conv1d(row[:, None], window, padding=REACH)[:, 0]
        for row in (level * sounds, sounds)
    )
    phrase = over / among.clamp(min=1e-3)
    phrase = phrase - (phrase * sounds).sum(1, keepdim=True) / count
    loud = torch.quantile(level, LOUD, dim=1, keepdim=True)
    parts = (levels[:, 1:] - against[:, None]).clamp(min=-60.0) / 15
    return torch.cat([torch.stack([level / 10, (level - loud) / 10, phrase / 5, sounds], 1), parts], 1)


def _db(torch: Any, power: Any) -> Any:
    return 10 * torch.log10(power + _FLOOR)


def learn_draft(
    clips: Sequence[BandClip], held: Sequence[int], options: DraftOptions, seed: int,
    *, progress: Progress | None = None,
) -> LearnedDraft:  # fmt: skip
    """Train on the clips but those at the places `held`, which tell when it was best; an interrupt keeps that."""
    torch = torch_module()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng([seed, 12])
    inside = np.setdiff1d(np.arange(len(clips)), held)
    lesson = _lesson(clips)
    network = build_draft(lesson.scalars[inside], options.dropout)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, options.rate, weight_decay=options.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, options.steps)
    weights = torch.from_numpy(np.asarray(k_weighting_power(centers_hz(), RATE), np.float32))

    def loss_of(places: Any) -> Any:
        rows = (lesson.maps, lesson.scalars, lesson.raw, lesson.stem)
        return _loss(torch, network, [torch.from_numpy(a[places]) for a in rows], weights)

    best, kept, at, stopped = np.inf, copy.deepcopy(network.state_dict()), 0, False
    every = max(options.steps // options.checks, 1)
    try:
        for step in range(1, options.steps + 1):
            network.train()
            loss = loss_of(rng.choice(inside, options.batch))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            schedule.step()
            if step % every and step < options.steps:
                continue
            network.eval()
            groups = np.split(np.array(held), range(_CHECKED_AT_ONCE, len(held), _CHECKED_AT_ONCE))
            with torch.no_grad():
                now = float(np.average([float(loss_of(g)) for g in groups], weights=[len(g) for g in groups]))
            if now < best:
                best, kept, at = now, copy.deepcopy(network.state_dict()), step
            if progress is not None:
                progress(step / options.steps, now)
    except KeyboardInterrupt:
        if not at:
            raise
        stopped = True
    arrays = {name: np.asarray(kept[name].numpy(), np.float32) for name in ARRAY_SHAPES}
    return LearnedDraft(Draft(arrays), best, at, stopped)


def _lesson(clips: Sequence[BandClip]) -> _Lesson:
    told = [seen(c.raw, c.hinted) for c in clips]
    longest = max(len(c.raw) for c in clips)
    raw, stem = (
        np.stack([np.pad(np.asarray(x, np.float32), ((0, longest - len(x)), (0, 0))) for x in sounds])
        for sounds in ([c.raw for c in clips], [c.stem for c in clips])
    )
    return _Lesson(np.stack([t.maps for t in told]), np.stack([t.scalars for t in told]), raw, stem)


def _loss(torch: Any, network: Any, rows: Sequence[Any], weights: Any) -> Any:
    maps, scalars, raw, stem = rows
    made = raw * 10 ** (network(maps, scalars, raw) / 20)
    power = [((x**2) @ weights).sum(1) for x in (stem, made)]
    made = made * (power[0] / (power[1] + _FLOOR)).sqrt()[:, None, None]
    sounding = (((raw**2).sum(2)).sqrt() > _QUIET).to(raw.dtype)
    share = sounding.mean().clamp(min=1e-3)
    bands_db = 20 * (torch.log10(made + _AMPLITUDE_FLOOR) - torch.log10(stem + _AMPLITUDE_FLOOR))
    levels_db = 10 * (torch.log10((made**2).sum(2) + 1e-7) - torch.log10((stem**2).sum(2) + 1e-7))
    linear = (made - stem).abs().mean() / stem.mean().clamp(min=1e-6)
    apart = (bands_db.abs() * sounding[..., None]).mean() + (levels_db.abs() * sounding).mean()
    return apart / share + _LINEAR_WEIGHT * linear

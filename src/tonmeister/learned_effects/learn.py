"""From a recording before and behind a device to a model of it with figures."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.effects.learned import Learned, WaveshaperProcessor
from tonmeister.effects.waveshaper import AHEAD_FRAMES, FACTORS, MODEL_KIND, NETWORK, TAPS, Waveshaper
from tonmeister.errors import BadInputError
from tonmeister.learned_effects.domain import domain_of
from tonmeister.learned_effects.fit import Fitted, Material, Progress, fit_system, linear_fit
from tonmeister.learned_effects.pair import Pair, aligned_pair
from tonmeister.learned_effects.system import EDGE, EXCERPT, Excerpts
from tonmeister.learned_effects.verdict import Errors, Verdict, error_to_signal, slow_share
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.units import DoubleArray

__all__ = ["LearnedEffect", "learn_effect", "save_effect"]

HELD_OUT: Final = 0.1
"""The last part of the recording, and one more of this size at a random place, are never learned from."""
MOST_EXCERPTS: Final = 24
_HOP: Final = EXCERPT - 2 * EDGE
_JUDGED: Final = 0.2
_SAME: Final = 1e-8


@dataclass(frozen=True, eq=False)
class LearnedEffect:
    """A waveshaper, what it was learned from, and how good it is on what was held out."""

    model: Waveshaper
    pair: Pair
    verdict: Verdict
    fitted: Fitted
    domain: dict[str, Any]
    seed: int

    def notes(self) -> list[str]:
        """What a person should know."""
        stopped = ["interrupted: the best model so far is kept"] if self.fitted.interrupted else []
        return [*self.pair.notes, *stopped, *self.verdict.notes()]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        errors = self.verdict.errors
        return {
            "network": NETWORK,
            "esr": errors.esr,
            "bypass_esr": errors.bypass_esr,
            "linear_esr": errors.linear_esr,
            "mae": errors.mae,
            "verdict": self.verdict.word,
            "slow_share": self.verdict.slow_share,
            "delay_frames": self.pair.delay_frames,
            "inverted": self.pair.inverted,
            "gain_db": self.pair.gain_db,
            "coherence": self.pair.coherence,
            "interrupted": self.fitted.interrupted,
        }


def learn_effect(
    dry: Audio, wet: Audio, *, oversampling: int = 4, seed: int = 0, progress: Progress | None = None
) -> LearnedEffect:
    """Learn what turns `dry` into `wet`; the same seed learns the same.

    `oversampling` (1, 2, 4) is how much faster the curve runs than the filters, against aliasing. An interrupt keeps
    the best so far. Raises `BadInputError` where there is nothing to learn.
    """
    if oversampling not in FACTORS:
        raise BadInputError(f"oversampling={oversampling!r}: give 1, 2 or 4")
    pair = aligned_pair(dry, wet)
    if error_to_signal(pair.wet, pair.dry) < _SAME:
        raise BadInputError("dry and wet are the same sound: this is a bypass, there is nothing to learn")
    generator = np.random.default_rng(seed)
    held = _held_out(pair.frames, generator)
    learned, judged = _excerpts(pair, held, generator)
    fitted = fit_system(Material.of(learned, judged, oversampling), generator, progress=progress)
    s = fitted.system
    model = Waveshaper(s.pre, s.shaper, s.post, s.scale, oversampling, pair.sample_rate)
    taps = linear_fit(Excerpts(*learned, 1))
    return LearnedEffect(
        model, pair, _judged(pair, held, model, taps), fitted, domain_of(pair.dry, pair.sample_rate), seed
    )


def _held_out(frames: int, generator: np.random.Generator) -> list[slice]:
    size = int(HELD_OUT * frames)
    at = int(generator.uniform(0.1, 0.8) * (frames - size))
    return [slice(at, at + size), slice(frames - size, frames)]


def _excerpts(
    pair: Pair, held: list[slice], generator: np.random.Generator
) -> tuple[tuple[DoubleArray, DoubleArray], tuple[DoubleArray, DoubleArray]]:
    """Dry and wet excerpts to learn from, and others to stop by; none touches what is held out."""
    places = [
        (channel, start)
        for start in range(0, pair.frames - EXCERPT + 1, _HOP)
        for channel in range(len(pair.dry))
        if all(start + EXCERPT <= part.start or start >= part.stop for part in held)
    ]
    energy = np.array([float(np.sum(pair.wet[c, s : s + EXCERPT] ** 2)) for c, s in places])
    heard = np.flatnonzero(energy > 1e-6 * energy.max(initial=0.0))
    if len(heard) < 4:
        raise BadInputError(
            f"only {len(heard)} stretches of {EXCERPT} frames hold sound: give a longer recording of the device"
        )
    chosen = _chosen(heard, energy, generator)
    count = max(round(_JUDGED * len(chosen)), 1)
    judged = set(generator.choice(chosen[1:], count, replace=False).tolist())
    return (
        _cut(pair, [places[i] for i in chosen if i not in judged]),
        _cut(pair, [places[i] for i in chosen if i in judged]),
    )


def _chosen(heard: Any, energy: DoubleArray, generator: np.random.Generator) -> Any:
    """The loudest first, a third of all from the loudest, the rest by chance."""
    order = heard[np.argsort(-energy[heard])]
    loud = order[: MOST_EXCERPTS // 3]
    rest = order[MOST_EXCERPTS // 3 :]
    return np.concatenate([loud, generator.permutation(rest)[: MOST_EXCERPTS - len(loud)]])


def _cut(pair: Pair, places: list[tuple[int, int]]) -> tuple[DoubleArray, DoubleArray]:
    dry, wet = (np.stack([a[c, s : s + EXCERPT] for c, s in places]) for a in (pair.dry, pair.wet))
    return dry, wet


def _judged(pair: Pair, held: list[slice], model: Waveshaper, taps: DoubleArray) -> Verdict:
    made = _through(model, pair)
    linear = np.stack([np.convolve(row, taps)[AHEAD_FRAMES:][: pair.frames] for row in pair.dry])
    wet, made_held, dry, linear = (
        np.concatenate([a[:, part] for part in held], axis=1) for a in (pair.wet, made, pair.dry, linear)
    )
    errors = Errors(
        error_to_signal(wet, made_held),
        float(np.mean(np.abs(wet - made_held))),
        error_to_signal(wet, dry),
        error_to_signal(wet, linear),
    )
    return Verdict(errors, slow_share(pair.wet, made, pair.sample_rate))


def _through(model: Waveshaper, pair: Pair) -> DoubleArray:
    """The dry sound through the effect as it will run, its delay taken out."""
    processor = WaveshaperProcessor(Learned(), model)
    processor.prepare(pair.sample_rate, len(pair.dry), 1 << 14)
    late = processor.latency_frames
    padded = np.pad(pair.dry.astype(np.float32), ((0, 0), (0, late)))
    parts = [
        processor.process(padded[:, s : s + (1 << 14)].copy()) for s in range(0, padded.shape[1], 1 << 14)
    ]
    return np.concatenate(parts, axis=1)[:, late:].astype(np.float64)


def save_effect(effect: LearnedEffect, path: Path, *, source: str, overwrite: bool = False) -> ModelCard:
    """Write the model (.npz) and its card (.json); `source` says what it was learned from."""
    from tonmeister.model_files.store import save_model

    card = ModelCard(
        name=Path(path).stem,
        kind=MODEL_KIND,
        summary=f"a device as filter, curve, filter, learned from {source}",
        licence="that of the recordings",
        format="npz",
        created=datetime.date.today().isoformat(),
        recipe={"verb": "learn-effect", "network": NETWORK, "seed": effect.seed, "steps": effect.fitted.steps},
        training_data=(TrainingData(source, "not stated", "dry and wet recording of a device"),),
        metrics=effect.verdict.metrics(),
        limits=("What it learned holds for one setting of the device and for sound like that it learned from.",
                "Nothing that takes longer than some milliseconds: compression, modulation, echo, reverb."),
        settings={
            **effect.model.settings(),
            "parameters": 2 * TAPS + len(effect.model.shaper),
            "domain": effect.domain,
            "alignment": {
                "delay_frames": round(effect.pair.delay_frames, 3),
                "inverted": effect.pair.inverted,
                "gain_db": round(effect.pair.gain_db, 3),
                "coherence": round(effect.pair.coherence, 4),
            },
        },
    )  # fmt: skip
    return save_model(Path(path), effect.model.arrays(), card, overwrite=overwrite)

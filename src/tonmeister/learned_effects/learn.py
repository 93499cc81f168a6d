"""From a recording before and behind a device to a model of it with figures."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.effects.learned import Learned, device_processor
from tonmeister.effects.learned_files import Device
from tonmeister.effects.waveshaper import AHEAD_FRAMES, FACTORS, MODEL_KIND, Waveshaper
from tonmeister.errors import BadInputError
from tonmeister.learned_effects.domain import domain_of
from tonmeister.learned_effects.fit import Fitted, Material, Progress, fit_system, linear_fit
from tonmeister.learned_effects.pair import Pair, aligned_pair
from tonmeister.learned_effects.system import EDGE, EXCERPT, Excerpts
from tonmeister.learned_effects.verdict import Verdict, error_to_signal, errors_of, slow_share
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "Course", "LearnedEffect", "Lesson", "fit_waveshaper", "judged", "learn_effect", "learn_waveshaper", "lesson_of",
    "plain_filter", "played", "save_effect",
]  # fmt: skip

HELD_OUT: Final = 0.1
"""The last part of the recording, and one more of this size at a random place, are never learned from."""
MOST_EXCERPTS: Final = 24
_HOP: Final = EXCERPT - 2 * EDGE
_JUDGED: Final = 0.2
_SAME: Final = 1e-8
_BLOCK: Final = 1 << 14


@dataclass(frozen=True, eq=False)
class Lesson:
    """A pair, what of it is never learned from, and chance."""

    pair: Pair
    held: tuple[slice, ...]
    seed: int
    generator: np.random.Generator

    def held_out(self, samples: DoubleArray) -> DoubleArray:
        """What of a signal (channels, frames) was held out."""
        return np.concatenate([samples[:, part] for part in self.held], axis=1)


@dataclass(frozen=True, slots=True)
class Course:
    """How the learning went."""

    steps: int
    interrupted: bool = False
    recipe: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LearnedEffect:
    """A model of a device, what it was learned from, and how good it is on what was held out."""

    device: Device
    lesson: Lesson
    verdict: Verdict
    course: Course
    domain: dict[str, Any]

    @property
    def pair(self) -> Pair:
        return self.lesson.pair

    def notes(self) -> list[str]:
        """What a person should know."""
        stopped = ["interrupted: the best model so far is kept"] if self.course.interrupted else []
        alone = self.device.network is not None and self.device.guard is None
        bare = (
            ["its waveshaper is no better than doing nothing: there is nothing to fall back on"]
            if alone
            else []
        )
        return [*self.pair.notes, *stopped, *bare, *self.verdict.notes()]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        errors = self.verdict.errors
        return {
            "network": self.device.name,
            "parameters": self.device.parameters,
            "esr": errors.esr,
            "bypass_esr": errors.bypass_esr,
            "linear_esr": errors.linear_esr,
            "twin_esr": errors.twin_esr,
            "mae": errors.mae,
            "mr_stft": errors.mr_stft,
            "verdict": self.verdict.word,
            "slow_share": self.verdict.slow_share,
            "delay_frames": self.pair.delay_frames,
            "inverted": self.pair.inverted,
            "gain_db": self.pair.gain_db,
            "coherence": self.pair.coherence,
            "steps": self.course.steps,
            "interrupted": self.course.interrupted,
        }


def learn_effect(
    dry: Audio, wet: Audio, *, oversampling: int = 4, seed: int = 0, progress: Progress | None = None
) -> LearnedEffect:
    """Learn what turns `dry` into `wet` as a waveshaper; the same seed learns the same.

    `oversampling` (1, 2, 4) is how much faster the curve runs than the filters, against aliasing. An interrupt keeps
    the best so far. Raises `BadInputError` where there is nothing to learn.
    """
    return learn_waveshaper(lesson_of(dry, wet, seed), oversampling=oversampling, progress=progress)


def lesson_of(dry: Audio, wet: Audio, seed: int) -> Lesson:
    """Two recordings, brought together, a fifth of them held out."""
    pair = aligned_pair(dry, wet)
    if error_to_signal(pair.wet, pair.dry) < _SAME:
        raise BadInputError("dry and wet are the same sound: this is a bypass, there is nothing to learn")
    generator = np.random.default_rng(seed)
    return Lesson(pair, tuple(_held_out(pair.frames, generator)), seed, generator)


def learn_waveshaper(
    lesson: Lesson, *, oversampling: int = 4, progress: Progress | None = None
) -> LearnedEffect:
    """The waveshaper alone, judged."""
    model, taps, fitted = fit_waveshaper(lesson, oversampling, progress)
    device, pair = Device(model), lesson.pair
    course = Course(fitted.steps, fitted.interrupted)
    return LearnedEffect(
        device, lesson, judged(device, lesson, taps), course, domain_of(pair.dry, pair.sample_rate)
    )


def fit_waveshaper(
    lesson: Lesson, oversampling: int, progress: Progress | None = None
) -> tuple[Waveshaper, DoubleArray, Fitted]:
    """The waveshaper, the plain filter beside it, and how the search went."""
    if oversampling not in FACTORS:
        raise BadInputError(f"oversampling={oversampling!r}: give 1, 2 or 4")
    pair = lesson.pair
    learned, kept = _excerpts(pair, list(lesson.held), lesson.generator)
    fitted = fit_system(Material.of(learned, kept, oversampling), lesson.generator, progress=progress)
    s = fitted.system
    model = Waveshaper(s.pre, s.shaper, s.post, s.scale, oversampling, pair.sample_rate)
    return model, linear_fit(Excerpts(*learned, 1)), fitted


def plain_filter(lesson: Lesson) -> DoubleArray:
    """The 64 taps that come nearest without a curve."""
    learned, _ = _excerpts(lesson.pair, list(lesson.held), np.random.default_rng(lesson.seed))
    return linear_fit(Excerpts(*learned, 1))


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
    kept = set(generator.choice(chosen[1:], count, replace=False).tolist())
    return (
        _cut(pair, [places[i] for i in chosen if i not in kept]),
        _cut(pair, [places[i] for i in chosen if i in kept]),
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


def judged(device: Device, lesson: Lesson, taps: DoubleArray) -> Verdict:
    """The device as it will run, without falling back, on what was held out; `taps` are the plain filter."""
    pair = lesson.pair
    made = played(device, pair.dry, pair.sample_rate, guard=False)
    linear = np.stack([np.convolve(row, taps)[AHEAD_FRAMES:][: pair.frames] for row in pair.dry])
    twin = None
    if device.network is not None and device.waveshaper is not None:
        twin = played(Device(device.waveshaper), pair.dry, pair.sample_rate)
    held = [None if a is None else lesson.held_out(a) for a in (pair.wet, made, pair.dry, linear, twin)]
    return Verdict(errors_of(*held), slow_share(pair.wet, made, pair.sample_rate))  # type: ignore[arg-type]


def played(
    device: Device, dry: DoubleArray | FloatArray, sample_rate: int, *, guard: bool = True
) -> DoubleArray:
    """A sound (channels, frames) through the device, its delay taken out."""
    processor = device_processor(Learned(guard=guard), device)
    processor.prepare(sample_rate, len(dry), _BLOCK)
    late = processor.latency_frames
    padded = np.pad(np.asarray(dry, np.float32), ((0, 0), (0, late)))
    parts = [processor.process(padded[:, s : s + _BLOCK].copy()) for s in range(0, padded.shape[1], _BLOCK)]
    return np.concatenate(parts, axis=1)[:, late:].astype(np.float64)


def save_effect(
    effect: LearnedEffect,
    path: Path,
    *,
    source: str,
    licence: str = "that of the recordings",
    overwrite: bool = False,
) -> ModelCard:
    """Write the model (.npz) and its card (.json); `source` says what it was learned from."""
    from tonmeister.model_files.store import save_model

    device = effect.device
    card = ModelCard(
        name=Path(path).stem,
        kind=MODEL_KIND,
        summary=f"a device as {device.name}, learned from {source}",
        licence=licence,
        format="npz",
        created=datetime.date.today().isoformat(),
        recipe={"verb": "learn-effect", "network": device.name, "seed": effect.lesson.seed,
                "steps": effect.course.steps, **effect.course.recipe},
        training_data=(TrainingData(source, licence, "sound before and behind a device"),),
        metrics=effect.verdict.metrics(),
        limits=("What it learned holds for one setting of the device and for sound like that it learned from.",
                "Nothing that takes longer than some milliseconds: compression, modulation, echo, reverb."),
        settings={
            **device.settings(),
            "parameters": device.parameters,
            "domain": effect.domain,
            "alignment": {
                "delay_frames": round(effect.pair.delay_frames, 3),
                "inverted": effect.pair.inverted,
                "gain_db": round(effect.pair.gain_db, 3),
                "coherence": round(effect.pair.coherence, 4),
            },
        },
    )  # fmt: skip
    return save_model(Path(path), device.arrays(), card, overwrite=overwrite)

"""Stems become what an engineer would have made of them: by a learned network, or by the features it should have.

For each stem (a track of one of four groups, or several recordings of one source on a bus): hear an excerpt, compare it
with what the model was trained on, insert the network, or an equalizer and a compressor that meet the predicted
features, with its loudness unchanged. Levels and places are another engine's: the one before it in a chain, else the one of
the option ``balance``.

M. A. Martínez Ramírez and J. D. Reiss, WIMP 2017; the same, AES 143 (2017), paper 9848.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from tonmeister.decisions import AddBus, AddInsert, Automate, Decision, Reason, SetGain, SetOutput
from tonmeister.effects.base import Effect
from tonmeister.effects.gain import Gain
from tonmeister.effects.stem_model import StemModel, load_stem_model
from tonmeister.effects.stem_network import StemNetwork, predicted_gains
from tonmeister.engines.autoencoder.controller import Moves, control
from tonmeister.engines.autoencoder.domain import fit_to, number
from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hearing import Excerpt, excerpt_of, loudness_lufs, through
from tonmeister.engines.autoencoder.options import AutoencoderOptions
from tonmeister.engines.autoencoder.stems import Stem, stems_of
from tonmeister.engines.autoencoder.targets import load_features
from tonmeister.engines.autoencoder.words import curve_text, moves_text
from tonmeister.engines.base import Ear, load_engine
from tonmeister.errors import BadInputError, nearest
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.strip import MASTER
from tonmeister.units import db_to_gain

__all__ = ["AutoencoderEngine"]

NETWORK_SOURCE: Final = "Martínez Ramírez & Reiss, WIMP 2017"
FEATURES_SOURCE: Final = "Martínez Ramírez & Reiss, AES 143 (2017), paper 9848"
REPLACED: Final = ("equalizer", "compressor", "deesser")
"""Slots of an engine before this one that do what the network does, too."""


@dataclass(frozen=True, eq=False)
class _Task:
    """A stem, its excerpt, and what stands on its strip so far."""

    stem: Stem
    excerpt: Excerpt
    earlier: tuple[Effect, ...]
    """Effects of the earlier engines that are taken out of the track that is heard, in order."""
    slots: Mapping[str, tuple[str, ...]]
    """Slots that are emptied, by track."""


class AutoencoderEngine:
    """Learned stem transformations, per instrument group."""

    name: ClassVar[str] = "autoencoder"
    Options: ClassVar[type[AutoencoderOptions]] = AutoencoderOptions

    def __init__(self, options: AutoencoderOptions | None = None, *, seed: int = 0) -> None:
        """Load the models; nothing is left to chance, so `seed` only goes to the engine of ``balance``.

        Raises `BadInputError` for groups or models that are not there.
        """
        self._options = options or AutoencoderOptions()
        self._seed = seed
        self._ear: Ear | None = None
        self._groups = _groups(self._options.groups)
        by_features = self._options.via == "features"
        self._models = {} if by_features else self._loaded()
        self._features = load_features(self._file("stem-features", ".npz")) if by_features else None
        self.notes: list[str] = []

    def listen(self, ear: Ear) -> None:
        """What the tracks sound like is asked of `ear`."""
        self._ear = ear

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterator[Decision]:
        """The balance of the engine that the options name, then what becomes of the stems."""
        yield from self.decide_after(multitrack, features, ())

    def decide_after(
        self, multitrack: Multitrack, features: MultitrackFeatures, earlier: Iterable[Decision]
    ) -> Iterator[Decision]:
        """What becomes of the stems on top of what earlier engines decided."""
        standing = list(earlier)
        if not any(isinstance(d, (SetGain, Automate)) and d.strip != MASTER for d in standing):
            made = list(load_engine(self._options.balance, seed=self._seed).decide(multitrack, features))
            yield from made
            standing += made
        if self._ear is None:
            self.notes.append(
                "autoencoder: there was nothing to hear the tracks with, so stems stay as they are"
            )
            return
        stems, told = stems_of(multitrack, features, self._groups, standing)
        self.notes += told
        for stem in stems:
            yield from self._bus(stem)
            yield from self._stem(stem, features, standing)

    # ------------------------------------------------------------------ one stem

    def _bus(self, stem: Stem) -> Iterator[Decision]:
        """Several recordings of one source are heard as their sum."""
        if len(stem.tracks) == 1:
            return
        text = f"{len(stem.tracks)} recordings of one source ({', '.join(stem.tracks)}) are one stem."
        why = Reason(text, NETWORK_SOURCE, "autoencoder.bus", "P: the network expects the sum")
        yield AddBus(stem.strip, "bus", reason=why, by=self.name)
        for track in stem.tracks:
            yield SetOutput(track, stem.strip, reason=why, by=self.name)

    def _stem(
        self, stem: Stem, features: MultitrackFeatures, standing: Sequence[Decision]
    ) -> Iterator[Decision]:
        assert self._ear is not None
        audio = self._ear.excerpt(stem.heard, number("hearing.excerpt_s"))
        excerpt = excerpt_of(audio.samples, audio.sample_rate)
        if excerpt is None:
            self.notes.append(f"{stem.strip}: too short or too soft to judge, left as it is")
            return
        slots = {track: _replaceable(standing, track) for track in stem.tracks}
        task = _Task(
            stem, excerpt, tuple(slots[stem.heard].values()), {t: tuple(s) for t, s in slots.items()}
        )
        if self._options.via == "features":
            yield from self._by_features(task)
        else:
            yield from self._by_network(task, features)

    def _by_network(self, task: _Task, features: MultitrackFeatures) -> Iterator[Decision]:
        model = self._models[task.stem.group]
        fit = fit_to(task.excerpt.values, model.settings.get("feature_ranges", {}))
        amount = round(self._options.amount * fit.amount, 3)
        if amount == 0.0:
            self.notes.append(f"{task.stem.strip}: no network, {fit.text}")
            return
        effect = StemNetwork(
            model=self._model_name(task.stem.group),
            amount=amount,
            max_boost_db=number("limits.boost_db"),
            max_cut_db=number("limits.cut_db"),
            input_gain_db=_rounded(task.stem.raise_db, 60.0),
        )
        heard = replace(effect, input_gain_db=0.0)
        excerpt = task.excerpt
        made, gains_db = predicted_gains(heard, excerpt.samples[np.newaxis], excerpt.sample_rate)
        effect = replace(effect, output_gain_db=_rounded(self._kept_db(task, made[0]), 48.0))
        skill = _skill(model)
        notes = (
            f"error on songs left out {skill:.0%} below doing nothing ({task.stem.group} model)", fit.text,
            *_heard_note(task.stem),
        )  # fmt: skip
        text = f"As finished {task.stem.group} stems are: {curve_text(gains_db, model.profile)}."
        if amount < self._options.amount:
            text += f" Only {amount:.0%} of it: {fit.text}."
        confidence = round(max(skill, 0.0) * fit.amount, 3)
        why = Reason(text, NETWORK_SOURCE, f"autoencoder.network.{task.stem.group}", "M", confidence, notes)
        yield AddInsert(task.stem.strip, effect, reason=why, by=self.name)
        yield from self._taken_out(task, "the network does this, too")

    def _by_features(self, task: _Task) -> Iterator[Decision]:
        model = self._features
        if model is None or task.stem.group not in model.predictors:
            self.notes.append(f"{task.stem.strip}: no targets, the model knows no {task.stem.group}")
            return
        fit = fit_to(task.excerpt.values, model.ranges.get(task.stem.group, {}))
        amount = self._options.amount * fit.amount
        if amount == 0.0:
            self.notes.append(f"{task.stem.strip}: no targets, {fit.text}")
            return
        wanted = model.predictors[task.stem.group].predict(task.excerpt)
        values = task.excerpt.values
        targets = replace(wanted, values=values + amount * (wanted.values - values))
        moves = control(task.excerpt, targets)
        if not moves.effects:
            self.notes.append(
                f"{task.stem.strip}: measures as a finished {task.stem.group} stem would, left as it is"
            )
            return
        skill = float(np.mean([row[4] for row in moves.moved])) if moves.moved else 0.0
        equalizer, compressor = self._leveled(task, moves)
        for effect, about in ((equalizer, "tone"), (compressor, "dynamics")):
            if effect is not None:
                yield self._move(task, effect, moves_text(moves, about, task.stem.group), moves, skill)
        gain_db = (
            0.0 if compressor is not None else _rounded(self._kept_db(task, self._made(task, moves)), 24.0)
        )
        if abs(gain_db) >= 0.1:
            text = "The stem is as loud as before: levels are the fader's."
            yield self._move(task, Gain(gain_db), text, moves, skill, slot="stem_gain")
        yield from self._taken_out(task, "the features do without it", but=[e.kind for e in moves.effects])

    def _leveled(self, task: _Task, moves: Moves) -> tuple[Effect | None, Effect | None]:
        """The compressor at the level the stem has on its strip, its makeup holding the loudness."""
        if moves.compressor is None:
            return moves.equalizer, None
        kept_db = self._kept_db(task, self._made(task, moves))
        threshold_db = moves.compressor.threshold_db - task.excerpt.raised_db + task.stem.fader_db
        compressor = replace(
            moves.compressor,
            threshold_db=round(float(np.clip(threshold_db, -80.0, 0.0)), 1),
            makeup_db=_rounded(kept_db, 24.0),
        )
        return moves.equalizer, compressor

    def _made(self, task: _Task, moves: Moves) -> np.ndarray:
        return through(moves.effects, task.excerpt.samples, task.excerpt.sample_rate)

    def _move(
        self, task: _Task, effect: Effect, text: str, moves: Moves, skill: float, slot: str = ""
    ) -> AddInsert:
        evidence = f"distance to the targets {moves.before:.2f} -> {moves.after:.2f}"
        notes = (f"{moves.evaluations} trials on {number('hearing.excerpt_s'):g} s", *_heard_note(task.stem))
        rule = f"autoencoder.features.{task.stem.group}"
        why = Reason(text, FEATURES_SOURCE, rule, evidence, round(max(skill, 0.0), 3), notes)
        return AddInsert(task.stem.strip, effect, slot, reason=why, by=self.name)

    def _taken_out(self, task: _Task, because: str, but: Sequence[str] = ()) -> Iterator[Decision]:
        """The tone and dynamics of earlier engines, which would work a second time."""
        for track, slots in task.slots.items():
            for slot in slots:
                if track != task.stem.strip or slot not in but:
                    why = Reason(f"Taken out: {because}.", NETWORK_SOURCE, "autoencoder.replaced")
                    yield AddInsert(track, None, slot, reason=why, by=self.name)

    def _kept_db(self, task: _Task, made: np.ndarray) -> float:
        """What makes the new sound as loud as the strip was with what is taken out of it now."""
        excerpt = task.excerpt
        level = np.float32(db_to_gain(-excerpt.raised_db))
        before = through(task.earlier, excerpt.samples * level, excerpt.sample_rate)
        old, new = (loudness_lufs(x, excerpt.sample_rate) for x in (before, made * level))
        return 0.0 if old is None or new is None else old - new

    # ------------------------------------------------------------------ models

    def _loaded(self) -> dict[str, StemModel]:
        if self._options.profile == "faithful" and not self._options.models:
            raise BadInputError(
                "profile='faithful': faithful models do not come with tonmeister: train some "
                "(tonmeister train stem --preset faithful) and give their folder as models=DIR"
            )
        loaded = {group: load_stem_model(self._model_name(group)) for group in self._groups}
        for group, model in loaded.items():
            if model.profile != self._options.profile:
                raise BadInputError(
                    f"{self._model_name(group)}: is a {model.profile} model: give profile={model.profile}"
                )
        return loaded

    def _model_name(self, group: str) -> str:
        return self._file(f"stem-{group}", ".onnx")

    def _file(self, name: str, ending: str) -> str:
        """The shipped model of this name, or the one in the folder of the option ``models``."""
        folder = self._options.models
        return str(Path(folder).expanduser() / f"{name}{ending}") if folder else name


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(word.strip() for word in text.split(",") if word.strip())
    for group in groups:
        if group not in GROUPS:
            raise BadInputError(
                f"groups={group!r} is no group{nearest(group, list(GROUPS))}: {', '.join(GROUPS)}"
            )
    return groups


def _replaceable(standing: Sequence[Decision], strip: str) -> Mapping[str, Effect]:
    """Slots of a strip that earlier engines filled and this one stands in for."""
    slots: dict[str, Effect] = {}
    for decision in standing:
        if (
            isinstance(decision, AddInsert)
            and decision.strip == strip
            and decision.slot.split(".")[0] in REPLACED
        ):
            slots.pop(decision.slot, None)
            if decision.effect is not None:
                slots[decision.slot] = decision.effect
    return slots


def _skill(model: StemModel) -> float:
    """By how much the model's error on songs left out is below doing nothing."""
    figures = model.model.card.metrics.get("held-out songs", {})
    errors = figures.get("magnitude_mae", {}) if isinstance(figures, Mapping) else {}
    identity, network = errors.get("identity", 0.0), errors.get("network", 0.0)
    return float(1.0 - network / identity) if identity else 0.0


def _heard_note(stem: Stem) -> tuple[str, ...]:
    return () if len(stem.tracks) == 1 else (f"judged by its loudest recording, {stem.heard}",)


def _rounded(value_db: float, most_db: float) -> float:
    return round(float(np.clip(value_db, -most_db, most_db)), 2) + 0.0

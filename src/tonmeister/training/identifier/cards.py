"""The cards of the classifier and of its baseline."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

from tonmeister.evaluation.spectral_statistics import BASELINE_KIND
from tonmeister.identification.classifier import KIND
from tonmeister.identification.log_mel import BANDS, PATCH_STEPS, front_end
from tonmeister.model_files.card import ModelCard, Port, TrainingData
from tonmeister.training.identifier.calibration import Calibration
from tonmeister.training.identifier.options import RecipeOptions, SoundFiles
from tonmeister.training.identifier.provenance import licence_of
from tonmeister.training.identifier.taught import CLASSES
from tonmeister.vocabulary import ROLES

__all__ = ["baseline_card", "classifier_card"]

_LIMITS: Final = (
    "One instrument per track; several at once are at best called unknown.",
    "Taught mostly with sounds played from soundfonts, sampled drum kits, synthesizers and a synthetic singer; real "
    "recordings differ, and its figures on them stand apart.",
    "Lead and backing voice are told apart by one voice against several: what a voice does in the song it cannot know.",
    "The role is how such a texture is mostly used, not what the track does in this song.",
    "Instruments outside its list are called by the nearest relative, or unknown.",
)


def classifier_card(
    options: RecipeOptions, calibration: Calibration, metrics: Mapping[str, Any]
) -> ModelCard:
    return ModelCard(
        name="identifier",
        kind=KIND,
        summary="what instrument a track is, from its sound",
        licence="MIT",
        format="onnx",
        created=options.created or datetime.date.today().isoformat(),
        recipe=_recipe(options),
        training_data=_training_data(options.sounds),
        metrics=dict(metrics),
        limits=_LIMITS,
        inputs=(Port("pictures", "float32", ("n", 1, BANDS, PATCH_STEPS)),),
        outputs=(
            Port("classes", "float32", ("n", len(CLASSES))),
            Port("roles", "float32", ("n", len(ROLES))),
        ),
        settings={
            "classes": list(CLASSES),
            "roles": list(ROLES),
            "temperature": calibration.temperature,
            "unknown_bias": calibration.unknown_bias,
            "front_end": front_end(),
        },
    )


def _recipe(options: RecipeOptions) -> dict[str, Any]:
    return {
        "command": options.command,
        "seed": options.seed,
        "examples": options.examples,
        "songs": options.songs,
        "epochs": options.learning.epochs,
        "calibrated_on": _names(options.held),
        "tested_on": _names(options.test),
    }


def _names(files: SoundFiles) -> list[str]:
    return [path.name for path in (*files.fonts, *files.kits, *files.midi)]


def _training_data(files: SoundFiles) -> tuple[TrainingData, ...]:
    rows = [
        TrainingData(p.name, licence_of(p), "instruments and drums, played from notes") for p in files.fonts
    ]
    rows += [
        TrainingData(p.name, licence_of(p), "recorded strokes of drums and percussion") for p in files.kits
    ]
    if files.clips is not None:
        for folder in sorted(path.parent for path in files.clips.glob("*/labels.csv")):
            rows.append(TrainingData(folder.name, licence_of(folder), "labelled recordings"))
    rows.append(TrainingData("tonmeister synthesizer, string and singer", "MIT", "made while training"))
    return tuple(rows)


def baseline_card(options: RecipeOptions) -> ModelCard:
    """Of the class means that the classifier is measured against."""
    return ModelCard(
        name="identifier-baseline",
        kind=BASELINE_KIND,
        summary="the baseline of instrument identification: spectral statistics, nearest class mean",
        licence="MIT",
        format="npz",
        created=options.created or datetime.date.today().isoformat(),
        recipe=_recipe(options),
        training_data=_training_data(options.sounds),
        metrics={},
        limits=("A measure to be beaten, not a classifier to be used.",),
        settings={"classes": list(CLASSES)},
    )

"""The card of a separator: what it was made from, how good it is, what it cannot do."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tonmeister.datasets.base import open_dataset
from tonmeister.model_files.card import ModelCard, Port, TrainingData
from tonmeister.separation.network_model import INPUT, KIND, OUTPUT
from tonmeister.training.identifier.provenance import licence_of
from tonmeister.training.separation.networks import Dense, weight_count
from tonmeister.training.separation.patches import Scaling
from tonmeister.training.separation.presets import Preset
from tonmeister.training.separation.stems import SongSources

__all__ = ["separator_card"]

_SUMMARIES: Final = {
    "deep-remix": "how likely the voice dominates each part of a spectrum, for remixes with more or less of it",
    "web-remix": "drums, bass and vocals, each part of a spectrum given to one of them or to none",
    "ensemble": "masks for vocals, drums, bass and other, the mean of four kinds",
    "ensemble-combiner": "masks for vocals, drums, bass and other, combined from the four kinds of an ensemble",
    "fcn": "a mask for vocals from a small convolutional network",
}
_LIMITS: Final = (
    "Learned from synthesized songs and a few recorded voices; real productions differ, and voices are sung by a simple "
    "synthetic singer for the most part.",
    "Made for moderate changes of balance: tracks by themselves hold audible remains of the others.",
    "Voice-like leads and choirs from synthesizers are taken for voices at times.",
)


def separator_card(
    preset: Preset,
    sources: SongSources,
    scaling: Scaling,
    recipe: Mapping[str, Any],
    *,
    calibration: Mapping[str, float] | None,
    metrics: Mapping[str, Any],
    created: str = "",
) -> ModelCard:
    """The card without the file's size and checksum."""
    first, last = preset.branches[0][0], preset.branches[0][-1]
    dense, several = isinstance(first, Dense), len(preset.branches) > 1
    out: tuple[int | str, ...] = ("n", last.outputs) if dense else ("n", 1, "frames", "bands")
    out = ("n", len(preset.branches), last.outputs) if several else out
    return ModelCard(
        name=preset.network,
        kind=KIND,
        summary=_SUMMARIES[preset.network],
        licence="MIT" if not sources.data else "that of the data it was learned from",
        format="onnx",
        created=created or datetime.date.today().isoformat(),
        recipe=dict(recipe),
        training_data=tuple(_training_data(sources)),
        metrics=dict(metrics),
        limits=_LIMITS,
        inputs=(Port(INPUT, "float32", ("n", first.inputs) if dense else ("n", 1, "frames", "bands")),),
        outputs=(Port(OUTPUT, "float32", out),),
        settings={
            "network": preset.network,
            "preset": preset.name,
            "weights": sum(map(weight_count, preset.branches)),
            "tracks": list(preset.tracks),
            "front_end": preset.front_end.settings(),
            "frames": preset.frames,
            "feature": preset.feature,
            "mean": [round(float(x), 5) for x in scaling.mean],
            "deviation": [round(float(x), 5) for x in scaling.deviation],
            **({"calibration": dict(calibration)} if calibration else {}),
            **preset.settings,
        },
    )


def _training_data(sources: SongSources) -> list[TrainingData]:
    rows = [
        TrainingData(p.name, licence_of(p), "instruments and drums, played from notes")
        for p in sources.soundfonts or ()
    ]
    rows += [TrainingData(p.name, licence_of(p), "recorded strokes of drums") for p in sources.drumkits or ()]
    rows += [TrainingData(p.name, licence_of(_folder(p)), "songs as notes") for p in sources.midi]
    rows += [TrainingData(p.name, licence_of(_folder(p)), "a recorded voice") for p in sources.voices]
    for folder in sources.data:
        info = open_dataset(folder).info
        rows.append(TrainingData(info.title, info.licence, "songs as stems"))
    if sources.songs:
        rows.append(TrainingData("tonmeister composer, synthesizer and singer", "MIT", "made while training"))
    return rows


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent

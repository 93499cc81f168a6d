"""From songs or folders to stem networks with their cards, in one call.

Everything follows from the seed, the files and the versions of the libraries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.effects.stem_model import AROUND, BAND_HOP, FRAME, HEARD_SCALE, KIND, PORTS, SMOOTH_S
from tonmeister.effects.stem_network import StemNetwork
from tonmeister.engines.autoencoder.measures import NAMES
from tonmeister.model_files.card import ModelCard, TrainingData
from tonmeister.model_files.store import save_model
from tonmeister.training.identifier.provenance import licence_of
from tonmeister.training.stems.learning import LearnedBands, learn_bands
from tonmeister.training.stems.material import TEST, Material, Progress, RecipeOptions, gather
from tonmeister.training.stems.networks import dense_layers, onnx_network, parameter_count
from tonmeister.training.stems.pairs import LOUDNESS_LUFS
from tonmeister.training.stems.raw import RATE
from tonmeister.training.stems.scoring import group_curve_db, score_pairs, summary

__all__ = [
    "LIMITS",
    "Material",
    "Progress",
    "RecipeOptions",
    "Trained",
    "gather",
    "ranges_of",
    "train_features",
    "train_improved",
    "training_data",
]


@dataclass(frozen=True, eq=False)
class Trained:
    """A written model and its card."""

    path: Path
    card: ModelCard
    interrupted: bool = False


def train_improved(
    group: str,
    material: Material,
    options: RecipeOptions,
    output: Path,
    *,
    command: str,
    overwrite: bool = False,
    progress: Progress,
) -> Trained:
    """Learn the gains of one group, test them beside the baselines, and write the model.

    Of several seeds the network is kept whose loss on the songs held out is the median.
    """
    clips = material.train[group]
    tried: list[LearnedBands] = []
    for number in range(options.seeds):
        of_seed = f" ({number + 1} of {options.seeds})" if options.seeds > 1 else ""
        try:
            learned = learn_bands(
                clips,
                options.learning,
                options.seed + number,
                split_seed=options.seed,
                progress=partial(_told, progress, f"learning {group}{of_seed}"),
                checkpoint=output.with_suffix(".checkpoint.safetensors"),
            )
        except KeyboardInterrupt:
            if not tried:
                raise
            tried[-1] = replace(tried[-1], interrupted=True)
            break
        tried.append(learned)
        if learned.interrupted:
            break
    learned = sorted(tried, key=lambda one: one.loss)[(len(tried) - 1) // 2]
    data = onnx_network(dense_layers(learned.network, learned.mean, learned.deviation), "improved")
    card = _card(group, output, material, options, learned, command)
    save_model(output, data, card, overwrite=overwrite)
    curve = group_curve_db([(c.raw, c.stem) for c in clips])
    progress(f"testing {group}", 0.0)
    figures = summary(score_pairs(material.test[group], curve, StemNetwork(str(output), max_boost_db=18.0)))
    metrics = {
        "held-out songs": figures,
        "loss on songs held out while learning": round(learned.loss, 4),
        "the same of every seed": [round(one.loss, 4) for one in tried],
    }
    written = save_model(output, data, replace(card, metrics=metrics), overwrite=True)
    output.with_suffix(".checkpoint.safetensors").unlink(missing_ok=True)
    return Trained(output, written, tried[-1].interrupted)


def _card(
    group: str, output: Path, material: Material, options: RecipeOptions, learned: LearnedBands, command: str
) -> ModelCard:
    given, made = PORTS["improved"]
    return ModelCard(
        name=output.stem, kind=KIND, summary=f"what becomes of a raw {group} stem in a mix, as gains per band",
        licence="MIT", format="onnx", created=date.today().isoformat(),
        recipe={
            "command": command, "seed": options.seed, "seeds": options.seeds, "songs": options.songs,
            "steps": options.learning.steps, "best step": learned.steps,
            "parameters": parameter_count(learned.network),
        },
        training_data=training_data(options), metrics={}, limits=LIMITS, inputs=(given,), outputs=(made,),
        settings={
            "profile": "improved", "stage": "stem", "group": group, "sample_rate": RATE, "frame": FRAME,
            "hop": BAND_HOP, "around": AROUND, "heard_scale": HEARD_SCALE, "smooth_s": SMOOTH_S,
            "loudness_lufs": LOUDNESS_LUFS, "feature_ranges": ranges_of(material.raw_of(group, testing=False)),
        },
    )  # fmt: skip


def ranges_of(rows: Sequence[np.ndarray]) -> Mapping[str, list[float]]:
    """1st, 50th and 99th percentile of every measure of the raw stems."""
    low, middle, high = np.percentile(np.stack(rows), [1, 50, 99], axis=0)
    return {
        name: [round(float(v), 5) for v in row]
        for name, row in zip(NAMES, np.stack([low, middle, high], 1), strict=True)
    }


def training_data(options: RecipeOptions) -> tuple[TrainingData, ...]:
    """What the model learned from."""
    rows = [
        TrainingData(f.name, "see its own terms", "pairs of raw and finished stems") for f in options.folders
    ]
    if options.songs:
        use = "parts of composed songs, raw and as a synthetic engineer finished them"
        rows += [TrainingData(f.name, licence_of(f), use) for f in options.soundfonts or ()]
        rows.append(TrainingData("tonmeister's synthesizer, singer and engineer", "MIT", use))
    return tuple(rows)


LIMITS: Final = (
    "Learned from composed parts played by soundfonts and a synthetic singer, finished by a synthetic engineer: what a "
    "person's engineer does is not in it.",
    "Shapes what is there within 18 dB per band; adds nothing, takes no noise away between notes.",
    "Knows one source at a time: masking by other tracks is not seen.",
    "The level of the result is a matter of the fader.",
)


def train_features(
    material: Material,
    options: RecipeOptions,
    output: Path,
    *,
    command: str,
    overwrite: bool = False,
    progress: Progress,
) -> Trained:
    """Analyze, fit and test the features of every group, and write the arrays; interrupted, of the groups so far."""
    from tonmeister.engines.autoencoder import targets

    arrays: dict[str, np.ndarray] = {}
    metrics: dict[str, Any] = {}
    settings: dict[str, Any] = {"names": list(NAMES), "feature_ranges": {}, "chosen": {}, "skill": {}}
    interrupted = False
    for group in options.groups:
        try:
            made = _learn_group(group, material, options, progress)
        except KeyboardInterrupt:
            if not metrics:
                raise
            interrupted = True
            break
        arrays |= {f"{group}.{n}": array for n, array in made.arrays.items()}
        metrics[group] = made.metrics
        for name, value in made.settings.items():
            settings[name][group] = value
        if interrupted := made.interrupted:
            break
    card = ModelCard(
        name=output.stem, kind=targets.KIND, summary="what a finished stem would measure, from the raw one",
        licence="MIT", format="npz", created=date.today().isoformat(),
        recipe={
            "command": command, "seed": options.seed, "songs": options.songs, "steps": options.drafting.steps,
        },
        training_data=training_data(options), metrics=metrics, limits=(LIMITS[0], LIMITS[2]), settings=settings,
    )  # fmt: skip
    return Trained(output, save_model(output, arrays, card, overwrite=overwrite), interrupted)


@dataclass(frozen=True, eq=False)
class _Group:
    """What a group adds to the model of features."""

    arrays: Mapping[str, np.ndarray]
    metrics: Mapping[str, Any]
    settings: Mapping[str, Any]
    interrupted: bool


def _learn_group(group: str, material: Material, options: RecipeOptions, progress: Progress) -> _Group:
    from tonmeister.engines.autoencoder import targets
    from tonmeister.engines.autoencoder.draft import ARRAY_SHAPES
    from tonmeister.engines.autoencoder.hints import hints
    from tonmeister.training.stems.features import fit_predictor, judge, plain, select_features

    testing = np.char.startswith(np.array(material.measured_songs[group]), TEST)
    raw, stem = (np.stack(rows[group]) for rows in (material.raw_measures, material.stem_measures))
    predictor, learned = fit_predictor(
        material.train[group],
        material.held[group],
        stem[~testing],
        options.drafting,
        options.seed,
        progress=partial(_told, progress, f"learning {group}"),
    )
    progress(f"analyzing {group}", 0.0)
    selection = select_features(raw[~testing], stem[~testing], options.seed)
    drafted = [
        targets.draft_measures(predictor.draft, p.raw, RATE, hints(p.raw, RATE)) for p in material.test[group]
    ]
    said = np.clip(np.stack(drafted), predictor.lowest, predictor.highest)
    scale = np.maximum(raw[~testing].std(0), 1e-9)
    figures = judge(said, raw[testing], stem[testing], selection.names, group, scale)
    arrays = {n: predictor.draft.arrays[n] for n in ARRAY_SHAPES}
    arrays |= {n: getattr(predictor, n).astype(np.float32) for n in targets.ARRAYS}
    metrics = plain(selection, figures, group)
    metrics["loss on songs held out while learning"] = round(learned.loss, 4)
    settings = {
        "chosen": list(selection.names),
        "feature_ranges": ranges_of(list(raw[~testing])),
        "skill": dict(figures.skill),
    }
    return _Group(arrays, metrics, settings, learned.interrupted)


def _told(progress: Progress, stage: str, done: float, _: float) -> None:
    progress(stage, done)

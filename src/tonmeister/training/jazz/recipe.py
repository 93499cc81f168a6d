"""From soundfonts to the two shipped networks with their cards; everything follows from the seed and the files.

Pieces with seeds from `pieces.EVALUATION_SEED` on, the soundfonts named for testing and the soloists of `HELD_OUT` are
never learned from.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.jazz.pan_net import KIND as PAN_KIND
from tonmeister.engines.jazz.pan_net import load_pan_network
from tonmeister.errors import BadInputError
from tonmeister.model_files.card import ModelCard, Port, TrainingData
from tonmeister.model_files.store import load_model, save_model
from tonmeister.separation.bands import pooling
from tonmeister.separation.jazz import ALPHA, CONTEXT, FRONT_END, JazzSolo, SmallNetwork
from tonmeister.separation.jazz import KIND as SOLO_KIND
from tonmeister.training.identifier.provenance import licence_of
from tonmeister.training.jazz.figures import pan_figures, solo_figures
from tonmeister.training.jazz.frames import SoloFrames
from tonmeister.training.jazz.learning import LearningOptions, learn_solo
from tonmeister.training.jazz.material import piece_seeds, training_frames
from tonmeister.training.jazz.networks import pan_onnx, solo_onnx
from tonmeister.training.jazz.pieces import HELD_OUT, RATE_HZ, SOLOISTS, PieceOptions
from tonmeister.training.jazz.placing import learn_pan, pan_frames, sharpness
from tonmeister.training.torch_library import torch_module

__all__ = ["JazzRecipe", "train_pan", "train_solo"]

Progress = Callable[[str, float], None]
"""Told the stage and how much of it is done, 0 to 1."""

_CALIBRATED_SHARE: Final = 0.15
"""Pieces that sharpen the pooled answers and are not learned from."""


@dataclass(frozen=True)
class JazzRecipe:
    """What both recipes are given."""

    fonts: tuple[Path, ...] = ()
    test_fonts: tuple[Path, ...] = ()
    pieces: int = 100
    duration_s: float = 12.0
    seed: int = 1
    test_pieces: int = 24
    solo_learning: LearningOptions = field(default_factory=LearningOptions)
    pan_learning: LearningOptions = field(
        default_factory=lambda: LearningOptions(epochs=10, frames=60_000, batch=256)
    )
    cache: Path | None = None
    command: str = "tonmeister train jazz"
    created: str = ""

    @property
    def taught(self) -> PieceOptions:
        return PieceOptions(duration_s=self.duration_s, fonts=self.fonts)

    @property
    def tested(self) -> PieceOptions:
        return PieceOptions(duration_s=self.duration_s, fonts=self.test_fonts or self.fonts)


def train_solo(recipe: JazzRecipe, output: Path, *, overwrite: bool = False, progress: Progress) -> ModelCard:
    """The separator: learn, write ``output`` (.onnx) and its card, test, write the card again."""
    frames = _frames(recipe, progress)
    torch_module().set_num_threads(1)
    network = learn_solo(
        frames,
        recipe.solo_learning,
        recipe.seed,
        context=CONTEXT,
        told=lambda d, loss: progress("learning", d),
    )
    data = solo_onnx(network, bands=FRONT_END.bands, context=CONTEXT)
    save_model(output, data, _solo_card(recipe, {}), overwrite=overwrite)
    estimator = JazzSolo(SmallNetwork(load_model(output, kind=SOLO_KIND)))
    metrics = solo_figures(estimator, recipe.tested, recipe.test_pieces, lambda d: progress("testing", d))
    return save_model(output, data, _solo_card(recipe, metrics), overwrite=True)


def train_pan(
    recipe: JazzRecipe, solo: str | Path, output: Path, *, overwrite: bool = False, progress: Progress
) -> ModelCard:
    """The network that places, taught on what the separator `solo` makes of the pieces."""
    frames = _frames(recipe, progress)
    torch_module().set_num_threads(1)
    separator = load_model(solo, kind=SOLO_KIND)
    taught, held = _split(frames)
    network = learn_pan(
        pan_frames(taught, separator),
        recipe.pan_learning,
        recipe.seed,
        told=lambda d, loss: progress("learning", d),
    )
    settings = {"sharpness": sharpness(pan_frames(held, separator), network)}
    pool = pooling(FRONT_END.bands, FRONT_END.framing.bins, RATE_HZ)
    data = pan_onnx(network, pool)
    save_model(output, data, _pan_card(recipe, settings, {}), overwrite=overwrite)
    estimator = JazzSolo(SmallNetwork(separator))
    metrics = pan_figures(
        load_pan_network(str(output)),
        estimator,
        recipe.tested,
        recipe.test_pieces,
        lambda d: progress("testing", d),
    )
    return save_model(output, data, _pan_card(recipe, settings, metrics), overwrite=True)


def _frames(recipe: JazzRecipe, progress: Progress) -> SoloFrames:
    if not recipe.fonts:
        raise BadInputError("there is no soundfont to learn from: give one with --font FILE")
    if shared := {p.resolve() for p in recipe.fonts} & {p.resolve() for p in recipe.test_fonts}:
        raise BadInputError(f"{min(shared)}: is learned from and tested with: give another --test-font")
    seeds = piece_seeds(recipe.seed, recipe.pieces)
    return training_frames(seeds, recipe.taught, recipe.cache, lambda d: progress("making pieces", d))


def _split(frames: SoloFrames) -> tuple[SoloFrames, SoloFrames]:
    """Mixtures to learn from and to calibrate with; the two of a piece stay together."""
    count = len(frames.places) // 2
    border = 2 * min(max(round(count * (1.0 - _CALIBRATED_SHARE)), 1), count - 1) if count > 1 else 2
    return frames.part(0, border), frames.part(border if count > 1 else 0, len(frames.places))


def _recipe(recipe: JazzRecipe) -> dict[str, Any]:
    return {
        "command": recipe.command,
        "seed": recipe.seed,
        "pieces": recipe.pieces,
        "duration_s": recipe.duration_s,
        "tested_on": [p.name for p in recipe.test_fonts],
        "soloists": list(SOLOISTS),
        "held_out_soloists": list(HELD_OUT),
    }


def _training_data(recipe: JazzRecipe) -> tuple[TrainingData, ...]:
    rows = [
        TrainingData(p.name, licence_of(p), "bands and soloists, played from notes") for p in recipe.fonts
    ]
    return (*rows, TrainingData("tonmeister synthesizer and composer", "MIT", "pieces made while training"))


def _solo_card(recipe: JazzRecipe, metrics: Mapping[str, Any]) -> ModelCard:
    bands = FRONT_END.bands
    return ModelCard(
        name="jazz-solo",
        kind=SOLO_KIND,
        summary="how much of each band of a jazz recording belongs to the soloist",
        licence="MIT",
        format="onnx",
        created=recipe.created or datetime.date.today().isoformat(),
        recipe=_recipe(recipe) | _learned(recipe.solo_learning),
        training_data=_training_data(recipe),
        metrics=dict(metrics),
        limits=(
            "Taught with pieces played from soundfonts alone: of real records nothing is known but that it runs on them.",
            "One soloist at a time, who plays one note at a time or, as piano and guitar, a few.",
            "A solo on an instrument that the band plays too (piano on piano) is separated badly.",
            "Drum and bass solos are not what it looks for.",
        ),
        inputs=(Port("features", "float32", ("n", bands * (2 * CONTEXT + 1))),),
        outputs=(Port("masks", "float32", ("n", bands)),),
        settings={"front_end": FRONT_END.settings(), "context_frames": CONTEXT, "alpha": ALPHA},
    )


def _pan_card(recipe: JazzRecipe, settings: Mapping[str, Any], metrics: Mapping[str, Any]) -> ModelCard:
    from tonmeister.engines.jazz.placement import ANGLES_DEG, GAINS
    from tonmeister.training.jazz.composing import habits

    return ModelCard(
        name="jazz-pan",
        kind=PAN_KIND,
        summary="where a jazz soloist stands and how loud, from its sound",
        licence="MIT",
        format="onnx",
        created=recipe.created or datetime.date.today().isoformat(),
        recipe=_recipe(recipe) | _learned(recipe.pan_learning),
        training_data=_training_data(recipe),
        metrics=dict(metrics),
        limits=(
            "The places it learned were planted, one for each instrument; no engineer's mix was heard.",
            "It hears timbre and strength of the soloist and nothing of where it stands now.",
            "Instruments it was not taught are taken for the nearest that it was.",
        ),
        inputs=(Port("power", "float32", ("n", FRONT_END.framing.bins)),),
        outputs=(
            Port("angles", "float32", ("n", len(ANGLES_DEG))),
            Port("gains", "float32", ("n", len(GAINS))),
        ),
        settings=dict(settings) | {"convention": dict(habits()["convention"]), "rate_hz": RATE_HZ},
    )


def _learned(options: LearningOptions) -> dict[str, Any]:
    return {"epochs": options.epochs, "frames_per_epoch": options.frames, "batch": options.batch}

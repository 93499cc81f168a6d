"""From songs to a shipped console predictor with its card, in one call.

Everything follows from the seed, the files and the versions of the libraries. Test songs come from a stream of their
own and are never learned from.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.predict.measures import input_names
from tonmeister.engines.predict.model import load_console_model
from tonmeister.engines.predict.outputs import CONTROLS, KIND, WANTED
from tonmeister.errors import BadInputError
from tonmeister.model_files.card import ModelCard, Port, TrainingData
from tonmeister.model_files.store import save_model
from tonmeister.training.console.figures import TEST_SEED, balance_figures, control_figures
from tonmeister.training.console.learning import Learned, LearningOptions, learn, spread_stretch
from tonmeister.training.console.network import onnx_bytes, weights_of
from tonmeister.training.console.songs import SHORT_S, ConsoleSong, from_folder, synthesized
from tonmeister.training.identifier.provenance import licence_of

__all__ = ["PredictRecipe", "train_predict"]

Progress = Callable[[str, float], None]
_KEPT_BACK: Final = 8
"""One song in so many decides when to stop, and by how much the spreads are corrected."""
_LEAST_SONGS: Final = 8
_CONTROL_TESTS: Final = 40


@dataclass(frozen=True)
class PredictRecipe:
    """What is learned from, for how long, and tested on."""

    songs: int = 0
    midi: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    cache: Path = Path("predict.cache")
    test_songs: int = 20
    """Synthesized songs on which the balance is compared with the baselines; 0 for none."""
    seed: int = 0
    learning: LearningOptions = field(default_factory=LearningOptions)
    created: str = ""
    """Date on the card, YYYY-MM-DD; '' for today."""

    def __post_init__(self) -> None:
        if self.seed >= TEST_SEED:
            raise BadInputError(
                f"seed={self.seed}: seeds from {TEST_SEED} on are kept for tests: give a smaller one"
            )


def train_predict(
    recipe: PredictRecipe, output: Path, *, command: str, overwrite: bool = False, progress: Progress,
    notes: list[str],
) -> ModelCard:  # fmt: skip
    """Measure, learn, test, write ``output`` (.onnx) and its card, which tells the `command` that makes it again."""
    songs = _songs(recipe, progress, notes)
    kept_back, learned_from = songs[::_KEPT_BACK], [s for i, s in enumerate(songs) if i % _KEPT_BACK]
    learned = learn(
        learned_from, kept_back, recipe.learning, recipe.seed, lambda done, loss: progress("learning", done)
    )
    stretch = spread_stretch(learned, kept_back)
    data = onnx_bytes(weights_of(learned.network, learned.center, learned.prior, stretch))
    card = _card(recipe, command, learned, songs, {})
    save_model(output, data, card, overwrite=overwrite)
    metrics = _metrics(recipe, output, learned, progress)
    return save_model(output, data, _card(recipe, command, learned, songs, metrics), overwrite=True)


def _songs(recipe: PredictRecipe, progress: Progress, notes: list[str]) -> list[ConsoleSong]:
    done: list[str] = []

    def told(title: str) -> None:
        done.append(title)
        progress("measuring", len(done) / max(recipe.songs, len(done) + 1))

    songs = list(synthesized(recipe.seed, range(recipe.songs), recipe.cache, recipe.midi, told))
    for folder in recipe.folders:
        songs += from_folder(folder, recipe.cache, told, notes)
    if len(songs) < _LEAST_SONGS:
        raise BadInputError(
            f"{len(songs)} songs to learn from: at least {_LEAST_SONGS} are needed: give --songs 300, or more --data"
        )
    return songs


def _metrics(recipe: PredictRecipe, output: Path, learned: Learned, progress: Progress) -> dict[str, Any]:
    """On test songs alone; nothing without any."""
    epochs = {
        "epochs": len(learned.losses),
        "loss_kept_back": round(min(loss for _, loss in learned.losses), 4),
    }
    if not recipe.test_songs:
        return {"learning": epochs}
    tests = range(max(recipe.test_songs, _CONTROL_TESTS))
    model = load_console_model(str(output))
    held_out = synthesized(TEST_SEED, tests, recipe.cache, recipe.midi, lambda title: None)
    controls = control_figures(model, held_out)
    balance = balance_figures(output, recipe.test_songs, recipe.midi, lambda done: progress("testing", done))
    return {
        "learning": epochs,
        f"balance on {recipe.test_songs} synthetic test songs, spoiled and scrambled by 12 dB": balance,
        f"controls on {len(tests)} synthetic test songs": controls,
    }


def _card(
    recipe: PredictRecipe,
    command: str,
    learned: Learned,
    songs: Sequence[ConsoleSong],
    metrics: Mapping[str, Any],
) -> ModelCard:
    names = input_names()
    return ModelCard(
        name="predict",
        kind=KIND,
        summary="where a track's console controls belong, from what it and the others measure",
        licence="MIT",
        format="onnx",
        created=recipe.created or datetime.date.today().isoformat(),
        recipe={
            "command": command, "seed": recipe.seed, "songs": len(songs),
            "tracks": sum(len(song.tracks) for song in songs), "song_s": SHORT_S, "test_seed": TEST_SEED,
        },
        training_data=_training_data(recipe),
        metrics=dict(metrics),
        limits=LIMITS,
        inputs=(Port("columns", "float32", ("n", len(names))),),
        outputs=(
            Port("mean", "float32", ("n", len(CONTROLS))),
            Port("spread", "float32", ("n", len(CONTROLS))),
            Port("wanted", "float32", ("n", len(WANTED))),
        ),
        settings={
            "inputs": list(names), "controls": list(CONTROLS), "wanted": list(WANTED),
            "prior": [round(float(v), 6) for v in learned.prior],
        },
    )  # fmt: skip


def _training_data(recipe: PredictRecipe) -> tuple[TrainingData, ...]:
    rows = []
    if recipe.songs:
        from tonmeister.training.synthesis.drumkits import DrumKit
        from tonmeister.training.synthesis.soundfonts import find_soundfonts

        fonts = [
            TrainingData(p.name, licence_of(p), "instruments, played from notes") for p in find_soundfonts()
        ]
        kits = [kit.name for kit in DrumKit.found()]
        if kits:
            free = "free licences (GPL, CC BY, CC BY-SA, CC0; Debian hydrogen-drumkits)"
            fonts.append(TrainingData(f"{len(kits)} drum kits of Hydrogen", free, "recorded strokes"))
        use = f"{recipe.songs} songs of {SHORT_S:g} s with the consoles of a synthetic engineer; only their measures"
        rows = [*fonts, TrainingData("tonmeister's synthesized songs", "MIT", use)]
        rows += [TrainingData(path.name, licence_of(path), "notes") for path in recipe.midi]
    use = "levels and pans of a person's mix"
    return (*rows, *(TrainingData(path.name, licence_of(path), use) for path in recipe.folders))


LIMITS: Final = (
    "Learned one synthetic engineer's taste, whose rules are written in training/synthesis/engineer.toml; people differ.",
    "Never hears sound: what its measures do not show (words, a wrong note, what a part means) it cannot know.",
    "Static settings: nothing moves over time; attack and release are not predicted.",
    "The side of a pan is chosen by balance, only the distance from the center is learned.",
    "Reverberation was learned from inserts and is given as sends to one room.",
    "The figures are of synthetic songs unless they say otherwise.",
)

"""From songs to a separator with its card, in one call; everything follows from the seed, the files and the libraries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tonmeister.errors import BadInputError
from tonmeister.model_files.card import ModelCard
from tonmeister.model_files.shipped import SHIPPED
from tonmeister.model_files.store import save_model
from tonmeister.separation.mask_ensemble import MaskEnsemble
from tonmeister.separation.network_model import from_file, open_network
from tonmeister.training.separation.calibration import Calibration, calibrate
from tonmeister.training.separation.cards import separator_card
from tonmeister.training.separation.figures import held_out, probabilities, separation_figures
from tonmeister.training.separation.learning import Learned, learn
from tonmeister.training.separation.mixtures import EXAMPLE_S, Examples, Heard, hear, mixtures
from tonmeister.training.separation.modules import arrays, onnx_bytes, rounded
from tonmeister.training.separation.networks import weight_count
from tonmeister.training.separation.patches import Patches, Scaling
from tonmeister.training.separation.presets import PRESETS, Preset
from tonmeister.training.separation.stems import SongSources, StemSong, stem_songs, voice_songs
from tonmeister.units import FloatArray

__all__ = ["EVALUATION_SEED", "RecipeOptions", "train_separation"]

EVALUATION_SEED: Final = 900_000
"""Seeds from here on are for evaluation alone."""
_HELD_SHARE: Final = 8
"""One song, and one mixture more, in so many is held out for the choice of the best state and for calibration."""
_MOST_WEIGHTS: Final = 80_000_000
"""More would need more than a GiB of memory to learn and 80 MB on disk."""
_EXCERPT_S: Final = 10.0

Progress = Callable[[str, float], None]
"""Told a stage and how much of it is done, 0 to 1."""


@dataclass(frozen=True)
class RecipeOptions:
    """What is learned, from what, and what it is tested on."""

    preset: Preset
    sources: SongSources
    test: SongSources = field(default_factory=lambda: SongSources(songs=0, seed=EVALUATION_SEED))
    """Songs for the figures; none: no figures."""
    examples: int = 150
    """Mixtures of six seconds to learn from."""
    ensemble: str | Path = "ensemble"
    """Whose masks an ``ensemble-combiner`` combines, a shipped model or a file; other networks have none."""
    test_excerpts: int = 12
    seed: int = 0
    command: str = "tonmeister train separation"
    created: str = ""
    """Date for the card, YYYY-MM-DD; today if empty."""

    @property
    def held_examples(self) -> int:
        """Mixtures of songs held out, for the choice of the best state and for calibration."""
        return 1 + -(-self.examples // _HELD_SHARE)


def train_separation(
    options: RecipeOptions, output: Path, *, overwrite: bool = False, progress: Progress
) -> ModelCard:
    """Learn, calibrate, test, and write ``output`` (.onnx) and its card."""
    _check(options)
    ensemble = _ensemble(options, output) if options.preset.network == "ensemble-combiner" else None
    options = options if ensemble is None else _for_ensemble(options, ensemble)
    preset = options.preset
    songs = stem_songs(options.sources, lambda done: progress("making songs", done))
    voices = voice_songs(options.sources)
    taught, held = _split(songs)
    heard = _heard(preset, Examples(taught, voices), options.seed, options.examples, progress)
    checked = _heard(preset, Examples(held, voices), options.seed + 1, options.held_examples, progress)
    scaling = Scaling.of(heard, preset.feature) if ensemble is None else _scaling(ensemble)
    centers, middle = preset.front_end.centers, preset.network in ("ensemble", "ensemble-combiner")
    learned = learn(
        preset,
        Patches(heard, preset.frames, scaling, centers, middle, preset.learning.remixed),
        Patches(checked, preset.frames, scaling, centers, middle),
        options.seed,
        ensemble=ensemble,
        told=lambda done, _taught, _held: progress("learning", done),
    )
    weights = rounded(arrays(learned.modules, preset.branches))
    data = onnx_bytes(preset.branches, weights)
    made = _Making(options, scaling, learned, data, output, ensemble)
    made.save(overwrite=overwrite)
    if preset.network == "deep-remix":
        made.calibrate(checked)
    made.measure(progress)
    return made.save(overwrite=True)


def _check(options: RecipeOptions) -> None:
    """Refuse what cannot be done, before anything is made."""
    preset = options.preset
    if options.seed >= EVALUATION_SEED:
        raise BadInputError(
            f"seed={options.seed}: seeds from {EVALUATION_SEED} on are for evaluation: give a smaller one"
        )
    if (weights := sum(map(weight_count, preset.branches))) > _MOST_WEIGHTS:
        raise BadInputError(
            f"preset={preset.name!r} of {preset.network} has {weights / 1e6:.1f} million weights, more than the "
            f"{_MOST_WEIGHTS // 1_000_000} million that are trained here: give --preset small or medium"
        )


def _ensemble(options: RecipeOptions, output: Path) -> MaskEnsemble:
    """The ensemble that is to be combined, if the preset, the songs and the place of the output fit it."""
    network, like = open_network(options.ensemble), PRESETS["ensemble", options.preset.name]
    path = network.model.path
    same = (network.front_end, network.tracks, network.frames) == (like.front_end, like.tracks, like.frames)
    if network.settings.get("network") != "ensemble" or not same:
        raise BadInputError(
            f"ensemble={str(options.ensemble)!r}: give an ensemble of the preset {options.preset.name!r}"
        )
    if options.ensemble not in SHIPPED and output.resolve().parent != path.resolve().parent:
        raise BadInputError(f"{output}: a combiner is kept beside its ensemble: write it to {path.parent}")
    if options.sources.songs and network.model.card.recipe.get("seed") == options.seed:
        raise BadInputError(
            f"seed={options.seed}: the ensemble learned from these songs: give another --seed"
        )
    return MaskEnsemble(network)


def _for_ensemble(options: RecipeOptions, ensemble: MaskEnsemble) -> RecipeOptions:
    """The card says which ensemble it is."""
    model = ensemble.network.model
    settings = {"ensemble": model.path.stem, "ensemble_sha256": model.card.sha256}
    return dataclasses.replace(options, preset=dataclasses.replace(options.preset, settings=settings))


def _scaling(ensemble: MaskEnsemble) -> Scaling:
    network = ensemble.network
    return Scaling(network.feature, network.mean, network.deviation)


def _heard(preset: Preset, examples: Examples, seed: int, count: int, progress: Progress) -> Heard:
    def counted() -> Iterator[tuple[FloatArray, bool]]:
        for number, example in enumerate(mixtures(examples, seed, count), 1):
            yield example
            progress("making mixtures", number / count)

    return hear([preset.front_end], counted())[0]


class _Making:
    """A model on its way: saved, calibrated, measured."""

    def __init__(
        self,
        options: RecipeOptions,
        scaling: Scaling,
        learned: Learned,
        data: bytes,
        output: Path,
        ensemble: MaskEnsemble | None,
    ) -> None:
        self._options, self._scaling, self._learned = options, scaling, learned
        self._data, self._output, self._ensemble = data, output, ensemble
        self._calibration: Calibration | None = None
        self._metrics: dict[str, Any] = {}

    def save(self, *, overwrite: bool) -> ModelCard:
        calibration = dataclasses.asdict(self._calibration) if self._calibration else None
        card = separator_card(
            self._options.preset, self._options.sources, self._scaling, self._recipe(),
            calibration=calibration, metrics=self._metrics, created=self._options.created,
        )  # fmt: skip
        return save_model(self._output, self._data, card, overwrite=overwrite)

    def calibrate(self, checked: Heard) -> None:
        """Fit the map from what the network says to how often it is true."""
        p, truth = probabilities(open_network(self._output), checked)
        self._calibration = calibrate(p, truth.astype(bool))
        self.save(overwrite=True)

    def measure(self, progress: Progress) -> None:
        """Figures on songs, sounds and voices that were not learned from."""
        options = self._options
        if not options.test.songs and not options.test.data:
            return
        songs = stem_songs(options.test, lambda done: progress("making test songs", done))
        examples = Examples(songs, voice_songs(options.test))
        estimator = from_file(self._output)
        assert estimator is not None
        front_end = options.preset.front_end
        self._metrics = {
            "held_out_synthetic": separation_figures(estimator, front_end, self._excerpts(examples, progress))
        }
        if self._ensemble is not None:
            self._metrics["mean_of_the_masks"] = separation_figures(
                self._ensemble, front_end, self._excerpts(examples, progress)
            )
        if options.preset.network == "deep-remix":
            heard = _heard(options.preset, examples, EVALUATION_SEED, options.held_examples, progress)
            self._metrics["probabilities"] = held_out(open_network(self._output), heard)

    def _excerpts(self, examples: Examples, progress: Progress) -> Iterator[FloatArray]:
        count = self._options.test_excerpts
        drawn = mixtures(examples, EVALUATION_SEED, count, seconds=_EXCERPT_S)
        for number, (stems, _) in enumerate(drawn, 1):
            yield stems
            progress("testing", number / count)

    def _recipe(self) -> dict[str, Any]:
        options, learning = self._options, self._options.preset.learning
        return {
            "command": options.command,
            "seed": options.seed,
            "songs": options.sources.songs,
            "examples": options.examples,
            "example_s": EXAMPLE_S,
            "sweeps": len(self._learned.losses),
            "patches_per_sweep": learning.patches,
            "losses_of_first_and_last_sweep": [
                [round(x, 5) for x in losses]
                for losses in (self._learned.losses[0], self._learned.losses[-1])
            ],
            "tested_on": _names(options.test),
        }


def _names(sources: SongSources) -> Sequence[str]:
    files = (*(sources.soundfonts or ()), *(sources.drumkits or ()), *sources.midi, *sources.voices)
    return [path.name for path in (*files, *sources.data)]


def _split(songs: Sequence[StemSong]) -> tuple[Sequence[StemSong], Sequence[StemSong]]:
    """Songs to learn from and songs held out; the same when there are too few."""
    count = len(songs) // _HELD_SHARE
    return songs[: len(songs) - count], songs[len(songs) - count :] or songs

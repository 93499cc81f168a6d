"""``tonmeister train stem``: what becomes of a raw stem, learned from pairs of raw and finished ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.training.stems.recipe import RecipeOptions, Trained

__all__ = ["command"]

_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_GROUPS = ("bass", "guitar", "vocals", "keys")


@click.command(
    "stem",
    epilog=given.examples(
        "tonmeister train stem --group vocals --songs 160 -o stem-vocals.onnx",
        "tonmeister train stem --group all --data MedleyDB/ -o models/",
        "tonmeister train stem --features --songs 160 -o stem-features.npz",
        "tonmeister train stem --group bass --preset faithful --songs 20 --epochs 5 -o bass.onnx",
    ),
)
@click.option("--group", type=click.Choice((*_GROUPS, "all")), default="all", show_default=True,
              help="Which stems; all writes stem-GROUP.onnx for each into a folder, or one file of features.")  # fmt: skip
@click.option("--preset", type=click.Choice(("improved", "faithful")), default="improved", show_default=True,
              help="Bounded gains on bands, or spectra for spectra as in 2017.")  # fmt: skip
@click.option("--features", is_flag=True, help="Analyze and predict features instead (option via=features).")
@click.option("--data", "folders", type=_folder, multiple=True, metavar="DIR",
              help="MedleyDB, or folders raw/ and stem/ with files of the same names. May be given again.")  # fmt: skip
@click.option("--songs", type=click.IntRange(0, 100_000), default=0, show_default=True, metavar="N",
              help="Make N songs to learn from.")  # fmt: skip
@click.option("--test-songs", type=click.IntRange(1, 10_000), default=40, show_default=True,
              help="Songs made to test on, from seeds that are never trained on.")  # fmt: skip
@click.option("--font", "fonts", type=_file, multiple=True,
              help="Soundfont that plays them. May be given again. [default: those found]")  # fmt: skip
@click.option("--shifts", type=click.IntRange(0, 16), default=0, show_default=True,
              help="Copies of each pair in other pitches.")  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(min=20),
    help="Of the improved preset, 1500 unless given; of the features, 6000.",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1, 25), default=1, show_default=True,
              help="Improved preset: train from so many seeds and keep the median.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(min=1), default=100, show_default=True,
              help="Of each stage of the faithful preset.")  # fmt: skip
@click.option("--mask-epochs", type=click.IntRange(min=0), default=0, show_default=True,
              help="Faithful preset: train the ratio mask of stage 3, too.")  # fmt: skip
@click.option(
    "--as-released", is_flag=True, help="Faithful preset: the transposed layout of the released code."
)
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="DIR", help="Keep what is made there, to go on later."
)
@click.option("--plots", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Picture of the gains as a dynamic equalizer.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL",
              help="NAME.onnx, NAME.npz for features, or a folder for all groups.")  # fmt: skip
@given.seed_option
@given.overwrite_option
@given.common
def command(output: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Learn what becomes of raw stems, and test it on songs left out beside every baseline.

    Interrupted while it learns, the best network so far is tested and written; pairs stay in the cache.
    """
    from tonmeister.cli.screen import Screen

    screen = Screen.of(settings)
    outputs = _outputs(output, asked)
    for path in outputs.values():
        given.check_names({"the model": path}, overwrite=asked["overwrite"])
    options = _options(asked, _GROUPS if asked["group"] == "all" else (asked["group"],))
    with screen.progress() as bars:
        made, notes = _train(outputs, options, asked, bars)
    screen.notes(notes)
    if screen.as_json:
        screen.json({"models": [{"output": m.path, "card": m.card.to_dict()} for m in made], "notes": notes})
    for trained in made:
        screen.show(_table(trained))
        if trained.interrupted:
            screen.say("interrupted: the best network so far was kept")
        screen.say(f"model: {trained.path} ({trained.card.bytes / 1000:.0f} kB)")


def _outputs(output: Path, asked: dict[str, Any]) -> dict[str, Path]:
    """Group (or ``features``) -> file."""
    from tonmeister.errors import BadInputError

    ending = ".npz" if asked["features"] else ".onnx"
    if asked["features"] or asked["group"] != "all":
        if output.suffix != ending:
            raise BadInputError(f"{output}: the model is written as {ending}: give a name that ends so")
        return {"features" if asked["features"] else asked["group"]: output}
    if output.suffix:
        raise BadInputError(
            f"{output}: all groups go into a folder: give a name without ending, or one --group"
        )
    output.mkdir(parents=True, exist_ok=True)
    return {group: output / f"stem-{group}.onnx" for group in _GROUPS}


def _options(asked: dict[str, Any], groups: tuple[str, ...]) -> RecipeOptions:
    from tonmeister.errors import BadInputError
    from tonmeister.training.stems.drafting import DraftOptions
    from tonmeister.training.stems.learning import LearningOptions
    from tonmeister.training.stems.recipe import RecipeOptions

    if not asked["songs"] and not asked["folders"]:
        raise BadInputError("there is nothing to learn from: give --data DIR, or --songs 160")
    return RecipeOptions(
        groups=groups,
        folders=asked["folders"],
        songs=asked["songs"],
        test_songs=asked["test_songs"],
        soundfonts=asked["fonts"] or None,
        shifts=asked["shifts"],
        seed=asked["seed"],
        seeds=asked["seeds"],
        cache=asked["cache"],
        keep_pairs=asked["preset"] == "faithful",
        keep_held=asked["features"],
        learning=LearningOptions(steps=asked["steps"] or 1500),
        drafting=DraftOptions(steps=asked["steps"] or 6000),
    )


def _train(
    outputs: dict[str, Path], options: RecipeOptions, asked: dict[str, Any], bars: Any
) -> tuple[list[Trained], list[str]]:
    from tonmeister.cli.again import call_again
    from tonmeister.training.stems import recipe
    from tonmeister.training.stems.faithful import train_faithful

    material = recipe.gather(options, bars)
    too = {"command": call_again(), "overwrite": asked["overwrite"], "progress": bars}
    stages = {name: asked[name] for name in ("epochs", "mask_epochs", "as_released")}
    made: list[Trained] = []
    for subject, path in outputs.items():
        if subject == "features":
            made.append(recipe.train_features(material, options, path, **too))
        elif asked["preset"] == "improved":
            made.append(recipe.train_improved(subject, material, options, path, **too))
        else:
            made.append(train_faithful(subject, material, options, path, **stages, **too))
        if made[-1].interrupted:
            break
    if asked["plots"] is not None and asked["preset"] == "improved":
        from tonmeister.training.stems.pictures import draft_gains, draw_gains, network_gains

        if asked["features"]:
            draw_gains(asked["plots"] / "stem-drafts.png", draft_gains(outputs["features"], material.test))
        else:
            written = {group: path for group, path in outputs.items() if path.exists()}
            draw_gains(asked["plots"] / "stem-gains.png", network_gains(written, material.test))
    return made, list(material.notes)


def _table(trained: Trained) -> Table:
    from tonmeister.cli.tables import table

    if trained.card.format == "npz":
        found = [
            (g, f"{m['accuracy']:.1%}", f"{m['published accuracy']:.1%}", f"{m['mae cut']:.0%}",
             f"{m['mae cut, all features']:.0%}", ", ".join(m["chosen"]), ", ".join(m["published"]))
            for g, m in trained.card.metrics.items()
        ]  # fmt: skip
        head = ("group", "told apart", "in 2017", "error cut", "of all", "chosen features", "chosen in 2017")
        return table(head, found, right=("told apart", "in 2017", "error cut", "of all"))
    figures = next(iter(trained.card.metrics.values()))
    if "magnitude_mae" not in figures:
        return table(("error of magnitudes", "mean"), [(k, f"{v:.5f}") for k, v in figures.items()])
    errors = figures["magnitude_mae"]
    rows = [
        (n, f"{e:.5f}", f"{figures['band_level_mae_db'][n]:.2f}", _below(figures, n))
        for n, e in errors.items()
    ]
    columns = (
        f"{figures['songs']} songs left out",
        "error of magnitudes",
        "of bands, dB",
        "network below it by (95 %)",
    )
    return table(columns, rows, right=columns[1:])


def _below(figures: dict[str, Any], name: str) -> str:
    by = figures.get(f"network below {name}")
    return "-" if by is None else f"{by['mean']:+.5f} ({by['low']:+.5f} to {by['high']:+.5f})"

"""``tonmeister train dynamical``: how the gains of instruments follow the sound of all tracks, from finished mixes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.training.dynamical.recipe import Learned

__all__ = ["command"]


@click.command(
    "dynamical",
    epilog=given.examples(
        "tonmeister train dynamical --synthesize 24 -o rides.npz",
        "tonmeister train dynamical --data my_songs/ -o rides.npz --plots pictures/",
        "tonmeister mix song/ -o mix.wav --engine textbook+dynamical --option model=rides.npz",
    ),
)
@click.option("--data", "folders", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              metavar="FOLDER", help="Songs with a person's mix, or a dataset. May be given again.")  # fmt: skip
@click.option("--synthesize", type=click.IntRange(0, 10_000), default=0, metavar="N", show_default=True,
              help="Make N songs whose faders move, of the seed's stream.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.npz",
              help="The model; its card is written beside it.")  # fmt: skip
@click.option("--groups", "scheme", type=click.Choice(("paper", "families")), default="paper", show_default=True,
              help="Five groups as in the papers, or the families of the vocabulary.")  # fmt: skip
@click.option(
    "--layout",
    type=click.Choice(("own", "ratio", "own+others")),
    help="What is observed. [default: tried out]",
)
@click.option("--cache", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Keeps what was measured of each song. [default: beside the model]")  # fmt: skip
@click.option(
    "--plots", type=click.Path(path_type=Path), metavar="FOLDER", help="Pictures of true and forecast gains."
)
@given.seed_option
@given.overwrite_option
@given.common
def command(
    folders: tuple[Path, ...],
    synthesize: int,
    output: Path,
    scheme: str,
    layout: str | None,
    cache: Path | None,
    plots: Path | None,
    seed: int,
    overwrite: bool,
    settings: dict[str, Any],
) -> None:
    """Learn moving faders and test them on songs left out, beside every baseline.

    Each song is left out once; the table shows mean squared errors of the forecast gains per group. Interrupted, what
    was measured of the songs stays in the cache.
    """
    from tonmeister.cli.screen import Screen, when_interrupted
    from tonmeister.errors import BadInputError
    from tonmeister.training.dynamical import recipe

    screen = Screen.of(settings)
    if output.suffix != ".npz":
        raise BadInputError(f"{output}: the model is written as an .npz file: give another name")
    if output.exists() and not overwrite:
        raise BadInputError(f"{output}: exists already: give another name or --overwrite")
    cache = cache or output.with_name(f"{output.stem}.cache")
    notes: list[str] = []
    with when_interrupted(f"measured songs stay in {cache}"), screen.progress() as bars:
        songs = _songs(folders, synthesize, seed, cache, bars, notes)
        choice = recipe.chosen(songs, scheme, (layout,)) if layout else None  # type: ignore[arg-type]
        bars("learning", 0.0)
        tested: list[str] = []

        def told(title: str) -> None:
            tested.append(title)
            bars("learning", len(tested) / len(songs))

        learned = recipe.learn(songs, scheme, choice, told)  # type: ignore[arg-type]
        curve = recipe.learning_curve(songs, learned)
    recipe.write_model(
        output, learned, recipe=_recipe(folders, synthesize, seed, scheme), data=_data(folders, synthesize),
        overwrite=overwrite,
    )  # fmt: skip
    pictures = _plots(plots, learned, curve) if plots else []
    screen.show(_table(learned), "", _curve_text(curve))
    screen.notes(notes)
    if screen.as_json:
        screen.json({**_plain(learned, curve), "model": output, "plots": pictures, "notes": notes})
    screen.say(f"model: {output} ({len(learned.songs)} songs, features {learned.choice.layout})")


def _songs(
    folders: tuple[Path, ...], synthesize: int, seed: int, cache: Path, bars: Any, notes: list[str]
) -> list[Any]:
    from tonmeister.errors import BadInputError
    from tonmeister.training.dynamical.sources import from_folder, synthesized, usable

    if not folders and not synthesize:
        raise BadInputError("there is nothing to learn from: give --data FOLDER, or --synthesize 24")
    done: list[str] = []

    def told(title: str) -> None:
        done.append(title)
        bars("measuring", len(done) / max(synthesize, len(done) + 1))

    songs = list(synthesized(synthesize, seed, cache, told))
    for folder in folders:
        songs += from_folder(folder, cache, told, notes)
    usable(songs, notes)
    bars("measuring", 1.0)
    return songs


def _table(learned: Learned) -> Table:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table
    from tonmeister.training.dynamical.comparison import ESTIMATORS

    groups = learned.model.groups
    rows = (
        (ESTIMATORS[name], *(number(float(v), 2) if v == v else "-" for v in learned.mse_db2[name]),
         number(learned.overall(name), 2))
        for name in ESTIMATORS
    )  # fmt: skip
    head = ("error on songs left out, dB²", *groups, "mean")
    return table(head, rows, right=(*groups, "mean"))


def _curve_text(curve: list[tuple[int, float, float]]) -> str:
    parts = ", ".join(f"{count} songs {system:.2f} (mean {mean:.2f})" for count, mean, system in curve)
    return f"learned from fewer, error of the filter on the last quarter, dB²: {parts}"


def _plain(learned: Learned, curve: list[tuple[int, float, float]]) -> dict[str, Any]:
    def rows(errors: Any) -> dict[str, dict[str, float]]:
        return {n: dict(zip(learned.model.groups, map(float, e), strict=True)) for n, e in errors.items()}

    return {
        "songs": len(learned.songs),
        "layout": learned.choice.layout,
        "per_song": learned.choice.per_song,
        "ridge": learned.choice.improved.ridge,
        "observes": learned.model.observes,
        "mse_db2": rows(learned.mse_db2),
        "mse_weight": rows(learned.mse_weight),
        "learning_curve": [{"songs": n, "mean": m, "filter": s} for n, m, s in curve],
        "spectral_radius": learned.model.system.spectral_radius,
    }


def _recipe(folders: tuple[Path, ...], synthesize: int, seed: int, scheme: str) -> dict[str, Any]:
    from tonmeister import __version__

    data = "".join(f" --data {folder.name}" for folder in folders)
    made = f" --synthesize {synthesize}" if synthesize else ""
    command_line = f"tonmeister train dynamical{data}{made} --groups {scheme} --seed {seed} -o MODEL.npz"
    return {"command": command_line, "seed": seed, "version": __version__}


def _data(folders: tuple[Path, ...], synthesize: int) -> list[Any]:
    from tonmeister.model_files.card import TrainingData

    rows = [TrainingData(folder.name, "see its own terms", "gains of a person's mix") for folder in folders]
    if synthesize:
        rows.append(
            TrainingData("tonmeister's synthesized songs", "MIT", f"{synthesize} songs with moving faders")
        )
    return rows


def _plots(folder: Path, learned: Learned, curve: list[tuple[int, float, float]]) -> list[Path]:
    from tonmeister.training.dynamical.pictures import write_pictures

    return write_pictures(folder, learned, curve)

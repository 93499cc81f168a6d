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
        "tonmeister train dynamical --data stems/ --synthesize 24 --scramble-faders 6 -o undo.npz",
        "tonmeister mix song/ -o mix.wav --engine textbook+dynamical --option model=rides.npz",
    ),
)
@click.option("--data", "folders", type=click.Path(exists=True, path_type=Path), multiple=True, metavar="FOLDER|LIST.toml",
              help="Songs with a person's mix, a dataset, or a list of songs. May be given again.")  # fmt: skip
@click.option("--synthesize", type=click.IntRange(0, 10_000), default=0, metavar="N", show_default=True,
              help="Make N songs whose faders move, of the seed's stream.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.npz",
              help="The model; its card is written beside it.")  # fmt: skip
@click.option("--groups", "scheme", type=click.Choice(("paper", "families")), default="paper", show_default=True,
              help="Five groups as in the papers, or the families of the vocabulary.")  # fmt: skip
@click.option("--layout", type=click.Choice(("own", "ratio", "own+others", "selected")),
              help="What is observed: level, centroid and slope of each group, against or beside all others; or what a "
              "search selects from a larger menu. [default: tried out]")  # fmt: skip
@click.option("--scramble-faders", "scramble_db", type=click.FloatRange(0.0, 12.0), default=0.0, metavar="DB",
              help="Ride every group at random by up to ± DB first; what is learned is to undo it. For stems, and mixes "
              "whose faders stand still.")  # fmt: skip
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
    scramble_db: float,
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
    from tonmeister.training.dynamical.data import scrambled

    screen = Screen.of(settings)
    if output.suffix != ".npz":
        raise BadInputError(f"{output}: the model is written as an .npz file: give another name")
    if lies := [path for path in (output, output.with_suffix(".json")) if path.exists() and not overwrite]:
        raise BadInputError(f"{lies[0]}: exists already: give another name or --overwrite")
    cache = cache or output.with_name(f"{output.stem}.cache")
    notes: list[str] = []
    with when_interrupted(f"measured songs stay in {cache}"), screen.progress() as bars:
        songs = _songs(folders, synthesize, seed, cache, bars, notes, stems=scramble_db > 0)
        if scramble_db > 0:
            songs = [scrambled(song, scheme, scramble_db, seed) for song in songs]  # type: ignore[arg-type]
        choice = recipe.chosen(songs, scheme, (layout,)) if layout else None  # type: ignore[arg-type]
        bars("learning", 0.0)
        tested: list[str] = []

        def told(title: str) -> None:
            tested.append(title)
            bars("learning", len(tested) / len(songs))

        learned = recipe.learn(songs, scheme, choice, told)  # type: ignore[arg-type]
        curve = recipe.learning_curve(songs, learned)
    recipe.write_model(
        output, learned, recipe=_recipe(seed),
        data=_data(folders, synthesize, scramble_db),
        overwrite=overwrite,
    )  # fmt: skip
    pictures = _plots(plots, learned, curve) if plots else []
    screen.show(_table(learned), "", *_source_table(learned), _sure_text(learned), _curve_text(curve))
    screen.notes(notes)
    if screen.as_json:
        screen.json({**_plain(learned, curve), "model": output, "plots": pictures, "notes": notes})
    screen.say(
        f"model: {output} ({len(learned.songs)} songs, features {learned.choice.layout}, normalized by "
        f"{learned.choice.normalization})"
    )


def _songs(
    folders: tuple[Path, ...],
    synthesize: int,
    seed: int,
    cache: Path,
    bars: Any,
    notes: list[str],
    *,
    stems: bool,
) -> list[Any]:
    from tonmeister.errors import BadInputError
    from tonmeister.training.dynamical.sources import from_data, synthesized, usable

    if not folders and not synthesize:
        raise BadInputError("there is nothing to learn from: give --data FOLDER, or --synthesize 24")
    done: list[str] = []

    def told(title: str) -> None:
        done.append(title)
        bars("measuring", len(done) / max(synthesize, len(done) + 1))

    songs = list(synthesized(synthesize, seed, cache, told))
    for folder in folders:
        songs += from_data(folder, cache, told, notes, stems=stems)
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


def _source_table(learned: Learned) -> list[Any]:
    """The same, songs of each source apart; nothing where there is only one."""
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table
    from tonmeister.training.dynamical.comparison import ESTIMATORS

    by_source = learned.by_source()
    if len(by_source) < 2:
        return []
    rows = ((ESTIMATORS[n], *(number(of[n], 2) for of in by_source.values())) for n in ESTIMATORS)
    return [table(("mean of the groups' errors, dB²", *by_source), rows, right=tuple(by_source)), ""]


def _sure_text(learned: Learned) -> str:
    parts = ", ".join(f"{g} {before:.0%}" for g, (before, _) in learned.coverage.items() if before == before)
    return f"windows within the inferred 90 % interval, before it was widened to hold that share: {parts}"


def _curve_text(curve: list[tuple[int, float, float]]) -> str:
    parts = ", ".join(f"{count} songs {system:.2f} (mean {mean:.2f})" for count, mean, system in curve)
    return f"learned from fewer, error of the filter on the last quarter, dB²: {parts}"


def _plain(learned: Learned, curve: list[tuple[int, float, float]]) -> dict[str, Any]:
    def rows(errors: Any) -> dict[str, dict[str, float]]:
        return {n: dict(zip(learned.model.groups, map(float, e), strict=True)) for n, e in errors.items()}

    return {
        "songs": len(learned.songs),
        "layout": learned.choice.layout,
        "normalization": learned.choice.normalization,
        "noise_scale": learned.choice.improved.noise_scale,
        "columns": list(learned.model.columns),
        "ridge": learned.choice.improved.ridge,
        "observes": learned.model.observes,
        "mse_db2": rows(learned.mse_db2),
        "mse_weight": rows(learned.mse_weight),
        "mse_db2_by_source": learned.by_source(),
        "coverage_90": {g: {"inferred": a, "stated": b} for g, (a, b) in learned.coverage.items()},
        "learning_curve": [{"songs": n, "mean": m, "filter": s} for n, m, s in curve],
        "spectral_radius": learned.model.system.spectral_radius,
    }


def _recipe(seed: int) -> dict[str, Any]:
    from tonmeister import __version__
    from tonmeister.cli.again import call_again

    return {"command": call_again(), "seed": seed, "version": __version__}


def _data(folders: tuple[Path, ...], synthesize: int, scramble_db: float) -> list[Any]:
    from tonmeister.model_files.card import TrainingData
    from tonmeister.training.dynamical.manifest import read_manifest

    use = f"random rides of up to ±{scramble_db:g} dB undone" if scramble_db else "gains of a person's mix"
    rows = []
    for folder in folders:
        if folder.is_file():
            rows += [TrainingData(f"{s.title} ({s.artist})", s.licence, use) for s in read_manifest(folder)]
        else:
            rows.append(TrainingData(folder.name, "see its own terms", use))
    if synthesize:
        rows.append(
            TrainingData("tonmeister's synthesized songs", "MIT", f"{synthesize} songs with moving faders")
        )
    return rows


def _plots(folder: Path, learned: Learned, curve: list[tuple[int, float, float]]) -> list[Path]:
    from tonmeister.training.dynamical.pictures import write_pictures

    return write_pictures(folder, learned, curve)

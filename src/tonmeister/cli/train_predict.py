"""``tonmeister train predict``: a network that says where the controls of a console belong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["command"]


@click.command(
    "predict",
    epilog=given.examples(
        "tonmeister train predict --songs 600 -o console.onnx",
        "tonmeister train predict --songs 600 --midi midi/ --data my_mixes/ -o console.onnx",
        "tonmeister mix song/ -o mix.wav --engine predict --option model=console.onnx",
    ),
)
@click.option("--songs", type=click.IntRange(0, 100_000), default=0, show_default=True, metavar="N",
              help="Make N short songs with a synthetic engineer's consoles, of the seed's stream.")  # fmt: skip
@click.option("--midi", type=click.Path(exists=True, path_type=Path), multiple=True, metavar="FOLDER|FILE",
              help="Take songs from MIDI files, too. May be given again.")  # fmt: skip
@click.option("--data", "folders", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              metavar="FOLDER",
              help="Songs with a person's mix: raw/ beside post/ or human_mix.wav, or a known layout.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.onnx",
              help="The model; its card is written beside it.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1, 10_000), default=100, show_default=True,
              help="At most; it stops when songs kept back get worse.")  # fmt: skip
@click.option("--test-songs", type=click.IntRange(0, 1000), default=20, show_default=True,
              help="Synthetic songs to test on, beside the baselines.")  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Keeps what was measured of each song. [default: beside the model]")  # fmt: skip
@given.seed_option
@given.overwrite_option
@given.common
def command(
    songs: int,
    midi: tuple[Path, ...],
    folders: tuple[Path, ...],
    output: Path,
    epochs: int,
    test_songs: int,
    cache: Path | None,
    seed: int,
    overwrite: bool,
    settings: dict[str, Any],
) -> None:
    """Teach the engine predict on songs whose console is known, and test it on songs that it never met.

    Each song is measured once and kept in the cache. Interrupted while it learns, the best network so far is written;
    interrupted before, the measured songs stay.
    """
    from tonmeister.cli.again import call_again
    from tonmeister.cli.screen import Screen, when_interrupted
    from tonmeister.errors import BadInputError
    from tonmeister.training.console.learning import LearningOptions
    from tonmeister.training.console.recipe import PredictRecipe, train_predict

    screen = Screen.of(settings)
    if output.suffix != ".onnx":
        raise BadInputError(f"{output}: the model is written as an .onnx file: give another name")
    if output.exists() and not overwrite:
        raise BadInputError(f"{output}: exists already: give another name or --overwrite")
    if not songs and not folders:
        raise BadInputError("there is nothing to learn from: give --songs 600, or --data FOLDER")
    cache = cache or output.with_name(f"{output.stem}.cache")
    recipe = PredictRecipe(songs, midi, folders, cache, test_songs, seed, LearningOptions(epochs))
    notes: list[str] = []
    with when_interrupted(f"measured songs stay in {cache}"), screen.progress() as bars:
        card = train_predict(
            recipe, output, command=call_again(), overwrite=overwrite, progress=bars, notes=notes
        )
    for name, figures in card.metrics.items():
        if name != "learning":
            screen.show(name, _table(figures), "")
    screen.notes(notes)
    if screen.as_json:
        screen.json({"model": output, "card": card.to_dict(), "notes": notes})
    screen.say(f"model: {output} ({card.bytes} bytes, {card.recipe['songs']} songs)")


def _table(figures: dict[str, dict[str, float]]) -> Table:
    from tonmeister.cli.tables import table

    heads = tuple(dict.fromkeys(key for row in figures.values() for key in row))
    rows = (
        (name, *(f"{row[key]:g}" if key in row else "-" for key in heads)) for name, row in figures.items()
    )
    return table(("", *heads), rows, right=heads)

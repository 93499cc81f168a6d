"""``tonmeister train jazz``: teach the networks that separate a soloist and place it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "jazz",
    epilog=given.examples(
        "tonmeister train jazz --what solo --font A.sf2 --test-font B.sf2 -o jazz-solo.onnx",
        "tonmeister train jazz --what pan --solo jazz-solo.onnx --font A.sf2 --test-font B.sf2 -o jazz-pan.onnx",
    ),
)
@click.option(
    "--what",
    type=click.Choice(["solo", "pan"]),
    required=True,
    help="The separator, or the network that places.",
)
@click.option(
    "--font", "fonts", type=_file, multiple=True, help="Soundfont to learn from. May be given again."
)
@click.option("--test-font", "test_fonts", type=_file, multiple=True, help="Soundfont to test with.")
@click.option(
    "--solo",
    default="jazz-solo",
    show_default=True,
    help="Separator that the placing network hears through.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The model, NAME.onnx.")
@click.option(
    "--pieces", type=click.IntRange(1, 1000), default=100, show_default=True, help="Pieces to learn from."
)
@click.option(
    "--test-pieces", type=click.IntRange(min=1), default=24, show_default=True, help="Pieces to test with."
)
@click.option(
    "--length", "duration_s", type=click.FloatRange(3.0, 60.0), default=12.0, show_default=True,
    help="Length of a piece, seconds.",
)  # fmt: skip
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="How often a share of the frames is seen. [default: 10]",
)
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="DIR", help="Keep what is made there, to go on later."
)
@given.seed_option
@given.overwrite_option
@given.common
def command(output: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Teach one of the two networks with swing pieces that are made while it learns.

    Test pieces have seeds and soundfonts of their own. The model's card says what was used and how good it is.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.training.jazz.recipe import train_pan, train_solo

    screen = Screen.of(settings)
    given.check_names({"the model": output}, overwrite=asked["overwrite"])
    recipe = _recipe(asked)
    with screen.progress() as bars:
        if asked["what"] == "solo":
            card = train_solo(recipe, output, overwrite=asked["overwrite"], progress=bars)
        else:
            card = train_pan(recipe, asked["solo"], output, overwrite=asked["overwrite"], progress=bars)
    if screen.as_json:
        screen.json({"output": output, "card": card.to_dict()})
    screen.say(f"model: {output}")


def _recipe(asked: dict[str, Any]) -> Any:
    from dataclasses import replace

    from tonmeister.cli.again import call_again
    from tonmeister.training.jazz.recipe import JazzRecipe

    if asked["cache"] is not None:
        asked["cache"].mkdir(parents=True, exist_ok=True)
    recipe = JazzRecipe(
        fonts=asked["fonts"],
        test_fonts=asked["test_fonts"],
        pieces=asked["pieces"],
        duration_s=asked["duration_s"],
        seed=asked["seed"],
        test_pieces=asked["test_pieces"],
        cache=asked["cache"],
        command=call_again(),
    )
    if asked["epochs"] is None:
        return recipe
    return replace(
        recipe,
        solo_learning=replace(recipe.solo_learning, epochs=asked["epochs"]),
        pan_learning=replace(recipe.pan_learning, epochs=asked["epochs"]),
    )

"""``tonmeister train identifier``: teach the classifier of instruments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_path = click.Path(exists=True, path_type=Path)
_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    "identifier",
    epilog=given.examples(
        "tonmeister train identifier --font FluidR3_GM.sf2 --data clips/ -o identifier.onnx",
        "tonmeister train identifier --font A.sf2 --held-font B.sf2 --test-font C.sf2 -o identifier.onnx",
    ),
)
@click.option(
    "--font", "fonts", type=_file, multiple=True, help="Soundfont to learn from. May be given again."
)
@click.option(
    "--kit", "kits", type=_folder, multiple=True, help="Hydrogen drum kit to learn from. May be given again."
)
@click.option(
    "--midi",
    type=_path,
    multiple=True,
    help="Songs to learn from, besides composed ones. May be given again.",
)
@click.option("--test-midi", type=_path, multiple=True, help="Songs to test on.")
@click.option(
    "--data", type=_folder, metavar="DIR", help="Folder of folders of recordings, each with a labels.csv."
)
@click.option("--held-font", "held_fonts", type=_file, multiple=True, help="Soundfont to calibrate on.")
@click.option("--held-kit", "held_kits", type=_folder, multiple=True, help="Drum kit to calibrate on.")
@click.option("--test-font", "test_fonts", type=_file, multiple=True, help="Soundfont to test on.")
@click.option("--test-kit", "test_kits", type=_folder, multiple=True, help="Drum kit to test on.")
@click.option("--test", "test_folders", type=_folder, multiple=True, help="Labelled real tracks to test on.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The model, NAME.onnx.")
@click.option(
    "--examples",
    type=click.IntRange(min=100),
    default=20_000,
    show_default=True,
    help="Sounds to learn from.",
)
@click.option(
    "--songs",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Synthesized songs to learn from.",
)
@click.option(
    "--held-examples",
    type=click.IntRange(min=56),
    default=1200,
    show_default=True,
    help="Sounds to test with.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), default=14, show_default=True, help="How often each is seen."
)
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="DIR", help="Keep what is made there, to go on later."
)
@given.seed_option
@given.overwrite_option
@given.common
def command(output: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Teach the classifier of instruments with sounds that are made while it learns.

    What is given to calibrate or to test is never learned from. The model's card says what was used and how good it is.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.training.identifier.recipe import train_identifier

    screen = Screen.of(settings)
    given.check_names({"the model": output}, overwrite=asked["overwrite"])
    with screen.progress() as bars:
        card = train_identifier(_options(asked), output, overwrite=asked["overwrite"], progress=bars)
    if screen.as_json:
        screen.json({"output": output, "card": card.to_dict()})
    for name, figures in card.metrics.items():
        if isinstance(figures, dict) and "leaf" in figures:
            shares = [
                f"{word} {100 * figures[word]:.0f} %"
                for word in ("leaf", "family")
                if figures[word] is not None
            ]
            screen.show(f"{name}: {', '.join(shares)} of {figures['tracks']}")
    screen.say(f"model: {output}")


def _options(asked: dict[str, Any]) -> Any:
    from tonmeister.cli.again import call_again
    from tonmeister.training.identifier.learning import LearningOptions
    from tonmeister.training.identifier.options import RecipeOptions, SoundFiles

    return RecipeOptions(
        sounds=SoundFiles(asked["fonts"], asked["kits"], asked["midi"], asked["data"]),
        held=SoundFiles(asked["held_fonts"], asked["held_kits"]),
        test=SoundFiles(asked["test_fonts"], asked["test_kits"], asked["test_midi"]),
        test_folders=asked["test_folders"],
        seed=asked["seed"],
        examples=asked["examples"],
        songs=asked["songs"],
        held_examples=asked["held_examples"],
        learning=LearningOptions(epochs=asked["epochs"]),
        cache=asked["cache"],
        command=call_again(),
    )

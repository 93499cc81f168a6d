"""``tonmeister train bases``: what the separator `nmf` knows of the sound of stems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "bases",
    epilog=given.examples(
        "tonmeister train bases --songs 60 -o bases.npz",
        "tonmeister train bases --songs 0 --data musdb18hq/ -o bases.npz",
    ),
)
@click.option(
    "--songs", type=click.IntRange(min=0), default=60, show_default=True, help="Songs to synthesize."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              metavar="DIR", help="Dataset of stems to learn from, too. May be given again.")  # fmt: skip
@click.option("--midi", type=click.Path(exists=True, path_type=Path), multiple=True,
              help="Songs to play, besides composed ones. May be given again.")  # fmt: skip
@click.option("--font", "fonts", type=given.existing_file, multiple=True,
              help="Soundfont to play with. [default: those found here]")  # fmt: skip
@click.option("--kit", "kits", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              help="Hydrogen drum kit to play with. [default: those found here]")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="MODEL.npz",
              help="The model; its card is written beside it.")  # fmt: skip
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="DIR", help="Keep stems there, to go on later."
)
@given.seed_option
@given.overwrite_option
@given.common
def command(output: Path, settings: dict[str, Any], seed: int, overwrite: bool, **asked: Any) -> None:
    """Learn spectral patches of vocals, drums, bass and other from songs whose stems are known."""
    from tonmeister.cli.again import call_again
    from tonmeister.cli.screen import Screen
    from tonmeister.training.separation.bases import train_bases
    from tonmeister.training.separation.stems import SongSources

    screen = Screen.of(settings)
    given.check_names({"the model": output}, overwrite=overwrite)
    sources = SongSources(
        songs=asked["songs"], seed=seed, data=asked["data"], cache=asked["cache"], midi=asked["midi"],
        soundfonts=asked["fonts"] or None, drumkits=asked["kits"] or None,
    )  # fmt: skip
    with screen.progress() as bars:
        card = train_bases(
            sources, output, seed=seed, command=call_again(), overwrite=overwrite, progress=bars
        )
    if screen.as_json:
        screen.json({"output": output, "card": card.to_dict()})
    screen.say(f"model: {output}")

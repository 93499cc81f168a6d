"""``tonmeister separate``: a finished recording as tracks that add up to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.separating import separating, separator_list

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.multitrack import Multitrack

__all__ = ["command"]


@click.command(
    "separate",
    epilog=given.examples(
        "tonmeister separate song.wav -o tracks/",
        "tonmeister separate song.wav -o tracks/ --model hpss",
        "tonmeister separate song.wav -o tracks/ --mask hard:0.7 --wiener 1",
    )
    + "\n\n"
    + separator_list(),
)
@click.argument("song", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR",
              help="Folder for the tracks; made when it is not there.")  # fmt: skip
@separating
@given.overwrite_option
@given.common
def command(song: Path, output: Path, how: dict[str, Any], overwrite: bool, settings: dict[str, Any]) -> None:
    """Separate SONG into tracks, one file each, and residual.wav: together they are SONG again.

    Files are 32-bit floating point at the rate and with the channels of SONG. They begin together, so the folder can
    be mixed: tonmeister mix DIR -o mix.wav.
    """
    from tonmeister.audio_output import made_folder
    from tonmeister.cli.models import licences_of
    from tonmeister.cli.screen import Screen
    from tonmeister.cli.separating import separator

    screen, chosen = Screen.of(settings), separator(how)
    with made_folder(output), screen.progress() as bars:
        multitrack = chosen.separate_file(
            song, output, overwrite=overwrite, progress=lambda done: bars("separating", done)
        )
    _report(screen, song, chosen.name, multitrack, licences_of(chosen.estimator))


def _report(screen: Screen, song: Path, model: str, multitrack: Multitrack, licences: dict[str, Any]) -> None:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table

    files = {track.name: track.sources[0].path for track in multitrack.tracks}
    levels = {name: _rms_db(path) for name, path in files.items()}
    screen.show(
        table(
            ("track", "level dB", "file"),
            [(name, number(levels[name]), str(path)) for name, path in files.items()],
            right=("level dB",),
        )
    )
    if screen.as_json:
        tracks = {name: {"file": path, "rms_db": levels[name]} for name, path in files.items()}
        facts = {"song": song, "model": model, "sample_rate": multitrack.sample_rate, **licences}
        screen.json({**facts, "tracks": tracks})
    screen.say(f"{len(files)} tracks by {model}; they add up to {song}")
    if licences:
        screen.say(
            f"licences of the model: code {licences['code_licence']}, weights {licences['weights_licence']}"
        )


def _rms_db(path: Path) -> float | None:
    """Mean level over all of a file; None for silence."""
    import numpy as np

    from tonmeister.dsp.pcm import open_quickly
    from tonmeister.units import power_to_db

    energy, count = 0.0, 0
    with open_quickly(path) as reader:
        for block in reader.blocks(1 << 16):
            energy += float(np.sum(np.square(block, dtype=np.float64)))
            count += block.size
    return power_to_db(energy / count) if energy > 0.0 else None

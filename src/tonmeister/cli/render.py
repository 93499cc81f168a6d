"""``tonmeister render``: a plan exactly as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "render",
    epilog=given.examples(
        "tonmeister render song/ song.plan.json -o song.wav",
        "tonmeister render song/ song.plan.json -o song.flac --bits 16 --stems stems/",
        "tonmeister render song/ song.plan.json -o part.wav --preview 30:20",
        "tonmeister render song/ song.plan.json -o surround.wav --layout 7.1.4",
    ),
)
@given.folder_argument
@click.argument("plan", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Where the mix goes; the ending says the format.")  # fmt: skip
@click.option("--stems", type=click.Path(path_type=Path), metavar="DIR", help="Write stems there too.")
@click.option("--preview", metavar="START:SECONDS", help="Render just this part of the song, in seconds.")
@given.layouts
@given.bits_option
@given.threads_option
@given.recursive_option
@given.overwrite_option
@given.common
def command(
    folder: Path, plan: Path, output: Path, settings: dict[str, Any], recursive: bool, **asked: Any
) -> None:
    """Render the tracks in FOLDER by PLAN, exactly as it stands: no loudness target is met anew."""
    from tonmeister.audio_output import check_output
    from tonmeister.cli.placed import check_placed, finish_placed
    from tonmeister.cli.report import report_mix
    from tonmeister.cli.screen import Screen
    from tonmeister.loading import load_multitrack
    from tonmeister.plan_file import load_plan

    check_output(output, overwrite=asked["overwrite"], subtype=asked["bits"])
    check_placed(output, asked["placing"], overwrite=asked["overwrite"], subtype=asked["bits"])
    stands, screen = load_plan(plan), Screen.of(settings)
    multitrack = load_multitrack(folder, recursive=recursive)
    section = given.parse_preview(asked["preview"], multitrack.sample_rate)
    with screen.progress() as bars:
        finished, checks = finish_placed(
            asked["placing"], multitrack, stands, output, target=None, threads=asked["threads"],
            subtype=asked["bits"], stems=asked["stems"], section=section, overwrite=asked["overwrite"], progress=bars,
        )  # fmt: skip
    report_mix(screen, finished, plan_path=plan, checks=checks)

"""``tonmeister evaluate remix``: what a fader on a separated track does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

__all__ = ["command"]

_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    "remix",
    epilog=given.examples(
        "tonmeister evaluate remix separated/ true/",
        "tonmeister evaluate remix separated/ true/ --gain -6 --gain 6 --mix song.wav --json",
    ),
)
@click.argument("estimates", metavar="EST_DIR", type=_folder)
@click.argument("references", metavar="REF_DIR", type=_folder)
@click.option("--gain", "gains", type=float, multiple=True, metavar="DB",
              help="Move each track by that much. May be given again. [default: -3 and 3]")  # fmt: skip
@click.option("--mix", type=given.existing_file, help="The mixture. [default: sum of the references]")
@report_options
@given.common
def command(estimates: Path, references: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Move each stem of EST_DIR, and compare with the same move of the true stem in REF_DIR.

    Names count as in 'evaluate separation'. Says how clean the remix is, how far the true stem really moved, and how
    much the loudness is off.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.pages import remix_page
    from tonmeister.evaluation.remix import GAINS_DB, evaluate_remix

    check_report(asked["report"], asked["overwrite"])
    result = evaluate_remix(estimates, references, gains_db=asked["gains"] or GAINS_DB, mix=asked["mix"])
    show_page(
        Screen.of(settings),
        remix_page(result),
        result.to_dict(),
        report=asked["report"],
        overwrite=asked["overwrite"],
    )

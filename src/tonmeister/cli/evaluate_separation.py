"""``tonmeister evaluate separation``: separated stems against the true ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

__all__ = ["command"]

_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    "separation",
    epilog=given.examples(
        "tonmeister evaluate separation separated/ true/",
        "tonmeister evaluate separation separated/ true/ --mix song.wav --json",
    ),
)
@click.argument("estimates", metavar="EST_DIR", type=_folder)
@click.argument("references", metavar="REF_DIR", type=_folder)
@click.option(
    "--mix", type=given.existing_file, help="The mixture, for the null. [default: sum of the references]"
)
@report_options
@given.common
def command(estimates: Path, references: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Compare the stems in EST_DIR with those of the same names in REF_DIR.

    Names count without their ending and in any case; files called mix, mixture or residual are left out.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.pages import separation_page
    from tonmeister.evaluation.separation import evaluate_separation

    check_report(asked["report"], asked["overwrite"])
    screen = Screen.of(settings)
    with screen.progress() as bars:
        result = evaluate_separation(
            estimates, references, mix=asked["mix"], progress=lambda done: bars("comparing", done)
        )
    show_page(
        screen,
        separation_page(result),
        result.to_dict(),
        report=asked["report"],
        overwrite=asked["overwrite"],
    )

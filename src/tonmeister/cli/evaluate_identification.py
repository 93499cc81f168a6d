"""``tonmeister evaluate identification``: how well instruments are known by their sound alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

__all__ = ["command"]


@click.command(
    "identification",
    epilog=given.examples(
        "tonmeister evaluate identification song/",
        "tonmeister evaluate identification song/ clips/ --report identified/ --json",
    ),
)
@click.argument(
    "folders", metavar="FOLDER...", nargs=-1, required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)  # fmt: skip
@click.option("--model", metavar="NAME|PATH", default="identifier", show_default=True, help="The classifier.")
@report_options
@given.common
def command(folders: tuple[Path, ...], model: str, settings: dict[str, Any], **asked: Any) -> None:
    """Say what the tracks in each FOLDER are, names hidden, and compare with what they truly are.

    The truth comes from a labels.csv in the folder (columns file and instrument; unknown for no single instrument), else
    from its tonmeister.toml and the names of the files. A baseline of spectral statistics stands beside it.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.identification import evaluate_identification
    from tonmeister.evaluation.identification_page import identification_page
    from tonmeister.identification.classifier import load_classifier

    check_report(asked["report"], asked["overwrite"])
    screen, classifier = Screen.of(settings), load_classifier(model)
    with screen.progress() as bars:
        result = evaluate_identification(
            folders, classifier=classifier, progress=lambda done: bars("listening to the tracks", done)
        )
    show_page(
        screen,
        identification_page(result),
        result.to_dict(),
        report=asked["report"],
        overwrite=asked["overwrite"],
    )

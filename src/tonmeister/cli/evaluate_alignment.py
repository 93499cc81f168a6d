"""``tonmeister evaluate alignment``: timing of a score follower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

__all__ = ["command"]


@click.command(
    "alignment",
    epilog=given.examples(
        "tonmeister evaluate alignment reference.csv followed.csv",
        "tonmeister evaluate alignment reference.json followed.json --json",
    ),
)
@click.argument("reference", metavar="REF", type=given.existing_file)
@click.argument("estimate", metavar="EST", type=given.existing_file)
@report_options
@given.common
def command(reference: Path, estimate: Path, settings: dict[str, Any], **asked: Any) -> None:
    """Compare the times in EST with those in REF: median and 95 % error, rates within 25, 50 and 100 ms.

    Text, CSV or JSON: one time in seconds per line, or two columns, event (or score position) and time. With two
    columns events are matched by name, and those that EST lacks are missing.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.alignment import evaluate_alignment
    from tonmeister.evaluation.pages import alignment_page

    check_report(asked["report"], asked["overwrite"])
    screen = Screen.of(settings)
    result = evaluate_alignment(reference, estimate)
    show_page(
        screen, alignment_page(result), result.to_dict(), report=asked["report"], overwrite=asked["overwrite"]
    )

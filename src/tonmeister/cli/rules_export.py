"""``tonmeister rules export``: rules of an engine, or of a rule file, as a rule document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "export",
    epilog=given.examples(
        "tonmeister rules export textbook -o textbook.rif",
        "tonmeister rules export my-rules.toml -o my-rules.rifps",
        "tonmeister rules export asp",
    ),
)
@click.argument("what", metavar="ENGINE|FILE")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Where to write: .rif or .xml for XML, .rifps or .txt for the form people read. [default: print the latter]",
)  # fmt: skip
@click.option(
    "--without", default="", metavar="WORDS",
    help="Rules of the engine textbook to leave out: ids, grades (R?) or parts of sources, separated by commas.",
)  # fmt: skip
@given.overwrite_option
@given.common
def command(what: str, output: Path | None, without: str, overwrite: bool, settings: dict[str, Any]) -> int:
    """Write rules as a document of the Rule Interchange Format (RIF) with their sources.

    ENGINE is textbook or asp; FILE is a rule table of the engine textbook (.toml) or a rule file of the engine asp
    (.lp). What cannot be said in a document is listed with the reason.
    """
    from tonmeister.cli.rules_exchange import deliver, refuse_existing
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.exchange.exchange import exported
    from tonmeister.rif.files import notation_of, rules_text

    refuse_existing(output, overwrite=overwrite)
    notation = "text" if output is None else notation_of(output)
    outcome = exported(what, without=without)
    return deliver(Screen.of(settings), rules_text(outcome.result, notation), output, outcome)

"""``tonmeister evaluate listening-results``: what the listeners said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

__all__ = ["command"]


@click.command(
    "listening-results",
    epilog=given.examples(
        "tonmeister evaluate listening-results answers/*.csv --key test/key.json",
        "tonmeister evaluate listening-results mushra.csv --key test/key.json --report results/",
        "tonmeister evaluate listening-results answers/*.csv --key test/key.json --blocks listeners --plot scores.png",
    ),
)
@click.argument("answers", nargs=-1, required=True, metavar="CSV...", type=given.existing_file)
@click.option("--key", "key_path", type=given.existing_file, required=True, metavar="KEY.json",
              help="The key of the test.")  # fmt: skip
@click.option(
    "--blocks", type=click.Choice(["pages", "listeners"]), default="pages", show_default=True,
    help="What counts as one observation: every page, or the mean of each listener, which is stricter.",
)  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path), metavar="PNG", help="Draw the means there, too.")
@report_options
@given.common
def command(answers: tuple[Path, ...], settings: dict[str, Any], **asked: Any) -> None:
    """Means, intervals, paired tests and agreement from the CSV files that listeners saved.

    Files of the page and mushra.csv of webMUSHRA can be mixed.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.listening.answers import read_answers
    from tonmeister.evaluation.listening.key import read_key
    from tonmeister.evaluation.listening.report import check_plot, listening_page, write_plot
    from tonmeister.evaluation.listening.results import judge

    check_report(asked["report"], asked["overwrite"])
    if asked["plot"]:
        check_plot(asked["plot"], overwrite=asked["overwrite"])
    screen = Screen.of(settings)
    key = read_key(asked["key_path"])
    result = judge(read_answers(answers, key), key, blocks=asked["blocks"])
    show_page(
        screen, listening_page(result), result.to_dict(), report=asked["report"], overwrite=asked["overwrite"]
    )
    if asked["plot"]:
        write_plot(asked["plot"], result, overwrite=asked["overwrite"])
        screen.say(f"plot: {asked['plot']}")

"""How the subjects of ``evaluate`` show a page: on the terminal, as JSON, as a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.report import Page, Section

__all__ = ["check_report", "report_options", "show_page"]

F = TypeVar("F", bound=Callable[..., Any])


def report_options(function: F) -> F:
    """``--report DIR --overwrite``."""
    from tonmeister.cli.options import overwrite_option

    report = click.option(
        "--report", "report", type=click.Path(path_type=Path), metavar="DIR",
        help="Write the results there as an HTML page, JSON and CSV.",
    )  # fmt: skip
    return report(overwrite_option(function))


def check_report(folder: Path | None, overwrite: bool) -> None:
    """Refuse a report that cannot be written, before any work is done."""
    if folder is not None:
        from tonmeister.evaluation import report

        report.check_report(folder, overwrite=overwrite)


def show_page(
    screen: Screen, page: Page, data: Mapping[str, Any], *, report: Path | None, overwrite: bool
) -> None:
    """Tables or JSON on stdout, notes and the places of the files on stderr."""
    for section in page.sections:
        screen.show(section.title, *([section.text] if section.text else []), _table(section), "")
    if screen.as_json:
        screen.json(data)
    screen.notes(page.notes)
    if report is not None:
        from tonmeister.cli.screen import JSON_SCHEMA_VERSION, finite
        from tonmeister.evaluation.report import write_report

        whole = {"schema_version": JSON_SCHEMA_VERSION, **finite(data)}
        for path in write_report(report, page, whole, overwrite=overwrite):
            screen.say(f"report: {path}")


def _table(section: Section) -> Table:
    from tonmeister.cli.tables import table
    from tonmeister.evaluation.report import number_columns, shown

    numbers = [section.columns[k] for k in sorted(number_columns(section))]
    rows = [[shown(cell) for cell in row] for row in section.rows]
    return table(section.columns, rows, right=numbers)

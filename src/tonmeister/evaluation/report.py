"""A page of results: tables and plots as one self-contained HTML file, and the same as JSON and CSV.

A `Page` is made once per result (`evaluation.pages`) and shown on the terminal, too, so that all of them say the
same. The HTML needs nothing from outside and has a table beside every plot.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final

from tonmeister.audio_output import check_writable, partial_path
from tonmeister.errors import BadInputError, OutputError
from tonmeister.evaluation.svg import Plot, svg

__all__ = ["Page", "REPORT_FILES", "Section", "check_report", "shown", "write_report"]

Cell = str | float | int | None
REPORT_FILES: Final = ("report.html", "report.json", "report.csv")


@dataclass(frozen=True, slots=True)
class Section:
    """One table with its heading, a sentence of method, and perhaps a plot."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text: str = ""
    plot: Plot | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is reported of one evaluation."""

    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = field(default=())


def shown(cell: Cell) -> str:
    """A cell as text: three digits that matter, a dash where there is no value."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if not math.isfinite(cell):
        return "-"
    if isinstance(cell, int) or (cell == int(cell) and abs(cell) < 1e6):
        return f"{cell:.0f}"
    size = abs(cell)
    digits = 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{cell:.{digits}f}" if size >= 0.001 else f"{cell:.1e}"


def check_report(folder: Path, *, overwrite: bool) -> None:
    """Refuse a place that holds a report already or takes none, before any work is done."""
    folder = Path(folder)
    if not overwrite and (there := [folder / name for name in REPORT_FILES if (folder / name).exists()]):
        raise BadInputError(f"{there[0]}: exists already: give another folder or --overwrite")
    above = folder
    while not above.exists() and above != above.parent:
        above = above.parent
    check_writable(above)


def write_report(folder: Path, page: Page, data: Mapping[str, Any], *, overwrite: bool = False) -> list[Path]:
    """Write the three files into `folder`, which is made; returns their paths."""
    check_report(folder, overwrite=overwrite)
    texts = (
        page_html(page),
        json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n",
        page_csv(page),
    )
    paths = [Path(folder) / name for name in REPORT_FILES]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            part = partial_path(path)
            part.write_text(text, "utf-8", newline="\n")
            part.replace(path)
    except OSError as error:
        raise OutputError(f"{folder}: cannot write the report ({error}): choose another folder") from None
    return paths


def page_csv(page: Page) -> str:
    """Every cell as a row: section, row, column, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("section", "row", "column", "value"))
    for section in page.sections:
        for row in section.rows:
            for column, cell in zip(section.columns[1:], row[1:], strict=True):
                writer.writerow((section.title, row[0], column, "" if cell is None else cell))
    return out.getvalue()


_STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1rem}th,td{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}caption{text-align:left;color:#444;padding:.2rem 0}
figure{margin:.5rem 0;overflow-x:auto}.scroll{overflow-x:auto}h1{overflow-wrap:anywhere}h2{margin-top:2rem}
"""


def page_html(page: Page) -> str:
    """The page as one HTML document without anything from outside."""
    body = "\n".join(_section_html(section) for section in page.sections)
    notes = "".join(f"<li>{escape(note)}</li>" for note in page.notes)
    notes = f"<h2>Notes</h2><ul>{notes}</ul>" if notes else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{escape(page.title)}</h1>\n{body}\n{notes}</main></body></html>\n"
    )


def _section_html(section: Section) -> str:
    figure = f"<figure>{svg(section.plot)}</figure>" if section.plot is not None else ""
    caption = f"<caption>{escape(section.text)}</caption>" if section.text else ""
    numeric = number_columns(section)
    head = "".join(
        f"<th scope=col{_class(k in numeric)}>{escape(c)}</th>" for k, c in enumerate(section.columns)
    )
    rows = "".join(_row_html(row, numeric) for row in section.rows)
    return (
        f"<section><h2>{escape(section.title)}</h2>{figure}<div class=scroll><table>{caption}"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def number_columns(section: Section) -> set[int]:
    """Columns that hold numbers (or nothing) only."""
    return {
        k
        for k in range(1, len(section.columns))
        if all(not isinstance(row[k], str) for row in section.rows) and section.rows
    }


def _row_html(row: Sequence[Cell], numeric: set[int]) -> str:
    first = f"<th scope=row>{escape(shown(row[0]))}</th>"
    rest = "".join(
        f"<td{_class(k in numeric)}>{escape(shown(cell))}</td>" for k, cell in enumerate(row) if k > 0
    )
    return f"<tr>{first}{rest}</tr>"


def _class(numeric: bool) -> str:
    return " class=n" if numeric else ""

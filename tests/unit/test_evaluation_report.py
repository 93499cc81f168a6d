"""The report: one HTML page that needs nothing else, the same in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tonmeister.errors import BadInputError
from tonmeister.evaluation.report import Page, Section, page_csv, page_html, shown, write_report
from tonmeister.evaluation.svg import Bars, Curve, Lines, Matrix, svg

BARS = Bars("Errors <of> engines", "LU", ("a & b", "c"), (1.5, None), ((1.0, 2.0), (None, None)))
LINES = Lines("Tone", "dB", ("63", "125"), (Curve("mix", (1.0, None)),), ((-3.0, 3.0), (-3.0, 3.0)))
MATRIX = Matrix("Masks", ("a", "b"), ("a", "b"), ((None, 0.7), (0.1, None)))
PAGE = Page(
    "A <title>",
    (
        Section("One", ("what", "value", "word"), (("a<b", 1.25, "yes"), ("c", None, "no")), "a & b", BARS),
        Section("Two", ("octave", "dB"), (("63", 1.0),), plot=LINES),
        Section("Three", ("track", "a", "b"), (("a", None, 0.7), ("b", 0.1, None)), plot=MATRIX),
    ),
    ("a <note>",),
)


class _Checker(HTMLParser):
    """Tags open and close in order; counts and links are collected."""

    VOID = frozenset(("meta", "rect", "line", "polyline", "polygon", "br"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_whole_and_needs_nothing_from_outside() -> None:
    checker = _Checker()
    checker.feed(page_html(PAGE))
    assert checker.open == []
    assert checker.links == []
    assert "script" not in checker.seen
    assert checker.seen.count("table") == checker.seen.count("svg") == 3
    assert "A &lt;title&gt;" in page_html(PAGE)
    assert "a &lt;note&gt;" in page_html(PAGE)


@pytest.mark.parametrize("plot", [BARS, LINES, MATRIX])
def test_plots_are_named_for_screen_readers(plot: Bars | Lines | Matrix) -> None:
    drawn = svg(plot)
    assert drawn.startswith("<svg")
    assert 'role="img"' in drawn
    assert "<title>" in drawn
    assert "nan" not in drawn


def test_a_bar_is_as_long_as_its_value() -> None:
    drawn = svg(Bars("t", "x", ("a", "b"), (1.0, 2.0)))
    widths = [float(width) for width in re.findall(r'<rect [^>]*? width="([0-9.]+)"', drawn)]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)


def test_csv_holds_every_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(page_csv(PAGE))))
    assert {(r["section"], r["row"], r["column"], r["value"]) for r in rows} >= {
        ("One", "a<b", "value", "1.25"), ("One", "c", "value", ""), ("Two", "63", "dB", "1.0"),
    }  # fmt: skip
    assert len(rows) == 4 + 1 + 4


def test_files_are_written_whole_and_not_overwritten(tmp_path: Path) -> None:
    paths = write_report(tmp_path / "new", PAGE, {"value": 1.25})
    assert [p.name for p in paths] == ["report.html", "report.json", "report.csv"]
    assert json.loads(paths[1].read_text()) == {"value": 1.25}
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in paths)
    with pytest.raises(BadInputError, match="--overwrite"):
        write_report(tmp_path / "new", PAGE, {})
    write_report(tmp_path / "new", PAGE, {"value": 2}, overwrite=True)
    assert json.loads(paths[1].read_text()) == {"value": 2}


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, "-"), ("x", "x"), (3, "3"), (3.0, "3"), (0.0, "0"), (1.2345, "1.23"), (0.12345, "0.123"),
     (123.456, "123.5"), (-12.34, "-12.3"), (0.00012, "1.2e-04"), (float("nan"), "-"), (float("inf"), "-")],
)  # fmt: skip
def test_cells(cell: float | str | None, text: str) -> None:
    assert shown(cell) == text

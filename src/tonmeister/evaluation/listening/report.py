"""The result of a listening test as a page of tables and plots, and as one picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tonmeister.audio_output import check_writable, partial_path
from tonmeister.errors import BadInputError, MissingExtraError, OutputError
from tonmeister.evaluation.listening.results import CriterionResult, ListeningResult
from tonmeister.evaluation.report import Page, Section
from tonmeister.evaluation.svg import Bars

__all__ = ["check_plot", "listening_page", "write_plot"]


def listening_page(result: ListeningResult) -> Page:
    """All tables of a result."""
    sections = [section for found in result.criteria for section in _sections(found, result.blocks)]
    if result.comments:
        sections.append(Section("Remarks", ("song", "criterion", "remark"), result.comments))
    title = f"Listening test: {_counted(result.listeners, 'listener')}, {_counted(result.songs, 'song')}"
    return Page(title, tuple(sections), result.notes)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _sections(found: CriterionResult, blocks: str) -> list[Section]:
    sections = [_means(found), _pairs(found, blocks)]
    return [*sections, _agreement(found)] if found.agreement.by_song else sections


def _means(found: CriterionResult) -> Section:
    rows = tuple(
        (c.name, c.centered_mean, *(c.interval or (None, None)), c.mean, c.median, c.ratings)
        for c in found.conditions
    )
    test = found.friedman
    text = (
        "Points from 0 to 100, higher is better; centered: above the mean of the same page; 95 % intervals."
    )
    if test is not None:
        text += (
            f" Friedman: chi-squared({test.conditions - 1}) = {test.chi_squared:.2f} over {test.blocks} blocks, "
            f"p = {test.p:.2g}: {'some differ' if test.p < 0.05 else 'no difference shown'}."
        )
    plot = Bars(
        f"{found.criterion}: centered mean with 95 % interval",
        "points above the mean of the page",
        tuple(c.name for c in found.conditions),
        tuple(c.centered_mean for c in found.conditions),
        tuple(c.interval or (None, None) for c in found.conditions),
    )
    columns = ("condition", "centered", "from", "to", "mean", "median", "ratings")
    return Section(found.criterion, columns, rows, text, plot)


def _pairs(found: CriterionResult, blocks: str) -> Section:
    rows = tuple(
        (
            f"{p.first} - {p.second}",
            p.mean_difference,
            p.median_difference,
            p.rank_biserial,
            p.p,
            p.p_holm,
            p.blocks,
        )
        for p in found.pairs
    )
    columns = ("pair", "mean difference", "median", "effect", "p", "p Holm", blocks)
    text = (
        "Wilcoxon signed-rank tests, two-sided, p corrected for all pairs (Holm); effect: rank-biserial, -1 to 1, "
        "positive when the first is rated higher."
    )
    return Section(f"{found.criterion}: pairs", columns, rows, text)


def _agreement(found: CriterionResult) -> Section:
    rows = (("all songs", found.agreement.overall), *found.agreement.by_song.items())
    text = "Kendall's W among listeners: 0 none, 1 all order the versions alike."
    return Section(f"{found.criterion}: agreement", ("song", "W"), tuple(rows), text)


def check_plot(path: Path, *, overwrite: bool) -> None:
    """Refuse a picture that cannot be made or written, before any work is done."""
    _figure_types()
    if path.suffix.casefold() not in (".png", ".svg", ".pdf"):
        raise BadInputError(f"{path}: unknown picture format: end the name in .png, .svg or .pdf")
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    check_writable(path.parent)


def _figure_types() -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("drawing plots", extra="plots") from None
    return Figure, FigureCanvasAgg


def write_plot(path: Path, result: ListeningResult, *, overwrite: bool = False) -> None:
    """Means with intervals, and each listener's mean behind them; one row of the picture per criterion."""
    check_plot(path, overwrite=overwrite)
    figure_type, canvas_type = _figure_types()
    rows = max(len(found.conditions) for found in result.criteria)
    count = len(result.criteria)
    figure = figure_type(figsize=(8, count * (1.2 + 0.4 * rows)), layout="constrained")
    canvas_type(figure)
    for number, found in enumerate(result.criteria, start=1):
        _draw(figure.add_subplot(count, 1, number), found)
    partial = partial_path(path)
    try:
        figure.savefig(partial, dpi=120)
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from None
    finally:
        partial.unlink(missing_ok=True)


def _draw(axes: Any, found: CriterionResult) -> None:
    names = [c.name for c in found.conditions]
    for means in found.by_listener.values():
        known = [(means[name], row) for row, name in enumerate(names) if name in means]
        axes.plot([x for x, _ in known], [y for _, y in known], "|", color="0.6", markersize=9)
    for row, condition in enumerate(found.conditions):
        low, high = condition.interval or (condition.centered_mean, condition.centered_mean)
        axes.plot([low, high], [row, row], color="C0", linewidth=2)
        axes.plot(condition.centered_mean, row, "o", color="C0")
    axes.axvline(0.0, color="0.8", linewidth=1, zorder=0)
    axes.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names])
    axes.invert_yaxis()
    axes.set(
        title=found.criterion,
        xlabel="points above the mean of the page; dots with 95 % interval, ticks: listeners",
    )
    axes.grid(axis="x", alpha=0.3)

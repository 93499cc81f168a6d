"""Small plots as inline SVG: bars with intervals, lines over frequency, a matrix. Always shown beside a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Bars", "Curve", "Lines", "Matrix", "Plot", "svg"]

_WIDTH: Final = 720
_LEFT: Final = 190
_COLORS: Final = ("#1f6f9f", "#b5561c", "#3d7d3a", "#7a4a9a")
"""Told apart by dash and label too, not by color alone."""
_DASHES: Final = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True, slots=True)
class Bars:
    """A value per name, optionally with an interval and a line for comparison."""

    title: str
    unit: str
    names: tuple[str, ...]
    values: tuple[float | None, ...]
    intervals: tuple[tuple[float | None, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot; None is a gap."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Curves over shared positions, which are labelled."""

    title: str
    unit: str
    labels: tuple[str, ...]
    curves: tuple[Curve, ...]
    band: tuple[tuple[float, float], ...] = ()
    """Lower and upper edge of what is usual, per position."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Shares from 0 to 1 as shades with their percentage written in."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


Plot = Bars | Lines | Matrix


def svg(plot: Plot) -> str:
    """The plot as an ``<svg>`` element with a title for screen readers."""
    body, height = {Bars: _bars, Lines: _lines, Matrix: _matrix}[type(plot)](plot)  # type: ignore[operator]
    title = escape(plot.title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12"><title>{title}</title>'
        + "".join(body)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", **more: str) -> str:
    extra = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, color: str = "#999", width: float = 1.0) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"/>'


def _span(values: Sequence[float | None], *, zero: bool) -> tuple[float, float]:
    known = [v for v in values if v is not None and math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    pad = 0.05 * (high - low) or 1.0
    return (low if zero and low == 0.0 else low - pad), high + pad


def _ticks(low: float, high: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= 6)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _bars(plot: Bars) -> tuple[list[str], int]:
    every = [*plot.values, *(edge for pair in plot.intervals for edge in pair)]
    low, high = _span(every, zero=True)
    height = 24 * len(plot.names) + 44

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - 60)

    parts = [_line(x(t), 4, x(t), height - 32, "#ddd") + _text(x(t), height - 18, f"{t:g}", "middle")
             for t in _ticks(low, high)]  # fmt: skip
    parts.append(_text((_LEFT + _WIDTH - 60) / 2, height - 3, plot.unit, "middle"))
    for row, (name, value) in enumerate(zip(plot.names, plot.values, strict=True)):
        y = 6 + 24 * row
        parts.append(_text(_LEFT - 8, y + 14, name[:28], "end"))
        if value is None:
            parts.append(_text(x(0.0) + 4, y + 14, "no value"))
            continue
        start, end = sorted((x(0.0), x(value)))
        parts.append(f'<rect x="{start:.1f}" y="{y + 3}" width="{max(end - start, 0.5):.1f}" height="14" '
                     f'fill="{_COLORS[0]}"/>')  # fmt: skip
        right = end
        if row < len(plot.intervals):
            first, last = plot.intervals[row]
            if first is not None and last is not None:
                parts.append(_line(x(first), y + 10, x(last), y + 10, "#222", 2))
                right = max(right, x(last))
        parts.append(_text(right + 5, y + 14, f"{value:.3g}"))
    return parts, height


def _lines(plot: Lines) -> tuple[list[str], int]:
    every = [v for c in plot.curves for v in c.values] + [edge for pair in plot.band for edge in pair]
    low, high = _span(every, zero=False)
    height, left, bottom = 300, 60, 250
    step = (_WIDTH - left - 30) / max(len(plot.labels) - 1, 1)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - 10)

    parts = []
    if plot.band:
        upper = [f"{left + k * step:.1f},{y(b):.1f}" for k, (_, b) in enumerate(plot.band)]
        lower = [f"{left + k * step:.1f},{y(a):.1f}" for k, (a, _) in enumerate(plot.band)]
        parts.append(f'<polygon points="{" ".join(upper + lower[::-1])}" fill="#e8eef2"/>')
    parts += [_line(left, y(t), _WIDTH - 30, y(t), "#ddd") + _text(left - 6, y(t) + 4, f"{t:g}", "end")
              for t in _ticks(low, high)]  # fmt: skip
    every_nth = max(len(plot.labels) // 14, 1)
    parts += [_text(left + k * step, bottom + 16, label, "middle")
              for k, label in enumerate(plot.labels) if k % every_nth == 0]  # fmt: skip
    for number, curve in enumerate(plot.curves):
        color, dash = _COLORS[number % 4], _DASHES[number % 4]
        points = [(left + k * step, y(v)) for k, v in enumerate(curve.values) if v is not None]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" '
                     f'stroke-dasharray="{dash}"/>')  # fmt: skip
        parts.append(_text(left + 8 + 150 * number, height - 8, curve.name, fill=color, font_weight="bold"))
    parts.append(_text(4, 12, plot.unit))
    return parts, height


def _matrix(plot: Matrix) -> tuple[list[str], int]:
    size = min(36.0, (_WIDTH - _LEFT - 10) / max(len(plot.columns), 1))
    top = 120
    parts = []
    for k, name in enumerate(plot.columns):
        x = _LEFT + (k + 0.6) * size
        parts.append(_text(x, top - 6, name[:18], transform=f"rotate(-55 {x:.1f} {top - 6})"))
    for row, (name, values) in enumerate(zip(plot.rows, plot.values, strict=True)):
        y = top + row * size
        parts.append(_text(_LEFT - 8, y + size / 2 + 4, name[:28], "end"))
        for k, value in enumerate(values):
            if value is None:
                continue
            shade = round(255 - 200 * min(max(value, 0.0), 1.0))
            parts.append(f'<rect x="{_LEFT + k * size:.1f}" y="{y:.1f}" width="{size - 1:.1f}" '
                         f'height="{size - 1:.1f}" fill="rgb({shade},{shade},255)"/>')  # fmt: skip
            if size >= 20:
                ink = "#fff" if value > 0.6 else "#222"
                parts.append(_text(_LEFT + (k + 0.5) * size, y + size / 2 + 4, f"{100 * value:.0f}", "middle",
                                   fill=ink, font_size="10"))  # fmt: skip
    return parts, int(top + size * len(plot.rows) + 10)

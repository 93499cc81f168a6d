"""Pictures of a learned model: true and forecast gains of songs left out, and how much more songs would help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tonmeister.errors import MissingExtraError
from tonmeister.features import FRAME_HOP_S, FRAME_WINDOW_S
from tonmeister.training.dynamical.recipe import Learned

__all__ = ["write_pictures"]

_MOST_SONGS = 6


def write_pictures(folder: Path, learned: Learned, curve: Sequence[tuple[int, float, float]]) -> list[Path]:
    """One picture per song (the first six) and one of the learning curve; PNG."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("pictures", extra="plots") from None
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, song in enumerate(learned.songs[:_MOST_SONGS], 1):
        path = folder / f"song_{number:02}.png"
        _song_figure(Figure, learned, song).savefig(path, dpi=110)
        written.append(path)
    path = folder / "learning_curve.png"
    _curve_figure(Figure, curve).savefig(path, dpi=110)
    return [*written, path]


def _song_figure(Figure: Any, learned: Learned, song: Any) -> Any:
    groups = learned.model.groups
    figure = Figure(figsize=(8, 1.6 * len(groups)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(groups), sharex=True))
    times = np.arange(len(song.weights)) * FRAME_HOP_S + 0.5 * FRAME_WINDOW_S
    forecast = learned.forecasts[song.title]
    for k, (ax, group) in enumerate(zip(axes, groups, strict=True)):
        ax.plot(times, song.weights[:, k], color="black", label="true")
        for name, color in (
            ("regression", "tab:orange"),
            ("system filter", "tab:blue"),
            ("system smoother", "tab:green"),
            ("improved smoother", "tab:red"),
        ):
            ax.plot(times, forecast[name][:, k], color=color, label=name, linewidth=1)
        ax.set_ylabel(f"{group}\ndB")
    axes[0].legend(ncols=5, fontsize="small")
    axes[-1].set_xlabel("time, s")
    figure.suptitle(f"{song.title}: gains re the loudness-normalized group, song left out")
    return figure


def _curve_figure(Figure: Any, curve: Sequence[tuple[int, float, float]]) -> Any:
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    counts = [row[0] for row in curve]
    ax.plot(counts, [row[1] for row in curve], marker="o", label="mean of the training songs")
    ax.plot(counts, [row[2] for row in curve], marker="o", label="filter")
    ax.set(xlabel="songs learned from", ylabel="error on the last quarter of the songs, dB²")
    ax.legend()
    return figure

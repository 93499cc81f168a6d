"""Pictures of a mix: levels, places, spectrum before and after against the usual one, who masks whom.

Needs the extra ``plots``; files are PNG and appear under their names only when complete.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.audio_output import check_writable, partial_path
from tonmeister.dsp.bands import THIRD_OCTAVE_HZ, exact_centers_hz
from tonmeister.errors import BadInputError, MissingExtraError, OutputError
from tonmeister.explanation import pan_text
from tonmeister.features import MultitrackFeatures
from tonmeister.plan import MixPlan
from tonmeister.strip import Strip
from tonmeister.tonal_balance import target_third_octave_db, tolerance_db
from tonmeister.units import SILENCE_DB, DoubleArray

__all__ = ["FILES", "check_plots", "write_plots"]

FILES: Final = ("levels.png", "pan.png", "spectrum.png", "masking.png")
AUTOMATION: Final = "automation.png"
"""Written as well when a fader moves."""
_TRACK_INCH: Final = 0.3


def check_plots(folder: Path, *, overwrite: bool) -> None:
    """Refuse before any work is done: no matplotlib, files that exist, a folder that takes none."""
    _figure()
    folder = Path(folder)
    if not overwrite and (
        there := [folder / name for name in (*FILES, AUTOMATION) if (folder / name).exists()]
    ):
        raise BadInputError(f"{there[0]}: exists already: give another folder or --overwrite")
    above = folder
    while not above.exists() and above != above.parent:
        above = above.parent
    check_writable(above)


def write_plots(
    folder: Path, plan: MixPlan, features: MultitrackFeatures, *, overwrite: bool = False
) -> list[Path]:
    """Write the pictures of a rendered `plan` into `folder`, which is made; returns their paths."""
    check_plots(folder, overwrite=overwrite)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = (
        levels_figure(plan, features),
        pan_figure(plan),
        spectrum_figure(plan.before, plan.after),
        masking_figure(features),
    )
    paths = [_saved(figure, folder / name) for figure, name in zip(figures, FILES, strict=True)]
    if any("gain_db" in strip.automation for strip in plan.strips):
        paths.append(_saved(automation_figure(plan), folder / AUTOMATION))
    return paths


def _figure() -> Any:
    """The figure class alone: no window system, no global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("drawing plots", extra="plots") from None

    def make(width: float, height: float) -> Any:
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure

    return make


def _saved(figure: Any, path: Path) -> Path:
    partial = partial_path(path)
    try:
        with warnings.catch_warnings():  # a name in signs that the font lacks is drawn as boxes
            warnings.filterwarnings("ignore", message="Glyph")
            figure.savefig(partial, dpi=120, metadata={"Software": "tonmeister"})
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def levels_figure(plan: MixPlan, features: MultitrackFeatures) -> Any:
    """Loudness of every track as recorded and behind its fader."""
    strips = _tracks(plan)
    recorded = [features[s.name].integrated_lufs for s in strips]
    moved = [
        None if r is None or s.muted else r + _fader_db(s) for s, r in zip(strips, recorded, strict=True)
    ]
    figure = _figure()(8, 1.5 + _TRACK_INCH * len(strips))
    axes = figure.add_subplot()
    rows = np.arange(len(strips))
    axes.plot([_or_nan(x) for x in recorded], rows, "o", color="0.6", label="as recorded")
    axes.plot([_or_nan(x) for x in moved], rows, "o", color="C0", label="with its fader")
    for row, (a, b) in enumerate(zip(recorded, moved, strict=True)):
        if a is not None and b is not None:
            axes.plot([a, b], [row, row], color="C0", linewidth=1)
    _label_rows(axes, strips)
    axes.set(xlabel="integrated loudness, LUFS", title=f"{_plain(plan.title)}: levels")
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    return figure


def pan_figure(plan: MixPlan) -> Any:
    """Where every track stands between the loudspeakers."""
    strips = _tracks(plan)
    figure = _figure()(8, 1.5 + _TRACK_INCH * len(strips))
    axes = figure.add_subplot()
    for row, strip in enumerate(strips):
        curve = strip.automation.get("pan")
        places = curve.values if curve else (strip.pan,)
        axes.plot([min(places), max(places)], [row, row], linewidth=4, alpha=0.4, color="C1")
        axes.plot(float(np.mean(places)), row, "o", color="C1")
        axes.annotate(pan_text(float(np.mean(places))), (float(np.mean(places)), row), (5, 3),
                      textcoords="offset points", fontsize=7)  # fmt: skip
    _label_rows(axes, strips)
    axes.set(xlim=(-1.1, 1.1), xticks=[-1, -0.5, 0, 0.5, 1], title=f"{_plain(plan.title)}: places")
    axes.set_xticklabels(["L100", "L50", "C", "R50", "R100"])
    axes.grid(axis="x", alpha=0.3)
    return figure


def automation_figure(plan: MixPlan) -> Any:
    """Where every fader that moves stands over the song, one row each."""
    moving = [strip for strip in plan.strips if "gain_db" in strip.automation]
    figure = _figure()(9, 1.0 + 0.8 * len(moving))
    rows = np.atleast_1d(figure.subplots(len(moving), sharex=True))
    for axes, strip in zip(rows, moving, strict=True):
        curve = strip.automation["gain_db"]
        axes.plot(curve.times_s, curve.values, marker=".", markersize=3, color="C0", linewidth=1)
        axes.set_ylabel(f"{_plain(strip.name)}\ndB", rotation=0, ha="right", va="center", fontsize=8)
        axes.grid(alpha=0.3)
    rows[-1].set_xlabel("time, s")
    figure.suptitle(f"{_plain(plan.title)}: faders that move")
    return figure


def spectrum_figure(before: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
    """Third octaves of the plain sum and of the mix, laid over the usual spectrum of finished mixes."""
    centers, target = exact_centers_hz(3), target_third_octave_db()
    allowed = np.array([tolerance_db(hz) for hz in THIRD_OCTAVE_HZ])
    figure = _figure()(8, 4.5)
    axes = figure.add_subplot()
    axes.fill_between(
        centers, target - allowed, target + allowed, color="0.9", label="usual in finished mixes"
    )
    axes.plot(centers, target, color="0.6", linewidth=1)
    for name, measured, color in (("plain sum", before, "C3"), ("mix", after, "C0")):
        if measured:
            axes.plot(
                centers, _laid_over(measured["third_octave_db"], target, allowed), color=color, label=name
            )
    axes.set(xscale="log", xlabel="frequency, Hz", ylabel="third-octave level, dB (relative)", xlim=(20, 22000),
             ylim=(target.max() - 45.0, target.max() + 15.0), title="Tonal balance")  # fmt: skip
    axes.set_xticks([30, 60, 125, 250, 500, 1000, 2000, 4000, 8000, 16000], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xticklabels(["30", "60", "125", "250", "500", "1k", "2k", "4k", "8k", "16k"])
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _laid_over(third_octave_db: list[float], target: DoubleArray, allowed: DoubleArray) -> DoubleArray:
    """A spectrum shifted so that it agrees with the target in the mean where the tolerance is narrow."""
    levels = np.asarray(third_octave_db, dtype=np.float64)
    heard = levels > SILENCE_DB + 1.0
    middle = heard & (allowed == allowed.min())
    offset = float((levels - target)[middle].mean()) if middle.any() else 0.0
    return np.where(heard, levels - offset, np.nan)


def masking_figure(features: MultitrackFeatures) -> Any:
    """Share of each track's power that every other hides at equal loudness, mean over the Bark bands by power."""
    names = list(features.tracks)
    shares = np.zeros((len(names), len(names)))
    for row, name in enumerate(names):
        powers = 10.0 ** (np.asarray(features[name].bark_db, dtype=np.float64) / 10.0)
        shares[row] = features.masking[row] @ powers / max(float(powers.sum()), 1e-30)
    size = 2.5 + _TRACK_INCH * len(names)
    figure = _figure()(size + 1.5, size)
    axes = figure.add_subplot()
    image = axes.imshow(100.0 * shares, vmin=0.0, vmax=100.0, cmap="magma_r")
    labels = [_plain(name) for name in names]
    axes.set_xticks(np.arange(len(names)), labels, rotation=90)
    axes.set_yticks(np.arange(len(names)), labels)
    axes.set(xlabel="hidden by", ylabel="track", title="Masking at equal loudness")
    figure.colorbar(image, ax=axes, label="hidden share of the power, %", shrink=0.8)
    return figure


def _tracks(plan: MixPlan) -> list[Strip]:
    return [strip for strip in plan.strips if strip.kind == "track"]


def _fader_db(strip: Strip) -> float:
    curve = strip.automation.get("gain_db")
    return float(np.mean(curve.values)) if curve else strip.gain_db


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _label_rows(axes: Any, strips: list[Strip]) -> None:
    axes.set_yticks(np.arange(len(strips)), [_plain(strip.name) for strip in strips])
    axes.invert_yaxis()


def _plain(text: str) -> str:
    """Text that is not read as a formula, in signs that the font surely has a box for."""
    return text.replace("$", r"\$").encode("utf-8", "replace").decode("utf-8")

"""How a rendered mix is reported, by every verb that renders one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonmeister.cli.screen import Screen, number
from tonmeister.cli.tables import (
    balance_table,
    balance_to_dict,
    measured_table,
    plan_table,
    plan_tracks,
    table,
)
from tonmeister.plan import MixPlan

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.finish import Finished
    from tonmeister.spatial.checks import LayoutChecks

__all__ = ["checks_table", "mix_to_dict", "report_mix"]


def report_mix(
    screen: Screen,
    finished: Finished,
    *,
    plan_path: Path | None,
    plots: Sequence[Path] = (),
    notes: Sequence[str] = (),
    checks: LayoutChecks | None = None,
) -> None:
    """Tables or JSON on stdout, notes and the places of the files on stderr."""
    plan, before, after = finished.plan, finished.before.to_dict(), finished.after.to_dict()
    notes = tuple(dict.fromkeys((*notes, *plan.notes, *finished.notes)))
    screen.show(plan_table(plan), "", measured_table(before, after), "")
    screen.show(
        "Distance from the usual spectrum of a mix, dB (! is unusual):", balance_table(before, after), ""
    )
    if checks is not None:
        screen.show(checks_table(checks), "")
    if screen.as_json:
        files = {"output": finished.output, "plan": plan_path, "stems": finished.stems, "plots": plots}
        layout = {"layout": checks.to_dict()} if checks is not None else {}
        screen.json(mix_to_dict(plan, before, after, notes, files | layout))
    screen.notes(notes)
    places = {"mix": finished.output, "plan": plan_path}
    for what, path in {**places, **{f"stem {s.name}": s for s in finished.stems}}.items():
        if path is not None:
            screen.say(f"{what.partition(' ')[0]}: {path}")
    for plot in plots:
        screen.say(f"plot: {plot}")


def checks_table(checks: LayoutChecks) -> Table:
    """What was checked of a layout, a line each; what cannot be is left out."""
    rows = [
        ("downmix less the stereo mix, largest sample", checks.null_peak_dbfs, "dBFS"),
        ("mono downmix less the stereo mix in mono", checks.mono_null_peak_dbfs, "dBFS"),
        ("stereo mix", checks.stereo_lufs, "LUFS"),
        ("downmix", checks.downmix_lufs, "LUFS"),
        ("all channels", checks.integrated_lufs, "LUFS"),
        ("true peak, all channels", checks.true_peak_dbtp, "dBTP"),
        ("true peak of the downmix", checks.downmix_true_peak_dbtp, "dBTP"),
        ("LFE above 200 Hz against all of it", checks.lfe_above_200_hz_db, "dB"),
    ]
    shown = [(name, number(value), unit) for name, value, unit in rows if value is not None]
    longer = checks.frames - checks.stereo_frames
    shown.append(("longer than the stereo mix", str(longer), "frames"))
    title = f"{checks.layout}, {checks.mode}: {' '.join(checks.channels)}"
    return table((title, "value", "unit"), shown, right=("value",))


def mix_to_dict(
    plan: MixPlan,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    notes: Sequence[str],
    files: Mapping[str, Any],
) -> dict[str, Any]:
    """The JSON of a mix; without measurements when it was not rendered."""
    measured = bool(before and after)
    return {
        "title": plan.title,
        "engine": plan.engine,
        "seed": plan.seed,
        "target_lufs": plan.target_lufs,
        "ceiling_dbtp": plan.ceiling_dbtp,
        **files,
        "before": dict(before),
        "after": dict(after),
        "tonal_balance": balance_to_dict(before, after) if measured else None,
        "tracks": plan_tracks(plan),
        "notes": list(notes),
    }

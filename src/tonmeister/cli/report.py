"""How a rendered mix is reported, by every verb that renders one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonmeister.cli.screen import Screen
from tonmeister.cli.tables import balance_table, balance_to_dict, measured_table, plan_table, plan_tracks
from tonmeister.plan import MixPlan

if TYPE_CHECKING:
    from tonmeister.finish import Finished

__all__ = ["mix_to_dict", "report_mix"]


def report_mix(
    screen: Screen,
    finished: Finished,
    *,
    plan_path: Path | None,
    plots: Sequence[Path] = (),
    notes: Sequence[str] = (),
) -> None:
    """Tables or JSON on stdout, notes and the places of the files on stderr."""
    plan, before, after = finished.plan, finished.before.to_dict(), finished.after.to_dict()
    notes = tuple(dict.fromkeys((*notes, *plan.notes, *finished.notes)))
    screen.show(plan_table(plan), "", measured_table(before, after), "")
    screen.show(
        "Distance from the usual spectrum of a mix, dB (! is unusual):", balance_table(before, after), ""
    )
    if screen.as_json:
        files = {"output": finished.output, "plan": plan_path, "stems": finished.stems, "plots": plots}
        screen.json(mix_to_dict(plan, before, after, notes, files))
    screen.notes(notes)
    places = {"mix": finished.output, "plan": plan_path}
    for what, path in {**places, **{f"stem {s.name}": s for s in finished.stems}}.items():
        if path is not None:
            screen.say(f"{what.partition(' ')[0]}: {path}")
    for plot in plots:
        screen.say(f"plot: {plot}")


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

"""Tables and JSON of plans and measurements, shared by the verbs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tonmeister.cli.screen import number, printable
from tonmeister.explanation import (
    StripStory,
    chain_text,
    explain,
    level_text,
    main_reason,
    placed_text,
    what_text,
)
from tonmeister.plan import MixPlan
from tonmeister.tonal_balance import tonal_balance

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["balance_to_dict", "balance_table", "measured_table", "plan_table", "plan_tracks", "table"]

_MEASURES = (
    ("integrated loudness", "integrated_lufs", "LUFS"),
    ("loudness range", "loudness_range_lu", "LU"),
    ("true peak", "true_peak_dbtp", "dBTP"),
)


def table(columns: Iterable[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """A plain table; the columns named in `right` hold numbers, the last one wraps."""
    from rich.table import Table
    from rich.text import Text

    names = list(columns)
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        justify = "right" if name in right else "left"
        made.add_column(name, justify=justify, overflow="fold", no_wrap=name in right)  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def plan_table(plan: MixPlan) -> Table:
    """What was done to every strip, a line each."""
    columns = ("track", "what it is", "level dB", "pan", "effects", "why")
    return table(columns, map(_plan_row, explain(plan)), right=("level dB", "pan"))


def _plan_row(story: StripStory) -> tuple[str, ...]:
    strip = story.strip
    what, chain = what_text(strip, story.record), chain_text(strip)
    return (
        strip.name,
        what,
        level_text(strip),
        placed_text(strip),
        chain or "-",
        _sentence(main_reason(story)) or "-",
    )


def _sentence(text: str) -> str:
    """The first sentence: a line has room for the reason, `explain` for the numbers behind it."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", text, maxsplit=1)[0]


def plan_tracks(plan: MixPlan) -> list[dict[str, Any]]:
    """The tracks of a plan for JSON: what each is, and where it stands in the mix."""
    tracks = []
    for story in explain(plan):
        if story.record is not None:
            strip, record = story.strip, story.record
            tracks.append(
                {
                    "file": record.file,
                    "name": strip.name,
                    "instrument": record.instrument,
                    "role": record.role,
                    "confidence": record.confidence,
                    "gain_db": strip.gain_db,
                    "pan": strip.pan,
                    "place": dataclasses.asdict(strip.place),
                    "muted": strip.muted,
                    "automated": sorted(strip.automation),
                    "inserts": [insert.slot for insert in strip.inserts],
                    "sends": {send.to: send.gain_db for send in strip.sends},
                    "reason": main_reason(story),
                }
            )
    return tracks


def measured_table(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    """Loudness, range and peak of the plain sum and of the mix."""
    rows = [
        (name, number(before.get(key)), number(after.get(key)), unit)
        for name, key, unit in _MEASURES
    ]  # fmt: skip
    return table(("", "plain sum", "mix", "unit"), rows, right=("plain sum", "mix"))


def balance_table(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    """How far each octave lies from the usual spectrum of a mix; ``!`` marks what is unusual."""
    balances = [tonal_balance(m["third_octave_db"]) for m in (before, after)]
    octaves = [f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}" for hz in balances[0].octave_hz]
    rows = [
        (name, *(_deviation(*cell) for cell in zip(b.deviation_db, b.tolerance_db, strict=True)))
        for name, b in zip(("plain sum", "mix"), balances, strict=True)
    ]
    return table(("octave Hz", *octaves), rows, right=octaves)


def _deviation(deviation_db: float | None, tolerance_db: float) -> str:
    if deviation_db is None:
        return "-"
    return f"{deviation_db:+.0f}{'!' if abs(deviation_db) > tolerance_db else ' '}"


def balance_to_dict(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The same for JSON."""
    first, last = (tonal_balance(m["third_octave_db"]) for m in (before, after))
    return {
        "octave_hz": first.octave_hz,
        "before_db": first.deviation_db,
        "after_db": last.deviation_db,
        "tolerance_db": first.tolerance_db,
    }

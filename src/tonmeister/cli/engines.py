"""``tonmeister engines``: who can decide."""

from __future__ import annotations

from typing import Any

import click

from tonmeister.cli import options as given

__all__ = ["command"]


@click.command(
    "engines",
    epilog=given.examples(
        "tonmeister engines",
        "tonmeister engines --json",
        "tonmeister mix song/ -o song.wav --engine adaptive --option panner=bands",
    ),
)
@given.common
def command(settings: dict[str, Any]) -> None:
    """List the engines and their options."""
    from tonmeister.cli.screen import Screen

    screen, rows = Screen.of(settings), listed()
    if screen.as_json:
        screen.json({"engines": rows})
    for row in rows:
        screen.show(f"{row['name']}: {row['summary']} [{row['source']}]")
        if row["live"]:
            screen.show("    can mix live (tonmeister live)")
        if row["unavailable"]:
            screen.show(f"    not available: {row['unavailable']}")
        for option in row["options"]:
            screen.show(f"    --option {option['name']}={option['default']}  {option['help']}")


def listed() -> list[dict[str, Any]]:
    """Every engine with its options; one that cannot be loaded says why."""
    from tonmeister.engines.base import ENGINES

    rows = [_row(name, info.summary, info.source, live=info.causal) for name, info in ENGINES.items()]
    return rows + [_row(name, "from another package", value) for name, value in _third_parties().items()]


def _third_parties() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group="tonmeister.engines")}


def _row(name: str, summary: str, source: str, *, live: bool = False) -> dict[str, Any]:
    from tonmeister.engines.base import option_help, unavailable
    from tonmeister.errors import TonmeisterError

    options, why_not = [], unavailable(name)
    try:
        options = [{"name": n, "default": d, "help": h} for n, d, h in option_help(name)]
    except (ImportError, AttributeError, TonmeisterError) as error:
        why_not = str(error)
    return {
        "name": name,
        "summary": summary,
        "source": source,
        "live": live,
        "options": options,
        "unavailable": why_not,
    }

"""``tonmeister models``: what was learned, from what, and how good it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from rich.table import Table

    from tonmeister.cli.screen import Screen
    from tonmeister.model_files.card import ModelCard
    from tonmeister.separation.community.kinds import Kind

__all__ = ["command", "licences_of"]


@click.command(
    "models",
    epilog=given.examples(
        "tonmeister models", "tonmeister models --json", "tonmeister models htdemucs.yaml umxl/"
    ),
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@given.common
def command(files: tuple[Path, ...], settings: dict[str, Any]) -> None:
    """List the models that come with tonmeister, and the kinds of models of others that it can open.

    With PATH, say what the models in these files are instead: their tracks, licences, cost and checksums.
    """
    from tonmeister.cli.screen import Screen

    screen = Screen.of(settings)
    if files:
        _foreign(screen, files)
        return
    from tonmeister.model_files.shipped import shipped_cards
    from tonmeister.separation.community.kinds import kinds
    from tonmeister.separation.registry import SEPARATORS, unavailable

    cards = shipped_cards()
    separators = {
        name: {"tracks": list(info.tracks), "summary": info.summary, "source": info.source,
               "unavailable": unavailable(name)}
        for name, info in SEPARATORS.items()
    }  # fmt: skip
    others = {
        name: {**dataclasses.asdict(kind), "installed": kind.installed} for name, kind in kinds().items()
    }
    if screen.as_json:
        cards_as_data = [card.to_dict() for card in cards.values()]
        screen.json({"models": cards_as_data, "separators": separators, "others": others})
    for card in cards.values():
        screen.show(*_lines(card))
    screen.show("", _separator_table(separators), "", _other_table(kinds()))


def _foreign(screen: Screen, files: tuple[Path, ...]) -> None:
    """What the models in some files are."""
    from tonmeister.separation.registry import load_separator

    found = [(path, load_separator(path).estimator) for path in files]
    described = [
        {"file": path, "tracks": list(estimator.tracks), **licences_of(estimator)}
        for path, estimator in found
    ]
    if screen.as_json:
        screen.json({"files": described})
    for facts in described:
        screen.show(f"{facts['file']}: {facts.get('title', 'a model of tonmeister')}")
        screen.show(f"    tracks: {', '.join(facts['tracks'])}, residual")
        if "kind" in facts:
            cost = (
                "not measured"
                if facts["cost"] is None
                else f"{facts['cost']:g} s of processor time per second"
            )
            screen.show(f"    code {facts['code_licence']}, weights {facts['weights_licence']}; cost {cost}")
            for name, checksum in facts["sha256"].items():
                screen.show(f"    {name}: sha256 {checksum}")


def licences_of(estimator: Any) -> dict[str, Any]:
    """What is known of a foreign model, as plain data; nothing for our own."""
    from tonmeister.separation.community.kinds import kinds

    facts = getattr(estimator, "facts", None)
    if facts is None:
        return {}
    kind = kinds()[facts.kind]
    return {
        "kind": facts.kind,
        "title": kind.title,
        "code_licence": kind.code_licence,
        "weights_licence": kind.weights_licence,
        "cost": kind.cost,
        "sha256": dict(facts.files),
    }


def _separator_table(separators: dict[str, dict[str, Any]]) -> Table:
    from tonmeister.cli.tables import table

    rows = [
        (name, ", ".join(s["tracks"]), s["unavailable"] or s["summary"]) for name, s in separators.items()
    ]
    return table(("separator", "tracks", "what it goes by"), rows)


def _other_table(others: Mapping[str, Kind]) -> Table:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table

    rows = [
        (
            kind.title,
            "yes" if kind.installed else kind.install,
            f"code {kind.code_licence}; weights {kind.weights_licence}",
            "-" if kind.cost is None else number(kind.cost, 2),
            kind.files,
        )
        for kind in others.values()
    ]
    return table(
        ("models of others", "can run", "licences", "CPU s per s", "given as"), rows, right=("CPU s per s",)
    )


def _lines(card: ModelCard) -> list[str]:
    lines = [
        f"{card.name}: {card.summary}",
        f"    {card.kind}, {card.format}, {card.bytes / 1000:.0f} kB, licence {card.licence}, made {card.created}",
    ]
    lines += [
        f"    {_words(name)}: {figure}" for name, value in card.metrics.items() if (figure := _figure(value))
    ]
    lines += [f"    limit: {limit}" for limit in card.limits]
    return lines


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value: Any) -> str:
    """Numbers in a line; nothing for tables, which `--json` has."""
    if isinstance(value, dict):
        parts = [f"{_words(k)} {v:.3g}" for k, v in value.items() if isinstance(v, (int, float))]
        return ", ".join(parts)
    return f"{value:.3g}" if isinstance(value, (int, float)) else value if isinstance(value, str) else ""

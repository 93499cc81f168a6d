"""``tonmeister models``: what was learned, from what, and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.model_files.card import ModelCard

__all__ = ["command"]


@click.command("models", epilog=given.examples("tonmeister models", "tonmeister models --json"))
@given.common
def command(settings: dict[str, Any]) -> None:
    """List the models that come with tonmeister: purpose, size, licence, figures, limits."""
    from tonmeister.cli.screen import Screen
    from tonmeister.model_files.shipped import shipped_cards

    screen, cards = Screen.of(settings), shipped_cards()
    if screen.as_json:
        screen.json({"models": [card.to_dict() for card in cards.values()]})
    for card in cards.values():
        screen.show(*_lines(card))


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

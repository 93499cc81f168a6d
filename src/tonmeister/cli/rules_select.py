"""``tonmeister rules select``: which rules run on a system, and why the others do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.engines.semantic.capabilities import Verdict

__all__ = ["command"]


@click.command(
    "select",
    epilog=given.examples(
        "tonmeister rules select",
        "tonmeister rules select my-rules.rif",
        "tonmeister rules select --capabilities small-desk.ttl",
    ),
)
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--capabilities", type=given.existing_file, metavar="FILE",
    help="Ask for the system that this file describes (Turtle). [default: tonmeister itself]",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="List the rules that run, too.")
@given.common
def command(path: Path | None, capabilities: Path | None, everything: bool, settings: dict[str, Any]) -> None:
    """Say which rules in PATH (a document or a folder; without it the shipped library) a system can carry out.

    What a rule requires is read from the rule; what a system offers, from its capability file. For each rule that
    cannot run, the missing capability is named, and what comes near it.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.cli.tables import table
    from tonmeister.engines.semantic.capabilities import select
    from tonmeister.engines.semantic.documents import load_rules
    from tonmeister.engines.semantic.world import short

    screen = Screen.of(settings)
    rules = load_rules(path)
    selection = select([known.rule for known in rules], capabilities)
    shown = selection.verdicts if everything else selection.dropped
    if shown:
        rows = [(_brief(v.rule.name), "yes" if v.applies else "no", v.why_not) for v in shown]
        screen.show(table(("rule", "runs", "why not"), rows), "")
    screen.show(f"{len(selection.kept)} of {len(rules)} rules run on {selection.system}.")
    foreign = {k: v for k, v in sorted(selection.meanings.items()) if k != v}
    screen.notes((*selection.notes, *(f"{short(k)} is taken to be {short(v)}" for k, v in foreign.items())))
    if screen.as_json:
        screen.json(
            {
                "system": selection.system,
                "kept": [rule.name for rule in selection.kept],
                "dropped": [_verdict_to_dict(v) for v in selection.dropped],
                "substitutes": foreign,
                "notes": selection.notes,
            }
        )


def _brief(rule: str) -> str:
    return rule.rpartition("#")[2] or rule


def _verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule.name,
        "missing": verdict.missing,
        "unknown": verdict.unknown,
        "near": {k: list(v) for k, v in verdict.substitutes.items()},
    }

"""``tonmeister rules import``: a rule document as rules for another engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.rif.ast import Document

__all__ = ["command"]


@click.command(
    "import",
    epilog=given.examples(
        "tonmeister rules import rules.rif",
        "tonmeister rules import rules.rif -o rules.toml",
        "tonmeister rules import rules.rifps --to asp -o wishes.lp",
    ),
)
@click.argument("file", type=given.existing_file)
@click.option(
    "--to", "target", type=click.Choice(["textbook", "asp"]),
    help="For which engine. [default: by the ending of --output]",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Where to write: .toml for the engine textbook, .lp for the engine asp. [default: print it]",
)  # fmt: skip
@given.overwrite_option
@given.common
def command(
    file: Path, target: str | None, output: Path | None, overwrite: bool, settings: dict[str, Any]
) -> int:
    """Read a rule document (RIF as XML, presentation syntax, or Turtle) and say what each engine can do with it.

    With --to or --output it is written as rules for that engine: textbook takes them with --rules, asp too. The engine
    semantic reads the document itself. A rule that an engine has no words for is listed with the reason.
    """
    from tonmeister.cli.rules_exchange import deliver, refuse_existing
    from tonmeister.cli.screen import Screen
    from tonmeister.engines.exchange.exchange import converted
    from tonmeister.rif.files import read_rules

    wanted = target or (_by_ending(output) if output is not None else None)
    refuse_existing(output, overwrite=overwrite)
    screen, document = Screen.of(settings), read_rules(file)
    if wanted is None:
        _survey(screen, file, document)
        return 0
    outcome = converted(document, wanted)
    return deliver(screen, outcome.result, output, outcome)


def _by_ending(output: Path) -> str:
    from tonmeister.engines.exchange.exchange import TARGETS

    for name, ending in TARGETS.items():
        if output.suffix.lower() == ending:
            return name
    endings = ", ".join(f"{ending} for {name}" for name, ending in TARGETS.items())
    raise BadInputError(f"output={output.name}: its ending names no engine: use {endings}, or add --to")


def _survey(screen: Screen, file: Path, document: Document) -> None:
    """Which rules each engine has words for."""
    from tonmeister.cli.tables import table
    from tonmeister.engines.exchange.exchange import TARGETS, converted

    outcomes = {name: converted(document, name) for name in TARGETS}
    names = list(
        dict.fromkeys(n for o in outcomes.values() for n in (*o.kept, *(lo.rule for lo in o.left_out)))
    )
    why = {name: {lo.rule: lo.reason for lo in outcome.left_out} for name, outcome in outcomes.items()}
    rows = [(rule, *(why[name].get(rule, "yes") for name in TARGETS)) for rule in names]
    screen.show(table(("rule", *TARGETS), rows), f"{len(names)} rules in {file}.")
    if screen.as_json:
        screen.json(
            {"rules": [{"rule": rule, **{name: why[name].get(rule) for name in TARGETS}} for rule in names]}
        )

"""``tonmeister rules``: what engines know; a group whose parts are imported when they are called."""

from __future__ import annotations

from typing import Final

import click

from tonmeister.cli.lazy import LazyGroup

__all__ = ["SUBJECTS", "command"]

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "check": (
        "tonmeister.cli.rules_check",
        "rule documents: mistakes, contradictions, circles, missing sources",
    ),
    "select": (
        "tonmeister.cli.rules_select",
        "which rules of a document run on a system, and why not the others",
    ),
    "export": (
        "tonmeister.cli.rules_export",
        "an engine's rules, or a rule file, as a document anyone can read",
    ),
    "import": ("tonmeister.cli.rules_import", "a rule document as rules for another engine"),
    "asp": ("tonmeister.cli.rules_asp", "rules of the engine asp, with sources; check any plan by them"),
    "expert": (
        "tonmeister.cli.rules_expert",
        "rules of the engine expert, as written and as its tables have them",
    ),
}
"""Subject -> (module with a click command called ``command``, one line of help), in the order of the help page."""


@click.group(
    "rules",
    cls=LazyGroup.of(SUBJECTS),
    invoke_without_command=True,
    subcommand_metavar="SUBJECT ...",
    epilog="\b\nExamples:\n  tonmeister rules asp\n  tonmeister rules asp --check song.plan.json song/\n"
    "  tonmeister rules export textbook -o textbook.rif",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List what engines know, and check plans by it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

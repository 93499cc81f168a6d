"""``tonmeister rules``: what engines know; a group whose parts are imported when they are called."""

from __future__ import annotations

from typing import Final

import click

from tonmeister.cli.lazy import LazyGroup

__all__ = ["SUBJECTS", "command"]

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "asp": ("tonmeister.cli.rules_asp", "rules of the engine asp, with sources; check any plan by them"),
}
"""Subject -> (module with a click command called ``command``, one line of help), in the order of the help page."""


@click.group(
    "rules",
    cls=LazyGroup.of(SUBJECTS),
    invoke_without_command=True,
    subcommand_metavar="SUBJECT ...",
    epilog="\b\nExamples:\n  tonmeister rules asp\n  tonmeister rules asp --check song.plan.json song/",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List what engines know, and check plans by it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

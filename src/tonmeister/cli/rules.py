"""``tonmeister rules``: what engines know; a group whose parts are imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from tonmeister.errors import nearest

__all__ = ["SUBJECTS", "command"]

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "asp": ("tonmeister.cli.rules_asp", "rules of the engine asp, with sources; check any plan by them"),
}
"""Subject -> (module with a click command called ``command``, one line of help), in the order of the help page."""


class _Subjects(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBJECTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBJECTS:
            return None
        command = import_module(SUBJECTS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in SUBJECTS and not args[0].startswith("-"):
            raise click.UsageError(f"there are no rules {args[0]!r}{nearest(args[0], list(SUBJECTS))}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Subjects"):
            formatter.write_dl([(name, line) for name, (_, line) in SUBJECTS.items()])


@click.group(
    "rules",
    cls=_Subjects,
    invoke_without_command=True,
    subcommand_metavar="SUBJECT ...",
    epilog="\b\nExamples:\n  tonmeister rules asp\n  tonmeister rules asp --check song.plan.json song/",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List what engines know, and check plans by it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

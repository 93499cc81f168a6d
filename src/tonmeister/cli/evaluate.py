"""``tonmeister evaluate``: how good is it; a group whose parts are imported when they are called."""

from __future__ import annotations

from typing import Final

import click

from tonmeister.cli.lazy import LazyGroup

__all__ = ["SUBJECTS", "command"]

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "balance": (
        "tonmeister.cli.evaluate_balance",
        "engines against human mixes: relative loudness of the tracks",
    ),
    "mix": (
        "tonmeister.cli.evaluate_mix",
        "one mix: facts, services, tone, stereo; against a reference; masking",
    ),
    "identification": (
        "tonmeister.cli.evaluate_identification",
        "how well instruments are known by their sound alone",
    ),
    "separation": ("tonmeister.cli.evaluate_separation", "separated stems against the true ones"),
    "remix": ("tonmeister.cli.evaluate_remix", "faders on separated tracks against faders on the true ones"),
    "alignment": ("tonmeister.cli.evaluate_alignment", "timing of a score follower against reference times"),
    "listening": ("tonmeister.cli.evaluate_listening", "prepare a blind listening test for people"),
    "listening-results": (
        "tonmeister.cli.evaluate_listening_results",
        "what the listeners said: means, intervals, tests",
    ),
}
"""Subject -> (module with a click command called ``command``, one line of help), in the order of the help page."""


@click.group(
    "evaluate",
    cls=LazyGroup.of(SUBJECTS),
    invoke_without_command=True,
    subcommand_metavar="SUBJECT ...",
    epilog="\b\nExamples:\n  tonmeister evaluate mix song.wav --reference master.wav\n"
    "  tonmeister evaluate balance song/ --engines textbook,adaptive\n\n"
    "Every subject has its own help: tonmeister evaluate mix --help",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Say how good a mix, an engine, a separation or an alignment is."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

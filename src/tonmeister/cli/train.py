"""``tonmeister train``: models, and what they learn from; a group whose parts are imported when they are called."""

from __future__ import annotations

from typing import Final

import click

from tonmeister.cli.lazy import LazyGroup

__all__ = ["SUBJECTS", "command"]

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "synthesize": (
        "tonmeister.cli.train_synthesize",
        "make labelled multitracks with their true mixes",
    ),
    "datasets": (
        "tonmeister.cli.train_datasets",
        "what a dataset holds, in its words and in ours",
    ),
    "identifier": (
        "tonmeister.cli.train_identifier",
        "teach the classifier of instruments",
    ),
    "separation": (
        "tonmeister.cli.train_separation",
        "teach a network to take finished recordings apart",
    ),
    "jazz": (
        "tonmeister.cli.train_jazz",
        "teach the networks that separate a jazz soloist and place it",
    ),
    "dynamical": (
        "tonmeister.cli.train_dynamical",
        "learn moving faders from songs and their mixes",
    ),
    "predict": (
        "tonmeister.cli.train_predict",
        "teach the engine predict where controls belong",
    ),
    "bases": (
        "tonmeister.cli.train_bases",
        "learn spectral patches of stems for the separator nmf",
    ),
    "stem": (
        "tonmeister.cli.train_stem",
        "learn what becomes of raw stems in a mix",
    ),
    "effect": (
        "tonmeister.cli.train_effect",
        "learn a nonlinear effect from single notes",
    ),
    "expert": (
        "tonmeister.cli.train_expert",
        "teach the engine expert what an engineer's hands did",
    ),
}
"""Subject -> (module with a click command called ``command``, one line of help), in the order of the help page."""


@click.group(
    "train",
    cls=LazyGroup.of(SUBJECTS),
    invoke_without_command=True,
    subcommand_metavar="SUBJECT ...",
    epilog="\b\nExamples:\n  tonmeister train synthesize -o songs/ --songs 10\n\n"
    "Every subject has its own help: tonmeister train synthesize --help",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Make what models learn from, and train them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

"""The command line: one verb per file, each imported when it is called.

`COMMANDS` is the list of verbs; the help page is made from it, so it imports nothing but click.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import click

from tonmeister.cli.lazy import LazyGroup
from tonmeister.errors import TonmeisterError, nearest

__all__ = ["COMMANDS", "cli", "main", "run"]

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "mix": ("tonmeister.cli.mix", "mix a folder of tracks: analyze, decide, render"),
    "analyze": ("tonmeister.cli.analyze", "say what each track is and what it measures"),
    "identify": ("tonmeister.cli.identify", "say what instrument each file is, from its name and its sound"),
    "decide": ("tonmeister.cli.decide", "decide a mix and save the plan, without rendering"),
    "render": ("tonmeister.cli.render", "render a plan exactly as it stands"),
    "explain": ("tonmeister.cli.explain", "the plan in words: every move, its reason, its source"),
    "evaluate": ("tonmeister.cli.evaluate", "how good is a mix, an engine, a separation, an alignment"),
    "upmix": ("tonmeister.cli.upmix", "place a finished recording into 5.1, 7.1.4 or headphones"),
    "unmix": ("tonmeister.cli.unmix", "find the faders and pans of a finished mix"),
    "separate": ("tonmeister.cli.separate", "take a finished recording apart into tracks that add up to it"),
    "remix": ("tonmeister.cli.remix", "move the parts of a finished recording"),
    "live": ("tonmeister.cli.live", "mix a running performance, or play files through the same desk"),
    "learn-effect": (
        "tonmeister.cli.learn_effect",
        "learn what a device does from a recording before and behind it",
    ),
    "apply-effect": ("tonmeister.cli.apply_effect", "send a file through a learned effect"),
    "train": ("tonmeister.cli.train", "make what models learn from, and train them"),
    "rules": ("tonmeister.cli.rules", "what an engine knows, and whether a plan obeys it"),
    "engines": ("tonmeister.cli.engines", "list the engines that can decide, and their options"),
    "models": ("tonmeister.cli.models", "list the models that come with tonmeister, and how good they are"),
    "doctor": ("tonmeister.cli.doctor", "check the installation"),
    "demo": ("tonmeister.cli.demo", "make a small song and mix it"),
}
"""Verb -> (module with a click command called ``command``, one line of help), in the order of the help page."""

_COMPLETION: Final = "_TONMEISTER_COMPLETE"
_INTERRUPTED: Final = 130


@click.group(
    cls=LazyGroup.of(COMMANDS, "verb"),
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  tonmeister demo\n  tonmeister mix song/ -o song.wav\n"
    "  tonmeister explain song.plan.json\n\nEvery verb has its own help: tonmeister mix --help",
)
@click.version_option(package_name="tonmeister", prog_name="tonmeister", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """An automatic balance engineer: the tracks of a song in, an explained and editable mix out."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """The command ``tonmeister``: signals, exit code."""
    if _COMPLETION in os.environ:
        cli.main(prog_name="tonmeister")
    with suppress(ValueError):  # not the main thread
        _interrupt_once()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def _interrupt_once() -> None:
    """The first Ctrl-C or SIGTERM interrupts; a second one does not disturb the cleaning up, a third one does."""
    times = 0

    def interrupt(*_: object) -> None:
        nonlocal times
        times += 1
        if times != 2:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted."""
    try:
        code = _invoke(list(arguments))
        _flush()
        return code
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        _close_pipe()
        return 0
    except (KeyboardInterrupt, click.Abort) as stopped:
        left = str(stopped) or "nothing was written"
        return _fail(f"interrupted: {left}", _INTERRUPTED)
    except Exception as error:
        if "--debug" in arguments:
            import traceback

            traceback.print_exception(error)
        return _fail(*_told(error))


def _invoke(arguments: list[str]) -> int:
    with cli.make_context("tonmeister", arguments) as ctx:
        result: Any = cli.invoke(ctx)
    return result if isinstance(result, int) else 0


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _close_pipe() -> None:
    """Nobody reads any more: nothing is left to say, not even on the way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _told(error: Exception) -> tuple[str, int]:
    """One line and the exit code for an error."""
    if isinstance(error, TonmeisterError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        return _usage(error), error.exit_code
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'writing'}: {error.strerror.lower()}", 1
    kind = "out of memory" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
    return f"unexpected error ({kind}): run with --debug for the traceback", 1


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "tonmeister"
    if isinstance(error, click.NoSuchOption):
        options = [o for p in context.command.params for o in p.opts] if context else []
        text = f"there is no option {error.option_name!r}{nearest(error.option_name, options)}"
    else:
        text = error.format_message().strip().rstrip(".")
    return f"{text}: see '{path} --help'"


def _fail(text: str, code: int) -> int:
    """Say one line on stderr; control characters and line breaks in it are made harmless."""
    from tonmeister.cli.screen import printable

    with suppress(BrokenPipeError):
        print(f"tonmeister: {printable(text)}", file=sys.stderr, flush=True)  # noqa: T201
    return code

"""Options that several verbs share, and how their texts are read; imports nothing heavy."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tonmeister.errors import BadInputError

if TYPE_CHECKING:
    from tonmeister.moves import Move
    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan
    from tonmeister.render import Section

__all__ = [
    "bits_option",
    "common",
    "deciding",
    "existing_file",
    "examples",
    "folder_argument",
    "layouts",
    "names_only_option",
    "overwrite_option",
    "parse_moves",
    "parse_options",
    "parse_preview",
    "recursive_option",
    "seed_option",
    "sheets",
    "target_option",
    "threads_option",
    "write_sheets",
]

F = TypeVar("F", bound=Callable[..., Any])
BITS = ("16", "24", "32", "32f")
LAYOUTS = ("stereo", "quad", "5.1", "7.1", "5.1.4", "7.1.4", "binaural")
"""The names of `spatial.layouts`, which imports more than a help page needs."""


def examples(*lines: str) -> str:
    """The end of a help page."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def common(function: F) -> F:
    """``--json --quiet --no-color --debug``, as one mapping ``settings``."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
    @click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors (and JSON).")
    @click.option("--no-color", is_flag=True, help="No colors and styles (as NO_COLOR=1).")
    @click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(*args: Any, as_json: bool, quiet: bool, no_color: bool, **rest: Any) -> Any:
        settings = {"as_json": as_json, "quiet": quiet, "no_color": no_color}
        return function(*args, settings=settings, **rest)

    return wrapped  # type: ignore[return-value]


def _path(**checks: Any) -> click.Path:
    return click.Path(path_type=Path, **checks)


existing_file = _path(exists=True, dir_okay=False)
folder_argument = click.argument("folder", type=_path(exists=True))
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace files that exist.")
recursive_option = click.option("--recursive", is_flag=True, help="Take tracks from subfolders too.")
names_only_option = click.option(
    "--names-only",
    is_flag=True,
    help="Let file names alone say what the tracks are; listen to none for that.",
)
target_option = click.option(
    "--target",
    metavar="NAME|LUFS",
    help="Loudness to deliver: a name such as streaming, podcast, ebu-r128, premaster, or LUFS such as -16. "
    "[default: streaming]",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random."
)
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads to use. [default: one per processor]"
)
bits_option = click.option(
    "--bits",
    type=click.Choice(BITS),
    help="Sample format; 32f is floating point. [default: 24 where possible]",
)


def deciding(function: F) -> F:
    """``--option --set --lock``: what a person has to say about the deciding."""
    options = (
        click.option(
            "--option", "options", multiple=True, metavar="KEY=VALUE",
            help="Option of the engine (see 'tonmeister engines'); ENGINE.KEY when several engines have it.",
        ),
        click.option(
            "--set", "moves", multiple=True, metavar="STRIP.CONTROL=VALUE",
            help="Your own move, after the engine's: 'Lead Vox.gain_db=+2' puts the fader at +2 dB, "
            "'Lead Vox.gain_db+=2' turns it up by 2 dB, 'Kick.muted=yes'. May be given again.",
        ),
        click.option(
            "--lock", "locks", multiple=True, metavar="STRIP[.CONTROL]",
            help="Keep engines away from a strip or one of its controls. May be given again.",
        ),
    )  # fmt: skip
    function = _wishes(function)
    for option in reversed(options):
        function = option(function)
    return function


def _wishes(function: F) -> F:
    """``--prefer --forbid --rules --capabilities``: options of engines that reason, under a name of their own."""

    @click.option(
        "--prefer",
        multiple=True,
        metavar="WISH",
        help="What would be good, for an engine that reasons (asp): 'Guitar left', 'Kick louder than Bass'. "
        "May be given again.",
    )
    @click.option("--forbid", multiple=True, metavar="WISH", help="What must not be, in the same words.")
    @click.option(
        "--rules", type=_path(exists=True), metavar="FILE|FOLDER",
        help="Rules of your own for the engine; a folder of rule documents for semantic.",
    )  # fmt: skip
    @click.option(
        "--capabilities", type=existing_file, metavar="FILE",
        help="What the system that mixes can do (Turtle): semantic uses only rules that it can carry out.",
    )  # fmt: skip
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        prefer: tuple[str, ...],
        forbid: tuple[str, ...],
        rules: Path | None,
        capabilities: Path | None,
        options: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        named = {
            "prefer": "\n".join(prefer), "forbid": "\n".join(forbid), "rules": str(rules or ""),
            "capabilities": str(capabilities or ""),
        }  # fmt: skip
        more = (f"{name}={text}" for name, text in named.items() if text)
        return function(*args, options=(*options, *more), **rest)

    return wrapped  # type: ignore[return-value]


def layouts(function: F) -> F:
    """``--layout --mode --format``, as one mapping ``placing`` (see `spatial.rendering.Placing`)."""

    @click.option("--layout", type=click.Choice(LAYOUTS), default="stereo", show_default=True,
                  help="Loudspeakers the result is for; binaural is for headphones.")  # fmt: skip
    @click.option(
        "--mode", type=click.Choice(["exact", "free"]), default="exact", show_default=True,
        help="exact: its stereo downmix is the stereo mix; free: sources go wherever their place says.",
    )  # fmt: skip
    @click.option(
        "--format", "form", type=click.Choice(["wav", "adm"]), default="wav", show_default=True,
        help="wav: a channel per loudspeaker; adm: a bed and objects (ADM BWF, ITU-R BS.2076).",
    )  # fmt: skip
    @functools.wraps(function)
    def wrapped(*args: Any, layout: str, mode: str, form: str, **rest: Any) -> Any:
        return function(*args, placing={"layout": layout, "mode": mode, "form": form}, **rest)

    return wrapped  # type: ignore[return-value]


def sheets(function: F) -> F:
    """``--text-plan --csound``: the plan in other forms, as one mapping ``sheets``."""

    @click.option(
        "--text-plan", type=_path(), metavar="FILE", help="Write the plan as a sheet to work from, too."
    )
    @click.option(
        "--csound", type=_path(), metavar="FILE.csd", help="Write the plan as a Csound document, too."
    )
    @functools.wraps(function)
    def wrapped(*args: Any, text_plan: Path | None, csound: Path | None, **rest: Any) -> Any:
        return function(*args, sheets={"a text plan": text_plan, "a Csound document": csound}, **rest)

    return wrapped  # type: ignore[return-value]


def write_sheets(
    sheets: Mapping[str, Path | None], plan: MixPlan, multitrack: Multitrack, *, overwrite: bool
) -> list[Path]:
    """Write what `sheets` asked for, and say where."""
    written = []
    if path := sheets["a text plan"]:
        from tonmeister.text_plan import write_text_plan

        write_text_plan(plan, path, overwrite=overwrite)
        written.append(path)
    if path := sheets["a Csound document"]:
        from tonmeister.csound import write_csound

        write_csound(plan, multitrack, path, overwrite=overwrite)
        written.append(path)
    return written


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """Read ``key=value`` texts."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise BadInputError(f"--option {text!r}: write KEY=VALUE, for example --option profile=faithful")
        pairs[key.strip()] = value.strip()
    return pairs


def parse_moves(texts: Sequence[str]) -> list[Move]:
    """Read ``strip.control=value`` texts."""
    from tonmeister.moves import parse_move

    return [parse_move(text) for text in texts]


def parse_preview(text: str | None, sample_rate: int) -> Section | None:
    """Read ``START:SECONDS``, for example ``30:20``: twenty seconds from second 30."""
    if text is None:
        return None
    from tonmeister.render import Section

    start_s, _, length_s = text.partition(":")
    try:
        start, length = float(start_s), float(length_s)
    except ValueError:
        start = length = math.nan
    if not (0.0 <= start < math.inf and 0.0 < length < math.inf):
        raise BadInputError(
            f"--preview {text!r}: write START:SECONDS, for example 30:20 for 20 s from second 30"
        )
    return Section(round(start * sample_rate), max(round(length * sample_rate), 1))


def check_names(names: Mapping[str, Path | None], *, overwrite: bool) -> None:
    """Refuse outputs that exist, before any work is done."""
    for what, path in names.items():
        if path is not None and path.exists() and not overwrite:
            raise BadInputError(f"{path}: {what} exists already: give another name or --overwrite")

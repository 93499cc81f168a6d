"""``tonmeister remix``: a finished recording with its parts moved."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tonmeister.cli import options as given
from tonmeister.cli.separating import separating, separator_list

if TYPE_CHECKING:
    from tonmeister.remixing.remix import Wishes

__all__ = ["command"]

_HARD_PAN_DEG: Final = 45.0
_OFF: Final = ("off", "mute", "-inf")


@click.command(
    "remix",
    epilog=given.examples(
        "tonmeister remix song.wav -o remix.wav --gain vocals=+3",
        "tonmeister remix song.wav -o remix.wav --model ensemble --gain drums=-2 --pan other=-20",
        "tonmeister remix song.wav -o remix.wav --balance vocals",
        "tonmeister remix song.wav -o remix.wav --engine textbook --tracks tracks/",
    )
    + "\n\n"
    + separator_list(),
)
@click.argument("song", type=given.existing_file)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Where the remix goes; the ending says the format.")  # fmt: skip
@click.option("--gain", "gains", multiple=True, metavar="TRACK=DB",
              help="Turn a track up or down, or off. May be given again.")  # fmt: skip
@click.option("--pan", "pans", multiple=True, metavar="TRACK=DEGREES",
              help="Place a track: -45 is left, 45 right. May be given again.")  # fmt: skip
@click.option("--balance", "balances", multiple=True, metavar="TRACK[=LU]",
              help="Bring a track to this loudness against all others, or to what is usual for a lead voice; only as far "
              "as the separation carries. May be given again.")  # fmt: skip
@click.option("--plain-faders", is_flag=True,
              help="Put faders at what was asked, and do not make up for what the separation missed.")  # fmt: skip
@click.option("--engine", metavar="NAME", help="Let an engine mix the tracks, before your own moves.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="Option of the engine.")
@separating
@click.option("--target", metavar="NAME|LUFS", help="Loudness to deliver. [default: that of the song]")
@click.option("--tracks", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Keep the separated tracks there; the plan renders them again.")  # fmt: skip
@given.seed_option
@given.bits_option
@given.threads_option
@click.option("--save-plan", type=click.Path(path_type=Path), metavar="PLAN.json",
              help="Where the plan goes. [default: beside the remix]")  # fmt: skip
@given.overwrite_option
@given.common
def command(song: Path, output: Path, how: dict[str, Any], settings: dict[str, Any], **asked: Any) -> None:
    """Move the parts of SONG: separate it, turn its tracks up, down or aside, and mix them again.

    What is not moved stays as it is, and so does the loudness: a remix with nothing moved is SONG. Small changes cost
    little even with imperfect tracks; see 'separate' for the tracks themselves.
    """
    from tonmeister.audio_output import check_output
    from tonmeister.cli.mix import plan_path_for
    from tonmeister.cli.report import report_mix
    from tonmeister.cli.screen import Screen, when_interrupted
    from tonmeister.cli.separating import separator
    from tonmeister.plan_file import save_plan
    from tonmeister.remixing.remix import remix

    screen, wishes = Screen.of(settings), _wishes(asked)
    plan_path = asked["save_plan"] or plan_path_for(output)
    check_output(output, overwrite=asked["overwrite"], subtype=asked["bits"])
    given.check_names({"a plan": plan_path}, overwrite=asked["overwrite"])
    with screen.progress() as bars:
        done = remix(
            song, output, separator(how), wishes, tracks=asked["tracks"], threads=asked["threads"],
            subtype=asked["bits"], overwrite=asked["overwrite"], progress=bars,
        )  # fmt: skip
    with when_interrupted(f"{output} is written, but not all that belongs to it"):
        save_plan(done.plan, plan_path, overwrite=asked["overwrite"])
    report_mix(screen, done.finished, plan_path=plan_path, notes=done.notes)


def _wishes(asked: dict[str, Any]) -> Wishes:
    """Read the texts of the options; raises `BadInputError` for what cannot be meant."""
    from tonmeister.cli.deciding import check_engine
    from tonmeister.remixing.remix import Wishes
    from tonmeister.targets import parse_target

    options = given.parse_options(asked["options"])
    if asked["engine"]:
        check_engine(asked["engine"], options, asked["seed"])
    return Wishes(
        gains_db=dict(_gain(text) for text in asked["gains"]),
        pans=dict(_pan(text) for text in asked["pans"]),
        balance=dict(_balance(text) for text in asked["balances"]),
        plain_faders=asked["plain_faders"],
        engine=asked["engine"],
        options=options,
        target=parse_target(asked["target"]) if asked["target"] else None,
        seed=asked["seed"],
    )


def _gain(text: str) -> tuple[str, float]:
    track, value = _pair("--gain", text, "vocals=+3")
    return track, -math.inf if value.casefold() in _OFF else _number("--gain", text, value)


def _pan(text: str) -> tuple[str, float]:
    from tonmeister.errors import BadInputError

    track, value = _pair("--pan", text, "solo=-20")
    degrees = _number("--pan", text, value)
    if abs(degrees) > _HARD_PAN_DEG:
        raise BadInputError(f"--pan {text!r} is out of range: give -45 (left) to 45 (right) degrees")
    return track, degrees / _HARD_PAN_DEG


def _balance(text: str) -> tuple[str, float | None]:
    track, equals, value = text.partition("=")
    return track.strip(), _number("--balance", text, value) if equals else None


def _pair(option: str, text: str, example: str) -> tuple[str, str]:
    from tonmeister.errors import BadInputError

    track, equals, value = text.partition("=")
    if not equals or not track.strip():
        raise BadInputError(f"{option} {text!r}: write TRACK=VALUE, for example {option} {example}")
    return track.strip(), value.strip()


def _number(option: str, text: str, value: str) -> float:
    from tonmeister.errors import BadInputError

    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInputError(f"{option} {text!r}: {value!r} is not a number")
    return number

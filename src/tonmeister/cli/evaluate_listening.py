"""``tonmeister evaluate listening``: a blind test for people."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.listening.excerpts import Excerpt
    from tonmeister.evaluation.listening.prepare import Prepared, Settings

__all__ = ["command"]


@click.command(
    "listening",
    epilog=given.examples(
        "tonmeister evaluate listening song1/ song2/ --engines adaptive -o test/",
        "tonmeister evaluate listening song1/ song2/ --excerpt 30:25 --excerpt song2=62:28 -o test/",
        "tonmeister evaluate listening song/ --criterion Preference --criterion Clarity --seed 7 -o test/",
        "tonmeister evaluate listening-results answers/*.csv --key test/key.json",
    ),
)
@click.argument("songs", nargs=-1, required=True, metavar="SONG...",
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@click.option(
    "--engines",
    metavar="A,B,C",
    default="",
    help="Which engines, beside sum and textbook; several in turn joined by +.",
)
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE",
    help="Option of an engine (see 'tonmeister engines'); ENGINE.KEY when several engines have it.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Where the test goes: page/, webmushra/ and key.json.")  # fmt: skip
@click.option(
    "--excerpt", "excerpts", multiple=True, metavar="[SONG=]START:SECONDS",
    help="Which part is heard, for all songs or for one. [default: 28 s with the most tracks playing]",
)  # fmt: skip
@click.option(
    "--criterion", "criteria", multiple=True, metavar="NAME",
    help="What is asked: Preference, Production Value, Clarity, Excitement. May be given again. [default: Preference]",
)  # fmt: skip
@click.option(
    "--human/--no-human", default=True, show_default=True,
    help="Put a person's mix among the versions where one is found (human_mix.*, post/, a print).",
)  # fmt: skip
@click.option(
    "--scramble", "scramble_db", type=click.FloatRange(0.0, 40.0), default=0.0, metavar="DB",
    help="Disturb the gain of every track by up to ± DB first, where the stems carry a person's balance.",
)  # fmt: skip
@click.option("--format", "audio_format", type=click.Choice(["wav", "flac"]), default="wav",
              show_default=True, help="Format of the sounds.")  # fmt: skip
@given.seed_option
@given.overwrite_option
@given.common
def command(
    songs: tuple[Path, ...], output: Path, settings: dict[str, Any], overwrite: bool, **asked: Any
) -> None:
    """Prepare a blind listening test: the same part of every SONG, mixed by several engines and by a person.

    All versions are equally loud and have names drawn by lot. DIR/page/listening.html opens in any browser from
    disk and lets a listener rate them; give away the folder page, keep key.json. A SONG is a folder of tracks,
    or one with raw/ and human_mix.* or post/.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.listening.prepare import prepare_test

    screen = Screen.of(settings)
    wanted = _settings(asked)
    with screen.progress() as bars:
        prepared = prepare_test(songs, output, wanted, overwrite=overwrite, progress=bars)
    _report(screen, prepared)


def _settings(asked: dict[str, Any]) -> Settings:
    from tonmeister.engines.base import load_engine, split_options
    from tonmeister.evaluation.listening.criteria import DEFAULT_CRITERION
    from tonmeister.evaluation.listening.prepare import Settings, with_always

    engines = with_always([name.strip() for name in asked["engines"].split(",") if name.strip()])
    parts = list(dict.fromkeys(part for name in engines for part in name.split("+")))
    options = split_options(parts, given.parse_options(asked["options"]))
    for name, own in options.items():
        load_engine(name, own, seed=asked["seed"])
    return Settings(
        engines=engines,
        options=options,
        excerpts=dict(_excerpt(text) for text in asked["excerpts"]),
        criteria=tuple(dict.fromkeys(asked["criteria"])) or (DEFAULT_CRITERION,),
        human=asked["human"],
        scramble_db=asked["scramble_db"],
        seed=asked["seed"],
        audio_format=asked["audio_format"],
    )


def _excerpt(text: str) -> tuple[str, Excerpt]:
    """Read ``START:SECONDS`` or ``SONG=START:SECONDS``; the empty name is for all songs."""
    from tonmeister.errors import BadInputError
    from tonmeister.evaluation.listening.excerpts import Excerpt

    song, _, part = text.rpartition("=")
    start, _, length = part.partition(":")
    try:
        start_s, seconds = float(start), float(length)
    except ValueError:
        start_s = seconds = math.nan
    if not (0.0 <= start_s < math.inf and 0.4 <= seconds < math.inf):
        raise BadInputError(
            f"--excerpt {text!r}: write START:SECONDS or SONG=START:SECONDS, for example 30:25 for 25 s from second 30"
        )
    return song, Excerpt(start_s, seconds)


def _report(screen: Screen, prepared: Prepared) -> None:
    from tonmeister.cli.screen import number
    from tonmeister.cli.tables import table

    key = prepared.key
    rows = [
        (
            song.title,
            f"{song.start_s:.1f}",
            f"{song.seconds:.1f}",
            str(len(key.versions(name))),
            song.human or "-",
        )
        for name, song in key.songs.items()
    ]
    screen.show(
        table(
            ("song", "from s", "length s", "versions", "mix by a person"),
            rows,
            right=("from s", "length s", "versions"),
        ),
        f"all versions at {number(prepared.lufs)} LUFS, nothing limited",
    )
    screen.notes(prepared.notes)
    if screen.as_json:
        songs = {
            s.title: {
                "start_s": s.start_s,
                "seconds": s.seconds,
                "versions": len(key.versions(name)),
                "human": s.human,
            }
            for name, s in key.songs.items()
        }
        screen.json(
            {"test": key.test, "seed": key.seed, "page": prepared.page, "key": prepared.folder / "key.json",
             "webmushra": prepared.folder / "webmushra", "lufs": prepared.lufs, "engines": sorted(key.engines()),
             "criteria": key.criteria, "songs": songs, "notes": prepared.notes}
        )  # fmt: skip
    screen.say(f"page: {prepared.page}")
    screen.say(f"key (keep it from listeners): {prepared.folder / 'key.json'}")

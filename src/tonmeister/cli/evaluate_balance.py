"""``tonmeister evaluate balance``: engines against human mixes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given
from tonmeister.cli.evaluation_report import check_report, report_options, show_page

if TYPE_CHECKING:
    from tonmeister.evaluation.balance_store import ScoreStore
    from tonmeister.evaluation.songs import Song

__all__ = ["command"]


@click.command(
    "balance",
    epilog=given.examples(
        "tonmeister evaluate balance song1/ song2/",
        "tonmeister evaluate balance song/ --engines textbook,adaptive",
        "tonmeister evaluate balance stems/ --scramble 12 --seed 1 --report results/",
    ),
)
@click.argument("songs", nargs=-1, required=True, metavar="SONG...",
                type=click.Path(exists=True, file_okay=False, path_type=Path))  # fmt: skip
@click.option("--engines", metavar="A,B,C", help="Which engines; several in turn joined by +. [default: all]")
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE",
    help="Option of an engine (see 'tonmeister engines'); ENGINE.KEY when several engines have it.",
)  # fmt: skip
@click.option(
    "--scramble", "scramble_db", type=click.FloatRange(0.0, 40.0), default=0.0, metavar="DB",
    help="Disturb the gain of every track by up to ± DB first, where the stems carry the human balance.",
)  # fmt: skip
@click.option("--scramble-all", is_flag=True, help="Disturb raw tracks, too.")
@given.seed_option
@click.option("--no-cache", is_flag=True, help="Compute everything again and keep nothing.")
@report_options
@given.common
def command(songs: tuple[Path, ...], settings: dict[str, Any], seed: int, **asked: Any) -> None:
    """Compare the balance that engines give with that of a person, on songs whose human mix is known.

    A SONG is a folder with raw/ and post/ (the same files before and after a person's console), or a folder of
    stems whose plain sum is the person's mix; those need --scramble. The baselines are always in the table.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.evaluation.balance import evaluate_balance
    from tonmeister.evaluation.balance_store import ScoreStore
    from tonmeister.evaluation.pages import balance_page, balance_to_dict

    check_report(asked["report"], asked["overwrite"])
    names, left_out = _engines(asked["engines"])
    options = _options(names, asked["options"], seed)
    screen = Screen.of(settings)
    screen.notes(left_out)
    store = None if asked["no_cache"] else ScoreStore()
    with screen.progress() as bars:
        loaded = _load(songs, asked, seed, store)
        table = evaluate_balance(loaded, names, options=options, seed=seed, progress=bars, store=store)
    data = {**balance_to_dict(table, loaded), "scramble_db": asked["scramble_db"], "seed": seed}
    show_page(screen, balance_page(table, loaded), data, report=asked["report"], overwrite=asked["overwrite"])


def _load(songs: tuple[Path, ...], asked: dict[str, Any], seed: int, store: ScoreStore | None) -> list[Song]:
    from tonmeister.evaluation.songs import load_song

    return [
        load_song(
            song, scramble_db=asked["scramble_db"], scramble_all=asked["scramble_all"], seed=seed, store=store
        )
        for song in songs
    ]


def _engines(text: str | None) -> tuple[list[str], list[str]]:
    """The engines asked for, else all that can be loaded; and what was left out."""
    from tonmeister.engines.base import ENGINES, load_engine
    from tonmeister.errors import BadInputError, TonmeisterError

    if text is not None:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not names:
            raise BadInputError(
                f"--engines {text!r}: names no engine: write for example --engines textbook,adaptive"
            )
        return names, []
    names, left_out = [], []
    for name in ENGINES:
        try:
            load_engine(name)
            names.append(name)
        except (ImportError, TonmeisterError) as error:
            left_out.append(f"engine {name}: left out ({error})")
    return names, left_out


def _options(names: list[str], texts: tuple[str, ...], seed: int) -> dict[str, dict[str, str]]:
    """Options per engine; unknown engines and options are refused before any audio is read."""
    from tonmeister.engines.base import load_engine, split_options

    parts = list(dict.fromkeys(p for name in names for p in name.split("+") if p != "random"))
    per_engine = split_options(parts, given.parse_options(texts))
    for name, own in per_engine.items():
        load_engine(name, own, seed=seed)
    return per_engine

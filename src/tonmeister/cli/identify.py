"""``tonmeister identify``: what instrument each file is, from its name and from its sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.multitrack import Multitrack, Track

__all__ = ["command"]


@click.command(
    "identify",
    epilog=given.examples(
        "tonmeister identify song/",
        "tonmeister identify 'Audio 07_2.wav' 'Audio 08.wav'",
        "tonmeister identify song/ --no-sound",
        "tonmeister identify song/ --json > what-is-what.json",
    ),
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...",
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@click.option("--no-sound", is_flag=True, help="Read the names only.")
@click.option("--model", metavar="NAME|PATH", help="Listen with another model than the shipped one.")
@given.threads_option
@given.recursive_option
@given.common
def command(paths: tuple[Path, ...], settings: dict[str, Any], no_sound: bool, **asked: Any) -> None:
    """Say what instrument each file is, its role in the song, and how sure that is.

    A PATH is a file or a folder of tracks. The name of a file and its sound both have a say; where they disagree, both
    are told. A tonmeister.toml in the folder stands before either.
    """
    from tonmeister.cli.screen import Screen
    from tonmeister.identification.identify import identified
    from tonmeister.loading.listed import listed_tracks
    from tonmeister.multitrack import Multitrack

    screen = Screen.of(settings)
    tracks = tuple(listed_tracks(paths, recursive=asked["recursive"]))
    multitrack = Multitrack("", tracks, max(track.native_rate for track in tracks))
    with screen.progress() as bars:
        if not no_sound:
            ears = _ears(asked["model"])
            multitrack = identified(
                multitrack, listen="all", ears=ears, threads=asked["threads"],
                progress=lambda name, done: bars("identify", done),
            )  # fmt: skip
    _report(screen, multitrack)


def _ears(model: str | None) -> Any:
    """What listens: None leaves it to the shipped model, if there is one."""
    if model is None:
        return None
    from tonmeister.identification.classifier import load_classifier
    from tonmeister.identification.identify import listener
    from tonmeister.model_files.shipped import SHIPPED

    return listener(load_classifier(model if model in SHIPPED else Path(model)))


def _report(screen: Screen, multitrack: Multitrack) -> None:
    from tonmeister.cli.tables import table

    columns = ("file", "what it is", "role", "sure", "why")
    screen.show(table(columns, map(_row, multitrack.tracks), right=("sure",)), "")
    if screen.as_json:
        screen.json(
            {"files": [entry for t in multitrack.tracks for entry in _entries(t)], "notes": multitrack.notes}
        )
    screen.notes(multitrack.notes)


def _row(track: Track) -> tuple[str, ...]:
    return (
        track.file,
        _what(track),
        track.role if track.kind in ("source", "return") else "-",
        f"{track.confidence:.0%}",
        track.evidence,
    )


def _what(track: Track) -> str:
    from tonmeister.vocabulary import family

    kinds = {"print": "finished mix", "control": "click or guide"}
    if track.kind in kinds:
        return kinds[track.kind]
    word, above = track.instrument.replace("_", " "), family(track.instrument)
    return word if above == track.instrument else f"{word} ({above})"


def _entries(track: Track) -> list[dict[str, Any]]:
    """One object a file: a left and a right have one each."""
    from tonmeister.vocabulary import family

    entry = {
        "name": track.name,
        "kind": track.kind,
        "instrument": track.instrument,
        "family": family(track.instrument),
        "role": track.role,
        "probability": track.confidence,
        "evidence": track.evidence,
        "known_by": track.known_by,
        "group": track.group,
        "attributes": track.attributes,
    }
    files = [(source.path, source.stream) for source in track.sources]
    return [
        {"file": f"{path.name}#{stream}" if stream else path.name, "path": path, **entry}
        for path, stream in files
    ]

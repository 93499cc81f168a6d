"""``tonmeister train datasets``: what a dataset holds, in its words and in ours; reads no sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonmeister.cli import options as given

if TYPE_CHECKING:
    from tonmeister.cli.screen import Screen
    from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack

__all__ = ["command"]


@click.command(
    "datasets",
    epilog=given.examples(
        "tonmeister train datasets MedleyDB/",
        "tonmeister train datasets slakh2100_flac_redux/ --songs 20 --json",
        "tonmeister train datasets",
    ),
)
@click.argument("folder", metavar="PATH", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--layout", metavar="NAME", help="The layout, where it should not be recognized from the files."
)
@click.option("--songs", "most", type=click.IntRange(min=1), help="List the first N songs. [default: all]")
@given.common
def command(folder: Path | None, layout: str | None, most: int | None, settings: dict[str, Any]) -> None:
    """List the songs and tracks of the dataset in PATH, and which labels have no word here.

    Without PATH: the layouts that can be read, their licences and what they are recognized by. Nothing is
    downloaded.
    """
    from tonmeister.cli.screen import Screen

    screen = Screen.of(settings)
    if folder is None:
        _layouts(screen)
        return
    from tonmeister.datasets.base import open_dataset

    dataset = open_dataset(folder, layout)
    _listing(screen, dataset.info, list(islice(dataset.songs(), most)))


def _layouts(screen: Screen) -> None:
    from tonmeister.cli.tables import table
    from tonmeister.datasets.base import DATASETS, dataset_type

    infos = [dataset_type(name).info for name in DATASETS]
    if screen.as_json:
        screen.json({"layouts": [_info(info) for info in infos]})
        return
    rows = [(info.name, info.title, info.licence, info.looks_for) for info in infos]
    screen.show(table(("layout", "dataset", "licence", "recognized by"), rows))


def _listing(screen: Screen, info: DatasetInfo, songs: list[DatasetSong]) -> None:
    unmapped = Counter(label for song in songs for label in song.unmapped)
    if screen.as_json:
        screen.json(
            {
                "dataset": _info(info),
                "songs": [_song(song) for song in songs],
                "unmapped": dict(unmapped.most_common()),
            }
        )
        return
    from tonmeister.cli.tables import table

    screen.show(f"{info.title}: {len(songs)} songs, {sum(len(s.tracks) for s in songs)} tracks")
    screen.show(f"licence: {info.licence}")
    screen.show(table(("song", "split", "track", "label", "instrument", "role"), _rows(songs)))
    for song in songs:
        for line in (
            *([song.problem] if song.problem else []),
            *(f"{m.file}: {m.why}" for m in song.missing),
        ):
            screen.say(f"{song.title}: {line}")
    if unmapped:
        said = ", ".join(f"{label!r} ({count})" for label, count in unmapped.most_common())
        screen.say(f"no word here for {said}: kept as 'other'")


def _rows(songs: list[DatasetSong]) -> Iterator[tuple[str, ...]]:
    for song in songs:
        if not song.tracks:
            yield (song.title, song.split or "-", "-", (song.problem and "damaged") or "no tracks", "-", "-")
        for track in song.tracks:
            yield (
                song.title,
                song.split or "-",
                track.name,
                track.label.word,
                track.label.instrument,
                _role(track),
            )


def _role(track: DatasetTrack) -> str:
    from tonmeister.naming import usual_role

    return track.role or usual_role(track.label.instrument)


def _info(info: DatasetInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "licence": info.licence,
        "citation": info.citation,
        "url": info.url,
        "looks_for": info.looks_for,
    }


def _song(song: DatasetSong) -> dict[str, Any]:
    return {
        "title": song.title,
        "split": song.split,
        "folder": str(song.folder),
        "mix": str(song.mix.file) if song.mix else None,
        "tracks": [_track(track) for track in song.tracks],
        "stems": [_track(track) for track in song.stems],
        "missing": [{"file": m.file, "why": m.why} for m in song.missing],
        "metadata": dict(song.metadata),
        "notes": list(song.notes),
        "problem": song.problem,
    }


def _track(track: DatasetTrack) -> dict[str, Any]:
    return {
        "name": track.name,
        "file": str(track.file),
        "label": track.label.word,
        "instrument": track.label.instrument,
        "role": _role(track),
        "mapped": track.label.mapped,
    }

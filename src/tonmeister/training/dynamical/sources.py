"""Where training songs come from on disk: datasets, folders with a person's mix, songs made on the fly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tonmeister.errors import BadInputError, TonmeisterError
from tonmeister.loading import load_multitrack
from tonmeister.training.dynamical.data import (
    SongFrames,
    cached,
    frames_behind_console,
    frames_of_mix,
    frames_of_synthesized,
)

__all__ = ["from_folder", "synthesized"]

SYNTHESIZED_S: Final = 60.0
Told = Callable[[str], None]


def synthesized(count: int, seed: int, cache: Path, told: Told) -> Iterator[SongFrames]:
    """Songs of the synthesizer whose faders move; made once, then read from `cache`."""
    from tonmeister.training.synthesis.randomness import song_seed
    from tonmeister.training.synthesis.songs import SynthesisOptions, synthesize

    options = SynthesisOptions(duration_s=SYNTHESIZED_S, moving_faders=1.0)
    for index in range(count):
        number = song_seed(seed, index)
        key = f"synthesized {number} {options}"
        yield cached(key, cache, lambda number=number: frames_of_synthesized(synthesize(number, options)))
        told(f"song {index + 1}")


def from_folder(folder: Path, cache: Path, told: Told, notes: list[str]) -> Iterator[SongFrames]:
    """Every song below `folder` that has a person's mix; what cannot be used is said in `notes`.

    A song folder with ``raw/`` and ``post/`` or a finished mix; a folder of such folders; or a dataset that
    `datasets.open_dataset` recognizes.
    """
    found = [f for f in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())) if (f / "raw").is_dir()]
    for song in found:
        try:
            yield cached(_key(song), cache, lambda song=song: _of_folder(song))
        except TonmeisterError as error:
            notes.append(f"{song.name}: left out, {error}")
        told(song.name)
    if not found:
        yield from _of_dataset(folder, cache, told, notes)


def _key(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return "\n".join(f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)


def _of_folder(folder: Path) -> SongFrames:
    raw = replace(load_multitrack(folder / "raw"), title=folder.name)
    if (folder / "post").is_dir():
        return frames_behind_console(raw, load_multitrack(folder / "post"), artist=folder.name)
    mixes = sorted(folder.glob("human_mix.*"))
    if not mixes:
        raise BadInputError("no post/ and no human_mix.* beside raw/")
    return frames_of_mix(raw, mixes[0], artist=folder.name)


def _of_dataset(folder: Path, cache: Path, told: Told, notes: list[str]) -> Iterator[SongFrames]:
    from tonmeister.datasets.base import open_dataset

    for song in open_dataset(folder).songs():
        if song.mix is None:
            notes.append(f"{song.title}: left out, it has no finished mix")
            continue
        try:
            multitrack, mix = song.multitrack, song.mix.file
            key = f"{song.dataset} {song.folder} {mix.stat().st_mtime_ns}"
            yield cached(key, cache, lambda m=multitrack, p=mix, t=song.title: frames_of_mix(m, p, artist=t))
        except TonmeisterError as error:
            notes.append(f"{song.title}: left out, {error}")
        told(song.title)


def usable(songs: Sequence[SongFrames], notes: Sequence[str]) -> None:
    """Raise `BadInputError` when nothing is left to learn from."""
    if not songs:
        why = f" ({notes[0]})" if notes else ""
        raise BadInputError(
            f"no song with a person's mix was found{why}: give a folder with raw/ and post/, raw/ and human_mix.wav, "
            "or a dataset with mixes"
        )

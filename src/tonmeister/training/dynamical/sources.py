"""Where training songs come from on disk: datasets, folders with a person's mix, lists, songs made on the fly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tonmeister.audio import AUDIO_SUFFIXES
from tonmeister.errors import BadInputError, TonmeisterError
from tonmeister.identification.identify import identified
from tonmeister.loading import load_multitrack
from tonmeister.training.dynamical.data import (
    SongFrames,
    cached,
    frames_behind_console,
    frames_of_mix,
    frames_of_synthesized,
)

if TYPE_CHECKING:
    from tonmeister.datasets.base import DatasetSong

__all__ = ["from_data", "synthesized", "usable"]

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
        made = cached(key, cache, lambda number=number: frames_of_synthesized(synthesize(number, options)))
        yield replace(made, source="synthesized")
        told(f"song {index + 1}")


def from_data(
    data: Path, cache: Path, told: Told, notes: list[str], *, stems: bool = False
) -> Iterator[SongFrames]:
    """Every song of `data` that has a person's mix; what cannot be used is said in `notes`.

    `data` is a song folder with ``raw/`` and ``post/`` or a finished mix; a folder of such folders; a dataset that
    `datasets.open_dataset` recognizes; or a list of songs (`manifest`). With `stems` a folder of audio is a song, too:
    stems that add up to the person's mix.
    """
    for title, key, make in _songs(data, stems, notes):
        try:
            yield replace(cached(key, cache, make), source=data.stem)
        except TonmeisterError as error:
            notes.append(f"{title}: left out, {error}")
        told(title)


def _songs(data: Path, stems: bool, notes: list[str]) -> Iterator[tuple[str, str, Callable[[], SongFrames]]]:
    """Title, what the song depends on, and how it is made."""
    if data.is_file():
        from tonmeister.training.dynamical.manifest import read_manifest

        for entry in read_manifest(data):
            yield entry.title, entry.key, entry.frames
        return
    folders = [f for f in (data, *sorted(p for p in data.iterdir() if p.is_dir())) if (f / "raw").is_dir()]
    for folder in folders:
        yield folder.name, _key(folder), partial(_of_folder, folder)
    if not folders and stems and any(p.suffix.casefold() in AUDIO_SUFFIXES for p in data.iterdir()):
        yield data.name, f"stems\n{_key(data)}", partial(_of_stems, data)
    elif not folders:
        yield from _of_dataset(data, notes)


def _of_stems(folder: Path) -> SongFrames:
    stems = identified(replace(load_multitrack(folder), title=folder.name))
    return frames_behind_console(stems, stems, artist=folder.name)


def _key(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return "\n".join(f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)


def _of_folder(folder: Path) -> SongFrames:
    raw = identified(replace(load_multitrack(folder / "raw"), title=folder.name))
    if (folder / "post").is_dir():
        return frames_behind_console(raw, load_multitrack(folder / "post"), artist=folder.name)
    mixes = sorted(folder.glob("human_mix.*"))
    if not mixes:
        raise BadInputError("no post/ and no human_mix.* beside raw/")
    return frames_of_mix(raw, mixes[0], artist=folder.name)


def _of_dataset(folder: Path, notes: list[str]) -> Iterator[tuple[str, str, Callable[[], SongFrames]]]:
    from tonmeister.datasets.base import open_dataset

    for song in open_dataset(folder).songs():
        if song.mix is None:
            notes.append(f"{song.title}: left out, it has no finished mix")
            continue
        mix = song.mix.file
        key = f"{song.dataset} {song.folder} {mix.stat().st_mtime_ns}"
        yield song.title, key, partial(_mixed, song, mix)


def _mixed(song: DatasetSong, mix: Path) -> SongFrames:
    return frames_of_mix(song.multitrack, mix, artist=song.title)


def usable(songs: Sequence[SongFrames], notes: Sequence[str]) -> None:
    """Raise `BadInputError` when nothing is left to learn from."""
    if not songs:
        why = f" ({notes[0]})" if notes else ""
        raise BadInputError(
            f"no song with a person's mix was found{why}: give a folder with raw/ and post/, raw/ and human_mix.wav, "
            "a dataset with mixes, or stems with --scramble-faders 6"
        )

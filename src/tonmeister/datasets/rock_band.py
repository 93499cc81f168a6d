"""Rhythm-game songs: a folder with ``song.ini`` (or notes) and one file a part, or one multichannel file and its map.

Separate files carry fixed names: ``song`` (what has no file of its own), ``guitar``, ``bass``, ``rhythm``, ``drums`` or
``drums_1`` (kick) ``drums_2`` (snare) ``drums_3`` (kit, or toms) ``drums_4`` (cymbals), ``keys``, ``vocals``, ``crowd``.
A multichannel ``.mogg`` or ``.ogg`` has its map of channels in ``songs.dta``: ``(tracks ((drum (0 1 2)) (bass (3))))``.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from tonmeister.datasets.base import DatasetInfo, DatasetSong, DatasetTrack, unique_names
from tonmeister.datasets.labels import Label, read_label
from tonmeister.datasets.reading import entries, read_text, subfolders
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Excluded

__all__ = ["RockBand", "channel_map"]

_PARTS: Final = (
    "drums", "drums_1", "drums_2", "drums_3", "drums_4", "bass", "rhythm", "guitar", "keys", "vocals", "vocals_1",
    "vocals_2", "song", "crowd",
)  # fmt: skip
_SUFFIXES: Final = (".ogg", ".opus", ".mp3", ".wav", ".flac")
_SIGNS: Final = ("song.ini", "notes.mid", "notes.chart", "songs.dta")
_DRUM_MAPS: Final[Mapping[int, tuple[tuple[str, int, int], ...]]] = {
    2: (("kit", 0, 2),),
    3: (("kick", 0, 1), ("kit", 1, 3)),
    4: (("kick", 0, 1), ("snare", 1, 2), ("kit", 2, 4)),
    5: (("kick", 0, 1), ("snare", 1, 3), ("kit", 3, 5)),
    6: (("kick", 0, 2), ("snare", 2, 4), ("kit", 4, 6)),
}
"""How many drum channels there are -> (part, first, end): the games' five ways to record a kit."""
_DEEPEST: Final = 20


class RockBand:
    """One file a part, or one file with all of them."""

    info: ClassVar = DatasetInfo(
        name="rock-band",
        title="rhythm-game song folders (OGG, MOGG)",
        licence="each song's own; most are not free",
        citation="none; file names as read by Frets on Fire, Phase Shift and Clone Hero",
        url="",
        looks_for="song.ini, notes.mid, notes.chart or songs.dta beside guitar.ogg, drums_1.ogg, ... or a .mogg",
    )

    def __init__(self, path: Path) -> None:
        self._folders = _song_folders(path)

    @classmethod
    def recognizes(cls, path: Path) -> bool:
        return bool(_song_folders(path))

    def songs(self) -> Iterator[DatasetSong]:
        for folder in self._folders:
            try:
                yield _song(folder)
            except BadInputError as error:
                yield DatasetSong("rock-band", folder.name, folder, problem=str(error))


def _song_folders(path: Path) -> list[Path]:
    return [folder for folder in (path, *subfolders(path)) if _is_song(folder)]


def _is_song(folder: Path) -> bool:
    names = {file.name.casefold() for file in entries(folder)}
    return any(sign in names for sign in _SIGNS) and bool(_parts(folder) or _multichannel(folder))


def _parts(folder: Path) -> dict[str, Path]:
    files = {f.stem.casefold(): f for f in entries(folder) if f.suffix.casefold() in _SUFFIXES}
    return {part: files[part] for part in _PARTS if part in files}


def _multichannel(folder: Path) -> Path | None:
    return next((f for f in entries(folder) if f.suffix.casefold() == ".mogg"), None)


def _song(folder: Path) -> DatasetSong:
    facts = _facts(folder)
    whole, parts = _multichannel(folder), _parts(folder)
    dta = next((f for f in entries(folder) if f.name.casefold() == "songs.dta"), None)
    if whole is None and dta is not None and len(parts) == 1:
        whole = next(iter(parts.values()))
    tracks = _mapped(whole, dta) if whole is not None else _separate(parts)
    only_mix = [track.label.word for track in tracks] == ["song"]
    preview = [
        f for f in entries(folder) if f.stem.casefold() == "preview" and f.suffix.casefold() in _SUFFIXES
    ]
    return DatasetSong(
        dataset="rock-band",
        title=facts.get("name") or folder.name,
        folder=folder,
        tracks=() if only_mix else tracks,
        mix=tracks[0] if only_mix else None,
        missing=tuple(Excluded(f.name, "an excerpt for the menu") for f in preview),
        metadata={k: facts[k] for k in ("artist", "album", "genre", "year", "charter") if facts.get(k)},
        notes=("there is one finished mix and no track",) if only_mix else (),
    )


def _facts(folder: Path) -> dict[str, str]:
    """The section [song] of song.ini; nothing where there is none."""
    file = next((f for f in entries(folder) if f.name.casefold() == "song.ini"), None)
    if file is None:
        return {}
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(read_text(file))
    except configparser.Error as error:
        reason = " ".join(str(error).split())
        raise BadInputError(
            f"{file}: is damaged ({reason}): write [song] and lines such as name = ..."
        ) from None
    section = next((s for s in parser.sections() if s.casefold() == "song"), None)
    return {key.strip(): (value or "").strip() for key, value in parser[section].items()} if section else {}


def _separate(parts: Mapping[str, Path]) -> tuple[DatasetTrack, ...]:
    return tuple(_part(name, file, beside=parts) for name, file in parts.items())


def _part(name: str, file: Path, *, beside: Mapping[str, Path]) -> DatasetTrack:
    group = "drums" if name.startswith("drums_") else None
    if name == "song":
        rest = Label(name, "other", mapped=True)
        return DatasetTrack(name, file, rest, remark="what has no file of its own")
    if name == "rhythm" and "bass" in beside:
        return DatasetTrack(
            name, file, Label(name, "electric_guitar", mapped=True), remark="bass has a file of its own"
        )
    return DatasetTrack(name.replace("_", " "), file, read_label("rock-band", name), group=group)


def _mapped(file: Path, dta: Path | None) -> tuple[DatasetTrack, ...]:
    if dta is None:
        raise BadInputError(f"{file}: has no map of its channels: put its songs.dta beside it")
    parts = channel_map(read_text(dta), str(dta))
    used = {c for channels in parts.values() for c in channels}
    tracks = [t for part, channels in parts.items() for t in _tracks_of(file, part, channels)]
    if rest := tuple(c for c in range(_channels(file)) if c not in used)[:2]:
        tracks.append(DatasetTrack("song", file, Label("song", "other", mapped=True), channels=rest))
    return unique_names(tracks)


def _channels(file: Path) -> int:
    from tonmeister.audio import probe

    return probe(file).channels


def _tracks_of(file: Path, part: str, channels: Sequence[int]) -> Iterator[DatasetTrack]:
    if any(c >= _channels(file) for c in channels):
        raise BadInputError(
            f"{file}: the map gives {part!r} channel {max(channels)}: the file has {_channels(file)}"
        )
    if part == "drum" and len(channels) in _DRUM_MAPS:
        for name, first, end in _DRUM_MAPS[len(channels)]:
            label = read_label("rock-band", name)
            yield DatasetTrack(name, file, label, channels=tuple(channels[first:end]), group="drums")
        return
    for first in range(0, len(channels), 2):
        yield DatasetTrack(
            part, file, read_label("rock-band", part), channels=tuple(channels[first : first + 2])
        )


def channel_map(text: str, where: str) -> dict[str, tuple[int, ...]]:
    """Part -> channels, from the text of a songs.dta; raises `BadInputError` when there is no map in it."""
    tree = _lists(text, where)
    tracks = _below(tree, "tracks")
    found = {str(e[0]): _numbers(e[1:]) for e in _pairs(tracks)} if tracks is not None else {}
    crowd = _below(tree, "crowd_channels")
    if crowd is not None and (channels := _numbers(crowd[1:])):
        found["crowd"] = channels
    if not any(found.values()):
        raise BadInputError(f"{where}: names no channels: it needs (tracks ((drum (0 1)) (bass (2)) ...))")
    return {part: channels for part, channels in found.items() if channels}


def _lists(text: str, where: str) -> list[Any]:
    """The nested lists of the file; comments and quotes taken off."""
    words = re.findall(r"\"[^\"]*\"|'[^']*'|[()]|[^\s()\"']+", re.sub(r";[^\n]*", "", text))
    stack: list[list[Any]] = [[]]
    for word in words:
        if word == "(":
            stack.append([])
        elif word == ")" and len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
        elif word != ")":
            stack[-1].append(word.strip("\"'"))
        if len(stack) > _DEEPEST:
            raise BadInputError(f"{where}: is nested deeper than {_DEEPEST}: it is not read")
    if len(stack) != 1:
        raise BadInputError(f"{where}: is cut off, {len(stack) - 1} brackets are open: copy it again")
    return stack[0]


def _below(tree: Sequence[Any], key: str) -> list[Any] | None:
    """The first list that begins with `key`, at any depth."""
    for entry in tree:
        if isinstance(entry, list):
            if entry and entry[0] == key:
                return entry
            if (found := _below(entry, key)) is not None:
                return found
    return None


def _pairs(tracks: Sequence[Any]) -> Iterator[list[Any]]:
    """The lists (part channels) below ``tracks``, which some files wrap once more."""
    for entry in tracks:
        if isinstance(entry, list) and entry:
            if isinstance(entry[0], list):
                yield from _pairs(entry)
            else:
                yield entry


def _numbers(entry: Sequence[Any]) -> tuple[int, ...]:
    flat = [x for part in entry for x in (part if isinstance(part, list) else [part])]
    return tuple(int(x) for x in flat if isinstance(x, str) and x.isdecimal() and len(x) < 4)

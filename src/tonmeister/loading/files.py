"""The audio files of a folder, in the order people count in, and what their headers say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tonmeister.audio import AUDIO_SUFFIXES, AudioInfo, open_audio, probe
from tonmeister.errors import AudioFileError, BadInputError
from tonmeister.loading.config import CONFIG_NAME
from tonmeister.multitrack import Excluded, SourceFile
from tonmeister.naming import tidy_name

__all__ = ["Entry", "Findings", "comparable", "find_entries", "stream_entries", "subfolder_hint"]

_FEWEST_STREAMS = 2
_STEM_STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""Order of the five streams of a stem file: the mix, then four stems (MUSDB18)."""
_EMPTY_TITLES = frozenset({"", "soundhandler", "audio", "stereo", "track"})
"""Stream titles that writers put in by themselves."""
_NAMED_FOLDERS = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One audio stream as found, before its name is read."""

    source: SourceFile
    name: str
    """The text to name it by: the file's name, or the stream's title."""
    file: str
    """The file's path below the folder, for a reader."""
    parent: str = ""
    """The subfolder the file lies in."""
    is_print: bool = False

    @property
    def info(self) -> AudioInfo:
        return self.source.info


@dataclass(frozen=True, slots=True)
class Findings:
    """What lies in the folder."""

    entries: tuple[Entry, ...]
    excluded: tuple[Excluded, ...]
    notes: tuple[str, ...] = ()


def comparable(name: str) -> str:
    """One spelling for names that a person would call the same."""
    return unicodedata.normalize("NFC", name).casefold()


def find_entries(folder: Path, *, recursive: bool, exclude: Sequence[str]) -> Findings:
    """Every audio stream of the folder in natural order, less those that `exclude` matches.

    Raises `BadInputError` when nothing is there, `AudioFileError` when a file cannot be read or mixed.
    """
    paths = _audio_paths(folder, recursive=recursive)
    if not paths:
        raise _nothing_found(folder, recursive=recursive)
    left_out = [path for path in paths if any(_matches(path, folder, glob) for glob in exclude)]
    idle = [glob for glob in exclude if not any(_matches(path, folder, glob) for path in paths)]
    entries: list[Entry] = []
    excluded = [Excluded(_shown(p, folder), f"listed under exclude in {CONFIG_NAME}") for p in left_out]
    for path in (path for path in paths if path not in left_out):
        for entry in _entries(path, folder):
            if _is_silent_file(entry):
                excluded.append(Excluded(entry.file, "holds no audio (0 frames)"))
            else:
                entries.append(entry)
    return Findings(tuple(entries), tuple(excluded), tuple(f"exclude={g!r} matches no file" for g in idle))


def _audio_paths(folder: Path, *, recursive: bool) -> list[Path]:
    try:
        found = list(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise BadInputError(f"{folder}: cannot be listed ({error.strerror}): check its permissions") from None
    audio = [path for path in found if _is_audio_name(path) and not _is_hidden(path.relative_to(folder))]
    return sorted((path for path in audio if not path.is_dir()), key=lambda p: _natural(_shown(p, folder)))


def _is_audio_name(path: Path) -> bool:
    return path.suffix.casefold() in AUDIO_SUFFIXES


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in relative.parts)


def _shown(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sorting key in which 2 comes before 10."""
    parts = re.split(r"([0-9]+)", comparable(name))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], name


def _matches(path: Path, folder: Path, glob: str) -> bool:
    pattern = comparable(glob)
    names = {comparable(n) for n in (path.name, path.stem, _shown(path, folder), tidy_name(path.name))}
    return pattern in names or any(fnmatchcase(name, pattern) for name in names)


def _nothing_found(folder: Path, *, recursive: bool) -> BadInputError:
    if not recursive and (hint := subfolder_hint(folder)):
        return BadInputError(f"{folder}: no audio files here, {hint}")
    return BadInputError(
        f"{folder}: no audio files here: give the folder with the tracks as WAV, FLAC or AIFF"
    )


def subfolder_hint(folder: Path) -> str:
    """Where audio lies below the folder and what to do about it; empty when there is none."""
    below = [path for path in _audio_paths(folder, recursive=True) if path.parent != folder]
    folders = list(dict.fromkeys(path.relative_to(folder).parts[0] for path in below))
    named = ", ".join(folders[:_NAMED_FOLDERS]) + (", ..." if len(folders) > _NAMED_FOLDERS else "")
    hint = f"but in its subfolders ({named}): give one of them, or --recursive to take them all"
    return hint if folders else ""


def _entries(path: Path, folder: Path) -> Iterator[Entry]:
    parent = path.parent.name if path.parent != folder else ""
    try:
        info = probe(path)
        if info.streams >= _FEWEST_STREAMS:
            yield from stream_entries(info, file=_shown(path, folder))
            return
        _check_channels(info)
    except AudioFileError as error:
        raise AudioFileError(f"{error}, or list {path.name!r} under exclude in {CONFIG_NAME}") from None
    yield Entry(SourceFile(path, info), path.name, _shown(path, folder), parent)


def stream_entries(info: AudioInfo, *, file: str) -> Iterator[Entry]:
    """One entry per stream of a stem file; the first of five is the mix of the others."""
    titles = _stream_titles(info)
    for stream, title in enumerate(titles):
        part = probe(info.path, stream=stream)
        _check_channels(part)
        is_print = stream == 0 and len(titles) == len(_STEM_STREAMS)
        yield Entry(SourceFile(info.path, part, stream), title, f"{file}#{stream}", is_print=is_print)


def _stream_titles(info: AudioInfo) -> list[str]:
    titles = list(info.stream_titles) + [""] * (info.streams - len(info.stream_titles))
    useful = [title for title in titles if title.strip().casefold() not in _EMPTY_TITLES]
    if len(set(useful)) >= info.streams - 1:
        return [title.strip() or f"stream {i + 1}" for i, title in enumerate(titles)]
    if info.streams == len(_STEM_STREAMS):
        return list(_STEM_STREAMS)
    return [f"{tidy_name(info.path.name)} {i + 1}" for i in range(info.streams)]


def _check_channels(info: AudioInfo) -> None:
    if info.channels > 2:
        raise AudioFileError(
            f"{info.path}: channels={info.channels}: a track is mono or stereo: split it into such files"
        )


def _is_silent_file(entry: Entry) -> bool:
    """Whether there is not one frame; compressed files may merely not know their length."""
    if entry.info.frames > 0:
        return False
    with open_audio(entry.source.path, stream=entry.source.stream) as reader:
        return bool(reader.read(1).shape[1] == 0)

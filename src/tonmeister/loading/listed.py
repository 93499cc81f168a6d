"""Files and folders named one by one, each file by itself: what `identify` looks at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tonmeister.audio import probe
from tonmeister.errors import BadInputError
from tonmeister.loading.config import FolderConfig, read_config
from tonmeister.loading.drafts import Draft, described, of_config
from tonmeister.loading.files import Entry, find_entries, stream_entries
from tonmeister.loading.grouping import with_groups, with_pairs, with_unique_names
from tonmeister.loading.roles import settled_roles
from tonmeister.multitrack import SourceFile, Track

__all__ = ["listed_tracks"]


def listed_tracks(paths: Sequence[Path], *, recursive: bool = False) -> list[Track]:
    """The tracks of folders and files: finished mixes and clicks, too, left and right joined as for a mix.

    A folder's tonmeister.toml counts. Raises `BadInputError` for a path that is not there, `AudioFileError` for a file
    that is no audio.
    """
    for path in paths:
        if not path.exists():
            raise BadInputError(f"{path}: no such file or folder: check the path")
    tracks: list[Track] = []
    for folder in (path for path in paths if path.is_dir()):
        tracks += _of_folder(folder, recursive)
    if files := [path for path in paths if not path.is_dir()]:
        entries = [entry for path in files for entry in _of_file(path)]
        tracks += _tracks(described(entries, FolderConfig()), FolderConfig())
    return tracks


def _of_folder(folder: Path, recursive: bool) -> list[Track]:
    config = read_config(folder)
    findings = find_entries(folder, recursive=recursive, exclude=config.exclude)
    drafts = described(findings.entries, config)
    joined, _ = with_pairs(drafts)
    named, _ = with_unique_names(joined)
    return _tracks(of_config(named, drafts, config, findings.excluded), config)


def _of_file(path: Path) -> list[Entry]:
    info = probe(path)
    if info.streams > 1:
        return list(stream_entries(info, file=str(path)))
    return [Entry(SourceFile(path, info), path.name, str(path))]


def _tracks(drafts: Sequence[Draft], config: FolderConfig) -> list[Track]:
    """Roles are those of the song: prints and clicks have no say in them."""
    named, _ = with_unique_names(drafts)
    tracks = with_groups(named, config)
    sources = [track for track in tracks if track.kind in ("source", "return")]
    settled = {track.name: track for track in settled_roles(sources)}
    return [settled.get(track.name, track) for track in tracks]

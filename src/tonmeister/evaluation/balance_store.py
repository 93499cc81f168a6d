"""Keeps what was scored, so that adding an engine to a table costs only that engine.

A result is found again by a digest of everything it depends on: the audio files' contents, what is known of the
tracks, the engine with its options and the source text of all that decides, renders and measures. Results are
small JSON files in the user's cache folder; a file that cannot be read counts as not there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from tonmeister.audio_output import partial_path
from tonmeister.engines.base import engine_module
from tonmeister.multitrack import Multitrack, Track

__all__ = ["ScoreStore", "engine_digest", "engine_files", "song_digest", "user_cache_folder"]

_APART: Final = frozenset("batch cli datasets engines evaluation export live training web".split())
"""Packages of ours that no score depends on, or that are looked at one by one."""
_ENGINES: Final = Path(__file__).parent.parent / "engines"
"""Where engines of one file lie beside one another."""
_UNRELATED: Final = frozenset(
    ("demo.py", "plots.py", "explanation.py", "__main__.py", "delivery.py", "targets.py", "targets.toml",
     "tonal_balance.py", "target_curve.toml", "finish.py", "audio_output.py", "pipeline.py")
)  # fmt: skip


def user_cache_folder() -> Path:
    """Where this user's programs keep what can be made again: XDG, macOS or Windows style."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(base) / "tonmeister" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tonmeister"
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "tonmeister"


class ScoreStore:
    """Results by key, as files of a folder that is made when needed."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else user_cache_folder() / "balance"

    def get(self, key: str) -> Any | None:
        """What was put under a key, or None."""
        with suppress(OSError, ValueError):
            return json.loads((self.folder / f"{key}.json").read_text("utf-8"))
        return None

    def put(self, key: str, data: Any) -> None:
        """Keep plain data; a folder that takes no files is no error, the result is only not kept."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            part = partial_path(self.folder / f"{key}.json")
            part.write_text(json.dumps(data), "utf-8")
            part.replace(self.folder / f"{key}.json")


def digest(parts: Iterable[str]) -> str:
    """One short name for texts in their order."""
    return hashlib.blake2b(json.dumps(list(parts)).encode(), digest_size=20).hexdigest()


def song_digest(multitrack: Multitrack) -> str:
    """Of the audio and of all that engines may know about it."""
    facts = [
        multitrack.title,
        multitrack.sample_rate,
        multitrack.tempo_bpm,
        multitrack.genre,
        multitrack.locks,
    ]
    return digest((repr(facts), *(_track_digest(track) for track in multitrack.tracks)))


def _track_digest(track: Track) -> str:
    facts = [track.name, track.file, track.instrument, track.role, track.confidence, track.attributes,
             track.group, track.input_gain_db, [[s.stream, *s.picked] for s in track.sources]]  # fmt: skip
    sounds = [file_digest(s.path) for s in track.sources]
    if track.audio is not None:
        samples = track.audio.samples
        sounds.append(
            f"{track.audio.sample_rate} {samples.shape} {hashlib.blake2b(samples.data).hexdigest()}"
        )
    return digest((repr(facts), *sounds))


def file_digest(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()


def engine_digest(name: str, options: Mapping[str, Mapping[str, str]], seed: int) -> str:
    """Of one engine, or several joined by ``+``: options, seed, package version and source text."""
    parts = name.split("+")
    given = {part: dict(sorted(options.get(part, {}).items())) for part in parts}
    sources = [_engine_source(part) for part in parts if part not in ("random",)]
    return digest((name, json.dumps(given, sort_keys=True), str(seed), _version(), shared_source(), *sources))


def _version() -> str:
    try:
        return version("tonmeister")
    except PackageNotFoundError:
        return ""


@cache
def shared_source() -> str:
    """Digest of the source text that every result depends on."""
    root = Path(__file__).parent.parent
    files = [p for p in root.glob("*") if p.suffix in (".py", ".toml") and p.name not in _UNRELATED]
    packages = [p for p in root.iterdir() if p.is_dir() and p.name not in _APART]
    files += [p for package in packages for p in package.rglob("*") if p.suffix in (".py", ".toml")]
    files += [p for p in (root / "engines").glob("*.py") if p.name != "base.py"]
    files += [root / "evaluation" / name for name in ("balance.py", "levels.py", "songs.py")]
    return _text_digest(root, files)


@cache
def _engine_source(name: str) -> str:
    """Digest of what an engine is made of."""
    files = engine_files(name)
    return _text_digest(files[0].parent, files) if files else ""


def engine_files(name: str) -> list[Path]:
    """The files of the folder an engine lives in, knowledge included, or its one file."""
    found = importlib.util.find_spec(engine_module(name))
    if found is None or found.origin is None:
        return []
    origin = Path(found.origin)
    if not (origin.parent / "__init__.py").is_file() or origin.parent == _ENGINES:
        return [origin]
    inside = (p for p in origin.parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return [origin, *sorted(p for p in inside if p != origin)]


def _text_digest(root: Path, files: Iterable[Path]) -> str:
    return digest(f"{os.path.relpath(p, root)} {file_digest(p)}" for p in sorted(files))

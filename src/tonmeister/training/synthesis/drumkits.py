"""Drum kits of the drum machine Hydrogen: a folder of recorded hits and an XML file that says what they are.

The XML is read without a document type (nothing can be declared, so nothing expands), and only files beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np

from tonmeister.audio import read_audio
from tonmeister.errors import BadInputError
from tonmeister.naming import identify_name
from tonmeister.training.synthesis.drum_patches import place
from tonmeister.training.synthesis.instruments import kit_keys, percussion_keys
from tonmeister.training.synthesis.songs import NoteArray
from tonmeister.units import FloatArray

__all__ = ["DrumKit", "Hit"]

_FOLDERS: Final = ("/usr/share/hydrogen/data/drumkits", "/usr/local/share/hydrogen/data/drumkits")
_FILE: Final = "drumkit.xml"
_SPECIAL_KEYS: Final = {46: "open", 44: "pedal"}
_MAX_BYTES: Final = 4 << 20
_LONGEST_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One drum of the kit: its name and its recordings, soft to hard."""

    name: str
    layers: tuple[tuple[float, Path], ...]
    """(hardest velocity it is for, 0 to 1; file)."""


@dataclass(frozen=True)
class DrumKit:
    """A kit on disk; recordings are read when they are played."""

    folder: Path
    name: str
    license: str
    pieces: Mapping[str, tuple[Hit, ...]] = field(repr=False)
    """Word of the vocabulary -> drums of that kind."""

    @classmethod
    def found(cls) -> tuple[DrumKit, ...]:
        """Kits on this machine that have kick and snare, by name; unreadable ones are passed over."""
        data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
        kits = []
        for folder in (
            data / "hydrogen" / "drumkits",
            Path("~/.hydrogen/data/drumkits").expanduser(),
            *map(Path, _FOLDERS),
        ):
            for path in sorted(folder.glob(f"*/{_FILE}")) if folder.is_dir() else ():
                try:
                    kits.append(_read(path.parent.resolve()))
                except BadInputError:
                    continue  # not named by anybody: a broken kit elsewhere is no concern of this song
        return tuple(kit for kit in kits if {"kick", "snare"} <= set(kit.pieces))

    @classmethod
    def read(cls, folder: Path) -> DrumKit:
        """A kit that somebody names; raises `BadInputError` when it is none or holds no drum that is known."""
        return _read(Path(folder).resolve())

    def play(
        self, piece: str, notes: NoteArray, *, frames: int, sample_rate: int, random: np.random.Generator
    ) -> tuple[FloatArray, str]:
        """The hits of a piece, one drum of the kit per key; float32 (1, frames), and the drums' names."""
        drums = self.pieces[piece]
        keys = sorted(set(notes["pitch"].tolist()))
        first = int(random.integers(len(drums)))
        of_key = {key: _drum_of(key, drums, first + number) for number, key in enumerate(keys)}
        hits = [
            self._hit(of_key[key], velocity / 127, sample_rate)
            for key, velocity in zip(notes["pitch"].tolist(), notes["velocity"].tolist(), strict=True)
        ]
        names = ", ".join(dict.fromkeys(drum.name for drum in of_key.values()))
        return place(hits, notes, frames=frames, sample_rate=sample_rate), names

    def _hit(self, drum: Hit, velocity: float, sample_rate: int) -> FloatArray:
        path = next((path for hardest, path in drum.layers if velocity <= hardest), drum.layers[-1][1])
        return _one_shot(path, sample_rate)


def _drum_of(key: int, drums: tuple[Hit, ...], number: int) -> Hit:
    """The drum whose name says what the key means, open or pedal; else one of those that say neither."""
    wanted = _SPECIAL_KEYS.get(key)
    told = [d for d in drums if (wanted in d.name.casefold() if wanted else not _says_special(d))]
    among = told or list(drums)
    return among[number % len(among)]


def _says_special(drum: Hit) -> bool:
    return any(word in drum.name.casefold() for word in ("open", "pedal"))


@lru_cache(maxsize=512)
def _one_shot(path: Path, sample_rate: int) -> FloatArray:
    """A recording in mono, its peak at a third of full scale; (1, n)."""
    samples = read_audio(path, sample_rate).samples[:, : int(_LONGEST_S * sample_rate)]
    mono = samples.mean(0, keepdims=True)
    peak = float(np.abs(mono).max(initial=0.0))
    return np.asarray(mono * np.float32(0.33 / peak) if peak > 0 else mono, np.float32)


@lru_cache(maxsize=64)
def _read(folder: Path) -> DrumKit:
    path = folder / _FILE
    root = _parsed(path)
    _strip_namespaces(root)
    pieces: dict[str, list[Hit]] = {}
    for node in root.iter("instrument"):
        name = (node.findtext("name") or "").strip()
        layers = _layers(node, folder)
        if layers and (piece := _piece(name)):
            pieces.setdefault(piece, []).append(Hit(name, layers))
    if not pieces:
        raise BadInputError(
            f"{path}: holds no drum that is known by its name and has a file: give another kit"
        )
    title = (root.findtext("name") or folder.name).strip()
    return DrumKit(folder, title, _license(root), {k: tuple(v) for k, v in pieces.items()})


def _parsed(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInputError(f"{path}: larger than {_MAX_BYTES >> 20} MiB: this is no drum kit")
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInputError(f"{path}: cannot be read ({reason}): give a folder with a {_FILE}") from None
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadInputError(f"{path}: declares a document type, which no drum kit needs: remove it")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise BadInputError(f"{path}: is not XML ({error}): give a kit of Hydrogen") from None


def _strip_namespaces(root: ElementTree.Element) -> None:
    for node in root.iter():
        node.tag = str(node.tag).rpartition("}")[2]


def _layers(node: ElementTree.Element, folder: Path) -> tuple[tuple[float, Path], ...]:
    """Recordings of an instrument beside the XML file, soft to hard; newer kits nest them in components."""
    found = []
    for layer in node.iter("layer"):
        path = folder / Path((layer.findtext("filename") or "").strip()).name
        if path.name and path.is_file():
            found.append((_number(layer.findtext("max"), 1.0), path))
    single = Path((node.findtext("filename") or "").strip()).name
    if not found and single and (folder / single).is_file():
        found.append((1.0, folder / single))
    return tuple(sorted(found))


def _number(text: str | None, default: float) -> float:
    try:
        value = float(text) if text else default
    except ValueError:
        return default
    return value if value == value else default


def _piece(name: str) -> str | None:
    """The word of the kit or of percussion that a drum's name means."""
    word = identify_name(name).instrument
    if word in kit_keys() or word in percussion_keys():
        return word
    return "crash" if word == "cymbals" else None


def _license(root: ElementTree.Element) -> str:
    return " ".join((root.findtext("license") or "").split())[:200]

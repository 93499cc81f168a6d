"""Instruments of the vocabulary as General MIDI programs and percussion keys; the table is ``instruments.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

__all__ = ["Sound", "instrument_of_program", "kit_keys", "melodic_sounds", "percussion_keys", "piece_of_key"]

_PACKAGE: Final = "tonmeister.training.synthesis"


@dataclass(frozen=True, slots=True)
class Sound:
    """How a melodic instrument is played."""

    instrument: str
    presets: tuple[tuple[int, int], ...]
    """(bank, program), General MIDI first."""
    lowest: int
    highest: int
    stereo: float
    """How often its recording has two channels."""
    patch: str
    """Of the built-in synthesizer."""
    electronic: bool = False


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files(_PACKAGE).joinpath("instruments.toml").read_text("utf-8"))


@lru_cache(maxsize=1)
def melodic_sounds() -> Mapping[str, Sound]:
    """Instrument -> how it is played."""
    return {word: _sound(word, entry) for word, entry in _table()["melodic"].items()}


def _sound(word: str, entry: Mapping[str, Any]) -> Sound:
    presets = [(0, program) for program in entry.get("programs", ())]
    presets += [(bank, program) for bank, program in entry.get("variations", ())]
    low, high = entry["range"]
    return Sound(
        word, tuple(presets), low, high, entry["stereo"], entry["patch"], entry.get("electronic", False)
    )


@lru_cache(maxsize=1)
def _programs() -> Mapping[int, str]:
    own = {p: word for word, entry in _table()["melodic"].items() for p in entry.get("programs", ())}
    return {p: word for word, programs in _table()["other"].items() for p in programs} | own


def instrument_of_program(program: int) -> str:
    """The vocabulary's word for a General MIDI program (0 to 127); the most general that is sure."""
    return _programs()[program]


@lru_cache(maxsize=1)
def kit_keys() -> Mapping[str, tuple[int, ...]]:
    """Piece of the drum kit -> its keys in the General MIDI percussion map."""
    return {piece: tuple(keys) for piece, keys in _table()["kit"].items()}


@lru_cache(maxsize=1)
def percussion_keys() -> Mapping[str, tuple[int, ...]]:
    """Percussion instrument -> its keys in the General MIDI percussion map."""
    return {piece: tuple(keys) for piece, keys in _table()["percussion"].items()}


@lru_cache(maxsize=1)
def _pieces() -> Mapping[int, str]:
    both = (*kit_keys().items(), *percussion_keys().items())
    return {key: piece for piece, keys in both for key in keys}


def piece_of_key(key: int) -> str:
    """The vocabulary's word for a percussion key; 'percussion' for keys outside the map."""
    return _pieces().get(key, "percussion")

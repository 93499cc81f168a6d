"""Labels of published datasets in the words of the vocabulary; the tables are data, in labels.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

__all__ = ["Label", "label_table", "midi_program", "read_label"]

OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Label:
    """A dataset's word, and what it is called here."""

    word: str
    """As the dataset writes it."""
    instrument: str = OTHER
    mapped: bool = False
    """Whether the vocabulary has a word for it; else it is kept as ``other``."""


def read_label(table: str, word: str) -> Label:
    """What `word` of the dataset `table` is called here; a word that is not known is kept as ``other``."""
    instrument = label_table(table).get(_folded(word))
    return Label(word, instrument or OTHER, mapped=instrument is not None)


def midi_program(program: int, word: str) -> Label:
    """What a General MIDI program (0 to 127; 128: drums) is called here."""
    for first, last, instrument in _tables()["general-midi"]["programs"]:
        if first <= program <= last:
            return Label(word, instrument, mapped=True)
    return Label(word)


@lru_cache
def label_table(name: str) -> Mapping[str, str]:
    """Folded label -> instrument, with what the table takes over from another."""
    own = dict(_tables()[name])
    base = own.pop("same_as", None)
    return {**(label_table(base) if base else {}), **{_folded(word): own[word] for word in own}}


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Any]:
    text = resources.files("tonmeister.datasets").joinpath("labels.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _folded(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("-", " ").split())

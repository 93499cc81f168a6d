"""From a file name to its words: the places where people part words, and one spelling for each."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from tonmeister.audio import AUDIO_SUFFIXES

__all__ = ["Word", "clean_stem", "fold", "split_words", "without_number"]

_LEADING_NUMBER = re.compile(r"^(\d{1,3})[_ .\-]+(?=\S)")
_TWELVE_STRING = re.compile(r"^12[_ .\-]+str(?:ing)?(?![a-z])", re.IGNORECASE)
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "’": "'"})
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f"}
"""Invisible characters that emoji are built with."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a name: as written, as compared, and where it stands."""

    text: str
    key: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.key.isdigit()


def fold(text: str) -> str:
    """The spelling under which words are compared: no case, no accents on Latin letters, letters and digits only.

    Accents on other scripts are letters of their own: й stays й.
    """
    if text.isascii():
        return "".join(c for c in text.casefold() if c.isalnum())
    parts = []
    for character in unicodedata.normalize("NFC", text).casefold().translate(_LIGATURES):
        base = unicodedata.normalize("NFD", character)[0]
        parts.append(base if "LATIN" in unicodedata.name(base, "") else character)
    return "".join(c for c in parts if c.isalnum())


def clean_stem(name: str) -> str:
    """The name without audio suffix and invisible characters, NFC-normalized."""
    text = unicodedata.normalize("NFC", name)
    text = "".join(c for c in text if c in _JOINERS or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    for suffix in (".stem", *sorted(AUDIO_SUFFIXES)):
        if text.casefold().endswith(suffix):
            shorter = text[: -len(suffix)]
            return shorter.removesuffix(".stem") or text
    return text


def without_number(stem: str, keep: tuple[str, ...] = ()) -> str:
    """The stem without its leading track number, unless the number is a name itself (808, 12 string)."""
    match = _LEADING_NUMBER.match(stem)
    if match is None or match[1] in keep or _TWELVE_STRING.match(stem):
        return stem
    return stem[match.end() :]


def split_words(stem: str) -> list[Word]:
    """Words of a stem: parted at punctuation, spaces, CamelCase borders and letter/digit borders."""
    borders = _borders(stem)
    words = []
    for start, end in pairwise(borders):
        text = stem[start:end]
        if (key := fold(text)) and not _is_elision(stem, start, key):
            words.append(Word(text, key, start, end))
    return words


def _is_elision(stem: str, start: int, key: str) -> bool:
    """Whether the letters are the rest of an English contraction or genitive ("Don't", "Anna's")."""
    return key in ("s", "t", "ll", "re", "ve") and stem[max(start - 1, 0)] in "'’"


def _borders(text: str) -> list[int]:
    inner = [i for i in range(1, len(text)) if _is_border(text, i)]
    return [0, *inner, len(text)]


def _is_border(text: str, index: int) -> bool:
    """Whether a word ends before `index`; in "OHSnare" the border stands before the "Sn"."""
    before, here = text[index - 1], text[index]
    if _sort(before) != _sort(here):
        return True
    if before.islower() and here.isupper():
        return True
    follows = text[index + 1] if index + 1 < len(text) else ""
    return before.isupper() and here.isupper() and follows.islower()


def _sort(character: str) -> str:
    if character.isdigit():
        return "digit"
    return "letter" if character.isalpha() or unicodedata.combining(character) else "other"

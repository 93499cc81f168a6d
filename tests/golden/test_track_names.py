"""Names of real sessions against what people say they are, beside the substring search that peers use."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from tonmeister.naming import identify_name
from tonmeister.vocabulary import INSTRUMENTS, KINDS, is_a

_DATA = tomllib.loads(Path(__file__).with_name("track_names.toml").read_text(encoding="utf-8"))

_SUBSTRINGS = {
    "kick": "kick", "snare": "snare", "tom": "tom", "hat": "hihat", "hh": "hihat", "crash": "crash", "ride": "ride",
    "cym": "cymbals", "oh": "overheads", "overhead": "overheads", "room": "room", "drum": "drums", "perc": "percussion",
    "shaker": "shaker", "tamb": "tambourine", "clap": "claps", "bass": "bass", "gtr": "guitar", "guit": "guitar",
    "piano": "piano", "keys": "keys", "organ": "organ", "rhodes": "electric_piano", "synth": "synth",
    "pad": "synth_pad", "vox": "voice", "voc": "voice", "lead": "lead_voice", "back": "backing_voice",
    "choir": "choir", "string": "strings", "violin": "violin", "cello": "cello", "sax": "saxophone", "trump": "trumpet",
    "brass": "brass", "flute": "flute", "fx": "sound_effect", "mix": "print", "master": "print", "click": "control",
    "verb": "return",
}  # fmt: skip


def _cases() -> Iterator[tuple[str, str]]:
    for labels in _DATA.values():
        for label, names in labels.items():
            yield from ((name, label) for name in names)


def _is_right(name: str, label: str) -> bool:
    guess = identify_name(name)
    if label == "nothing":
        return guess.label == ""
    if label in KINDS:
        return guess.kind == label
    return guess.kind == "source" and bool(guess.label) and is_a(guess.instrument, label)


def _substring_is_right(name: str, label: str) -> bool:
    found = next((word for part, word in _SUBSTRINGS.items() if part in name.casefold()), "nothing")
    if label in ("nothing", *KINDS) or found in ("nothing", *KINDS):
        return found == label
    return is_a(found, label)


def test_the_list_is_long_and_speaks_the_vocabulary() -> None:
    cases = list(_cases())
    assert len(cases) >= 150
    assert {label for _, label in cases} <= {*INSTRUMENTS, *KINDS, "nothing"}


def test_names_are_recognized_far_better_than_by_substrings() -> None:
    cases = list(_cases())
    wrong = [
        (name, label, identify_name(name).instrument) for name, label in cases if not _is_right(name, label)
    ]
    accuracy = 1 - len(wrong) / len(cases)
    baseline = sum(_substring_is_right(name, label) for name, label in cases) / len(cases)
    assert accuracy >= 0.95, wrong
    assert accuracy > baseline + 0.2, (accuracy, baseline)

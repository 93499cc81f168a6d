"""Names of real sessions against what people say they are, beside the substring search that peers use."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tonmeister.naming import identify_name
from tonmeister.vocabulary import INSTRUMENTS, KINDS, is_a

_HERE = Path(__file__).parent
_LISTS = ("track_names.toml", "track_names_unseen.toml")
"""Names at hand when the words were collected, and names that never changed them."""
_PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "identification.md"

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


Matcher = Callable[[str], str]
"""From a name to a word: an instrument, a kind, or "nothing"."""


def _tokens(name: str) -> str:
    guess = identify_name(name)
    if not guess.label:
        return "nothing"
    return guess.instrument if guess.kind == "source" else guess.kind


def _substrings(name: str) -> str:
    return next((word for part, word in _SUBSTRINGS.items() if part in name.casefold()), "nothing")


def _cases(file: str) -> list[tuple[str, str]]:
    data = tomllib.loads((_HERE / file).read_text(encoding="utf-8"))
    return [(name, label) for labels in data.values() for label, names in labels.items() for name in names]


def _is_right(found: str, label: str) -> bool:
    plain = ("nothing", *KINDS)
    return found == label if label in plain or found in plain else is_a(found, label)


@dataclass(frozen=True)
class Figures:
    """Shares of names that mean something: labelled, rightly, wrongly; and of names that mean nothing."""

    coverage: float
    right: float
    wrong: float
    invented: float
    """Share of names that mean nothing and got a label."""


def figures(file: str, matcher: Matcher) -> Figures:
    cases = _cases(file)
    telling = [(matcher(name), label) for name, label in cases if label != "nothing"]
    empty = [matcher(name) for name, label in cases if label == "nothing"]
    labelled = [found != "nothing" for found, _ in telling]
    right = [_is_right(found, label) for found, label in telling]
    coverage, share = sum(labelled) / len(telling), sum(right) / len(telling)
    return Figures(coverage, share, coverage - share, sum(found != "nothing" for found in empty) / len(empty))


def test_the_lists_are_long_and_speak_the_vocabulary() -> None:
    cases = [case for file in _LISTS for case in _cases(file)]
    assert len({name for name, _ in cases}) >= 600
    assert len(_cases(_LISTS[1])) >= 200
    assert {label for _, label in cases} <= {*INSTRUMENTS, *KINDS, "nothing"}
    seen, unseen = ({name for name, _ in _cases(file)} for file in _LISTS)
    assert len(seen & unseen) <= 5


@pytest.mark.parametrize("file", _LISTS)
def test_names_are_recognized_far_better_than_by_substrings(file: str) -> None:
    ours, peers = figures(file, _tokens), figures(file, _substrings)
    wrong = [
        (name, label, _tokens(name)) for name, label in _cases(file) if not _is_right(_tokens(name), label)
    ]
    assert ours.right >= 0.95, wrong
    assert ours.coverage >= 0.98
    assert ours.wrong <= 0.03, wrong
    assert ours.invented == 0.0, wrong
    assert ours.right > peers.right + 0.25
    assert ours.coverage > peers.coverage + 0.15
    assert peers.wrong > 3 * ours.wrong


@pytest.mark.parametrize("file", _LISTS)
@pytest.mark.parametrize(("row", "matcher"), [("words", _tokens), ("substrings", _substrings)])
def test_the_documented_figures_are_those_measured(file: str, row: str, matcher: Matcher) -> None:
    found = figures(file, matcher)
    cells = " | ".join(f"{value:.1%}" for value in (found.coverage, found.right, found.wrong, found.invented))
    title = "seen" if file == _LISTS[0] else "unseen"
    assert f"| {row}, {title} | {len(_cases(file))} | {cells} |" in _PAGE.read_text("utf-8")

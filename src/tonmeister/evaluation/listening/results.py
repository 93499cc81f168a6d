"""What the answers say: means with intervals, paired tests, effect sizes, agreement among listeners.

A page is one listener's rating of all versions of one song. Listeners use scales differently and songs differ, so
the mean over the versions that every song has is taken off each page before anything is averaged (centering).

What counts as one independent observation (`blocks`) is either every page, as in most published tests, or every
listener, the mean over the pages of one; pages of one listener resemble each other, so the latter is stricter.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.evaluation.listening.answers import Answers, Rating
from tonmeister.evaluation.listening.key import TestKey
from tonmeister.evaluation.listening.statistics import (
    Friedman,
    friedman,
    holm,
    kendall_w,
    mean_interval,
    signed_rank,
)
from tonmeister.units import DoubleArray

__all__ = [
    "BLOCKS",
    "Agreement",
    "Blocks",
    "ConditionResult",
    "CriterionResult",
    "ListeningResult",
    "PairResult",
    "judge",
]

Blocks = Literal["pages", "listeners"]
BLOCKS: Final[tuple[Blocks, ...]] = ("pages", "listeners")
_SIGNIFICANT: Final = 0.05

Page = tuple[str, str]
"""(listener, song)."""


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """One engine, or the person's mix, under one criterion."""

    name: str
    mean: float
    """Of the scores as given, 0 to 100."""
    centered_mean: float
    """Points above (or below) the mean of its page."""
    interval: tuple[float, float] | None
    """95 % interval of `centered_mean`."""
    median: float
    ratings: int


@dataclass(frozen=True, slots=True)
class PairResult:
    """Two conditions compared on the same pages; positive means that the first is rated higher."""

    first: str
    second: str
    mean_difference: float
    median_difference: float
    rank_biserial: float
    p: float
    p_holm: float
    blocks: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's W among listeners: 1 when all order the versions alike; None with one listener."""

    overall: float | None
    by_song: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """Everything about one criterion."""

    criterion: str
    conditions: tuple[ConditionResult, ...]
    """Best first."""
    friedman: Friedman | None
    pairs: tuple[PairResult, ...]
    agreement: Agreement
    blocks: int
    by_listener: Mapping[str, Mapping[str, float]]
    """Listener -> condition -> mean of the centered scores."""
    common: tuple[str, ...] = ()
    """Conditions that every song has."""


@dataclass(frozen=True, slots=True)
class ListeningResult:
    """A whole test."""

    test: str
    blocks: Blocks
    listeners: int
    songs: int
    criteria: tuple[CriterionResult, ...]
    comments: tuple[tuple[str, str, str], ...]
    """(song title, criterion, remark)."""
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "test": self.test,
            "blocks": self.blocks,
            "listeners": self.listeners,
            "songs": self.songs,
            "criteria": {c.criterion: _criterion_to_dict(c) for c in self.criteria},
            "comments": [dict(zip(("song", "criterion", "text"), c, strict=True)) for c in self.comments],
            "notes": list(self.notes),
        }


def _criterion_to_dict(result: CriterionResult) -> dict[str, Any]:
    return {
        "conditions": {
            c.name: {k: v for k, v in asdict(c).items() if k != "name"} for c in result.conditions
        },
        "friedman": asdict(result.friedman) if result.friedman else None,
        "pairs": [asdict(pair) for pair in result.pairs],
        "agreement_w": result.agreement.overall,
        "agreement_w_by_song": dict(result.agreement.by_song),
        "blocks": result.blocks,
        "by_listener": {name: dict(means) for name, means in result.by_listener.items()},
    }


def judge(answers: Answers, key: TestKey, *, blocks: Blocks = "pages") -> ListeningResult:
    """Everything the answers say; raises `BadInputError` when no two versions were rated together."""
    listeners = tuple(dict.fromkeys(r.listener for r in answers.ratings))
    songs = tuple(dict.fromkeys(r.song for r in answers.ratings))
    found = tuple(
        _judged(name, rated, key, blocks)
        for name in key.criteria
        if (rated := [r for r in answers.ratings if r.criterion == name])
    )
    notes = (*answers.notes, *_cautions(found, len(listeners), len(songs), blocks))
    return ListeningResult(
        key.test, blocks, len(listeners), len(songs), found, _comments(answers.ratings, key), notes
    )


def _judged(name: str, ratings: Sequence[Rating], key: TestKey, blocks: Blocks) -> CriterionResult:
    raw: dict[Page, dict[str, float]] = {}
    for rating in ratings:
        raw.setdefault((rating.listener, rating.song), {})[rating.engine] = rating.score
    common = _common({page[1] for page in raw}, key)
    pages = {page: centered for page, scores in raw.items() if (centered := _centered(scores, common))}
    if not pages:
        raise BadInputError(f"{name}: no page has two versions that every song has: nothing can be compared")
    by_listener = _by_listener(pages)
    table = _complete(by_listener.values() if blocks == "listeners" else pages.values(), common)
    return CriterionResult(
        criterion=name,
        conditions=_conditions(raw, pages, blocks),
        friedman=friedman(table) if len(table) > 1 and len(common) > 2 else None,
        pairs=_pairs(pages, blocks),
        agreement=_agreement(raw, by_listener, common, key),
        blocks=len(by_listener) if blocks == "listeners" else len(pages),
        by_listener=by_listener,
        common=common,
    )


def _common(songs: set[str], key: TestKey) -> tuple[str, ...]:
    """The conditions that every rated song has."""
    there = [{key.conditions[v].engine for v in key.versions(song)} for song in songs]
    return tuple(name for name in key.engines() if all(name in engines for engines in there))


def _centered(scores: Mapping[str, float], common: Sequence[str]) -> dict[str, float]:
    """Scores of one page less the mean over the common conditions; nothing when fewer than two are there."""
    known = [scores[name] for name in common if name in scores]
    if len(known) < 2:
        return {}
    mean = float(np.mean(known))
    return {name: score - mean for name, score in scores.items()}


def _by_listener(pages: Mapping[Page, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean of the centered scores over each listener's pages."""
    gathered: dict[str, dict[str, list[float]]] = {}
    for (listener, _), scores in pages.items():
        for name, score in scores.items():
            gathered.setdefault(listener, {}).setdefault(name, []).append(score)
    return {
        listener: {name: float(np.mean(values)) for name, values in scores.items()}
        for listener, scores in gathered.items()
    }


def _complete(rows: Any, common: Sequence[str]) -> DoubleArray:
    """The rows that have all common conditions; shape (rows, conditions)."""
    full = [[row[name] for name in common] for row in rows if all(name in row for name in common)]
    return np.array(full, np.float64).reshape(len(full), len(common))


def _conditions(
    raw: Mapping[Page, Mapping[str, float]], pages: Mapping[Page, Mapping[str, float]], blocks: Blocks
) -> tuple[ConditionResult, ...]:
    names = dict.fromkeys(name for scores in pages.values() for name in scores)
    found = []
    for name in names:
        given = np.array([scores[name] for scores in raw.values() if name in scores])
        values = _observed({page: s[name] for page, s in pages.items() if name in s}, blocks)
        found.append(
            ConditionResult(
                name,
                float(given.mean()),
                float(values.mean()),
                mean_interval(values),
                float(np.median(given)),
                len(given),
            )
        )
    return tuple(sorted(found, key=lambda c: -c.centered_mean))


def _observed(values: Mapping[Page, float], blocks: Blocks) -> DoubleArray:
    """One number per block."""
    if blocks == "pages":
        return np.array(list(values.values()))
    listeners = dict.fromkeys(page[0] for page in values)
    return np.array([np.mean([v for page, v in values.items() if page[0] == who]) for who in listeners])


def _pairs(pages: Mapping[Page, Mapping[str, float]], blocks: Blocks) -> tuple[PairResult, ...]:
    """Every pair of conditions on the pages that have both; the p values corrected together."""
    names = sorted(dict.fromkeys(name for scores in pages.values() for name in scores))
    found = []
    for first, second in itertools.combinations(names, 2):
        both = {page: s[first] - s[second] for page, s in pages.items() if first in s and second in s}
        if both:
            values = np.round(_observed(both, blocks), 9)  # equal differences stay ties after centering
            test = signed_rank(values, np.zeros_like(values))
            found.append((first, second, float(values.mean()), test, len(values)))
    corrected = holm([test.p for *_, test, _ in found])
    return tuple(
        PairResult(first, second, mean, test.median_difference, test.rank_biserial, test.p, p_holm, count)
        for (first, second, mean, test, count), p_holm in zip(found, corrected, strict=True)
    )


def _agreement(
    raw: Mapping[Page, Mapping[str, float]],
    by_listener: Mapping[str, Mapping[str, float]],
    common: Sequence[str],
    key: TestKey,
) -> Agreement:
    """Among listeners: on their means over songs, and song by song."""
    by_song = {}
    for song in dict.fromkeys(page[1] for page in raw):
        engines = [key.conditions[v].engine for v in key.versions(song)]
        rows = [scores for page, scores in raw.items() if page[1] == song]
        by_song[key.songs[song].title] = kendall_w(_complete(rows, engines))
    return Agreement(kendall_w(np.round(_complete(by_listener.values(), common), 9)), by_song)


def _cautions(found: Sequence[CriterionResult], listeners: int, songs: int, blocks: Blocks) -> list[str]:
    notes = []
    if listeners == 1:
        notes.append(
            "one listener: intervals and tests are over songs and say nothing about other people; there is no "
            "agreement to measure"
        )
    elif blocks == "pages" and songs > 1:
        notes.append(
            "every page counts as one observation, though pages of one listener resemble each other: "
            "--blocks listeners is stricter"
        )
    for result in found:
        counted = result.friedman.conditions if result.friedman else len(result.conditions)
        if counted < len(result.conditions):
            some = ", ".join(c.name for c in result.conditions if c.name not in result.common)
            notes.append(f"{result.criterion}: {some}: not on every song, so left out of the Friedman test")
        lowest = 2.0 ** (1 - result.blocks) * len(result.pairs)
        if lowest > _SIGNIFICANT:
            notes.append(
                f"{result.criterion}: with {result.blocks} {blocks} no pair can reach p < {_SIGNIFICANT:g} after "
                "Holm's correction: ask more listeners"
            )
    return notes


def _comments(ratings: Sequence[Rating], key: TestKey) -> tuple[tuple[str, str, str], ...]:
    """Every remark once for its page, without the listener's name."""
    said = dict.fromkeys((r.listener, r.song, r.criterion, r.comment) for r in ratings if r.comment)
    return tuple((key.songs[song].title, criterion, text) for _, song, criterion, text in said)

"""The answers of listeners: CSV files of the page or of webMUSHRA, checked against the key of the test."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.evaluation.listening.key import TestKey
from tonmeister.units import Range

__all__ = ["COLUMNS", "SCORE", "Answers", "Rating", "read_answers", "trial_id"]

COLUMNS: Final = (
    "test", "listener", "seed", "page", "song", "criterion", "position", "condition", "score", "plays",
    "heard_s", "page_s", "started_at", "finished_at", "level_db", "comment",
)  # fmt: skip
"""What the page saves: a row for each version on each finished page."""
SCORE: Final = Range(0.0, 100.0)
_NEEDED: Final = ("test", "listener", "seed", "song", "criterion", "condition", "score")
_WEBMUSHRA: Final = ("session_test_id", "trial_id", "rating_stimulus", "rating_score")
_REFERENCE: Final = "reference"
_LONGEST_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Rating:
    """One score that one listener gave one version of one song."""

    listener: str
    song: str
    criterion: str
    engine: str
    score: float
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """All ratings, and what was noticed on reading them."""

    ratings: tuple[Rating, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """A row before the key has been asked; `where` names file and line."""

    where: str
    test: str
    listener: str
    song: str
    criterion: str
    condition: str
    score: str
    comment: str


def trial_id(song: str, criterion: str) -> str:
    """How webMUSHRA's results name a page of the test."""
    return f"{song}-{criterion.casefold().replace(' ', '-')}"


def read_answers(paths: Sequence[Path], key: TestKey) -> Answers:
    """Read and check files of answers.

    The same answer in two files counts once. Raises `BadInputError`, naming file and line, for files that are no
    answers or of another test, unknown conditions, scores outside of 0 to 100, two answers to one question.
    """
    ratings: dict[tuple[str, str, str, str], Rating] = {}
    again = 0
    for path in paths:
        for row in _rows(Path(path), key):
            rating = _rating(row, key)
            place = (rating.listener, rating.song, rating.criterion, rating.engine)
            if (before := ratings.get(place)) is not None:
                if before.score != rating.score:
                    raise BadInputError(
                        f"{row.where}: {rating.listener!r} rated {row.condition!r} twice, {before.score:g} and "
                        f"{rating.score:g}: keep one, or give two listeners two names"
                    )
                again += 1
            ratings[place] = rating
    if not ratings:
        raise BadInputError("the files hold no ratings: give the CSV files that listeners saved")
    notes = (f"{again} ratings were there twice and count once",) if again else ()
    return Answers(tuple(ratings.values()), (*notes, *_gaps(tuple(ratings.values()), key)))


def _rows(path: Path, key: TestKey) -> Iterator[_Row]:
    """The rows of one file, whatever wrote it."""
    text = _text(path)
    first = text.partition("\n")[0]
    delimiter = next((d for d in (",", ";", "\t") if d in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        kind = _header(path, header)
        for cells in reader:
            where = f"{path}: line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise BadInputError(
                    f"{where}: has {len(cells)} cells in place of {len(header)}: save it again"
                )
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            yield kind(where, row, key)
    except csv.Error as error:
        raise BadInputError(f"{path}: line {reader.line_num}: is no CSV ({error}): save it again") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            raise BadInputError(f"{path}: is too large for answers: give the CSV file that a listener saved")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}): give a CSV file") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is no text in UTF-8: give the CSV file that a listener saved") from None


class _OwnRow:
    """Reads a row that the page saved."""

    def __call__(self, where: str, row: Mapping[str, str], key: TestKey) -> _Row:
        listener = f"{row['listener']} ({row['seed']})"
        return _Row(
            where, row["test"], listener, row["song"], row["criterion"], row["condition"], row["score"],
            row.get("comment", ""),
        )  # fmt: skip


class _WebmushraRow:
    """Reads a row that webMUSHRA wrote; what stands between test and trial names the listener."""

    def __init__(self, header: Sequence[str]) -> None:
        known = (*_WEBMUSHRA, "rating_time", "rating_comment")
        self._who = [name for name in header if name not in known]

    def __call__(self, where: str, row: Mapping[str, str], key: TestKey) -> _Row:
        trials = {trial_id(s, c): (s, c) for s in key.songs for c in key.criteria}
        if row["trial_id"] not in trials:
            raise BadInputError(
                f"{where}: trial_id={row['trial_id']!r} is not of this test: give the key it was made with"
            )
        song, criterion = trials[row["trial_id"]]
        condition = row["rating_stimulus"]
        if condition == _REFERENCE:
            condition = reference_of(key, song)
        who = "/".join(row[name] for name in self._who) or "webMUSHRA"
        return _Row(
            where, row["session_test_id"], who, song, criterion, condition, row["rating_score"],
            row.get("rating_comment", ""),
        )  # fmt: skip


def reference_of(key: TestKey, song: str) -> str:
    """The version of a song that webMUSHRA, which cannot do without, shows as its reference: the plain sum."""
    return next(name for name in key.versions(song) if key.conditions[name].engine == "sum")


def _header(path: Path, header: Sequence[str]) -> _OwnRow | _WebmushraRow:
    if len(set(header)) < len(header):
        raise BadInputError(f"{path}: the first line names a column twice: give the CSV file as it was saved")
    if set(_WEBMUSHRA) <= set(header):
        return _WebmushraRow(header)
    if missing := [name for name in _NEEDED if name not in header]:
        raise BadInputError(
            f"{path}: has no column {missing[0]!r}: give the CSV file that a listener saved, or mushra.csv of webMUSHRA"
        )
    return _OwnRow()


def _rating(row: _Row, key: TestKey) -> Rating:
    if row.test != key.test:
        raise BadInputError(
            f"{row.where}: is of the test {row.test!r}, and the key of {key.test!r}: give its own key"
        )
    if row.condition not in key.conditions:
        raise BadInputError(
            f"{row.where}: condition={row.condition!r} is not in the key{nearest(row.condition, list(key.conditions))}: "
            "give the key the test was made with"
        )
    condition = key.conditions[row.condition]
    if row.song != condition.song:
        raise BadInputError(
            f"{row.where}: condition={row.condition!r} is of the song {condition.song!r}, not {row.song!r}: "
            "give the CSV file as it was saved"
        )
    if row.criterion not in key.criteria:
        raise BadInputError(
            f"{row.where}: criterion={row.criterion!r} was not asked: it can be {', '.join(key.criteria)}"
        )
    if not row.listener.strip():
        raise BadInputError(f"{row.where}: names no listener: fill in the column")
    score = _score(row)
    return Rating(row.listener, row.song, row.criterion, condition.engine, score, row.comment)


def _score(row: _Row) -> float:
    try:
        score = float(row.score)
    except ValueError:
        score = math.nan
    if not math.isfinite(score) or score not in SCORE:
        raise BadInputError(
            f"{row.where}: score={row.score!r} is no number from {SCORE}: correct it or leave the row out"
        )
    return score


def _gaps(ratings: Sequence[Rating], key: TestKey) -> list[str]:
    """Pages on which some versions were not rated."""
    pages: dict[tuple[str, str, str], set[str]] = {}
    for rating in ratings:
        pages.setdefault((rating.listener, rating.song, rating.criterion), set()).add(rating.engine)
    short = sum(len(found) < len(key.versions(page[1])) for page, found in pages.items())
    listeners = len({rating.listener for rating in ratings})
    missing = listeners * len(key.songs) * len(key.criteria) - len(pages)
    notes = [f"{short} pages are rated in part: what is missing is left out"] if short else []
    return notes + ([f"{missing} pages were not rated at all: left out"] if missing else [])

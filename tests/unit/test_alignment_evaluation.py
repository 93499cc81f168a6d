"""Timing errors: known errors, missing events, file forms, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from makers_mixes import rises
from tonmeister.errors import BadInputError
from tonmeister.evaluation.alignment import evaluate_alignment, read_times, score_alignment
from tonmeister.evaluation.pages import alignment_page


def events(*times: float) -> list[tuple[str | None, float]]:
    return [(str(k), t) for k, t in enumerate(times)]


def test_perfect() -> None:
    result = score_alignment(events(1, 2, 3), events(1, 2, 3))
    assert (result.median_ms, result.p95_ms, result.missing) == (0.0, 0.0, 0)
    assert set(result.within.values()) == {1.0}


def test_known_errors() -> None:
    result = score_alignment(events(1, 2, 3, 4), events(1.01, 1.97, 3.06, 4.2))
    assert result.median_ms == pytest.approx(45.0)
    assert result.bias_ms == pytest.approx(35.0)
    assert result.max_ms == pytest.approx(200.0)
    assert result.p95_ms == pytest.approx(np.percentile([10, 30, 60, 200], 95))
    assert result.within == {25.0: 0.25, 50.0: 0.5, 100.0: 0.75}


def test_a_limit_belongs_to_what_is_within() -> None:
    assert score_alignment(events(1.0), events(1.025)).within[25.0] == 1.0


def test_missing_events_count_as_not_within() -> None:
    result = score_alignment(events(1, 2, 3, 4), events(1, 2))
    assert result.missing == 2
    assert result.within[25.0] == 0.5
    assert result.median_ms == 0.0
    nothing = score_alignment(events(1, 2), [("x", 1.0)])
    assert (nothing.missing, nothing.extra, nothing.median_ms) == (2, 1, None)
    json.dumps(nothing.to_dict(), allow_nan=False)
    assert alignment_page(nothing).sections


def test_monotone_in_the_delay() -> None:
    reference = events(*range(20))
    errors = [score_alignment(reference, [(n, t + d) for n, t in reference]) for d in (0, 0.01, 0.03, 0.2)]
    assert rises([e.median_ms or 0.0 for e in errors])
    assert rises([e.p95_ms or 0.0 for e in errors])
    assert [e.within[25.0] for e in errors] == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "# comment\n0 1.5\n1 2.5\n"),
        ("a.csv", "beat,time_s\n0,1.5\n1.0,2.5\n"),
        ("a.tsv", "0\t1.5\n1\t2.5\n"),
        ("a.csv", "0;1.5\n1;2.5\n"),
        ("a.json", "[[0, 1.5], [1, 2.5]]"),
        ("a.json", '{"0": 1.5, "1": 2.5}'),
        ("a.json", '{"events": [[0, 1.5], [1.0, 2.5]]}'),
    ],
)
def test_forms_of_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_times(tmp_path / name) == [("0.0", 1.5), ("1.0", 2.5)]


def test_plain_times_are_matched_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1.0\n2.0\n")
    (tmp_path / "b.json").write_text("[1.05, 2.05]")
    assert evaluate_alignment(tmp_path / "a.txt", tmp_path / "b.json").median_ms == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.txt", "", "holds no times"),
        ("a.txt", "1 2 3\n", "3 columns"),
        ("a.txt", "1\nlate\n", "line 2 is no time"),
        ("a.txt", "1 2\n1.0 3\n", "twice"),
        ("a.json", "{", "is not JSON"),
        ("a.json", '"late"', "neither a list"),
        ("a.json", "[1, null]", "entry 2 is no time"),
        ("a.txt", "nan\n1\ninf\n", "line 3 is no time"),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInputError, match=why) as caught:
        read_times(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_unequal_counts_without_names_are_refused() -> None:
    with pytest.raises(BadInputError, match="give two columns"):
        score_alignment([(None, 1.0), (None, 2.0)], [(None, 1.0)])

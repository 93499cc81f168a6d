"""The expression language of rules: what it computes, and what it refuses."""

from __future__ import annotations

import pytest

from tonmeister.engines.textbook.expressions import MAXIMUM_DEPTH, Unknown, parse
from tonmeister.errors import BadInputError

NAMES = ("track.peak_db", "track.rms_db", "track.centroid_hz", "track.width", "song.beat_s")
VALUES = {"track.peak_db": -3.0, "track.rms_db": -20.0, "track.centroid_hz": 500.0, "track.width": 0.0}


def value(text: str) -> object:
    return parse(text, NAMES).evaluate(VALUES.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.6", 4.6),
        (".5e1", 5.0),
        ("track.peak_db - 12.5", -15.5),
        ("-track.rms_db", 20.0),
        ("2 * 3 + 4 / 2", 8.0),
        ("2 - 3 - 4", -5.0),
        ("8 / 2 / 2", 2.0),
        ("-(1 + 2) * 3", -9.0),
        ("min(3, 1, 2)", 1.0),
        ("max(track.peak_db, track.rms_db)", -3.0),
        ("clamp(7, 0, 5)", 5.0),
        ("abs(track.rms_db)", 20.0),
        ("(track.peak_db - track.rms_db) / 17 * 2", 2.0),
        ("track.peak_db / track.rms_db", 0.15),
    ],
)
def test_arithmetic(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("track.peak_db > -6", True),
        ("track.peak_db > -6 and track.centroid_hz < 100", False),
        ("track.peak_db > -6 or track.centroid_hz < 100", True),
        ("not track.peak_db > -6", False),
        ("not (1 < 2 and 2 < 1)", True),
        ("1 > 2 and 1 > 2 or 1 < 2", True),
        ("3 == 3", True),
        ("3 != 3", False),
    ],
)
def test_logic(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("song.beat_s > 1", None),
        ("not song.beat_s > 1", None),
        ("song.beat_s > 1 and 1 > 2", False),
        ("1 > 2 and song.beat_s > 1", False),
        ("song.beat_s > 1 or 1 < 2", True),
        ("song.beat_s > 1 or 1 > 2", None),
        ("song.beat_s > 1 and 1 < 2", None),
        ("song.beat_s * 3", None),
    ],
)
def test_what_was_not_measured_is_neither_true_nor_false(text: str, expected: bool | None) -> None:
    found = value(text)
    if expected is None:
        assert found == Unknown(frozenset({"song.beat_s"}))
    else:
        assert found is expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("track.peak_db + track.centroid_hz", "one unit"),
        ("track.peak_db > track.centroid_hz", "one unit"),
        ("min(track.peak_db, track.width)", "one unit"),
        ("track.peak_db * track.rms_db", "no unit"),
        ("1 / track.centroid_hz", "no unit"),
        ("track.loudness > 1", "there is no name"),
        ("track.peakdb", "did you mean 'track.peak_db'"),
        ("track.peak_db.__class__", "there is no name"),
        ("__import__", "there is no name"),
        ("open(1)", "there is no function"),
        ("track.peak_db(1)", "there is no function"),
        ("track.peak_db[0]", "not part of the language"),
        ("'text'", "not part of the language"),
        ("1 if 2", "not expected"),
        ("1 2", "not expected"),
        ("1 +", "ends too early"),
        ("", "ends too early"),
        ("(1", "')' is missing"),
        ("clamp(1, 2)", "takes 3"),
        ("1 / 0", "divides by zero"),
        ("1 and 2", "joins tests"),
        ("not 1", "joins tests"),
        ("(1 < 2) + 1", "works on numbers"),
        ("1 < 2 < 3", "not expected"),
        ("1e999", "too large"),
        ("lambda: 1", "not part of the language"),
        ("1; 2", "not part of the language"),
        ("2 ** 3", "not expected"),
    ],
)
def test_mistakes_are_named_when_the_rule_is_loaded(text: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says.replace("(", r"\(").replace(")", r"\)")):
        parse(text, NAMES)


def test_division_by_a_measured_zero_is_named() -> None:
    with pytest.raises(BadInputError, match="divides by zero"):
        value("1 / track.width")


def test_a_result_that_is_not_finite_is_named() -> None:
    with pytest.raises(BadInputError, match="not a finite number"):
        value("1e300 * 1e300")


@pytest.mark.parametrize("head", ["(", "-", "not ", "abs(", "clamp(1, 2, "])
def test_deep_nesting_is_refused(head: str) -> None:
    tail = ")" if head.endswith(("(", " ")) and "(" in head else ""
    inner = "1 < 2" if head == "not " else "1"
    with pytest.raises(BadInputError, match="nested deeper"):
        parse(head * (MAXIMUM_DEPTH + 1) + inner + tail * (MAXIMUM_DEPTH + 1), NAMES)


def test_long_text_is_refused() -> None:
    with pytest.raises(BadInputError, match="too long"):
        parse("1 + " * 200 + "1", NAMES)


def test_unit_and_names_are_known_without_values() -> None:
    expression = parse("max(track.peak_db - 12.5, track.rms_db)", NAMES)
    assert (expression.unit, expression.reads) == ("db", {"track.peak_db", "track.rms_db"})
    assert parse("track.centroid_hz / track.centroid_hz", NAMES).unit == ""

"""The shipped knowledge of the textbook engine: complete, sourced, in known words, and free of dead rules."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from tonmeister.engines.textbook.numbers import numbers
from tonmeister.engines.textbook.parameters import PARAMETERS
from tonmeister.engines.textbook.rules import EVIDENCE, STAGES, RuleSet, rule_table
from tonmeister.engines.textbook.words import EDITIONS, WORDS, band_of

FOLDER = files("tonmeister.engines.textbook")
RULES = RuleSet.shipped()
UNITS = {"LU", "LUFS", "dB", "ratio", "ms", "s", "Hz"}


def test_the_shipped_file_has_nothing_to_complain_about() -> None:
    assert RULES.check() == []


def test_it_holds_the_starter_set() -> None:
    assert len(RULES.rules) >= 60
    assert {rule.stage for rule in RULES.rules} == set(STAGES)


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_says_where_it_comes_from(rule) -> None:
    assert rule.source
    assert rule.evidence in EVIDENCE
    assert rule.comment.endswith(".")
    assert rule.id.startswith("textbook.")
    assert rule.tags["processor"] or rule.stage == "tags"


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_constants_lie_within_the_declared_ranges(rule) -> None:
    for action in rule.do:
        if action.verb == "set" and not action.amount.reads:
            assert action.amount.evaluate(lambda name: None) in PARAMETERS[action.target]


def test_what_later_studies_contradict_is_off() -> None:
    disputed = {rule.id for rule in RULES.rules if rule.disputed}
    assert disputed == {"textbook.reverb.loudness_old", "textbook.pan.wider_with_frequency"}


@pytest.mark.parametrize("name", sorted(numbers()))
def test_every_number_has_unit_source_grade_and_may_be_shipped(name: str) -> None:
    entry = numbers()[name]
    assert entry.unit in UNITS
    assert entry.source
    assert entry.evidence in EVIDENCE
    assert entry.use == "ship"


def test_every_charted_word_has_a_source_and_a_band() -> None:
    data = tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))
    assert data["meta"]["use"] == "ship"
    for bands in WORDS.values():
        for band in bands:
            assert 20 <= band.low_hz < band.high_hz <= 20000
            assert band.source
            assert band.evidence in EVIDENCE


def test_words_follow_an_author_or_the_median_of_all() -> None:
    assert (band_of("air", "Gibson").low_hz, band_of("air", "Gibson").high_hz) == (5000, 8000)
    assert (band_of("presence").low_hz, band_of("presence").high_hz) == (2000, 6000)
    assert band_of("presence").center_hz == pytest.approx(3464.1, abs=0.1)
    assert band_of("presence").q == pytest.approx(3464.1 / 4000, abs=1e-4)
    assert band_of("mud", "Gibson") == band_of("mud")
    assert set(EDITIONS) == {"median", "Coryat", "Gibson", "Izhaki", "White"}


def test_the_table_shows_every_rule() -> None:
    rows = rule_table()
    assert {row["rule"] for row in rows} == {rule.id for rule in RULES.rules}
    kick = next(row for row in rows if row["rule"] == "textbook.kick.comp")
    assert "compressor.threshold_db = track.peak_db - 12.5" in kick["does"]
    assert (kick["evidence"], kick["instrument"]) == ("R?", "kick")

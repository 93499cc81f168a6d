"""The shipped knowledge of the answer-set engine: complete, sourced, in known words."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

from tonmeister.engines.asp.checker import _JUDGES, _PRICERS
from tonmeister.engines.asp.knowledge import PROGRAM_FILES, kind_of, known_rules, role_of
from tonmeister.vocabulary import INSTRUMENTS, ROLES

FOLDER = files("tonmeister.engines.asp")
GRADES = {"P", "Pa", "C", "S", "M", "R"}
UNITS = {"dB", "LU", "Hz", "ms", "s", "ratio", "steps", "tracks", "bands", "beats"}
RULES = list(known_rules().values())


def test_it_is_at_least_as_rich_as_the_described_encoding() -> None:
    hard = {r.name for r in RULES if r.hard}
    assert {"lead_centered", "low_centered", "lead_on_top", "pair_opposite", "headroom", "apart"} <= hard
    assert {"balance", "masked_apart", "wanted_level", "wanted_place", "least_processing"} <= {
        r.name for r in RULES if not r.hard
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_means_and_where_it_comes_from(rule) -> None:
    assert rule.says.endswith(".")
    assert rule.source
    assert rule.evidence in GRADES
    assert rule.about in {"level", "pan", "depth", "equalization"}
    assert bool(rule.relax) == rule.hard
    if not rule.hard:
        assert rule.priority >= 1
        assert rule.cost >= 1


def test_rules_of_the_programs_comments_and_checker_are_the_same() -> None:
    text = "".join(FOLDER.joinpath(f).read_text("utf-8") for f in PROGRAM_FILES)
    switched = set(re.findall(r"active\((\w+)", text)) - {"R"}
    weighed = set(re.findall(r"weigh\((\w+)", text)) - {"R"}
    assert switched == {r.name for r in RULES if r.hard} == set(_JUDGES)
    assert weighed == {r.name for r in RULES if not r.hard} == set(_PRICERS)
    assert text.count("%% says:") == len(RULES)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_every_instrument_has_a_level_a_place_and_a_depth(instrument: str) -> None:
    kind = kind_of(instrument)
    assert kind.place_source
    assert kind.depth_source
    assert 0 <= kind.depth <= 10
    assert kind.at is not None or 0 < kind.width <= 8
    for role in ROLES:
        assert role_of(instrument, role) in ROLES


def entries(name: str) -> list[dict[str, object]]:
    data = tomllib.loads(FOLDER.joinpath(name).read_text("utf-8"))
    return [row for table, rows in data.items() if table != "meta" for row in rows]


@pytest.mark.parametrize("name", ["numbers.toml", "classes.toml"])
def test_every_number_has_source_grade_and_leave_to_ship(name: str) -> None:
    for entry in entries(name):
        assert entry["source"]
        assert entry["evidence"] in GRADES
        assert entry["use"] == "ship"
        if "unit" in entry:
            assert entry["unit"] in UNITS


def test_classes_are_words_of_the_vocabulary() -> None:
    beside = {*ROLES, "lead voice", "whole kit"}
    words = {word for entry in entries("classes.toml") for word in entry["classes"]}  # type: ignore[union-attr]
    assert words - beside <= set(INSTRUMENTS)


def test_numbers_have_names_of_their_own() -> None:
    names = [entry["id"] for entry in entries("numbers.toml")]
    assert len(set(names)) == len(names)
    code = "".join(p.read_text("utf-8") for p in FOLDER.iterdir() if p.name.endswith(".py"))
    assert [n for n in names if f'"{n}"' not in code and f"'{n}'" not in code] == []

"""Laws of the answer-set engine, held against a checker that knows no solver and against plain enumeration."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("clingo")

from makers_asp import random_song
from makers_features import song, track
from tonmeister.engines.asp.checker import check, costs, off_the_scales, standing_of
from tonmeister.engines.asp.contests import Contest
from tonmeister.engines.asp.facts import Facts, Pin, facts_of
from tonmeister.engines.asp.knowledge import known_rules
from tonmeister.engines.asp.program import Answer
from tonmeister.engines.asp.solve import Limits, solve

QUICK = Limits(conflicts=3000, seconds=60.0)
seeds = st.integers(0, 10**6)


def broken(facts: Facts, answer: Answer) -> list[str]:
    findings = check(facts, standing_of(answer))
    return [f"{f.rule.name}: {f.details}" for f in findings if f.rule.hard and f.holds is False]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=seeds, count=st.integers(1, 20), lead=st.booleans())
def test_every_answer_obeys_every_hard_rule_and_costs_what_the_solver_says(
    seed: int, count: int, lead: bool
) -> None:
    facts = facts_of(*random_song(seed, count, lead=lead))
    solution = solve(facts, limits=QUICK)
    assert broken(facts, solution.answer) == []
    assert off_the_scales(facts, solution.answer) == []
    priced = costs(check(facts, standing_of(solution.answer)))
    assert {p: c for p, c in solution.cost.items() if p != 5} == priced


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds, word=st.sampled_from(["electric_guitar", "kick", "lead_voice", "other", "overheads"]))
def test_any_number_of_tracks_of_one_kind_has_a_mix(seed: int, word: str) -> None:
    facts = facts_of(*random_song(seed, 30, words=(word,), lead=False))
    assert broken(facts, solve(facts, limits=Limits(conflicts=500, seconds=60.0)).answer) == []


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds)
def test_the_same_seed_gives_the_same_mix(seed: int) -> None:
    facts = facts_of(*random_song(seed, 9))
    first, again = solve(facts, limits=QUICK, seed=3), solve(facts, limits=QUICK, seed=3)
    assert (first.answer, first.cost) == (again.answer, again.cost)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds)
def test_three_mixes_differ_pairwise_in_what_matters(seed: int) -> None:
    facts = facts_of(*random_song(seed, 9))
    answers: list[Answer] = []
    for _ in range(3):
        answers.append(solve(facts, earlier=answers, limits=QUICK).answer)
        assert broken(facts, answers[-1]) == []
    for one, other in ((0, 1), (0, 2), (1, 2)):
        a, b = answers[one], answers[other]
        assert sum(abs(a.levels[t] - b.levels[t]) >= 3 for t in a.levels) >= 2
        free = sum(facts.free(s) for s in facts.sources)
        assert sum(abs(a.places[t] - b.places[t]) >= 4 for t in a.places) >= free / 4


def small() -> Facts:
    """Four tracks on coarse scales, so that everything can be tried."""
    tracks = (
        track("voice", "lead_voice", "lead"), track("one", "electric_guitar"), track("two", "electric_guitar"),
        track("shaker", "shaker", "background"),
    )  # fmt: skip
    facts = facts_of(*song(*tracks))
    low, high = min(facts.ladder) + 3, max(facts.ladder) - 3
    return dataclasses.replace(
        facts, ladder=tuple(range(low, high + 1, 3)), places=(-8, -4, 0, 4, 8), masks=((2, 3, 5), (3, 4, 4)),
        contests=(),
    )  # fmt: skip


def test_the_optimum_is_that_of_plain_enumeration() -> None:
    facts = small()
    numbers = [s.number for s in facts.sources]
    solution = solve(facts)
    assert solution.proved
    found, depths = (9, 9, 9, 9), solution.answer.depths
    for places in product(facts.places, repeat=len(numbers)):
        answer = Answer(solution.answer.levels, dict(zip(numbers, places, strict=True)), depths)
        if not broken(facts, answer):
            found = min(found, tuple(costs(check(facts, standing_of(answer))).values()))
    best = (99, 99, 99, 99)
    for levels in product(facts.ladder, repeat=len(numbers)):
        answer = Answer(dict(zip(numbers, levels, strict=True)), solution.answer.places, depths)
        if not broken(facts, answer):
            best = min(best, tuple(costs(check(facts, standing_of(answer))).values()))
    cost = tuple(solution.cost[p] for p in (4, 3, 2, 1))
    assert cost == found
    assert cost == best


LOW = [0.0] * 8 + [-80.0] * 22
"""Third octaves of a source that lives below 160 Hz."""


@pytest.mark.parametrize("name", [r.name for r in known_rules().values() if r.hard])
def test_the_checker_sees_each_hard_rule_broken(name: str) -> None:
    """Answers that the solver finds when a rule is off, and made worse by hand, must not pass by chance."""
    tracks = (
        track("voice", "lead_voice", "lead"), track("kick", "kick"), track("a", "electric_guitar", attributes=("left",)),
        track("b", "electric_guitar", attributes=("right",)), track("keys", "piano", channels=2),
        track("in", "shaker", group="s"), track("out", "shaker", group="s"), track("pad", "synth_pad"),
        track("t", "trumpet"), track("u", "trumpet"),
    )  # fmt: skip
    multitrack, features = song(*tracks, features={"kick": {"third_octave_db": LOW}})
    contests = (Contest(12, 8, 5, 3), Contest(12, 5, 8, 3))
    pins = {"t": Pin(gain_db=-20.0, pan=0.4)}
    facts = dataclasses.replace(facts_of(multitrack, features, pins=pins), contests=contests)
    good = solve(facts).answer
    assert broken(facts, good) == []
    worse = {
        "kept_level": {"levels": {9: good.levels[9] + 1}},
        "lead_on_top": {"levels": {8: good.levels[1]}},
        "pair_level": {"levels": {3: good.levels[3] - 1}},
        "headroom": {"levels": {n: level + 3 for n, level in good.levels.items()}},
        "signal": {"levels": {n: level - 4 for n, level in good.levels.items()}},
        "kept_place": {"places": {9: 6}},
        "lead_centered": {"places": {1: 2}},
        "low_centered": {"places": {2: 2}},
        "core_centered": {"places": {2: -2}},
        "image_kept": {"places": {5: 4}},
        "pair_opposite": {"places": {3: -2, 4: 8}},
        "named_side": {"places": {3: 8, 4: -8}},
        "one_source_one_place": {"places": {6: -8, 7: 8}},
        "apart": {"places": {10: good.places[9]}},
        "no_hard_panning": {"places": {8: 10}},
        "low_dry": {"depths": {2: 1}},
        "lead_in_front": {"depths": {1: 9}},
        "room_for_owner": {"places": {8: 0}, "tone": {}},
        "lead_untouched": {"tone": {(1, 12): -3}},
    }[name]
    answer = dataclasses.replace(
        good,
        **{
            what: {**getattr(good, what), **change} if change else {}
            for what, change in worse.items()
        },
    )  # fmt: skip
    assert any(text.startswith(name) for text in broken(facts, answer)), (good, answer)

"""Rules of the engine expert: to tables and back, what the shipped ones do, and that they hold together."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from tonmeister.engines.expert import network as networks
from tonmeister.engines.expert.bif import bif_text, network_from_bif
from tonmeister.engines.expert.decoding import decode
from tonmeister.engines.expert.evidence import soft
from tonmeister.engines.expert.induction import decision_list, fitted_strengths, tables_of
from tonmeister.engines.expert.inference import posterior
from tonmeister.engines.expert.knowledge import knowledge, read_knowledge
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.network import Node, Table
from tonmeister.engines.expert.numbers import CONFIDENCE
from tonmeister.engines.expert.rules import Rule, compile_table, covered, preference, strength_word
from tonmeister.errors import BadInputError
from tonmeister.vocabulary import INSTRUMENTS, ROLES, SCORE_DYNAMICS, SCORE_ROLES, SONG_SECTIONS

MODEL: Model = knowledge().model
RULED = [n for n in MODEL.network.nodes if any(r.then == n for r in MODEL.rules)]


def rule(id: str, prefer: dict[str, float], strength: float, **when: tuple[str, ...]) -> Rule:
    return Rule(id, "Step", prefer, strength, when, "a test", "R", "A test.")


# Rules to tables


def test_the_worked_rows() -> None:
    step = Node("Step", ("m6", "m3", "p0", "p1_5", "p3"))
    habit = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    upper = {"p1_5": 1.0, "p3": 1.0}
    strong = compile_table(step, [], habit, [rule("a", upper, 2.0)]).values
    normal = compile_table(step, [], habit, [rule("a", upper, 1.0)]).values
    assert strong.round(3).tolist() == [0.034, 0.069, 0.137, 0.507, 0.253]
    assert strong @ np.array([-6.0, -3.0, 0.0, 1.5, 3.0]) == pytest.approx(1.11, abs=0.005)
    assert normal.round(3).tolist() == [0.066, 0.132, 0.264, 0.359, 0.179]


def test_a_rule_holds_in_its_rows_only_and_a_negative_one_discourages() -> None:
    mood, step = Node("Mood", ("calm", "wild", "odd")), Node("Step", ("down", "up"))
    habit = np.array([0.5, 0.5])
    rules = [
        rule("up", {"up": 1.0}, 1.0, Mood=("wild", "odd")),
        rule("not", {"up": 1.0}, -2.0, Mood=("odd",)),
    ]
    values = compile_table(step, [mood], habit, rules).values
    assert values[0] == pytest.approx(habit)
    assert values[1, 1] == pytest.approx(np.e / (1 + np.e))
    assert values[2, 1] == pytest.approx(1 / (1 + np.e))
    with pytest.raises(BadInputError, match="no parent"):
        compile_table(step, [], habit, rules)


# Tables to rules


@pytest.mark.parametrize("name", RULED)
def test_every_written_rule_is_found_again_in_the_tables_with_its_strength(name: str) -> None:
    found = fitted_strengths(MODEL.network, name, MODEL.rules, MODEL.habits[name])
    for written in MODEL.rules:
        if written.then == name:
            assert found[written.id] == pytest.approx(written.strength, abs=1e-9)


def test_tables_that_went_through_bif_still_hold_every_rule() -> None:
    again = network_from_bif(bif_text(MODEL.network))
    for name in RULED:
        for id, strength in fitted_strengths(again, name, MODEL.rules, MODEL.habits[name]).items():
            assert strength == pytest.approx(MODEL.rule(id).strength, abs=1e-5)


@pytest.mark.parametrize("name", RULED)
def test_rules_to_tables_to_rules_is_the_same_list(name: str) -> None:
    habit = MODEL.habits[name]
    first = decision_list(MODEL.network, name, MODEL.rules, habit)
    table = tables_of(MODEL.network, name, first, habit)
    assert table.values.sum(axis=-1) == pytest.approx(np.ones(table.values.shape[:-1]))
    second = decision_list(MODEL.network.with_tables(table), name, MODEL.rules, habit)
    assert [(r.state, r.when, r.rules) for r in first] == [(r.state, r.when, r.rules) for r in second]
    assert [r.lift for r in first] == pytest.approx([r.lift for r in second], abs=1e-6)


@pytest.mark.parametrize("name", RULED)
def test_induced_rules_cover_every_row_with_its_own_likeliest_state(name: str) -> None:
    table, node = MODEL.network.tables[name], MODEL.network.nodes[name]
    parents = [MODEL.network.nodes[p] for p in table.parents]
    best = table.values.argmax(axis=-1)
    seen = np.zeros(best.shape, dtype=bool)
    for induced in decision_list(MODEL.network, name, MODEL.rules, MODEL.habits[name]):
        box = np.ix_(*[[p.index(s) for s in induced.when.get(p.name, p.states)] for p in parents])
        assert (best[box] == node.index(induced.state)).all()
        assert induced.id.startswith(f"induced/{name}/")
        lifts = np.log(
            table.values[box][..., node.index(induced.state)] / MODEL.habits[name][node.index(induced.state)]
        )
        assert np.abs(lifts - induced.lift).max() < 0.1
        seen[box] = True
    assert seen.all()


def test_written_rules_carry_their_ids_through() -> None:
    found = decision_list(MODEL.network, "Prominence", MODEL.rules, MODEL.habits["Prominence"])
    named = {i for r in found for i in r.rules}
    assert {"lead-in-front", "lead-in-chorus", "background-behind", "ensemble-even"} <= named


# What the shipped rules do


@pytest.mark.parametrize("id", [r.id for r in MODEL.rules])
def test_every_rule_moves_its_node_the_way_it_says(id: str) -> None:
    """With the rule, what it prefers is likelier in its rows than without it, and other rows stay as they are."""
    network, written = MODEL.network, MODEL.rule(id)
    node, parents = (
        network.node(written.then),
        [network.node(p) for p in network.tables[written.then].parents],
    )
    others = [r for r in MODEL.rules if r.then == written.then and r.id != id]
    without = compile_table(node, parents, MODEL.habits[node.name], others).values
    liked = preference(written, node)
    change = (network.tables[node.name].values - without) @ liked
    holds = covered(written, parents)
    assert (np.sign(written.strength) * change[holds] > 0.0).all()
    assert change[~holds] == pytest.approx(0.0, abs=1e-12)


def raised(section: str, loudness: float, role: str = "lead") -> float:
    """P(FaderStep > 0)."""
    found = {"Section": section, "Role": role, "Loudness": loudness}
    chances = posterior(MODEL.network, "FaderStep", {n: MODEL.find(n, f) for n, f in found.items()})  # type: ignore[misc]
    values = MODEL.choices["FaderStep"].values
    return float(sum(c for c, v in zip(chances, values, strict=True) if v is not None and v > 0.0))


def test_the_lead_rises_in_the_chorus_and_falls_as_it_plays_louder() -> None:
    assert raised("chorus", 0.0) > raised("verse", 0.0)
    for section in SONG_SECTIONS:
        steps = [raised(section, loudness) for loudness in np.arange(-12.0, 8.1, 0.5)]
        assert (np.diff(steps) < 1e-12).all()
        assert steps[0] > steps[-1] + 0.2


def test_roles_stand_a_step_of_three_decibels_apart() -> None:
    def level(role: str) -> float:
        found = {"Role": MODEL.find("Role", role), "Loudness": MODEL.find("Loudness", 0.0)}
        value = decode(posterior(MODEL.network, "FaderStep", found), MODEL.choices["FaderStep"]).value  # type: ignore[arg-type]
        assert value is not None
        return value

    assert level("lead") == pytest.approx(3.0, abs=0.75)
    assert level("pad") == pytest.approx(-3.0, abs=0.75)
    for role in ("support", "rhythm", "bass"):
        assert level(role) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("role", SCORE_ROLES)
def test_a_level_that_slides_across_the_edges_of_bins_moves_the_fader_continuously(role: str) -> None:
    centers = MODEL.bins["Loudness"].centers
    values = []
    for loudness in np.arange(-14.0, 10.0, 0.1):
        found = {"Loudness": soft(float(loudness), centers), "Role": MODEL.find("Role", role)}
        values.append(decode(posterior(MODEL.network, "FaderStep", found), MODEL.choices["FaderStep"]).value)  # type: ignore[arg-type]
    steps = np.abs(np.diff(np.array(values, dtype=np.float64)))
    assert steps.max() < 0.5
    assert np.ptp(np.array(values, dtype=np.float64)) > 0.5


def test_two_places_that_compete_are_not_averaged() -> None:
    pan = MODEL.choices["Pan"]
    sides = np.array([0.0, 0.45, 0.02, 0.0, 0.05, 0.0, 0.02, 0.46, 0.0])
    decoded = decode(sides, pan)
    assert decoded.value == 0.6
    assert decoded.confidence == pytest.approx(0.23)
    assert not decoded.averaged
    fader = np.array([0.6, 0.0, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0, 0.0])
    assert decode(fader, MODEL.choices["FaderStep"]).value is None
    off = np.array([0.4, 0.0, 0.0, 0.0, 0.6, 0.0, 0.0, 0.0, 0.0])
    assert decode(off, MODEL.choices["FaderStep"]).value == 0.0


# The knowledge file


def test_the_compiled_network_is_up_to_date() -> None:
    shipped = files("tonmeister.engines.expert").joinpath("production.bif").read_text("utf-8")
    assert shipped == bif_text(MODEL.network), (
        "tonmeister rules expert --save src/tonmeister/engines/expert/production.bif --overwrite"
    )


def test_every_entry_names_its_source_and_grade() -> None:
    for written in MODEL.rules:
        assert written.grade in CONFIDENCE
        assert len(written.source) > 3
        assert written.text.endswith(".")
        assert re.fullmatch(r"[a-z0-9-]+(/\w+)?", written.id)
        assert strength_word(written.strength)
    for name in ("production.toml", "numbers.toml"):
        data = tomllib.loads(files("tonmeister.engines.expert").joinpath(name).read_text("utf-8"))
        for kind, entries in data.items():
            for entry in entries if kind not in ("meta", "node", "structure") else ():
                assert entry["source"], entry
                assert (entry.get("grade") or entry.get("evidence")) in CONFIDENCE, entry


def test_words_are_those_of_the_vocabulary() -> None:
    nodes = MODEL.network.nodes
    assert nodes["Section"].states == SONG_SECTIONS
    assert nodes["Role"].states == SCORE_ROLES
    assert nodes["ScoreDynamic"].states == SCORE_DYNAMICS
    assert set(nodes["Instrument"].states) <= set(INSTRUMENTS)
    assert {word for node, word in knowledge().words if node == "Role"} == set(ROLES)
    assert set(knowledge().references) - {"whole kit"} <= set(INSTRUMENTS)
    assert set(knowledge().aliases) <= set(INSTRUMENTS)


def test_tables_stay_small_enough_to_be_learned() -> None:
    for table in MODEL.network.tables.values():
        assert len(table.parents) <= networks.MOST_PARENTS
        assert table.values.size <= 10_000
    for node, candidates in knowledge().candidates.items():
        assert set(MODEL.network.tables[node].parents) <= set(candidates)


SMALL = """
[meta]
name = "small"
[[node]]
name = "A"
states = ["x", "y"]
[[node]]
name = "D"
kind = "decision"
states = ["down", "up"]
parents = ["A"]
[[choice]]
node = "D"
control = "fader_db"
values = [-3.0, 3.0]
grade = "R"
source = "a test"
[[rule]]
id = "r"
when = { A = "x" }
then = "D"
prefer = { up = 1.0 }
strength = 1.0
grade = "R"
source = "a test"
text = "A test."
"""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('A = "x"', 'A = "z"', "'z' is not known"),
        ('A = "x"', 'B = "x"', "no node 'B'"),
        ("up = 1.0", "sideways = 1.0", "'sideways' is not known"),
        ("up = 1.0", "up = 2.0", "from 0 to 1"),
        ("strength = 1.0", "strength = 0", "strength"),
        ('then = "D"', 'then = "E"', "no node 'E'"),
        ("values = [-3.0, 3.0]", "values = [-3.0]", "1 values for 2 states"),
        ('parents = ["A"]', 'parents = ["A"]\nhabit = [0.5, 0.6]', "add up to 1"),
        ('parents = ["A"]', 'parents = ["D"]', "D"),
        ('kind = "decision"', 'kind = "wish"', "'wish' is not known"),
        ('text = "A test."', "", "missing"),
        ('text = "A test."', 'text = "A test."\nweight = 3', "'weight' is not known"),
        ("[[choice]]", "[[choices]]", "'choices' is not known"),
        ("[meta]", "[meta", "not valid TOML"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused(old: str, new: str, why: str) -> None:
    assert read_knowledge(SMALL).model.network.tables["D"].values[0, 1] > 0.5
    with pytest.raises(BadInputError, match=re.escape(why)):
        read_knowledge(SMALL.replace(old, new))


def test_a_changed_table_shows_what_is_left_of_a_rule() -> None:
    node = MODEL.network.nodes["EqLow"]
    parents = [MODEL.network.nodes[p] for p in MODEL.network.tables["EqLow"].parents]
    weaker = [replace(r, strength=r.strength / 2.0) for r in MODEL.rules if r.then == "EqLow"]
    table: Table = compile_table(node, parents, MODEL.habits["EqLow"], weaker)
    found = fitted_strengths(MODEL.network.with_tables(table), "EqLow", MODEL.rules, MODEL.habits["EqLow"])
    assert found == pytest.approx({r.id: r.strength for r in weaker})

"""The production rule interpreter: actions, refraction, priority, recency, order, loops, and what contradicts."""

from __future__ import annotations

import itertools

import pytest

from makers_rif import document
from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Frame, Member, integer, iri, string
from tonmeister.rif.facts import Facts
from tonmeister.rif.matching import answers
from tonmeister.rif.names import TM
from tonmeister.rif.production import Run, run
from tonmeister.rif.text_reader import read_formula, read_text
from tonmeister.rif.text_writer import formula_text
from tonmeister.rif.values import Ground

EX = "http://example.org/desk#"
PREFIXES = {"ex": EX, "tm": TM, "pred": "http://www.w3.org/2007/rif-builtin-predicate#"}


def outcome(sentences: str, **options: object) -> Run:
    return run(read_text(document(sentences), "a.rifps"), **options)  # type: ignore[arg-type]


def holds(result: Run, question: str) -> bool:
    return bool(answers(read_formula(question, PREFIXES), result.facts))


def stated(result: Run) -> set[str]:
    return {formula_text(fact, PREFIXES) for fact in result.facts.all()}


def fired(result: Run) -> list[str]:
    return [f.rule.name.removeprefix(EX) for f in result.firings]


CASES = {
    "modify drops all values": (
        "ex:a[ex:p -> 1 ex:p -> 2] Forall ?x ( If ?x[ex:p -> 1] Then Do( Modify( ?x[ex:p -> 3] ) ) )",
        {"ex:a[ex:p -> 3]"},
    ),
    "modify sets what was not there": ("Do( Modify( ex:a[ex:p -> 3] ) )", {"ex:a[ex:p -> 3]"}),
    "assert adds a value": ("ex:a[ex:p -> 1] Do( Assert( ex:a[ex:p -> 2] ) )", {"ex:a[ex:p -> 1]", "ex:a[ex:p -> 2]"}),
    "retract takes one value": (
        "ex:a[ex:p -> 1 ex:p -> 2] If ex:a[ex:p -> 1] Then Do( Retract( ex:a[ex:p -> 1] ) )",
        {"ex:a[ex:p -> 2]"},
    ),
    "retract takes an attribute": (
        "And( ex:a[ex:p -> 1 ex:p -> 2 ex:q -> 3] ex:go() ) If ex:go() Then Do( Retract( ex:a ex:p ) )",
        {"ex:a[ex:q -> 3]", "ex:go()"},
    ),
    "retract takes an object": (
        "And( ex:a[ex:p -> 1] ex:a # ex:B ex:c[ex:p -> 1] ex:go() ) If ex:go() Then Do( Retract( ex:a ) )",
        {"ex:c[ex:p -> 1]", "ex:go()"},
    ),
    "retract takes an atom": ("And( ex:p(1) ex:p(2) ) If ex:p(1) Then Do( Retract( ex:p(1) ) )", {"ex:p(2)"}),
    "higher priority first": (
        "Group 1 ( Forall ?x ( If ?x # ex:T Then Do( Retract( ?x[ex:p -> 1] ) ) ) ) Group 2 ( Forall ?x ( If And( ?x # ex:T "
        "?x[ex:p -> 1] ) Then ?x[ex:q -> 2] ) ) And( ex:a # ex:T ex:a[ex:p -> 1] )",
        {"ex:a # ex:T", "ex:a[ex:q -> 2]"},
    ),
    "most recent first": (
        # b matches one step after a; the rule that takes the turn away lets only one of them have it
        "And( ex:a[ex:at -> 1] ex:turn[ex:free -> 1] ) Forall ?x ( If And( ?x[ex:at -> 1] ex:turn[ex:free -> 1] "
        "ex:b[ex:at -> 1] ) Then Do( Assert( ?x[ex:won -> 1] ) Retract( ex:turn[ex:free -> 1] ) ) ) "
        "If ex:a[ex:at -> 1] Then ex:b[ex:at -> 1]",
        {"ex:a[ex:at -> 1]", "ex:b[ex:at -> 1]", "ex:a[ex:won -> 1]"},
    ),
    "new objects differ": (
        "And( ex:a # ex:T ex:b # ex:T ) Forall ?x ( If ?x # ex:T Then Do( ( ?n New() ) Assert( ?n[ex:of -> ?x] ) ) )",
        {"ex:a # ex:T", "ex:b # ex:T", "_new.1[ex:of -> ex:a]", "_new.2[ex:of -> ex:b]"},
    ),
    "action variables read before they write": (
        "ex:a[ex:p -> 1 ex:q -> 0] Forall ?x ( If ?x[ex:q -> 0] Then Do( ( ?v ?x[ex:p -> ?v] ) Modify( ?x[ex:p -> 5] ) "
        "Modify( ?x[ex:was -> ?v] ) ) )",
        {"ex:a[ex:q -> 0]", "ex:a[ex:p -> 5]", "ex:a[ex:was -> 1]"},
    ),
    "classes are inherited": (
        "And( ex:a # ex:Kick ex:Kick ## ex:Drum ex:Drum ## ex:Source ) Forall ?x ( If ?x # ex:Source Then ?x[ex:ok -> 1] )",
        {"ex:a # ex:Kick", "ex:Kick ## ex:Drum", "ex:Drum ## ex:Source", "ex:a[ex:ok -> 1]"},
    ),
    "not is not there now": (
        "ex:a # ex:T Forall ?x ( If And( ?x # ex:T Not( ?x[ex:p -> 1] ) ) Then ?x[ex:p -> 1] )",
        {"ex:a # ex:T", "ex:a[ex:p -> 1]"},
    ),
    "exists does not multiply": (
        "ex:a[ex:p -> 1 ex:p -> 2 ex:n -> 0] Forall ?x ?n ( If And( ?x[ex:n -> ?n] Exists ?y ( ?x[ex:p -> ?y] ) ) "
        "Then Do( ( ?m New() ) Assert( ?m[ex:of -> ?x] ) ) )",
        {"ex:a[ex:p -> 1]", "ex:a[ex:p -> 2]", "ex:a[ex:n -> 0]", "_new.1[ex:of -> ex:a]"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_table_of_cases(name: str) -> None:
    sentences, wanted = CASES[name]
    assert stated(outcome(sentences)) == wanted


def test_refraction_an_instance_fires_once() -> None:
    result = outcome("(* ex:fact *) ex:a # ex:T (* ex:rule *) Forall ?x ( If ?x # ex:T Then ?x[ex:p -> 1] )")
    assert fired(result) == ["fact", "rule"]


def test_refraction_ends_when_the_match_does() -> None:
    result = outcome(
        "And( ex:a[ex:on -> 1] ex:a[ex:n -> 0] ) "
        "(* ex:count *) Forall ?n ( If And( ex:a[ex:on -> 1] ex:a[ex:n -> ?n] External(pred:numeric-less-than(?n 3)) ) "
        "Then Do( Modify( ex:a[ex:n -> External(func:numeric-add(?n 1))] ) Retract( ex:a[ex:on -> 1] ) ) ) "
        "(* ex:again *) If Not( ex:a[ex:on -> 1] ) Then ex:a[ex:on -> 1]"
    )
    assert fired(result).count("count") == 3
    assert holds(result, "ex:a[ex:n -> 3]")


def test_recency_the_newest_instance_goes_first() -> None:
    sentences = """And( ex:start() )
      (* ex:old *) Forall ?x ( If And( ex:start() ex:old(?x) ) Then ex:did(1) )
      (* ex:new *) Forall ?x ( If ex:new(?x) Then ex:did(2) )
      Group 9 ( (* ex:first *) If ex:start() Then ex:old(1) (* ex:second *) If ex:old(1) Then ex:new(1) )"""
    assert fired(outcome(sentences))[1:] == ["first", "second", "new", "old"]


def test_priority_goes_before_recency() -> None:
    sentences = """And( ex:start() )
      Group 5 ( (* ex:high *) If ex:go() Then ex:did(1) )
      Group 9 ( (* ex:first *) If ex:start() Then ex:go() (* ex:second *) If ex:go() Then ex:more() )
      (* ex:low *) If ex:more() Then ex:did(2)"""
    assert fired(outcome(sentences))[1:] == ["first", "second", "high", "low"]


def test_ties_are_broken_by_the_document_and_then_by_values() -> None:
    first = "(* ex:one *) Forall ?x ( If ex:p(?x) Then ex:q(?x) )"
    second = "(* ex:two *) Forall ?x ( If ex:p(?x) Then ex:r(?x) )"
    result = outcome(f"And( ex:p(2) ex:p(1) ) {first} {second}")
    found = [(f.rule.name.removeprefix(EX), f.binding["x"]) for f in result.firings[1:]]
    assert found == [(name, integer(value)) for name in ("one", "two") for value in (1, 2)]


def test_the_outcome_of_plain_derivation_does_not_depend_on_the_order_of_the_document() -> None:
    parts = [
        "And( ex:a # ex:T ex:a[ex:n -> 1] )",
        "Forall ?x ( If ?x # ex:T Then ?x # ex:U )",
        "Forall ?x ?n ( If And( ?x # ex:U ?x[ex:n -> ?n] ) Then ?x[ex:m -> External(func:numeric-add(?n 1))] )",
        "Forall ?x ( If ?x[ex:m -> 2] Then ex:done(?x) )",
    ]
    outcomes = {frozenset(stated(outcome(" ".join(order)))) for order in itertools.permutations(parts)}
    assert len(outcomes) == 1
    assert "ex:done(ex:a)" in next(iter(outcomes))


# ------------------------------------------------------------------ what goes wrong


def test_a_loop_is_stopped_and_its_rules_are_named() -> None:
    sentences = """ex:a[ex:n -> 0] ex:a # ex:T (* ex:calm *) Forall ?x ( If ?x # ex:T Then ?x[ex:ok -> 1] )
      (* ex:up *) Forall ?n ( If And( ex:a[ex:n -> ?n] Not( ex:a[ex:down -> 1] ) ) Then Do( Assert( ex:a[ex:down -> 1] ) ) )
      (* ex:down *) Forall ?n ( If And( ex:a[ex:n -> ?n] ex:a[ex:down -> 1] ) Then Do( Retract( ex:a ex:down )
        Modify( ex:a[ex:n -> External(func:numeric-add(?n 1))] ) ) )"""
    with pytest.raises(BadInputError) as caught:
        outcome(sentences, most_firings=500)
    message = str(caught.value)
    assert "do not come to an end after 500 firings" in message
    assert EX + "up" in message
    assert EX + "down" in message
    assert EX + "calm" not in message


def test_contradictory_modifications_of_one_priority_are_reported() -> None:
    sentences = """ex:a # ex:T (* ex:left *) Forall ?x ( If ?x # ex:T Then Do( Modify( ?x[ex:pan -> -1] ) ) )
      (* ex:right *) Forall ?x ( If ?x # ex:T Then Do( Modify( ?x[ex:pan -> 1] ) ) )"""
    (conflict,) = outcome(sentences).conflicts
    assert (conflict.loser.name, conflict.winner.name) == (EX + "left", EX + "right")
    assert "at one priority (0)" in str(conflict)
    raised = sentences.replace("(* ex:right *)", "Group 1 ( (* ex:right *)") + " )"
    assert outcome(raised).conflicts == ()


def test_what_cannot_be_computed_in_a_condition_does_not_hold_and_is_noted() -> None:
    result = outcome(
        "ex:a[ex:n -> 0] Forall ?n ( If And( ex:a[ex:n -> ?n] External(pred:numeric-less-than("
        "External(func:numeric-divide(1 ?n)) 2)) ) Then ex:a[ex:ok -> 1] )"
    )
    assert not holds(result, "ex:a[ex:ok -> 1]")
    assert any("divided by 0" in note for note in result.notes)


def test_what_cannot_be_computed_in_an_action_is_an_error_with_the_rule() -> None:
    with pytest.raises(BadInputError, match=r"^a\.rifps:11:\d+: http://example.org/desk#r: 1 divided by 0"):
        outcome("(* ex:r *) Do( Assert( ex:a[ex:n -> External(func:numeric-divide(1 0))] ) )")


def test_constraints_cannot_be_asserted() -> None:
    with pytest.raises(BadInputError, match="a constraint cannot be asserted"):
        outcome("Forall ?x ?y ( If And( ex:a[ex:p -> ?x] ex:b[ex:p -> ?y] ) Then ?x = ?y )")


def test_only_allowed_actions_are_executed() -> None:
    calls: list[tuple[str, tuple[Ground, ...]]] = []
    rule = 'ex:a # ex:T Forall ?x ( If ?x # ex:T Then Do( Execute( tm:emit-note(?x "hello") ) ) )'
    outcome(rule, execute={TM + "emit-note": lambda name, args: calls.append((name, args))})
    assert calls == [(TM + "emit-note", (iri(EX + "a"), string("hello")))]
    with pytest.raises(
        BadInputError, match=r"<urn:tonmeister:mix#emit-note> is not an action.*none is allowed"
    ):
        outcome(rule)


def test_an_action_variable_without_a_value_leaves_the_actions_out() -> None:
    result = outcome(
        "ex:a # ex:T Forall ?x ( If ?x # ex:T Then Do( ( ?v ?x[ex:p -> ?v] ) Assert( ?x[ex:q -> ?v] ) ) )"
    )
    assert stated(result) == {"ex:a # ex:T"}
    assert any("?v has no value" in note for note in result.notes)


def test_facts_given_from_outside_are_used() -> None:
    facts = Facts(
        [Member(iri(EX + "a"), iri(EX + "T")), Frame(iri(EX + "a"), ((iri(EX + "p"), string("x")),))]
    )
    result = run(
        read_text(document("Forall ?x ?v ( If And( ?x # ex:T ?x[ex:p -> ?v] ) Then ex:saw(?v) )")), facts
    )
    assert result.facts is facts
    assert holds(result, 'ex:saw("x")')
    assert Member(iri(EX + "a"), iri(EX + "T")) in facts


def test_writes_say_what_each_firing_did() -> None:
    result = outcome("(* ex:r *) Do( Modify( ex:a[ex:p -> 1] ) Assert( ex:a[ex:q -> 2] ) )")
    assert [len(f.writes) for f in result.firings] == [2]

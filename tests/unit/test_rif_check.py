"""Safeness and well-formedness: unbound and undeclared variables, unknown builtins, wrong literals, each with its place."""

from __future__ import annotations

import pytest

from makers_rif import DOCUMENTS, document
from tonmeister.errors import BadInputError
from tonmeister.rif.check import check_document, mistakes_of
from tonmeister.rif.rules import rules_of
from tonmeister.rif.text_reader import read_text

_LINE = 11
"""Where the sentences of `document` begin."""


def mistakes(sentences: str) -> list[str]:
    return [f"{m.position}: {m.text}" for m in mistakes_of(read_text(document(sentences)))]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_are_safe(name: str) -> None:
    check_document(read_text(DOCUMENTS[name]))


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("?x # ex:Drum", "?x is not declared"),
        ("Forall ?x ( If ?x # ex:Drum Then ?x[ex:a -> ?y] )", "?y is not declared"),
        ("Forall ?x ?y ( If ?x # ex:Drum Then ?x[ex:a -> ?y] )", "?y is not bound"),
        ("Forall ?x ( ?x # ex:Drum )", "?x is not bound"),
        ("Forall ?x ( If Not( ?x # ex:Drum ) Then ?x[ex:a -> 1] )", "?x is not bound"),
        ("Forall ?x ( If Or( ?x # ex:Drum ex:a # ex:B ) Then ?x[ex:a -> 1] )", "?x is not bound"),
        ("Forall ?x ( If External(pred:numeric-less-than(?x 3)) Then ex:a[ex:b -> 1] )", "?x is not bound"),
        ("Forall ?x ?v ( If And( ?x # ex:D ?v = External(tm:abs(?v)) ) Then ?x[ex:b -> 1] )", "?v is not bound"),
        ("Forall ?x ?x ( If ?x # ex:Drum Then ?x[ex:a -> 1] )", "?x is declared twice"),
        ("Forall ?x ( If ?x # ex:D Then Do( ( ?x New() ) Assert( ?x # ex:D ) ) )", "?x is already declared"),
        ("Forall ?x ( If Exists ?y ( ?x # ex:D ) Then ?x[ex:a -> ?y] )", "?y is not declared"),
        ("Forall ?x ( If External(pred:numeric-les-than(?x 3)) Then ex:a # ex:b )", "did you mean 'numeric-less-than'"),
        ("If External(func:numeric-add(1 2)) Then ex:a # ex:b", "is a function"),
        ("ex:a[ex:b -> External(pred:numeric-equal(1 2))]", "is a predicate"),
        ("ex:a[ex:b -> External(func:numeric-add(1))]", "takes 2 arguments, not 1"),
        ('ex:a[ex:b -> "loud"^^xs:double]', "'loud' is not a value of xs:double"),
    ],
)  # fmt: skip
def test_mistakes_are_found_with_their_line(sentence: str, words: str) -> None:
    found = mistakes(sentence)
    assert any(words in text and f"line {_LINE}, " in text for text in found), found


@pytest.mark.parametrize(
    "sentence",
    [
        "Forall ?x ?v ( If And( ?v = 3 ?x[ex:a -> ?v] ) Then ?x # ex:B )",
        "Forall ?x ?v ?w ( If And( ?w = External(func:numeric-add(?v 1)) ?x[ex:a -> ?v] ) Then ?x[ex:b -> ?w] )",
        "Forall ?x ?v ( If Or( ?x[ex:a -> ?v] ?x[ex:b -> ?v] ) Then ?x[ex:c -> ?v] )",
        "Forall ?x ( If And( ?x # ex:D Not( Exists ?y ( ?x[ex:a -> ?y] ) ) ) Then ?x # ex:E )",
        "Forall ?l ?a ?b ( If And( ex:kit[ex:order -> ?l] ?l = List(?a ?b) ) Then ex:kit[ex:first -> ?a] )",
        "Forall ?x such that ( ?x # ex:D ) ( Forall ?v ( If ?x[ex:a -> ?v] Then ?x[ex:b -> ?v] ) )",
        "Forall ?a ?b ?x ?y ( If And( ?a[ex:g -> ?x] ?b[ex:g -> ?y] ) Then ?x = ?y )",
    ],
)
def test_what_is_bound_somewhere_is_safe(sentence: str) -> None:
    assert mistakes(sentence) == []


def test_the_first_mistake_names_file_line_column_and_rule() -> None:
    text = document("(* ex:bad *) Forall ?x ?y ( If ?x # ex:D\n Then ?x[ex:a -> ?y] )")
    with pytest.raises(
        BadInputError, match=r"^rules\.rifps:12:18: http://example\.org/desk#bad: \?y is not bound"
    ):
        check_document(read_text(text, "rules.rifps"))


def test_priorities_and_strategies_are_checked() -> None:
    with pytest.raises(BadInputError, match="priority=10001 lies outside"):
        rules_of(read_text("Document( Group 10001 ( <a> # <b> ) )"))
    with pytest.raises(BadInputError, match=r"strategy <urn:mine> is not supported"):
        rules_of(read_text("Document( Group <urn:mine> ( <a> # <b> ) )"))


def test_rules_are_normalized() -> None:
    text = document(
        "Group 5 ( (* ex:one *) Forall ?x such that ( ?x # ex:D ) ( Forall ?v ( If And( ?x[ex:a -> ?v] ?v = 1 ) Then "
        "And( ?x # ex:E ex:E ## ex:F ?x = ?v ) ) ) Group 7 ( ex:a # ex:B ) Group ( ex:c # ex:D ) )"
    )
    first, second, third = rules_of(read_text(text))
    assert first.name == "http://example.org/desk#one"
    assert [v.label for v in first.variables] == ["x", "v"]
    assert len(first.condition.formulas) == 3
    assert len(first.actions.actions) == len(first.classes) == len(first.constraints) == 1
    assert [r.priority for r in (first, second, third)] == [5, 7, 5]
    assert second.is_fact
    assert second.name == "rule 2"

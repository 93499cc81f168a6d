"""The W3C test cases for RIF-Core and RIF-PRD that lie in the supported subset, told again in our own words.

Each case has the name it has in the W3C's collection, a document that asks for the same, and what must (or must not)
follow from it: every question is answered by the interpreter after forward chaining.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from makers_rif import document
from tonmeister.errors import BadInputError
from tonmeister.rif.check import check_document
from tonmeister.rif.files import read_document, rules_text
from tonmeister.rif.matching import answers
from tonmeister.rif.production import run
from tonmeister.rif.text_reader import read_formula, read_text

PREFIXES = dict(read_text(document("")).prefixes)


@dataclass(frozen=True)
class Case:
    """What is stated, what follows, and what must not."""

    sentences: str
    follows: str = ""
    not_follows: str = ""
    group: str = "Group"


CORE = {
    "Frames": Case(
        "ex:desk[ex:owner -> ex:ann ex:owner -> ex:bob] Forall ?d ?p ( ?p[ex:owns -> ?d] :- ?d[ex:owner -> ?p] )",
        follows="And( ex:ann[ex:owns -> ex:desk] ex:bob[ex:owns -> ex:desk] )",
    ),
    "Frame_slots_are_independent": Case(
        "Forall ?x ?y ?z ( ex:seen(?y ?z) :- And( ?x[ex:a -> ?y] ?x[ex:b -> ?z] ) ) ex:o[ex:a -> 1] ex:o[ex:b -> 2]",
        follows="And( ex:seen(1 2) ex:o[ex:a -> 1 ex:b -> 2] )",
    ),
    "Positional_Arguments": Case(
        "Forall ?x ?y ( ex:after(?y ?x) :- ex:before(?x ?y) ) ex:before(ex:kick ex:snare)",
        follows="ex:after(ex:snare ex:kick)",
        not_follows="ex:after(ex:kick ex:snare)",
    ),
    "Factorial_Forward_Chaining": Case(
        "ex:factorial(0 1) Forall ?n ?f ?m ?g ( ex:factorial(?m ?g) :- And( ex:factorial(?n ?f) "
        "External(pred:numeric-less-than(?n 6)) ?m = External(func:numeric-add(?n 1)) "
        "?g = External(func:numeric-multiply(?f ?m)) ) )",
        follows="ex:factorial(6 720)",
        not_follows="ex:factorial(7 5040)",
    ),
    "Chaining_strategy_numeric-add_1": Case(
        "ex:n(0) Forall ?x ?y ( ex:n(?y) :- And( ex:n(?x) External(pred:numeric-less-than(?x 4)) "
        "?y = External(func:numeric-add(?x 1)) ) )",
        follows="ex:n(4)",
        not_follows="ex:n(5)",
    ),
    "Chaining_strategy_numeric-subtract_2": Case(
        "ex:n(4) Forall ?x ?y ( ex:n(?y) :- And( ex:n(?x) External(pred:numeric-greater-than(?x 0)) "
        "?y = External(func:numeric-subtract(?x 1)) ) )",
        follows="ex:n(0)",
        not_follows="ex:n(-1)",
    ),
    "Builtins_Numeric": Case(
        "ex:ok() :- And( External(pred:is-literal-decimal(1)) External(pred:is-literal-not-double(1)) "
        "External(pred:numeric-equal(External(func:numeric-divide(6 2)) 3)) "
        "External(pred:numeric-less-than-or-equal(External(func:numeric-integer-mod(43 10)) 3)) "
        "External(pred:numeric-not-equal(External(func:numeric-multiply(2 2.5)) 4)) )",
        follows="ex:ok()",
    ),
    "Builtins_boolean": Case(
        'ex:ok() :- And( External(pred:is-literal-boolean("1"^^xs:boolean)) '
        'External(pred:boolean-equal(External(func:not("0"^^xs:boolean)) "true"^^xs:boolean)) )',
        follows="ex:ok()",
    ),
    "Builtins_String": Case(
        'ex:ok() :- And( External(pred:starts-with("foobar" "foo")) External(pred:ends-with("foobar" "bar")) '
        'External(pred:contains("foobar" "ob")) External(func:concat("foo" "bar")) = "foobar" '
        'External(func:substring("foobar" 3)) = "obar" External(func:string-length("foobar")) = 6 )',
        follows="ex:ok()",
    ),
    "Builtins_PlainLiteral": Case(
        'ex:ok() :- And( External(pred:is-literal-PlainLiteral("foo"@en)) "foo@"^^rdf:PlainLiteral = "foo" '
        'Not( "foo"@en = "foo"@de ) )',
        follows="ex:ok()",
    ),
    "Builtins_List": Case(
        "ex:ok() :- And( External(pred:is-list(List(0 1 2))) External(pred:list-contains(List(0 1 2) 2)) "
        "External(func:count(List(0 1 2))) = 3 External(func:get(List(0 1 2) -1)) = 2 "
        "External(func:sublist(List(0 1 2 3 4) -4 -2)) = List(1 2) "
        "External(func:except(List(0 1 2 3 4) List(1 3))) = List(0 2 4) "
        "External(func:insert-before(List(0 1 2) 0 99)) = List(99 0 1 2) )",
        follows="ex:ok()",
    ),
    "Builtin_literal-not-identical": Case(
        'ex:ok() :- And( External(pred:literal-not-identical("a" "b")) '
        'Not( External(pred:literal-not-identical("1"^^xs:integer "01"^^xs:integer)) ) )',
        follows="ex:ok()",
    ),
    "Guards_and_subtypes": Case(
        'ex:v(1) ex:v(2.5) ex:v("x") Forall ?x ( ex:whole(?x) :- And( ex:v(?x) External(pred:is-literal-integer(?x)) ) ) '
        "Forall ?x ( ex:exact(?x) :- And( ex:v(?x) External(pred:is-literal-decimal(?x)) ) )",
        follows="And( ex:whole(1) ex:exact(1) ex:exact(2.5) )",
        not_follows='Or( ex:whole(2.5) ex:exact("x") )',
    ),
    "ListLiteralEquality": Case('ex:ok() :- List("a"^^xs:string 1) = List("a" "1.0"^^xs:decimal)', follows="ex:ok()"),
    "ElementEqualityFromListEquality": Case(
        "ex:l(List(ex:kick ex:snare)) Forall ?x ?y ( ex:pair(?x ?y) :- And( ex:l(List(?x ?y)) ) )",
        follows="ex:pair(ex:kick ex:snare)",
        not_follows="ex:pair(ex:snare ex:kick)",
    ),
    "Class_Membership": Case(
        "ex:beat # ex:Kick ex:Kick ## ex:Drum", follows="ex:beat # ex:Drum", not_follows="ex:Kick # ex:Drum"
    ),
    "Classification-inheritance": Case(
        "ex:Kick ## ex:Drum ex:Drum ## ex:Source Forall ?x ( ?x[ex:heard -> \"yes\"] :- ?x # ex:Source ) ex:beat # ex:Kick",
        follows='And( ex:Kick ## ex:Source ex:beat[ex:heard -> "yes"] )',
    ),
    "Local_Constant": Case("ex:p(_here)", follows="ex:p(_here)", not_follows="ex:p(ex:here)"),
    "Non-Annotation_Entailment": Case(
        "(* ex:note ex:note[dcterms:creator -> \"nobody\"] *) ex:a # ex:B",
        follows="ex:a # ex:B",
        not_follows='ex:note[dcterms:creator -> "nobody"]',
    ),
    "Disjunctive_Information_from_Negative_Guards": Case(
        "ex:v(1) Forall ?x ( ex:other(?x) :- And( ex:v(?x) External(pred:is-literal-not-string(?x)) ) )",
        follows="ex:other(1)",
    ),
}  # fmt: skip

PRD = {
    "Assert": Case(
        'Forall ?c ( If ?c[ex:buys -> "1000"] Then Do( Assert( ?c[ex:status -> "gold"] ) ) ) ex:ann[ex:buys -> "1000"]',
        follows='ex:ann[ex:status -> "gold" ex:buys -> "1000"]',
    ),
    "Retract": Case(
        'Forall ?c ( If ?c[ex:status -> "gone"] Then Do( Retract( ?c ) ) ) ex:ann[ex:status -> "gone" ex:name -> "Ann"]',
        not_follows='ex:ann[ex:name -> "Ann"]',
    ),
    "AssertRetract": Case(
        "Forall ?c ( If And( ?c[ex:status -> ex:new] ?c[ex:discount -> 10] ) Then Do( Retract( ?c[ex:discount -> 10] ) "
        "Assert( ?c[ex:discount -> 0] ) ) ) ex:ann[ex:status -> ex:new ex:discount -> 10]",
        follows="ex:ann[ex:discount -> 0]",
        not_follows="ex:ann[ex:discount -> 10]",
    ),
    "AssertRetract2": Case(
        "Forall ?c ?d ( If And( ?c[ex:status -> ex:new] ?c[ex:discount -> ?d] ) Then Do( Retract( ?c ex:discount ) "
        "Assert( ?c[ex:discount -> 0] ) ) ) ex:ann[ex:status -> ex:new ex:discount -> 10 ex:discount -> 20]",
        follows="ex:ann[ex:discount -> 0]",
        not_follows="Or( ex:ann[ex:discount -> 10] ex:ann[ex:discount -> 20] )",
    ),
    "Modify": Case(
        "Forall ?c ( If ?c[ex:status -> ex:new] Then Do( Modify( ?c[ex:discount -> 0] ) ) ) "
        "ex:ann[ex:status -> ex:new ex:discount -> 10]",
        follows="ex:ann[ex:status -> ex:new ex:discount -> 0]",
        not_follows="ex:ann[ex:discount -> 10]",
    ),
    "Modify_noop": Case(
        "Forall ?c ?d ( If ?c[ex:discount -> ?d] Then Do( Modify( ?c[ex:discount -> ?d] ) ) ) ex:ann[ex:discount -> 10]",
        follows="ex:ann[ex:discount -> 10]",
    ),
    "Conflict_resolution": Case(
        "Group 1 ( Forall ?x ( If ?x # ex:T Then Do( Retract( ?x[ex:p -> 1] ) ) ) ) "
        "Group 2 ( Forall ?y ( If And( ?y # ex:T ?y[ex:p -> 1] ) Then ?y[ex:q -> 2] ) ) "
        "Do( ( ?new New() ) Assert( ?new # ex:T ) Assert( ?new[ex:p -> 1] ) )",
        follows="Exists ?x ( ?x[ex:q -> 2] )",
        not_follows="Exists ?x ( ?x[ex:p -> 1] )",
    ),
    "Modify is one step": Case(  # after NotAssertRetract: no state in between, in which nothing holds
        'Forall ?n ( If And( ex:c[ex:status -> "normal"] ex:c[ex:name -> ?n] ) Then '
        'Do( Modify( ex:c[ex:name -> "new"] ) ) ) '
        'If And( ex:start() Not( Exists ?n ( ex:c[ex:name -> ?n] ) ) ) Then ex:c[ex:status -> "unknown"] '
        'And( ex:start() ex:c[ex:status -> "normal" ex:name -> "old"] )',
        follows='ex:c[ex:status -> "normal" ex:name -> "new"]',
        not_follows='ex:c[ex:status -> "unknown"]',
    ),
    "Negation": Case(
        "ex:kick # ex:T ex:snare # ex:T ex:kick[ex:solo -> 1] "
        "Forall ?x ( If And( ?x # ex:T Not( ?x[ex:solo -> 1] ) ) Then Do( Assert( ?x[ex:muted -> 1] ) ) )",
        follows="ex:snare[ex:muted -> 1]",
        not_follows="ex:kick[ex:muted -> 1]",
    ),
}  # fmt: skip


def judged(case: Case, notation: str) -> None:
    read = read_document(rules_text(read_text(document(case.sentences, group=case.group)), notation))
    facts = run(read).facts
    if case.follows:
        assert answers(read_formula(case.follows, PREFIXES), facts), case.follows
    if case.not_follows:
        assert not answers(read_formula(case.not_follows, PREFIXES), facts), case.not_follows


@pytest.mark.parametrize("notation", ["xml", "text"])
@pytest.mark.parametrize("name", CORE)
def test_core(name: str, notation: str) -> None:
    judged(CORE[name], notation)


@pytest.mark.parametrize("notation", ["xml", "text"])
@pytest.mark.parametrize("name", PRD)
def test_production(name: str, notation: str) -> None:
    judged(PRD[name], notation)


def test_modify_loop_is_stopped() -> None:
    """Modify_loop: a rule that keeps changing what it reads never halts; here it is stopped and named."""
    text = document(
        "ex:a[ex:n -> 0] (* ex:loop *) Forall ?n ( If ex:a[ex:n -> ?n] Then "
        "Do( Modify( ex:a[ex:n -> External(func:numeric-subtract(1 ?n))] ) ) )"
    )
    with pytest.raises(BadInputError, match=r"do not come to an end.*desk#loop"):
        run(read_text(text), most_firings=200)


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("Core_NonSafeness", "Forall ?x ( ex:p(?x) :- External(pred:numeric-greater-than(?x 1)) )"),
        ("Core_NonSafeness_2", "Forall ?x ?y ?z ?u ( ex:p(?x) :- Or( And( ?x = ?y ?z = ?u ) ex:q(?u) ) )"),
        ("No_free_variables", "Forall ?x ( ex:p(?x ?y) :- ex:q(?x) )"),
    ],
)
def test_documents_that_are_not_safe_are_refused(name: str, sentences: str) -> None:
    with pytest.raises(BadInputError, match=r"is not (bound|declared)"):
        check_document(read_text(document(sentences)))


def test_core_safeness_accepts_what_equations_bind() -> None:
    """Core_Safeness: values are passed on through equations."""
    text = document("Forall ?x ?y ?z ( ex:p(?x) :- And( ex:q(?z) ?x = ?y ?y = ?z ) ) ex:q(1)")
    check_document(read_text(text))
    assert answers(read_formula("ex:p(1)", PREFIXES), run(read_text(text)).facts)

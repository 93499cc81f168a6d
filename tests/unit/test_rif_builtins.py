"""Builtin predicates and functions: their values, their types, and what lies outside their domain."""

from __future__ import annotations

import pytest

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Const, External, List, boolean, decimal, double, integer, iri, string
from tonmeister.rif.builtins import BUILTINS, evaluate, holds
from tonmeister.rif.matching import ground
from tonmeister.rif.names import DECIMAL, DOUBLE, FUNC, INTEGER, PLAIN, PRED, STRING, TM, XS
from tonmeister.rif.text_reader import read_formula
from tonmeister.rif.values import Ground, canonical, constant, float_of, number_of, text_of, truth_of

_ABC = List((string("a"), string("b"), string("c")))


def value(text: str) -> Ground:
    """The value of a function written as External(...)."""
    formula = read_formula(f"External({text})")
    assert isinstance(formula, External)
    return ground(formula, {})


def true(text: str) -> bool:
    formula = read_formula(f"External({text})")
    assert isinstance(formula, External)
    return holds(formula.op.value, tuple(ground(arg, {}) for arg in formula.args))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("func:numeric-add(1 2)", integer(3)),
        ("func:numeric-add(0.1 0.2)", decimal("0.3")),
        ("func:numeric-add(1 0.5e0)", double(1.5)),
        ("func:numeric-subtract(-3 4.5)", decimal("-7.5")),
        ("func:numeric-multiply(3 1e2)", double(300.0)),
        ("func:numeric-divide(1 4)", decimal("0.25")),
        ("func:numeric-divide(6 3)", integer(2)),
        ("func:numeric-divide(1e0 3)", double(1 / 3)),
        ("func:numeric-integer-divide(-7 2)", integer(-3)),
        ("func:numeric-integer-mod(-7 2)", integer(-1)),
        ("func:numeric-integer-mod(7 -2)", integer(1)),
        ("tm:min(3 1.5 2)", decimal("1.5")),
        ("tm:max(3 1.5e0 2)", double(3.0)),
        ("tm:clamp(7 -6 6)", integer(6)),
        ("tm:clamp(-7.5e0 -6 6)", double(-6.0)),
        ("tm:abs(-2.5)", decimal("2.5")),
        ("tm:log10(1000)", double(3.0)),
        ("tm:pow10(-1)", double(0.1)),
        ('func:concat("a" 1 "b")', string("a1b")),
        ('func:string-join("a" "b" "-")', string("a-b")),
        ('func:string-length("Bär")', integer(3)),
        ('func:upper-case("pan")', string("PAN")),
        ('func:lower-case("PAN")', string("pan")),
        ('func:compare("a" "b")', integer(-1)),
        ('func:substring("fader" 2 3)', string("ade")),
        ('func:substring("fader" 0 2)', string("f")),
        ('func:substring("fader" 4)', string("er")),
        ('func:substring-before("lead vox" " ")', string("lead")),
        ('func:substring-after("lead vox" " ")', string("vox")),
        ('func:substring-before("lead" "-")', string("")),
        ('func:encode-for-uri("a b/ö")', string("a%20b%2F%C3%B6")),
        ('func:not("true"^^xs:boolean)', boolean(False)),
        ("func:count(List(1 2))", integer(2)),
        ("func:get(List(1 2 3) 0)", integer(1)),
        ("func:get(List(1 2 3) -1)", integer(3)),
        ("func:sublist(List(1 2 3) 1)", List((integer(2), integer(3)))),
        ("func:sublist(List(1 2 3) 0 -1)", List((integer(1), integer(2)))),
        ("func:append(List(1) 2 3)", List((integer(1), integer(2), integer(3)))),
        ("func:concatenate(List(1) List() List(2))", List((integer(1), integer(2)))),
        ("func:insert-before(List(1 3) 1 2)", List((integer(1), integer(2), integer(3)))),
        ("func:remove(List(1 2 3) 1)", List((integer(1), integer(3)))),
        ("func:reverse(List(1 2))", List((integer(2), integer(1)))),
        ("func:index-of(List(1 2 1.0) 1)", List((integer(0), integer(2)))),
        ("func:union(List(1 2) List(2 3))", List((integer(1), integer(2), integer(3)))),
        ("func:distinct-values(List(1 1.0 2))", List((integer(1), integer(2)))),
        ("func:intersect(List(1 2 3) List(3 1))", List((integer(1), integer(3)))),
        ("func:except(List(1 2 3) List(3 1))", List((integer(2),))),
        ("func:make-list(1 List(2))", List((integer(1), List((integer(2),))))),
        ('xs:double("0.5")', double(0.5)),
        ("xs:integer(2.9)", integer(2)),
        ("xs:decimal(0.5e0)", decimal("0.5")),
        ("xs:boolean(0)", boolean(False)),
        ("xs:string(1.50)", string("1.5")),
    ],
)  # fmt: skip
def test_functions(text: str, wanted: Ground) -> None:
    assert value(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "pred:numeric-equal(1 1.0e0)",
        "pred:numeric-not-equal(1 2)",
        "pred:numeric-less-than(-3.5 0)",
        "pred:numeric-greater-than(1e3 999)",
        "pred:numeric-less-than-or-equal(2 2.0)",
        "pred:numeric-greater-than-or-equal(2 2)",
        'pred:boolean-equal("1"^^xs:boolean "true"^^xs:boolean)',
        'pred:boolean-less-than("false"^^xs:boolean "true"^^xs:boolean)',
        'pred:boolean-greater-than("true"^^xs:boolean "false"^^xs:boolean)',
        'pred:contains("lead vox" "vox")',
        'pred:starts-with("lead vox" "lead")',
        'pred:ends-with("lead vox"@en "vox")',
        "pred:is-list(List())",
        "pred:list-contains(List(1 2) 2.0)",
        "pred:is-literal-double(1e0)",
        "pred:is-literal-not-double(1)",
        "pred:is-literal-integer(1.0)",
        "pred:is-literal-decimal(1)",
        'pred:is-literal-string("a")',
        'pred:is-literal-PlainLiteral("a"@en)',
        'pred:literal-not-identical("a" "b")',
        'pred:iri-string(<urn:a> "urn:a")',
    ],
)
def test_predicates_that_hold(text: str) -> None:
    assert true(text)


@pytest.mark.parametrize(
    "text",
    [
        "pred:numeric-equal(1 2)",
        "pred:numeric-less-than(2 2)",
        'pred:contains("lead" "vox")',
        "pred:list-contains(List(1 2) 3)",
        "pred:is-list(1)",
        "pred:is-literal-double(<urn:a>)",
        "pred:is-literal-not-double(<urn:a>)",
        'pred:numeric-equal("NaN"^^xs:double "NaN"^^xs:double)',
    ],
)
def test_predicates_that_do_not(text: str) -> None:
    assert not true(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("func:numeric-divide(1 0)", "divided by 0 is not defined"),
        ("func:numeric-divide(1e0 0)", "is not defined"),
        ("func:numeric-integer-mod(1 0)", "modulo 0"),
        ('func:numeric-add("1" 2)', "is not a number"),
        ("func:numeric-multiply(1e308 1e308)", ""),
        ("func:numeric-integer-divide(1.5 1)", "should be integers"),
        ("tm:log10(0)", "log10 of 0 is not defined"),
        ("tm:pow10(1e6)", "too large"),
        ("tm:clamp(0 6 -6)", "wrong order"),
        ('tm:min("NaN"^^xs:double 1)', "NaN"),
        ("func:get(List(1) 1)", "has no place 1"),
        ("func:upper-case(1)", "is not a text"),
        ("func:count(1)", "is not a list"),
        ('func:not("yes")', "is not a truth value"),
        ('xs:integer("2.5")', "is not a value of xs:integer"),
        ("func:numeric-add(1)", "takes 2 arguments, not 1"),
        ("func:numeric-sum(1 2)", "did you mean"),
        ("pred:numeric-equal(1 2)", "is a predicate"),
    ],
)
def test_what_is_not_defined_is_said(text: str, words: str) -> None:
    if not words:  # as XPath has it, doubles overflow to infinity
        assert value(text) == double(float("inf"))
        return
    with pytest.raises(BadInputError, match=words):
        value(text)


def test_a_function_is_no_condition() -> None:
    with pytest.raises(BadInputError, match="is a function"):
        holds(FUNC + "numeric-add", (integer(1), integer(2)))


def test_exact_numbers_do_not_grow_without_end() -> None:
    number: Ground = integer(10**40)
    with pytest.raises(BadInputError, match="digits"):
        evaluate(FUNC + "numeric-multiply", (number, number))


def test_every_builtin_refuses_a_wrong_number_of_arguments_and_wrong_types_in_words() -> None:
    odd = (iri("urn:a"), List((iri("urn:b"),)), string("x"))
    for name, found in BUILTINS.items():
        call = holds if found.predicate else evaluate
        with pytest.raises(BadInputError, match="takes"):
            call(name, (integer(1),) * (found.most + 1))
        for term in odd:
            args = (term,) * max(found.fewest, 1)
            try:
                call(name, args)
            except BadInputError as error:
                assert str(error)  # noqa: PT017 - some accept anything


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Const("1", INTEGER), Const("01", INTEGER), True),
        (Const("1", INTEGER), Const("1.0", DECIMAL), True),
        (Const("1", XS + "short"), Const("1", INTEGER), True),
        (Const("1", INTEGER), Const("1", DOUBLE), False),
        (Const("0.50", DOUBLE), Const("5e-1", DOUBLE), True),
        (Const("1", XS + "boolean"), Const("true", XS + "boolean"), True),
        (Const("a", STRING), Const("a@", PLAIN), True),
        (Const("a@en", PLAIN), Const("a@de", PLAIN), False),
        (Const("2020-01-01", XS + "date"), Const("2020-01-01", XS + "date"), True),
    ],
)
def test_constants_are_equal_when_their_values_are(one: Const, other: Const, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same


@pytest.mark.parametrize(
    "const",
    [Const("1.5", INTEGER), Const("1e3", DECIMAL), Const("inf", DOUBLE), Const("yes", XS + "boolean"), Const("", DECIMAL)],
)  # fmt: skip
def test_malformed_literals_are_refused(const: Const) -> None:
    with pytest.raises(BadInputError, match="is not a value of xs:"):
        canonical(const)


def test_python_values_and_constants() -> None:
    assert constant(True) == boolean(True)
    assert constant(0.1) == double(0.1)
    assert number_of(double(float("-inf"))) == float("-inf")
    assert float_of(decimal("0.25")) == 0.25
    assert text_of(Const("a@en", PLAIN)) == "a"
    assert truth_of(boolean(True)) is True
    for reader, wrong in (
        (number_of, string("a")),
        (text_of, integer(1)),
        (truth_of, _ABC),
        (float_of, double(float("nan"))),
    ):
        with pytest.raises(BadInputError):
            reader(wrong)


def test_project_functions_stand_in_the_project_namespace() -> None:
    assert {b.name for b in BUILTINS.values() if b.iri.startswith(TM)} == {
        "min",
        "max",
        "clamp",
        "abs",
        "log10",
        "pow10",
    }
    assert sum(b.iri.startswith(PRED) for b in BUILTINS.values()) > 20

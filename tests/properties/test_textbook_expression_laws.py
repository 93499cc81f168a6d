"""The parser of rule expressions against Python's own reading of the same trees."""

from __future__ import annotations

import ast
import operator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tonmeister.engines.textbook.expressions import parse
from tonmeister.errors import BadInputError

NAMES = {"a": 3.0, "b": -2.5, "c": 0.125}
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
COMPARISONS = {ast.Lt: operator.lt, ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne}
FUNCTIONS = {"min": min, "max": max, "abs": abs, "clamp": lambda x, low, high: min(max(x, low), high)}

leaves = st.one_of(
    st.floats(0.0, 100.0, allow_nan=False).map(lambda x: f"{x:.3f}"), st.sampled_from(sorted(NAMES))
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, st.sampled_from("+-*/"), inner)
    return st.one_of(
        two.map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
        two.map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda x: f"-({x})"),
        inner.map(lambda x: f"abs({x})"),
        st.tuples(inner, inner).map(lambda t: f"min({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"clamp({t[0]}, {t[1]}, {t[2]})"),
    )


numbers = st.recursive(leaves, _larger, max_leaves=8)
tests = st.recursive(
    st.tuples(numbers, st.sampled_from(["<", ">=", "!="]), numbers).map(" ".join),
    lambda inner: st.one_of(
        inner.map(lambda x: f"not ({x})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=4,
)


def reference(node: ast.AST) -> float | bool:
    """Python's reading of the tree."""
    match node:
        case ast.Expression(body=body):
            return reference(body)
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -reference(inner)
        case ast.UnaryOp(operand=inner):
            return not reference(inner)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](reference(left), reference(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return COMPARISONS[type(op)](reference(left), reference(right))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(reference(v) for v in values)
        case ast.BoolOp(values=values):
            return any(reference(v) for v in values)
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(reference(a) for a in args))
    raise AssertionError(ast.dump(node))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.one_of(numbers, tests))
def test_agrees_with_a_reference_evaluator(text: str) -> None:
    assume(len(text) <= 400)
    try:
        expected = reference(ast.parse(text, mode="eval"))
    except ZeroDivisionError:
        with pytest.raises(BadInputError, match="divides by zero"):
            parse(text, NAMES).evaluate(NAMES.get)
        return
    message, found = outcome(text)
    if message:
        assert "nested" in message or "finite" in message or "divides by zero" in message
    else:
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def outcome(text: str) -> tuple[str, object]:
    """The error or the value of a text."""
    try:
        return "", parse(text, NAMES).evaluate(NAMES.get)
    except BadInputError as error:
        return str(error), None


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_a_named_error(text: str) -> None:
    message, _ = outcome(text)
    assert not message or "expression" in message

"""Formulas and terms of RIF as expressions of the engine `textbook`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tonmeister.engines.exchange.report import Unsayable
from tonmeister.engines.semantic.terms import local_name, textbook_terms
from tonmeister.errors import BadInputError
from tonmeister.rif.ast import And, Const, Equal, Exists, External, Formula, Frame, List, Not, Or, Term, Var
from tonmeister.rif.names import FUNC, PRED, TM
from tonmeister.rif.text_writer import formula_text, term_text
from tonmeister.rif.values import number_of

__all__ = ["Names", "number_text", "value_text"]

_SIGNS: Final = {
    f"{PRED}numeric-less-than": "<", f"{PRED}numeric-less-than-or-equal": "<=", f"{PRED}numeric-greater-than": ">",
    f"{PRED}numeric-greater-than-or-equal": ">=", f"{PRED}numeric-equal": "==", f"{PRED}numeric-not-equal": "!=",
}  # fmt: skip
_OPERATIONS: Final = {
    f"{FUNC}numeric-add": "+", f"{FUNC}numeric-subtract": "-", f"{FUNC}numeric-multiply": "*",
    f"{FUNC}numeric-divide": "/",
}  # fmt: skip
_FUNCTIONS: Final = {TM + name: name for name in ("min", "max", "clamp", "abs")}


def number_text(term: Const) -> str:
    """A constant number in the fewest digits."""
    try:
        value = float(number_of(term))
    except BadInputError as error:
        raise Unsayable(str(error)) from None
    if value != value or value in (float("inf"), float("-inf")):
        raise Unsayable(f"{term.value} is no number of the table")
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


class Names:
    """What the variables of one rule stand for: a measured name, or an expression given by an equation.

    `heads` maps the label of an owner's variable to ``track``, ``bus`` or ``song``.
    """

    def __init__(self, heads: Mapping[str, str]) -> None:
        self.heads = dict(heads)
        self._text: dict[str, str] = {}

    def read(self, frame: Frame) -> None:
        """Take up what a frame binds: ``?track[tm:crest -> ?x]``."""
        for key, value in frame.slots:
            if not isinstance(value, Var):
                raise Unsayable(
                    f"{formula_text(frame)} compares a measurement without a tolerance: use a comparison"
                )
            self._text[value.label] = self._feature(frame.object, key)

    def _feature(self, owner: Term, key: Term) -> str:
        head = self.heads.get(owner.label) if isinstance(owner, Var) else None
        name = local_name(key.value) if isinstance(key, Const) else None
        for full, term in textbook_terms()["features"].items():
            if term == name and full.startswith(f"{head}."):
                return str(full)
        raise Unsayable(f"{term_text(key)} of {term_text(owner)} is not measured for the table")

    def equal(self, formula: Equal) -> None:
        """Take up ``?x = expression``."""
        for one, other in ((formula.left, formula.right), (formula.right, formula.left)):
            if isinstance(one, Var) and one.label not in self._text:
                self._text[one.label] = self.term(other)
                return
        raise Unsayable(f"{formula_text(formula)} compares for equality: use numeric-equal")

    def condition(self, formulas: tuple[Formula, ...]) -> list[str]:
        """The tests of a conjunction; frames and equations in it say what its variables mean."""
        for formula in formulas:
            if isinstance(formula, Frame):
                self.read(formula)
        waiting = [f for f in formulas if isinstance(f, Equal)]
        for formula in waiting:
            self.equal(formula)
        return [self.test(f) for f in formulas if not isinstance(f, (Frame, Equal))]

    def test(self, formula: Formula) -> str:
        """One test."""
        if isinstance(formula, External) and formula.op.value in _SIGNS:
            left, right = (self.term(arg) for arg in formula.args)
            return f"{left} {_SIGNS[formula.op.value]} {right}"
        if isinstance(formula, Or):
            return " or ".join(f"({self._inner(part)})" for part in formula.formulas)
        if isinstance(formula, (And, Exists)):
            return self._inner(formula)
        if isinstance(formula, Not):
            return self._negated(formula)
        raise Unsayable(f"{formula_text(formula)} is not a test the table knows")

    def _inner(self, formula: Formula) -> str:
        """A part with variables of its own."""
        inner = Names(self.heads)
        inner._text = dict(self._text)
        core = formula.formula if isinstance(formula, Exists) else formula
        parts = core.formulas if isinstance(core, And) else (core,)
        tests = inner.condition(parts)
        if not tests:
            raise Unsayable(f"{formula_text(formula)} asks whether something was measured: the table cannot")
        return " and ".join(f"({test})" for test in tests) if len(tests) > 1 else tests[0]

    def _negated(self, formula: Not) -> str:
        """Only a plain comparison: the table keeps silent about what was not measured, and Not does not."""
        inner = formula.formula
        if isinstance(inner, External):
            return f"not ({self.test(inner)})"
        raise Unsayable(
            f"{formula_text(formula)} holds when nothing was measured: negate the comparison instead"
        )

    def term(self, term: Term) -> str:
        """A value."""
        if isinstance(term, Const):
            return number_text(term)
        if isinstance(term, Var):
            if term.label not in self._text:
                raise Unsayable(f"?{term.label} is no measured number")
            return self._text[term.label]
        if isinstance(term, List):
            raise Unsayable("the table knows no lists")
        parts = [self.term(arg) for arg in term.args]
        if term.op.value in _OPERATIONS:
            return f"({parts[0]} {_OPERATIONS[term.op.value]} {parts[1]})"
        if term.op.value in _FUNCTIONS:
            return f"{_FUNCTIONS[term.op.value]}({', '.join(map(_bare, parts))})"
        raise Unsayable(f"{term.op.value.rpartition('#')[2]} is no function of the table")


def _bare(text: str) -> str:
    """Without the outer parentheses, if they belong together."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and at < len(text) - 1:
            return text
    return text[1:-1]


def value_text(names: Names, term: Term) -> str:
    """A value as it stands in an action."""
    return _bare(names.term(term))

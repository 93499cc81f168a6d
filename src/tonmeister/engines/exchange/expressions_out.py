"""Expressions of the engine `textbook` as formulas and terms of RIF.

What is measured becomes a variable, bound by a frame: a feature that nobody measured then matches nothing, and the rule
stays silent, as in the table. Inside an alternative a variable is bound for that alternative only, so that the other
side can settle the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tonmeister.engines.exchange.report import Unsayable
from tonmeister.engines.exchange.writing import call, frame, number
from tonmeister.engines.semantic.terms import textbook_terms
from tonmeister.engines.textbook.expressions import Expression, Node
from tonmeister.rif.ast import And, Exists, Formula, Frame, Member, Or, Term, Var
from tonmeister.rif.names import FUNC, PRED, TM

__all__ = ["Readings"]

_COMPARISONS: Final = {
    "<": "less-than", "<=": "less-than-or-equal", ">": "greater-than", ">=": "greater-than-or-equal",
    "==": "equal", "!=": "not-equal",
}  # fmt: skip
_OPPOSITE: Final = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
_OPERATIONS: Final = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


class Readings:
    """The features that one rule reads: each gets a variable and a frame that binds it.

    `owners` says which variable stands for ``track``, ``bus`` and ``song``.
    """

    def __init__(self, owners: Mapping[str, Var]) -> None:
        self._owners = owners
        self._bound: dict[str, Var] = {}
        self.used: dict[str, Var] = {}
        """Heads (``track``, ``bus``, ``song``) that were read, with their variable."""

    @property
    def variables(self) -> tuple[Var, ...]:
        """The variables of all features read at the top."""
        return tuple(self._bound.values())

    def frames(self) -> list[Frame]:
        """What binds them."""
        return [self._frame(name, variable) for name, variable in self._bound.items()]

    def test(self, expression: Expression) -> list[Formula]:
        """A test as a conjunction; what it reads is bound by `frames`."""
        return self._conjuncts(expression.root, negated=False)

    def term(self, expression: Expression) -> Term:
        """A value; what it reads is bound by `frames`."""
        return self._term(expression.root, self._bound)

    # -------------------------------------------------------------- tests

    def _conjuncts(self, node: Node, *, negated: bool) -> list[Formula]:
        if node.kind == "not":
            return self._conjuncts(node.parts[0], negated=not negated)
        if node.kind == ("or" if negated else "and"):
            return [f for part in node.parts for f in self._conjuncts(part, negated=negated)]
        if node.kind in ("and", "or"):
            return [Or(tuple(self._alternative(part, negated) for part in self._same(node)))]
        return [self._comparison(node, negated, self._bound)]

    def _same(self, node: Node) -> Iterable[Node]:
        """The parts of nested operations of one kind."""
        for part in node.parts:
            yield from self._same(part) if part.kind == node.kind else (part,)

    def _alternative(self, node: Node, negated: bool) -> Formula:
        """One side of an Or, with variables of its own for what is read only there."""
        inner = Readings(self._owners)
        formulas = inner._conjuncts(node, negated=negated)
        self.used.update(inner.used)
        frames: list[Formula] = list(inner.frames())
        parts = (*frames, *formulas)
        formula = parts[0] if len(parts) == 1 else And(parts)
        return Exists(inner.variables, formula) if inner.variables else formula

    def _comparison(self, node: Node, negated: bool, bound: dict[str, Var]) -> Formula:
        if node.kind not in _COMPARISONS:
            raise Unsayable(f"{node.kind} is not a test")
        sign = _OPPOSITE[node.kind] if negated else node.kind
        left, right = (self._term(part, bound) for part in node.parts)
        return call(f"{PRED}numeric-{_COMPARISONS[sign]}", left, right)

    # -------------------------------------------------------------- values

    def _term(self, node: Node, bound: dict[str, Var]) -> Term:
        if node.kind == "number":
            return number(node.number)
        if node.kind == "name":
            return self._variable(node.name, bound)
        parts = [self._term(part, bound) for part in node.parts]
        if node.kind == "negative":
            (inner,) = node.parts
            return (
                number(-inner.number)
                if inner.kind == "number"
                else call(f"{FUNC}numeric-subtract", number(0), *parts)
            )
        if node.kind in _OPERATIONS:
            return call(f"{FUNC}numeric-{_OPERATIONS[node.kind]}", *parts)
        if node.kind in ("min", "max", "clamp", "abs"):
            return call(TM + node.kind, *parts)
        raise Unsayable(f"{node.kind} cannot be part of a value")

    def _variable(self, name: str, bound: dict[str, Var]) -> Var:
        if name not in textbook_terms()["features"]:
            raise Unsayable(f"{name} has no name in the vocabulary")
        head = name.partition(".")[0]
        if head not in self._owners:
            raise Unsayable(f"{name} cannot be read here")
        self.used[head] = self._owners[head]
        label = name.replace(".", "_")
        return bound.setdefault(name, Var(label))

    def _frame(self, name: str, variable: Var) -> Frame:
        owner = self._owners[name.partition(".")[0]]
        return frame(owner, {textbook_terms()["features"][name]: variable})


def membership(variable: Var, cls: str) -> Member:
    """``?variable # tm:Class``."""
    from tonmeister.engines.exchange.writing import property_of

    return Member(variable, property_of(cls))

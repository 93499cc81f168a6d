"""The expression language of rule files: arithmetic on measured names, units checked when a rule is loaded.

Grammar, loosest first::

    expression = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation = "not" negation | comparison
    comparison = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
    sum = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor = "-" factor | number | name | function "(" expression { "," expression } ")" | "(" expression ")"

Functions are ``min max clamp abs``. A name's unit is its suffix (``track.peak_db`` is in decibels, ``track.width``
is a ratio); a plain number takes whatever unit stands beside it. Logic is three-valued: what depends on a value
that was not measured is `Unknown`, unless the other side settles it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from tonmeister.errors import BadInputError, nearest
from tonmeister.units import KNOWN_UNITS

__all__ = ["Expression", "Lookup", "Unknown", "Value", "parse", "unit_of"]

MAXIMUM_LENGTH: Final = 400
MAXIMUM_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class Unknown:
    """The value of an expression that reads something that was not measured."""

    missing: frozenset[str]


Value = float | bool | Unknown
Lookup = Callable[[str], float | None]
"""Value of a name, None when it was not measured."""

ANY: Final = "any"
"""Unit of a plain number: it becomes the unit of its neighbor."""
TRUTH: Final = "truth"
"""Unit of a comparison."""


def unit_of(name: str) -> str:
    """The unit a name ends in, without its underscore; '' for a ratio."""
    return next((suffix[1:] for suffix in KNOWN_UNITS if name.endswith(suffix)), "")


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: `kind` is ``number``, ``name``, an operator, ``negative`` or a function's name."""

    kind: str
    unit: str
    parts: tuple[Node, ...] = ()
    number: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    text: str
    root: Node

    @property
    def unit(self) -> str:
        """``any`` for plain numbers, ``truth`` for tests, '' for ratios, else the unit."""
        return self.root.unit

    @property
    def reads(self) -> frozenset[str]:
        """The names it reads."""
        return frozenset(_names(self.root))

    def evaluate(self, lookup: Lookup) -> Value:
        """Its value; raises `BadInputError` for a division by zero or a result that is not finite."""
        try:
            value = _evaluate(self.root, lookup)
        except ZeroDivisionError:
            raise BadInputError(f"expression {self.text!r} divides by zero: guard it with a test") from None
        if not isinstance(value, Unknown) and not math.isfinite(value):
            raise BadInputError(f"expression {self.text!r} gives {value}, which is not a finite number")
        return value


def parse(text: str, names: Collection[str]) -> Expression:
    """Parse and check an expression that may read `names`; a mistake is a `BadInputError` that says where."""
    if len(text) > MAXIMUM_LENGTH:
        raise BadInputError(f"expression of {len(text)} characters is too long: at most {MAXIMUM_LENGTH}")
    return Expression(text, _Parser(text, names).parse())


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)"
    r"|(?P<sign><=|>=|==|!=|[-+*/()<>,]))"
)
_COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")
_ARGUMENTS: Final = {"min": (2, 8), "max": (2, 8), "clamp": (3, 3), "abs": (1, 1)}
_RESERVED: Final = ("and", "or", "not")


class _Parser:
    """Recursive descent over the tokens, with a limit on depth."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text = text
        self._names = names
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        root = self._expression()
        if self._peek():
            raise self._error(f"{self._peek()!r} is not expected here")
        return root

    def _split(self) -> list[str]:
        tokens, position, end = [], 0, len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._error(f"{self._text[position:].strip()[:1]!r} is not part of the language")
            tokens.append(match.group().strip())
            position = match.end()
        return tokens

    def _error(self, what: str) -> BadInputError:
        return BadInputError(f"expression {self._text!r}: {what}")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _accept(self, *tokens: str) -> str:
        return self._take() if self._peek() in tokens and self._peek() else ""

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise self._error(f"{token!r} is missing{f' before {self._peek()!r}' if self._peek() else ''}")

    def _deeper(self, inner: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise self._error(f"it is nested deeper than {MAXIMUM_DEPTH} levels")
        node = inner()
        self._depth -= 1
        return node

    def _expression(self) -> Node:
        return self._deeper(self._disjunction)

    def _disjunction(self) -> Node:
        node = self._conjunction()
        while self._accept("or"):
            node = self._logic("or", node, self._conjunction())
        return node

    def _conjunction(self) -> Node:
        node = self._negation()
        while self._accept("and"):
            node = self._logic("and", node, self._negation())
        return node

    def _negation(self) -> Node:
        if self._accept("not"):
            return self._logic("not", self._deeper(self._negation))
        return self._comparison()

    def _comparison(self) -> Node:
        node = self._sum()
        if sign := self._accept(*_COMPARISONS):
            other = self._sum()
            self._common_unit(sign, node, other)
            node = Node(sign, TRUTH, (node, other))
        return node

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._accept("+", "-"):
            other = self._product()
            node = Node(sign, self._common_unit(sign, node, other), (node, other))
        return node

    def _product(self) -> Node:
        node = self._factor()
        while sign := self._accept("*", "/"):
            other = self._factor()
            node = Node(sign, self._scaled_unit(sign, node, other), (node, other))
        return node

    def _factor(self) -> Node:
        if self._accept("-"):
            inner = self._deeper(self._factor)
            return Node("negative", self._numeric("-", inner), (inner,))
        if self._accept("("):
            inner = self._expression()
            self._expect(")")
            return inner
        return self._atom(self._take())

    def _atom(self, token: str) -> Node:
        if not token:
            raise self._error("it ends too early")
        if token[0].isdigit() or token[0] == ".":
            return self._number(token)
        if token in _RESERVED or not (token[0].isalpha() or token[0] == "_"):
            raise self._error(f"{token!r} is not expected here")
        if self._peek() == "(":
            return self._call(token)
        if token not in self._names:
            raise self._error(f"there is no name {token!r}{nearest(token, sorted(self._names))}")
        return Node("name", unit_of(token), name=token)

    def _number(self, token: str) -> Node:
        number = float(token)
        if not math.isfinite(number):
            raise self._error(f"{token} is too large")
        return Node("number", ANY, number=number)

    def _call(self, function: str) -> Node:
        if function not in _ARGUMENTS:
            raise self._error(f"there is no function {function!r}{nearest(function, list(_ARGUMENTS))}")
        self._expect("(")
        parts = [self._expression()]
        while self._accept(","):
            parts.append(self._expression())
        self._expect(")")
        fewest, most = _ARGUMENTS[function]
        if not fewest <= len(parts) <= most:
            raise self._error(f"{function} takes {fewest} to {most} arguments, not {len(parts)}")
        return Node(function, self._common_unit(function, *parts), tuple(parts))

    def _logic(self, operator: str, *parts: Node) -> Node:
        if any(part.unit != TRUTH for part in parts):
            raise self._error(f"{operator!r} joins tests, not numbers")
        return Node(operator, TRUTH, parts)

    def _numeric(self, operator: str, node: Node) -> str:
        if node.unit == TRUTH:
            raise self._error(f"{operator!r} works on numbers, not on tests")
        return node.unit

    def _common_unit(self, operator: str, *parts: Node) -> str:
        units = list(dict.fromkeys(u for u in (self._numeric(operator, p) for p in parts) if u != ANY))
        if len(units) > 1:
            shown = " and ".join(unit or "a ratio" for unit in units)
            raise self._error(f"{operator!r} cannot join {shown}: both sides need one unit")
        return units[0] if units else ANY

    def _scaled_unit(self, operator: str, left: Node, right: Node) -> str:
        a, b = self._numeric(operator, left), self._numeric(operator, right)
        if operator == "/" and right.kind == "number" and right.number == 0:
            raise self._error("it divides by zero")
        if b in (ANY, ""):
            return (b if b == "" else ANY) if a == ANY else a
        if operator == "*" and a in (ANY, ""):
            return b
        if operator == "/" and a == b:
            return ""
        raise self._error(f"{operator!r} of {a or 'a number'} and {b} has no unit the language knows")


def _names(node: Node) -> set[str]:
    found = {node.name} if node.kind == "name" else set()
    for part in node.parts:
        found |= _names(part)
    return found


def _evaluate(node: Node, lookup: Lookup) -> Value:
    if node.kind == "number":
        return node.number
    if node.kind == "name":
        value = lookup(node.name)
        return Unknown(frozenset((node.name,))) if value is None else float(value)
    values = [_evaluate(part, lookup) for part in node.parts]
    if node.kind in _RESERVED:
        return _logic(node.kind, values)
    missing = [value.missing for value in values if isinstance(value, Unknown)]
    if missing:
        return Unknown(frozenset().union(*missing))
    return _OPERATIONS[node.kind](*(float(value) for value in values if not isinstance(value, Unknown)))


def _logic(operator: str, values: list[Value]) -> Value:
    """Kleene's three-valued logic: a side that settles the question makes the unknown side irrelevant."""
    if operator == "not":
        return values[0] if isinstance(values[0], Unknown) else not values[0]
    settles = operator == "or"
    if any(not isinstance(value, Unknown) and bool(value) is settles for value in values):
        return settles
    missing = [value.missing for value in values if isinstance(value, Unknown)]
    return Unknown(frozenset().union(*missing)) if missing else not settles


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


_OPERATIONS: Final[dict[str, Callable[..., float | bool]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "negative": lambda a: -a,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "min": min,
    "max": max,
    "clamp": _clamp,
    "abs": abs,
}

"""Expressions over the values of owners: what constraints are made of, and how they are computed.

A value is a number, a word, a truth, or None: nothing known. What depends on an unknown value is unknown, except
where the other side of ``and`` or ``or`` settles it (Kleene), and for ``known``, which asks just that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from tonmeister.errors import BadInputError, nearest

__all__ = [
    "Call", "Constant", "Expression", "FUNCTIONS", "Key", "Quantity", "Read", "Total", "Value", "compiled", "reads",
    "substituted",
]  # fmt: skip

Value: TypeAlias = float | str | bool | None
Key: TypeAlias = tuple[str, str]
"""(owner, property): a variable of the store."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a word or a truth."""

    value: Value


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a property of an owner; an owner that begins with ``?`` is a quantified variable."""

    owner: str
    property: str
    effective: bool = False
    """Whether what the ancestors add or multiply is counted in."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of other expressions; see `FUNCTIONS`."""

    function: str
    parts: tuple[Expression, ...]

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            close = nearest(self.function, list(FUNCTIONS))
            raise BadInputError(f"there is no function {self.function!r} for constraints{close}")


@dataclass(frozen=True, slots=True)
class Total:
    """A fold over the owners of a class: ``sum``, ``product``, ``min``, ``max``, ``count``, ``any``, ``all``."""

    fold: str
    variable: str
    over: str
    body: Expression


Expression: TypeAlias = Constant | Read | Call | Total
Quantity: TypeAlias = Callable[[Sequence[Value]], Value]
"""A compiled expression: from the values of all variables, by number, to a value."""


def reads(expression: Expression) -> Iterator[Read]:
    """Every variable an expression reads, in order, as often as it stands there."""
    if isinstance(expression, Read):
        yield expression
    elif isinstance(expression, Call):
        for part in expression.parts:
            yield from reads(part)
    elif isinstance(expression, Total):
        yield from reads(expression.body)


def substituted(expression: Expression, owners: Mapping[str, str]) -> Expression:
    """The expression with quantified variables replaced by owners."""
    if isinstance(expression, Read):
        return replace(expression, owner=owners.get(expression.owner, expression.owner))
    if isinstance(expression, Call):
        return Call(expression.function, tuple(substituted(part, owners) for part in expression.parts))
    if isinstance(expression, Total):
        inner = {k: v for k, v in owners.items() if k != expression.variable}
        return replace(expression, body=substituted(expression.body, inner))
    return expression


def compiled(expression: Expression, number_of: Callable[[Read], int]) -> Quantity:
    """A closure that computes the expression; `number_of` gives the index of each variable."""
    if isinstance(expression, Constant):
        constant = expression.value
        return lambda values: constant
    if isinstance(expression, Read):
        index = number_of(expression)
        return lambda values: values[index]
    if isinstance(expression, Total):
        raise BadInputError("a total stands for the owners of a class: put it into a store, which knows them")
    parts = [compiled(part, number_of) for part in expression.parts]
    return _LAZY[expression.function](parts) if expression.function in _LAZY else _strict(expression, parts)


def _strict(call: Call, parts: Sequence[Quantity]) -> Quantity:
    function = FUNCTIONS[call.function]
    if len(parts) == 1:
        (only,) = parts
        return lambda values: None if (x := only(values)) is None else function(x)
    if len(parts) == 2:
        first, second = parts
        return lambda values: (
            None if (x := first(values)) is None or (y := second(values)) is None else function(x, y)
        )

    def several(values: Sequence[Value]) -> Value:
        arguments = [part(values) for part in parts]
        return None if None in arguments else function(*arguments)

    return several


# ------------------------------------------------------------------ functions


def _number(value: Value) -> float:
    if isinstance(value, (bool, str)) or value is None:
        raise BadInputError(f"{value!r} is not a number: compare words with == only")
    return value


def _arithmetic(function: Callable[..., float]) -> Callable[..., Value]:
    """Arithmetic that answers None where there is no finite result."""

    def guarded(*arguments: Value) -> Value:
        try:
            result = function(*map(_number, arguments))
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
        return result if math.isfinite(result) else None

    return guarded


def _compared(function: Callable[[float, float], bool]) -> Callable[..., Value]:
    return lambda a, b: function(_number(a), _number(b))


def _same(a: Value, b: Value) -> bool:
    return a == b and isinstance(a, str) == isinstance(b, str)


FUNCTIONS: Final[Mapping[str, Callable[..., Value]]] = {
    "+": _arithmetic(lambda a, b: a + b),
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(lambda a, b: a / b),
    "negative": _arithmetic(lambda a: -a),
    "abs": _arithmetic(abs),
    "min": _arithmetic(min),
    "max": _arithmetic(max),
    "clamp": _arithmetic(lambda x, low, high: min(max(x, low), high)),
    "exp": _arithmetic(math.exp),
    "ln": _arithmetic(math.log),
    "log10": _arithmetic(math.log10),
    "pow10": _arithmetic(lambda x: math.pow(10.0, x)),
    "power": _arithmetic(math.pow),
    "<": _compared(lambda a, b: a < b),
    "<=": _compared(lambda a, b: a <= b),
    ">": _compared(lambda a, b: a > b),
    ">=": _compared(lambda a, b: a >= b),
    "==": _same,
    "!=": lambda a, b: not _same(a, b),
    "and": lambda *parts: all(parts),
    "or": lambda *parts: any(parts),
    "not": lambda a: not a,
    "known": lambda a: a is not None,
    "if": lambda test, yes, no: yes if test else no,
}
"""Name -> function of known values. ``and or known if`` also answer where not all of their parts are known."""


def _settled(parts: Sequence[Quantity], settles: bool) -> Quantity:
    def logic(values: Sequence[Value]) -> Value:
        unknown = False
        for part in parts:
            value = part(values)
            if value is None:
                unknown = True
            elif bool(value) is settles:
                return settles
        return None if unknown else not settles

    return logic


def _known(parts: Sequence[Quantity]) -> Quantity:
    (part,) = parts
    return lambda values: part(values) is not None


def _chosen(parts: Sequence[Quantity]) -> Quantity:
    test, yes, no = parts

    def either(values: Sequence[Value]) -> Value:
        truth = test(values)
        return None if truth is None else yes(values) if truth else no(values)

    return either


_LAZY: Final[Mapping[str, Callable[[Sequence[Quantity]], Quantity]]] = {
    "and": lambda parts: _settled(parts, False),
    "or": lambda parts: _settled(parts, True),
    "known": _known,
    "if": _chosen,
}

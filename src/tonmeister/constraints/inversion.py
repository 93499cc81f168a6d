"""Solving an equation for one variable: by inverting the operations around it, or between bounds.

``isolated`` turns *left = right* into *variable = expression* when the variable occurs once and every operation on
the way to it has an inverse. ``root`` finds a zero between bounds when that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from tonmeister.constraints.expressions import Call, Constant, Expression, Read, Total, reads

__all__ = ["isolated", "root"]

_FAITHFUL: Final = ("+", "-", "*", "/", "negative")


def isolated(
    left: Expression, right: Expression, wanted: Read, *, faithful: bool = False
) -> Expression | None:
    """The expression that `wanted` must equal, or None when it occurs twice or cannot be got at.

    `faithful` knows the inverses of + - * / only; else also those of exp, ln, log10, pow10, power and clamp (within
    whose bounds the value passes unchanged).
    """
    occurrences = [read for side in (left, right) for read in reads(side) if read == wanted]
    if len(occurrences) != 1:
        return None
    inside, outside = (left, right) if wanted in set(reads(left)) else (right, left)
    while inside != wanted:
        if not isinstance(inside, Call) or (faithful and inside.function not in _FAITHFUL):
            return None
        at = next(i for i, part in enumerate(inside.parts) if wanted in set(reads(part)))
        undo = _INVERSES.get(inside.function)
        undone = undo(inside.parts, at, outside) if undo else None
        if undone is None:
            return None
        inside, outside = inside.parts[at], undone
    return None if isinstance(outside, Total) else outside


Parts = tuple[Expression, ...]


def _call(function: str, *parts: Expression) -> Call:
    return Call(function, parts)


def _of_difference(parts: Parts, at: int, result: Expression) -> Expression:
    return _call("+", result, parts[1]) if at == 0 else _call("-", parts[0], result)


def _of_quotient(parts: Parts, at: int, result: Expression) -> Expression:
    return _call("*", result, parts[1]) if at == 0 else _call("/", parts[0], result)


def _of_power(parts: Parts, at: int, result: Expression) -> Expression:
    if at == 0:
        return _call("power", result, _call("/", Constant(1.0), parts[1]))
    return _call("/", _call("ln", result), _call("ln", parts[0]))


_INVERSES: Final[Mapping[str, Callable[[Parts, int, Expression], Expression | None]]] = {
    "+": lambda parts, at, result: _call("-", result, parts[1 - at]),
    "-": _of_difference,
    "*": lambda parts, at, result: _call("/", result, parts[1 - at]),
    "/": _of_quotient,
    "negative": lambda parts, at, result: _call("negative", result),
    "exp": lambda parts, at, result: _call("ln", result),
    "ln": lambda parts, at, result: _call("exp", result),
    "log10": lambda parts, at, result: _call("pow10", result),
    "pow10": lambda parts, at, result: _call("log10", result),
    "power": _of_power,
    "clamp": lambda parts, at, result: _call("clamp", result, parts[1], parts[2]) if at == 0 else None,
}


def root(
    difference: Callable[[float], float | None], low: float, high: float, near: float, *, steps: int = 48
) -> float | None:
    """A zero of `difference` between `low` and `high`: of the brackets on a grid the one nearest to `near`, halved.

    None when there is no change of sign on the grid.
    """
    grid = sorted(
        {low, high, min(max(near, low), high), *(low + (high - low) * i / steps for i in range(steps + 1))}
    )
    known = [(x, y) for x in grid if (y := difference(x)) is not None]
    brackets = [(a, b) for (a, ya), (b, yb) in pairwise(known) if ya == 0 or yb == 0 or ya * yb < 0]
    if not brackets:
        return None
    low, high = min(brackets, key=lambda pair: min(abs(pair[0] - near), abs(pair[1] - near)))
    return _halved(difference, low, high)


def _halved(difference: Callable[[float], float | None], low: float, high: float) -> float | None:
    at_low, at_high = difference(low), difference(high)
    if at_low == 0 or at_high == 0:
        return low if at_low == 0 else high
    for _ in range(200):
        middle = (low + high) / 2.0
        value = difference(middle)
        if value is None or at_low is None:
            return None
        if value == 0 or middle in (low, high):
            return middle
        low, high = (middle, high) if (value < 0) == (at_low < 0) else (low, middle)
    return (low + high) / 2.0

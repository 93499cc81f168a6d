"""Constants and what they mean: one canonical constant for each value, and Python's numbers from and to them.

Two constants stand for one value exactly when their canonical forms are equal. As in the datatypes of RIF, integers
are decimals (``1`` is ``1.0``), while decimals and doubles are different values that ``pred:numeric-equal`` compares.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeAlias

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Const, List, boolean, double, integer, string
from tonmeister.rif.names import BOOLEAN, DECIMAL, DOUBLE, FLOAT, INTEGER, IRI, LOCAL, PLAIN, STRING, XS

__all__ = [
    "Ground", "Number", "canonical", "constant", "float_of", "is_number", "number_of", "shown", "text_of", "truth_of",
]  # fmt: skip

Ground: TypeAlias = "Const | List"
"""A term without variables and builtins; a `List` of such."""
Number: TypeAlias = int | float | Decimal

_INTEGERS: Final = frozenset(
    XS + name
    for name in "integer long int short byte nonNegativeInteger positiveInteger nonPositiveInteger "
    "negativeInteger unsignedLong unsignedInt unsignedShort unsignedByte".split()
)
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)")
_DOUBLE: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|-?INF|NaN")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_MOST_DIGITS: Final = 400


def canonical(term: Const | List) -> Ground:
    """The one constant (or list of such) for the value of a ground term; a malformed literal is a `BadInputError`."""
    if isinstance(term, List):
        return List(tuple(canonical(item) for item in term.items if isinstance(item, (Const, List))))
    return _canonical(term.value, term.type)


@lru_cache(maxsize=65536)
def _canonical(value: str, kind: str) -> Const:
    if kind in (IRI, LOCAL, STRING):
        return Const(value, kind)
    if kind in _INTEGERS or kind == DECIMAL:
        return constant(_decimal(value, kind))
    if kind in (DOUBLE, FLOAT):
        return Const(double(_double(value, kind)).value, kind)
    if kind == BOOLEAN:
        return boolean(_boolean(value))
    if kind == PLAIN and value.endswith("@"):
        return string(value[:-1])
    return Const(value, kind)


def _decimal(text: str, kind: str) -> Decimal:
    stripped = text.strip()
    number = Decimal(stripped) if _DECIMAL.fullmatch(stripped) and len(stripped) <= _MOST_DIGITS else None
    if number is None or (kind in _INTEGERS and number != number.to_integral_value()):
        raise _malformed(text, kind)
    return number


def _double(text: str, kind: str) -> float:
    if not _DOUBLE.fullmatch(text.strip()):
        raise _malformed(text, kind)
    return float(text.replace("INF", "inf"))


def _boolean(text: str) -> bool:
    if text.strip() not in _TRUTHS:
        raise _malformed(text, BOOLEAN)
    return _TRUTHS[text.strip()]


def _malformed(text: str, kind: str) -> BadInputError:
    shown = text if len(text) <= 40 else text[:40] + "..."
    return BadInputError(f"{shown!r} is not a value of {kind.replace(XS, 'xs:')}: write it as that type does")


def constant(value: Number | str | bool) -> Const:
    """The canonical constant of a Python value: integral decimals become ``xs:integer``, floats ``xs:double``."""
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, float):
        return double(value)
    if isinstance(value, int):
        return integer(value)
    if value == value.to_integral_value():
        return integer(int(value))
    text = format(value, "f")
    return Const(text.rstrip("0") if "." in text else text, DECIMAL)


def is_number(term: Ground) -> bool:
    """Whether a canonical term is an integer, decimal or double."""
    return isinstance(term, Const) and term.type in (INTEGER, DECIMAL, DOUBLE, FLOAT)


def number_of(term: Ground) -> Number:
    """The number a term stands for; anything else is a `BadInputError`."""
    ground = canonical(term)
    if not isinstance(ground, Const) or not is_number(ground):
        raise BadInputError(f"{shown(term)} is not a number: give one")
    if ground.type == INTEGER:
        return int(ground.value)
    return Decimal(ground.value) if ground.type == DECIMAL else float(ground.value.replace("INF", "inf"))


def float_of(term: Ground) -> float:
    """The number as a float; one that is not finite is a `BadInputError`."""
    value = float(number_of(term))
    if not math.isfinite(value):
        raise BadInputError(f"{shown(term)} is not a finite number")
    return value


def text_of(term: Ground) -> str:
    """The text a string (or a text with language) stands for; anything else is a `BadInputError`."""
    ground = canonical(term)
    if isinstance(ground, Const) and ground.type == STRING:
        return ground.value
    if isinstance(ground, Const) and ground.type == PLAIN:
        return ground.value.rpartition("@")[0]
    raise BadInputError(f"{shown(term)} is not a text: give a string")


def truth_of(term: Ground) -> bool:
    """The truth value a boolean stands for; anything else is a `BadInputError`."""
    ground = canonical(term)
    if isinstance(ground, Const) and ground.type == BOOLEAN:
        return ground.value == "true"
    raise BadInputError(f"{shown(term)} is not a truth value: give an xs:boolean")


def shown(term: Ground) -> str:
    """A ground term in messages."""
    if isinstance(term, List):
        return "List(" + " ".join(shown(i) for i in term.items if isinstance(i, (Const, List))) + ")"
    return repr(term.value) if term.type == STRING else term.value

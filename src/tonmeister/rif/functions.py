"""What the builtins of rules compute: numbers, texts, lists and types (see `tonmeister.rif.builtins`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Const, List, boolean
from tonmeister.rif.names import (
    BOOLEAN,
    DECIMAL,
    DOUBLE,
    INTEGER,
    IRI,
    LOCAL,
    PLAIN,
    STRING,
)
from tonmeister.rif.values import (
    Ground,
    Number,
    canonical,
    constant,
    float_of,
    is_number,
    number_of,
    shown,
    text_of,
    truth_of,
)

__all__ = [
    "LITERAL_TYPES",
    "Args",
    "absolute",
    "arithmetic",
    "boolean_cast",
    "clamped",
    "compared",
    "comparison",
    "difference",
    "distinct",
    "divided",
    "extreme_of",
    "inserted",
    "integer_quotient",
    "integer_rest",
    "intersection",
    "item_at",
    "items_of",
    "joined",
    "list_of",
    "literal_test",
    "logarithm",
    "number_cast",
    "places_of",
    "power_of_ten",
    "sublist_of",
    "substring_of",
    "text_after",
    "text_before",
    "text_function",
    "text_made",
    "text_said",
    "text_test",
    "truth_test",
    "union_of",
    "without_item",
]

Args = tuple[Ground, ...]

_MOST_DIGITS: Final = 60
"""Digits of an exact number: more than any measurement, few enough to stay quick."""
_LONGEST: Final = 100_000
"""Characters of a text, items of a list."""

# ------------------------------------------------------------------ numbers


def bounded(value: Number) -> Number:
    """The number, if it is short enough to stay quick."""
    if isinstance(value, float):
        return value
    digits = len(str(value)) if isinstance(value, int) else len(value.as_tuple().digits)
    if digits > _MOST_DIGITS:
        raise BadInputError(f"a number of {digits} digits is too long: at most {_MOST_DIGITS}")
    return value


def pair_of(args: Args) -> tuple[Number, Number]:
    """Two numbers of one kind: floats if one is, else decimals or integers."""
    a, b = number_of(args[0]), number_of(args[1])
    if isinstance(a, float) or isinstance(b, float):
        return float(a), float(b)
    if isinstance(a, int) and isinstance(b, int):
        return a, b
    return Decimal(a), Decimal(b)


def arithmetic(operation: Callable[..., Number]) -> Callable[[Args], Ground]:
    """A function of two numbers."""

    def run(args: Args) -> Ground:
        try:
            with localcontext(Context(prec=_MOST_DIGITS)):
                return constant(bounded(operation(*pair_of(args))))
        except (ZeroDivisionError, DivisionByZero, InvalidOperation):
            raise BadInputError(
                f"{shown(args[0])} divided by {shown(args[1])} is not defined: test it first"
            ) from None
        except (OverflowError, Overflow):
            raise BadInputError("the result is too large for a number") from None

    return run


def divided(a: Number, b: Number) -> Number:
    """Exact for decimals as far as 28 digits go."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a) / float(b)
    with localcontext(Context(prec=28)):
        return Decimal(a) / Decimal(b)


def integers_of(args: Args) -> tuple[int, int]:
    """Two integers."""
    a, b = number_of(args[0]), number_of(args[1])
    if not isinstance(a, int) or not isinstance(b, int):
        raise BadInputError(f"{shown(args[0])} and {shown(args[1])} should be integers")
    return a, b


def integer_quotient(args: Args) -> Ground:
    """Toward zero, as in XPath."""
    a, b = integers_of(args)
    if b == 0:
        raise BadInputError(f"{a} divided by 0 is not defined: test it first")
    return constant(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


def integer_rest(args: Args) -> Ground:
    """With the sign of the dividend, as in XPath."""
    a, b = integers_of(args)
    if b == 0:
        raise BadInputError(f"{a} modulo 0 is not defined: test it first")
    return constant(abs(a) % abs(b) * (-1 if a < 0 else 1))


def comparison(test: Callable[[Number, Number], bool]) -> Callable[[Args], bool]:
    """A predicate of two numbers."""
    return lambda args: test(*pair_of(args))


def extreme_of(choose: Callable[..., Number]) -> Callable[[Args], Ground]:
    """The smallest or largest of all arguments."""

    def run(args: Args) -> Ground:
        numbers = [number_of(arg) for arg in args]
        if any(n != n for n in numbers):
            raise BadInputError("NaN is not a number that can be compared")
        if any(isinstance(n, float) for n in numbers):
            return constant(choose(float(n) for n in numbers))
        return constant(choose(Decimal(n) for n in numbers))

    return run


def absolute(args: Args) -> Ground:
    """``abs(value)``."""
    value = number_of(args[0])
    return constant(-value if value < 0 else value)


def clamped(args: Args) -> Ground:
    """``clamped(value low high)``."""
    if number_of(args[1]) > number_of(args[2]):
        raise BadInputError(f"clamp: its limits {shown(args[1])} and {shown(args[2])} are in the wrong order")
    return extreme_of(min)((extreme_of(max)(args[:2]), args[2]))


def logarithm(args: Args) -> Ground:
    """``log10(value)``."""
    value = float_of(args[0])
    if value <= 0.0:
        raise BadInputError(f"log10 of {value:g} is not defined: test it first")
    return constant(math.log10(value))


def power_of_ten(args: Args) -> Ground:
    """``pow10(value)``, ten to its power."""
    try:
        return constant(10.0 ** float_of(args[0]))
    except OverflowError:
        raise BadInputError(f"pow10 of {shown(args[0])} is too large for a number") from None


# ------------------------------------------------------------------ texts


def text_made(text: str) -> Ground:
    """A text, if it is not too long."""
    if len(text) > _LONGEST:
        raise BadInputError(f"a text of {len(text)} characters is too long: at most {_LONGEST}")
    return constant(text)


def text_said(term: Ground) -> str:
    """A text, or any other constant as it is written (for concat)."""
    if isinstance(term, List):
        raise BadInputError(f"{shown(term)} is not a text: give a string")
    return text_of(term) if term.type in (STRING, PLAIN) else term.value


def substring_of(args: Args) -> Ground:
    """Counted from 1; positions outside the text are cut off."""
    text, start = text_of(args[0]), float_of(args[1])
    end = math.inf if len(args) == 2 else start + float_of(args[2])
    return constant("".join(c for i, c in enumerate(text, 1) if start <= i < end))


def text_before(args: Args) -> Ground:
    """What stands before the first mark; nothing without one."""
    text, mark = text_of(args[0]), text_of(args[1])
    return constant(text[: text.find(mark)] if mark and mark in text else "")


def text_after(args: Args) -> Ground:
    """What stands behind the first mark; nothing without one."""
    text, mark = text_of(args[0]), text_of(args[1])
    return constant(text[text.find(mark) + len(mark) :] if mark in text else "")


def compared(args: Args) -> Ground:
    """-1, 0 or 1, by code points."""
    a, b = text_of(args[0]), text_of(args[1])
    return constant((a > b) - (a < b))


def text_test(test: Callable[[str, str], bool]) -> Callable[[Args], bool]:
    """A predicate of two texts."""
    return lambda args: test(text_of(args[0]), text_of(args[1]))


def text_function(change: Callable[[str], str | int]) -> Callable[[Args], Ground]:
    """A function of one text."""
    return lambda args: constant(change(text_of(args[0])))


# ------------------------------------------------------------------ lists


def items_of(term: Ground) -> tuple[Ground, ...]:
    """The items of a list."""
    if not isinstance(term, List):
        raise BadInputError(f"{shown(term)} is not a list: give List(...)")
    return tuple(item for item in term.items if isinstance(item, (Const, List)))


def list_of(items: Iterable[Ground]) -> List:
    """A list, if it is not too long."""
    held = tuple(items)
    if len(held) > _LONGEST:
        raise BadInputError(f"a list of {len(held)} items is too long: at most {_LONGEST}")
    return List(held)


def place_in(term: Ground, length: int) -> int:
    """A place in a list, from 0; negative ones count from the end."""
    number = number_of(term)
    if not isinstance(number, int):
        raise BadInputError(f"{shown(term)} is not an integer: a place in a list is one")
    return number + length if number < 0 else number


def item_at(args: Args) -> Ground:
    """One item by its place."""
    items = items_of(args[0])
    at = place_in(args[1], len(items))
    if not 0 <= at < len(items):
        raise BadInputError(f"a list of {len(items)} items has no place {shown(args[1])}")
    return items[at]


def sublist_of(args: Args) -> Ground:
    """The items from a place up to another."""
    items = items_of(args[0])
    start = place_in(args[1], len(items))
    end = len(items) if len(args) == 2 else place_in(args[2], len(items))
    return list_of(items[max(0, start) : max(0, end)])


def inserted(args: Args) -> Ground:
    """The list with an item more, before a place."""
    items = items_of(args[0])
    at = place_in(args[1], len(items))
    if not 0 <= at < max(1, len(items)):
        raise BadInputError(f"a list of {len(items)} items has no place {shown(args[1])}")
    return list_of((*items[:at], args[2], *items[at:]))


def without_item(args: Args) -> Ground:
    """The list without the item at a place."""
    items = items_of(args[0])
    at = place_in(args[1], len(items))
    if not 0 <= at < len(items):
        raise BadInputError(f"a list of {len(items)} items has no place {shown(args[1])}")
    return list_of((*items[:at], *items[at + 1 :]))


def places_of(args: Args) -> Ground:
    """The places at which an item stands."""
    return list_of(constant(i) for i, item in enumerate(items_of(args[0])) if item == args[1])


def joined(args: Args) -> Ground:
    """All lists after each other."""
    return list_of(item for arg in args for item in items_of(arg))


def distinct(args: Args) -> Ground:
    """Each item once."""
    return list_of(dict.fromkeys(items_of(args[0])))


def union_of(args: Args) -> Ground:
    """Each item of all lists once."""
    return list_of(dict.fromkeys(item for arg in args for item in items_of(arg)))


def intersection(args: Args) -> Ground:
    """The items of the first list that the second has, too."""
    second = set(items_of(args[1]))
    return list_of(item for item in items_of(args[0]) if item in second)


def difference(args: Args) -> Ground:
    """The items of the first list that the second has not."""
    second = set(items_of(args[1]))
    return list_of(item for item in items_of(args[0]) if item not in second)


# ------------------------------------------------------------------ types


def truth_test(test: Callable[[bool, bool], bool]) -> Callable[[Args], bool]:
    """A predicate of two truth values."""
    return lambda args: test(truth_of(args[0]), truth_of(args[1]))


def literal_test(kinds: frozenset[str], *, wanted: bool) -> Callable[[Args], bool]:
    """Whether a literal is (or is not) of one of some types."""

    def test(args: Args) -> bool:
        term = args[0]
        literal = isinstance(term, Const) and term.type not in (IRI, LOCAL)
        return literal and ((isinstance(term, Const) and term.type in kinds) is wanted)

    return test


def number_cast(kind: str) -> Callable[[Args], Ground]:
    """A function that makes a number of a type."""

    def cast(args: Args) -> Ground:
        (term,) = args
        if isinstance(term, Const) and term.type == BOOLEAN:
            return constant(float(truth_of(term)) if kind == DOUBLE else int(truth_of(term)))
        if not isinstance(term, Const) or not (is_number(term) or term.type == STRING):
            raise BadInputError(f"{shown(term)} cannot become a number")
        if term.type == STRING:
            return canonical(Const(term.value, kind))
        number = number_of(term)
        if kind == DOUBLE:
            return constant(float(number))
        exact = Decimal(str(float_of(term))) if isinstance(number, float) else Decimal(number)
        return constant(exact.to_integral_value("ROUND_DOWN") if kind == INTEGER else exact)

    return cast


def boolean_cast(args: Args) -> Ground:
    """A truth value of a number, a text or a truth value."""
    (term,) = args
    if is_number(term):
        number = number_of(term)
        return boolean(number == number and number != 0)
    return canonical(Const(text_said(term), BOOLEAN)) if isinstance(term, Const) else boolean(truth_of(term))


LITERAL_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "boolean": frozenset({BOOLEAN}),
    "integer": frozenset({INTEGER}),
    "decimal": frozenset({INTEGER, DECIMAL}),
    "double": frozenset({DOUBLE}),
    "string": frozenset({STRING}),
    "PlainLiteral": frozenset({STRING, PLAIN}),
}

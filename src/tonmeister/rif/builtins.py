"""The builtin predicates and functions of RIF (Datatypes and Built-Ins, second edition) that rules may use.

Every builtin takes canonical ground terms and gives a truth value (predicate) or a canonical term (function). What
lies outside its domain is a `BadInputError`. Arguments are numbers of any type, exact as long as they are integers or
decimals; one double among them makes the result a double.

Not here, on purpose: ``matches`` and ``replace`` (a regular expression from a stranger can run forever), dates and
times, XML literals and binary data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tonmeister.errors import BadInputError, nearest
from tonmeister.rif.ast import Const, List, boolean
from tonmeister.rif.functions import (
    LITERAL_TYPES,
    Args,
    absolute,
    arithmetic,
    boolean_cast,
    clamped,
    compared,
    comparison,
    difference,
    distinct,
    divided,
    extreme_of,
    inserted,
    integer_quotient,
    integer_rest,
    intersection,
    item_at,
    items_of,
    joined,
    list_of,
    literal_test,
    logarithm,
    number_cast,
    places_of,
    power_of_ten,
    sublist_of,
    substring_of,
    text_after,
    text_before,
    text_function,
    text_made,
    text_said,
    text_test,
    truth_test,
    union_of,
    without_item,
)
from tonmeister.rif.names import BOOLEAN, DECIMAL, DOUBLE, FUNC, INTEGER, IRI, PRED, TM, XS
from tonmeister.rif.values import Ground, canonical, constant, text_of, truth_of

__all__ = ["BUILTINS", "Builtin", "builtin", "evaluate", "holds"]


@dataclass(frozen=True, slots=True)
class Builtin:
    """One builtin: its IRI, how many arguments it takes, and what it does."""

    iri: str
    fewest: int
    most: int
    predicate: Callable[[Args], bool] | None = None
    function: Callable[[Args], Ground] | None = None

    @property
    def name(self) -> str:
        """Its name without the namespace."""
        return self.iri.rpartition("#")[2]


def builtin(iri: str) -> Builtin:
    """The builtin with this IRI; an unknown one is a `BadInputError`."""
    found = BUILTINS.get(iri)
    if found is None:
        names = {b.name for b in BUILTINS.values()}
        guess = nearest(iri.rpartition("#")[2], sorted(names))
        raise BadInputError(f"there is no builtin <{iri}>{guess}")
    return found


def holds(iri: str, args: Args) -> bool:
    """Whether a builtin predicate holds for ground arguments."""
    found = _called(iri, args)
    if found.predicate is None:
        raise BadInputError(f"{found.name} is a function: it has a value and cannot be a condition")
    return found.predicate(tuple(canonical(arg) for arg in args))


def evaluate(iri: str, args: Args) -> Ground:
    """The value of a builtin function for ground arguments."""
    found = _called(iri, args)
    if found.function is None:
        raise BadInputError(f"{found.name} is a predicate: it has no value")
    return canonical(found.function(tuple(canonical(arg) for arg in args)))


def _called(iri: str, args: Args) -> Builtin:
    found = builtin(iri)
    if not found.fewest <= len(args) <= found.most:
        wanted = str(found.fewest) if found.fewest == found.most else f"{found.fewest} or more"
        raise BadInputError(f"{found.name} takes {wanted} arguments, not {len(args)}")
    return found


def _predicates() -> Iterable[tuple[str, int, int, Callable[[Args], bool]]]:
    for name, test in {
        "equal": lambda a, b: a == b,
        "not-equal": lambda a, b: a != b,
        "less-than": lambda a, b: a < b,
        "greater-than": lambda a, b: a > b,
        "less-than-or-equal": lambda a, b: a <= b,
        "greater-than-or-equal": lambda a, b: a >= b,
    }.items():
        yield f"{PRED}numeric-{name}", 2, 2, comparison(test)
    yield f"{PRED}boolean-equal", 2, 2, truth_test(lambda a, b: a == b)
    yield f"{PRED}boolean-less-than", 2, 2, truth_test(lambda a, b: a < b)
    yield f"{PRED}boolean-greater-than", 2, 2, truth_test(lambda a, b: a > b)
    yield f"{PRED}contains", 2, 2, text_test(lambda a, b: b in a)
    yield f"{PRED}starts-with", 2, 2, text_test(str.startswith)
    yield f"{PRED}ends-with", 2, 2, text_test(str.endswith)
    yield f"{PRED}is-list", 1, 1, lambda args: isinstance(args[0], List)
    yield f"{PRED}list-contains", 2, 2, lambda args: args[1] in items_of(args[0])
    yield f"{PRED}literal-not-identical", 2, 2, lambda args: args[0] != args[1]
    yield f"{PRED}iri-string", 2, 2, _iri_string
    for word, kinds in LITERAL_TYPES.items():
        yield f"{PRED}is-literal-{word}", 1, 1, literal_test(kinds, wanted=True)
        yield f"{PRED}is-literal-not-{word}", 1, 1, literal_test(kinds, wanted=False)


def _iri_string(args: Args) -> bool:
    iri = args[0]
    return isinstance(iri, Const) and iri.type == IRI and iri.value == text_of(args[1])


def _functions() -> Iterable[tuple[str, int, int, Callable[[Args], Ground]]]:
    many = 64
    for name, operation in {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": divided,
    }.items():
        yield f"{FUNC}numeric-{name}", 2, 2, arithmetic(operation)
    yield f"{FUNC}numeric-integer-divide", 2, 2, integer_quotient
    yield f"{FUNC}numeric-integer-mod", 2, 2, integer_rest
    yield f"{TM}min", 1, many, extreme_of(min)
    yield f"{TM}max", 1, many, extreme_of(max)
    yield f"{TM}clamp", 3, 3, clamped
    yield f"{TM}abs", 1, 1, absolute
    yield f"{TM}log10", 1, 1, logarithm
    yield f"{TM}pow10", 1, 1, power_of_ten
    yield f"{FUNC}not", 1, 1, lambda args: boolean(not truth_of(args[0]))
    yield f"{FUNC}concat", 2, many, lambda args: text_made("".join(map(text_said, args)))
    yield (
        f"{FUNC}string-join",
        2,
        many,
        lambda args: text_made(text_of(args[-1]).join(map(text_of, args[:-1]))),
    )
    yield f"{FUNC}string-length", 1, 1, text_function(len)
    yield f"{FUNC}upper-case", 1, 1, text_function(str.upper)
    yield f"{FUNC}lower-case", 1, 1, text_function(str.lower)
    yield f"{FUNC}encode-for-uri", 1, 1, text_function(lambda text: quote(text, safe="-_.~"))
    yield f"{FUNC}compare", 2, 2, compared
    yield f"{FUNC}substring", 2, 3, substring_of
    yield f"{FUNC}substring-before", 2, 2, text_before
    yield f"{FUNC}substring-after", 2, 2, text_after
    yield f"{FUNC}make-list", 0, many, list_of
    yield f"{FUNC}count", 1, 1, lambda args: constant(len(items_of(args[0])))
    yield f"{FUNC}get", 2, 2, item_at
    yield f"{FUNC}sublist", 2, 3, sublist_of
    yield f"{FUNC}append", 1, many, lambda args: list_of((*items_of(args[0]), *args[1:]))
    yield f"{FUNC}concatenate", 0, many, joined
    yield f"{FUNC}insert-before", 3, 3, inserted
    yield f"{FUNC}remove", 2, 2, without_item
    yield f"{FUNC}reverse", 1, 1, lambda args: list_of(reversed(items_of(args[0])))
    yield f"{FUNC}index-of", 2, 2, places_of
    yield f"{FUNC}union", 0, many, union_of
    yield f"{FUNC}distinct-values", 1, 1, distinct
    yield f"{FUNC}intersect", 2, 2, intersection
    yield f"{FUNC}except", 2, 2, difference
    for kind in (INTEGER, DECIMAL, DOUBLE):
        yield kind, 1, 1, number_cast(kind)
    yield BOOLEAN, 1, 1, boolean_cast
    yield f"{XS}string", 1, 1, lambda args: constant(text_said(args[0]))


BUILTINS: Final[Mapping[str, Builtin]] = {
    **{iri: Builtin(iri, fewest, most, predicate=test) for iri, fewest, most, test in _predicates()},
    **{iri: Builtin(iri, fewest, most, function=run) for iri, fewest, most, run in _functions()},
}
"""IRI -> builtin."""

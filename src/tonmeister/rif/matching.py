"""Which values of the variables make a condition true: matching against the facts.

The parts of a conjunction are taken in the first order that works: what can be looked up is, and a builtin, a
negation or an equation waits until its variables have values. A builtin outside its domain does not hold; why, is
noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import (
    And,
    Atom,
    Const,
    Equal,
    Exists,
    External,
    Formula,
    Frame,
    List,
    Member,
    Not,
    Or,
    Subclass,
    Term,
    Var,
)
from tonmeister.rif.builtins import evaluate, holds
from tonmeister.rif.check import bound_variables, free_variables
from tonmeister.rif.facts import Facts
from tonmeister.rif.values import Ground, canonical

__all__ = ["Binding", "answers", "ground", "solutions"]

Binding: TypeAlias = Mapping[str, Ground]
"""Label of a variable -> its value."""
Note: TypeAlias = Callable[[str], None]


def _silent(text: str) -> None:
    return None


def answers(formula: Formula, facts: Facts) -> list[dict[str, Ground]]:
    """Every way in which a formula holds, each once."""
    found: list[dict[str, Ground]] = []
    for binding in solutions(formula, {}, facts):
        if dict(binding) not in found:
            found.append(dict(binding))
    return found


def solutions(formula: Formula, binding: Binding, facts: Facts, note: Note = _silent) -> Iterator[Binding]:
    """The bindings, extending `binding`, for which a formula holds; the same one may come more than once."""
    if isinstance(formula, And):
        yield from _conjunction(list(formula.formulas), binding, facts, note)
    elif isinstance(formula, Or):
        for part in formula.formulas:
            yield from solutions(part, binding, facts, note)
    elif isinstance(formula, Not):
        if next(solutions(formula.formula, binding, facts, note), None) is None:
            yield binding
    elif isinstance(formula, Exists):
        yield from _exists(formula, binding, facts, note)
    else:
        yield from _atomic(formula, binding, facts, note)


def _exists(formula: Exists, binding: Binding, facts: Facts, note: Note) -> Iterator[Binding]:
    own = {v.label for v in formula.variables}
    outside = {label: value for label, value in binding.items() if label not in own}
    hidden = {label: value for label, value in binding.items() if label in own}
    for found in solutions(formula.formula, outside, facts, note):
        yield {**{label: value for label, value in found.items() if label not in own}, **hidden}


def _conjunction(parts: list[Formula], binding: Binding, facts: Facts, note: Note) -> Iterator[Binding]:
    if not parts:
        yield binding
        return
    index = _next(parts, binding)
    rest = parts[:index] + parts[index + 1 :]
    for found in solutions(parts[index], binding, facts, note):
        yield from _conjunction(rest, found, facts, note)


def _next(parts: Sequence[Formula], binding: Binding) -> int:
    """The first part that can be settled now: tests whose variables have values before anything is looked up."""
    tests = (i for i, part in enumerate(parts) if _is_test(part) and free_variables(part) <= binding.keys())
    ready = next(tests, None)
    if ready is not None:
        return ready
    return next((i for i, part in enumerate(parts) if _can_start(part, binding)), 0)


def _is_test(part: Formula) -> bool:
    return isinstance(part, (External, Not, Equal))


def _can_start(part: Formula, binding: Binding) -> bool:
    """Whether what a part needs beforehand has values: all it does not bind itself."""
    if isinstance(part, (External, Not)):
        return False
    return free_variables(part) <= bound_variables([part], binding)


def _atomic(formula: Formula, binding: Binding, facts: Facts, note: Note) -> Iterator[Binding]:
    try:
        yield from _atomic_found(formula, binding, facts)
    except BadInputError as error:
        note(str(error))


def _atomic_found(formula: Formula, binding: Binding, facts: Facts) -> Iterator[Binding]:
    if isinstance(formula, External):
        args = tuple(ground(arg, binding) for arg in formula.args)
        if holds(formula.op.value, args):
            yield binding
    elif isinstance(formula, Equal):
        yield from _equal(formula, binding)
    elif isinstance(formula, Frame):
        yield from _frame(formula.object, list(formula.slots), binding, facts)
    elif isinstance(formula, Member):
        for pair in facts.members(_known(formula.instance, binding)):
            yield from _unified((formula.instance, formula.cls), pair, binding)
    elif isinstance(formula, Subclass):
        for pair in facts.subclasses():
            yield from _unified((formula.sub, formula.sup), pair, binding)
    elif isinstance(formula, Atom):
        for args in facts.atoms(canonical(formula.op)):
            if len(args) == len(formula.args):
                yield from _unified(formula.args, args, binding)


def _equal(formula: Equal, binding: Binding) -> Iterator[Binding]:
    for one, other in ((formula.left, formula.right), (formula.right, formula.left)):
        if free_variables(other) <= binding.keys():
            yield from _unified((one,), (ground(other, binding),), binding)
            return
    raise BadInputError("an equation with unknowns on both sides cannot be matched")


def _frame(
    subject: Term, slots: list[tuple[Term, Term]], binding: Binding, facts: Facts
) -> Iterator[Binding]:
    if not slots:
        known = _known(subject, binding)
        if known is not None and next(facts.slots(known), None) is not None:
            yield binding
        return
    (key, value), rest = slots[0], slots[1:]
    for found in facts.slots(_known(subject, binding), _known(key, binding)):
        for deeper in _unified((subject, key, value), found, binding):
            if rest:
                yield from _frame(subject, rest, deeper, facts)
            else:
                yield deeper


def _known(term: Term, binding: Binding) -> Ground | None:
    """The value of a term that has one."""
    if isinstance(term, Var):
        return binding.get(term.label)
    return ground(term, binding) if free_variables(term) <= binding.keys() else None


def _unified(terms: Iterable[Term], values: Iterable[Ground], binding: Binding) -> Iterator[Binding]:
    """The binding that makes the terms equal to the values, if there is one."""
    found = dict(binding)
    for term, value in zip(terms, values, strict=True):
        deeper = _unify(term, value, found)
        if deeper is None:
            return
        found = deeper
    yield found


def _unify(term: Term, value: Ground, binding: dict[str, Ground]) -> dict[str, Ground] | None:
    if isinstance(term, Var):
        held = binding.setdefault(term.label, value)
        return binding if held == value else None
    if isinstance(term, List):
        return _unify_list(term, value, binding)
    return binding if ground(term, binding) == value else None


def _unify_list(term: List, value: Ground, binding: dict[str, Ground]) -> dict[str, Ground] | None:
    if not isinstance(value, List) or len(value.items) != len(term.items):
        return None
    found: dict[str, Ground] | None = binding
    for item, held in zip(term.items, value.items, strict=True):
        if found is not None and isinstance(held, (Const, List)):
            found = _unify(item, held, found)
    return found


def ground(term: Term, binding: Binding) -> Ground:
    """The value of a term: variables looked up, builtin functions evaluated."""
    if isinstance(term, Const):
        return canonical(term)
    if isinstance(term, Var):
        if term.label not in binding:
            raise BadInputError(f"?{term.label} has no value here")
        return binding[term.label]
    if isinstance(term, List):
        return List(tuple(ground(item, binding) for item in term.items))
    return evaluate(term.op.value, tuple(ground(arg, binding) for arg in term.args))

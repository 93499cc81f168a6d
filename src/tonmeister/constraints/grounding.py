"""From quantified constraints to constraints about single owners."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final, TypeAlias

from tonmeister.constraints.expressions import Call, Constant, Expression, Read, Total, reads, substituted
from tonmeister.constraints.model import Constraint, Directed, Equation, Inequality, Property, Quantified
from tonmeister.errors import BadInputError, nearest

__all__ = ["Ground", "grounded"]

Ground: TypeAlias = Directed | Equation | Inequality

_FOLDS: Final[Mapping[str, tuple[str, float | bool]]] = {
    "sum": ("+", 0.0), "product": ("*", 1.0), "count": ("+", 0.0), "any": ("or", False), "all": ("and", True),
    "min": ("min", float("inf")), "max": ("max", float("-inf")),
}  # fmt: skip


def grounded(
    constraint: Constraint, owners: Mapping[str, frozenset[str]], properties: Mapping[str, Property]
) -> Iterator[Ground]:
    """The constraint for every choice of owners; `owners` are all of them with their classes."""
    if not isinstance(constraint, Quantified):
        yield _about({}, constraint, owners, properties)
        return
    members = [[o for o, classes in owners.items() if cls in classes] for _, cls in constraint.variables]
    for chosen in itertools.product(*members):
        bound = dict(zip((variable for variable, _ in constraint.variables), chosen, strict=True))
        name = f"{constraint.constraint.name}[{', '.join(chosen)}]"
        yield replace(_about(bound, constraint.constraint, owners, properties), name=name)


def _about(
    bound: Mapping[str, str],
    constraint: Ground,
    owners: Mapping[str, frozenset[str]],
    properties: Mapping[str, Property],
) -> Ground:
    def whole(expression: Expression) -> Expression:
        return _expanded(substituted(expression, bound), owners, properties)

    condition = None if constraint.condition is None else whole(constraint.condition)
    if isinstance(constraint, Directed):
        target = _known_read(substituted(constraint.target, bound), owners, properties)
        if properties[target.property].kind == "feature":
            raise BadInputError(
                f"{constraint.name or 'a constraint'} writes {target.property!r}: features are measured, not set"
            )
        return replace(constraint, target=target, value=whole(constraint.value), condition=condition)
    sides = {"left": whole(constraint.left), "right": whole(constraint.right), "condition": condition}
    if isinstance(constraint, Inequality) and constraint.free is not None:
        free = _known_read(substituted(constraint.free, bound), owners, properties)
        return replace(constraint, **sides, free=free)  # type: ignore[arg-type]
    return replace(constraint, **sides)  # type: ignore[arg-type]


def _known_read(
    read: Expression, owners: Mapping[str, frozenset[str]], properties: Mapping[str, Property]
) -> Read:
    assert isinstance(read, Read)
    if read.owner.startswith("?"):
        raise BadInputError(f"variable {read.owner} of {read.property!r} is not bound: quantify over it")
    if read.owner not in owners:
        raise BadInputError(f"there is no owner {read.owner!r}{nearest(read.owner, list(owners))}")
    if read.property not in properties:
        raise BadInputError(
            f"there is no property {read.property!r}{nearest(read.property, list(properties))}"
        )
    return read


def _expanded(
    expression: Expression, owners: Mapping[str, frozenset[str]], properties: Mapping[str, Property]
) -> Expression:
    if isinstance(expression, Read):
        return _known_read(expression, owners, properties)
    if isinstance(expression, Call):
        return Call(expression.function, tuple(_expanded(p, owners, properties) for p in expression.parts))
    if isinstance(expression, Total):
        members = [o for o, classes in owners.items() if expression.over in classes]
        bodies = [
            _expanded(substituted(expression.body, {expression.variable: o}), owners, properties)
            for o in members
        ]
        return _folded(expression.fold, bodies, properties)
    return expression


def _folded(fold: str, bodies: Sequence[Expression], properties: Mapping[str, Property]) -> Expression:
    if fold not in _FOLDS:
        raise BadInputError(f"there is no fold {fold!r}{nearest(fold, list(_FOLDS))}")
    function, start = _FOLDS[fold]
    if fold == "count":
        bodies = [Call("if", (body, Constant(1.0), Constant(0.0))) for body in bodies]
    if fold in ("any", "all"):
        return Call(function, tuple(bodies)) if bodies else Constant(start)
    whole = [_or_left_out(body, start, properties) for body in bodies]
    return reduce(lambda a, b: Call(function, (a, b)), whole) if whole else Constant(start)


def _or_left_out(body: Expression, neutral: float | bool, properties: Mapping[str, Property]) -> Expression:
    """What is not known does not count; a parameter with a default always is."""
    if all(properties[r.property].default is not None for r in reads(body)):
        return body
    return Call("if", (Call("known", (body,)), body, Constant(neutral)))

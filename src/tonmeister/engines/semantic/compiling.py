"""From rules to constraints that stay true: the If part becomes a condition, each Modify a directed constraint.

Object variables (``?track``) run over owners, value variables (``?crest``) stand for what a frame reads. Memberships are
settled when the song is known, so a rule for one instrument costs the other tracks nothing. An object that a rule makes
(``New()``) is an owner of its own, there while the condition holds. An equation or a comparison as conclusion is kept true
as such.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tonmeister.constraints import Call, Constant, Directed, Equation, Expression, Inequality, Read, Value
from tonmeister.constraints.expressions import reads
from tonmeister.engines.semantic.terms import features, local_name, parameters
from tonmeister.engines.semantic.world import normalized, short
from tonmeister.errors import BadInputError
from tonmeister.rif.ast import (
    And,
    Assert,
    Atom,
    Const,
    Equal,
    Execute,
    Exists,
    External,
    Formula,
    Frame,
    Member,
    Modify,
    New,
    Node,
    Not,
    Or,
    Retract,
    Term,
    Var,
    walk,
)
from tonmeister.rif.names import BOOLEAN, FUNC, LOCAL, PRED, RDF, STRING, TM
from tonmeister.rif.problems import problem
from tonmeister.rif.rules import Rule
from tonmeister.rif.values import float_of, is_number

__all__ = ["FACTS", "Compiled", "Made", "compiled_rule", "is_about_facts"]

FACTS: Final = frozenset({"role", "section", "attribute", "genre"})
"""Properties that are facts about a track: rules that change them fire before the others are compiled."""
_TEXTS: Final = frozenset({"attribute", "genre"})
"""Facts of which a track may have several."""

_COMPARISONS: Final[Mapping[str, str]] = {
    PRED + "numeric-equal": "==", PRED + "numeric-not-equal": "!=", PRED + "numeric-greater-than": ">",
    PRED + "numeric-less-than": "<", PRED + "numeric-greater-than-or-equal": ">=",
    PRED + "numeric-less-than-or-equal": "<=",
}  # fmt: skip
_FUNCTIONS: Final[Mapping[str, str]] = {
    FUNC + "numeric-add": "+", FUNC + "numeric-subtract": "-", FUNC + "numeric-multiply": "*",
    FUNC + "numeric-divide": "/", **{TM + name: name for name in ("min", "max", "clamp", "abs", "log10", "pow10")},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """An object that a rule makes for the owners it matches, and its classes."""

    name: str
    classes: frozenset[str]
    rule: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """One rule about certain owners, as constraints."""

    constraints: tuple[Directed | Equation | Inequality, ...]
    made: tuple[Made, ...] = ()
    condition: Expression = field(default_factory=lambda: Constant(True))
    owners: tuple[str, ...] = ()


Owners = Mapping[str, frozenset[str]]


def is_about_facts(rule: Rule) -> bool:
    """Whether a rule changes what a track is, rather than how it is mixed."""
    made = {v.variable.label for v in rule.actions.variables if isinstance(v.binding, New)}
    targets = [a.target for a in rule.actions.actions if isinstance(a, (Assert, Modify, Retract))]
    for target in targets:
        if isinstance(target, Member) and not (
            isinstance(target.instance, Var) and target.instance.label in made
        ):
            return True
        if isinstance(target, Frame) and any(_local(k) in FACTS for k, _ in target.slots):
            return True
    return any(isinstance(a, Retract) for a in rule.actions.actions)


def compiled_rule(
    rule: Rule, owners: Owners, texts: Mapping[str, frozenset[str]], meanings: Mapping[str, str]
) -> Iterator[Compiled]:
    """The rule for every choice of owners it can be about.

    `owners` are all with their classes, `texts` what a track's name and song say (``attribute=mono``), `meanings` which of
    our terms stands for a foreign one.
    """
    yield from _Compiler(rule, owners, texts, meanings).all()


def _local(term: Node) -> str | None:
    return local_name(normalized(term.value)) if isinstance(term, Const) else None


class _Compiler:
    """One rule."""

    def __init__(
        self, rule: Rule, owners: Owners, texts: Mapping[str, frozenset[str]], meanings: Mapping[str, str]
    ) -> None:
        self._rule, self._owners, self._texts, self._meanings = rule, owners, texts, meanings

    def all(self) -> Iterator[Compiled]:
        variables = self._objects()
        chosen = [self._candidates(variable) for variable in variables]
        for owners in itertools.product(*chosen):
            compiled = self._for(dict(zip(variables, owners, strict=True)))
            if compiled is not None:
                yield compiled

    def _fail(self, text: str, node: Node | None = None) -> BadInputError:
        position = (node.position if node is not None else None) or self._rule.position
        return problem(f"{self._rule.name}: {text}", position, self._rule.origin)

    # ------------------------------------------------------------------ who it is about

    def _objects(self) -> list[str]:
        """Declared variables that stand for owners: objects of frames, instances of classes."""
        parts: tuple[Node, ...] = (self._rule.condition, self._rule.actions, *self._rule.constraints)
        used = {v.label for part in parts for node in walk(part) for v in _object_of(node)}
        return [v.label for v in self._rule.variables if v.label in used]

    def _candidates(self, variable: str) -> list[str]:
        """Owners of every class the rule asks of the variable at its top level."""
        classes = [
            self._class(f.cls)
            for f in self._rule.condition.formulas
            if isinstance(f, Member) and isinstance(f.instance, Var) and f.instance.label == variable
        ]
        return [name for name, own in self._owners.items() if all(c in own for c in classes)]

    def _class(self, term: Term) -> str:
        name = _local(term)
        if name is None and isinstance(term, Const) and term.is_iri:
            name = local_name(self._meanings.get(normalized(term.value), term.value))
        if name is None:
            raise self._fail("a class is one of the ontology's, written tm:LeadVoice", term)
        return name

    def _property(self, term: Term) -> str:
        """The name of a property; a foreign term by the one of ours that stands for it."""
        if not isinstance(term, Const):
            raise self._fail("which property is meant must be said, not left to a variable", term)
        iri = normalized(term.value)
        name = local_name(self._meanings.get(iri, iri))
        if name is None or not _known(name):
            raise self._fail(f"{short(iri)} is no feature or parameter of anything here", term)
        return name

    # ------------------------------------------------------------------ one choice

    def _for(self, bound: Mapping[str, str]) -> Compiled | None:
        scope = _Scope(dict(bound), {})
        condition = _simplified(self._all_of(self._rule.condition.formulas, scope))
        if condition == Constant(False):
            return None
        constraints, made = self._concluded(condition, scope, bound)
        return Compiled(tuple(constraints), tuple(made), condition, tuple(bound.values()))

    # Conditions

    def _all_of(self, formulas: Sequence[Formula], scope: _Scope) -> Expression:
        """Formulas in the order in which their variables become known."""
        waiting, parts = list(formulas), []
        while waiting:
            ready = next((f for f in waiting if self._is_ready(f, scope)), None)
            if ready is None:
                names = ", ".join(sorted({f"?{v}" for f in waiting for v in _value_variables(f, scope)}))
                raise self._fail(
                    f"{names} is not bound by a frame: say where the value comes from", waiting[0]
                )
            waiting.remove(ready)
            parts.append(self._formula(ready, scope))
        return Call("and", tuple(parts)) if parts else Constant(True)

    def _is_ready(self, formula: Formula, scope: _Scope) -> bool:
        if isinstance(formula, Frame):
            return True
        missing = _value_variables(formula, scope)
        if isinstance(formula, Equal):
            return len(missing) == 0 or (len(missing) == 1 and _lone(formula, missing))
        return isinstance(formula, (And, Or, Exists, Member)) or not missing or isinstance(formula, Not)

    def _formula(self, formula: Formula, scope: _Scope) -> Expression:
        if isinstance(formula, And):
            return self._all_of(formula.formulas, scope)
        if isinstance(formula, Or):
            return (
                Call("or", tuple(self._formula(f, scope.copy()) for f in formula.formulas))
                if formula.formulas
                else Constant(False)
            )
        if isinstance(formula, Not):
            return Call("not", (self._formula(formula.formula, scope.copy()),))
        if isinstance(formula, Exists):
            return self._exists(formula, scope)
        if isinstance(formula, Member):
            return Constant(
                self._class(formula.cls) in self._owners.get(self._owner(formula.instance, scope), ())
            )
        if isinstance(formula, Frame):
            tests = [self._slot(self._owner(formula.object, scope), k, v, scope) for k, v in formula.slots]
            return Call("and", tuple(tests)) if tests else Constant(True)
        if isinstance(formula, Equal):
            return self._equal(formula, scope)
        if isinstance(formula, External):
            return self._test(formula, scope)
        raise self._fail(f"{type(formula).__name__} cannot be a condition of a mixing rule", formula)

    def _owner(self, term: Term, scope: _Scope) -> str:
        if isinstance(term, Var) and term.label in scope.owners:
            return scope.owners[term.label]
        raise self._fail("a frame or membership is about a variable for a track, bus or song", term)

    def _slot(self, owner: str, key: Term, value: Term, scope: _Scope) -> Expression:
        if isinstance(key, Const) and key.value == RDF + "type":
            return Constant(self._class(value) in self._owners.get(owner, ()))
        name = self._property(key)
        if name in _TEXTS:
            return Constant(f"{name}={self._word(value)}" in self._texts.get(owner, ()))
        read = Read(owner, name)
        if isinstance(value, Var) and value.label not in scope.values:
            scope.values[value.label] = read
            return Call("known", (read,))
        return Call("==", (read, self._term(value, scope)))

    def _word(self, value: Term) -> str:
        if not isinstance(value, Const):
            raise self._fail("a tag is compared with a word", value)
        return value.value.casefold()

    def _equal(self, formula: Equal, scope: _Scope) -> Expression:
        for side, other in ((formula.left, formula.right), (formula.right, formula.left)):
            if isinstance(side, Var) and side.label not in scope.values and side.label not in scope.owners:
                scope.values[side.label] = self._term(other, scope)
                return Constant(True)
        owners = [self._owner_or_none(t, scope) for t in (formula.left, formula.right)]
        if None not in owners:
            return Constant(owners[0] == owners[1])
        return Call("==", (self._term(formula.left, scope), self._term(formula.right, scope)))

    @staticmethod
    def _owner_or_none(term: Term, scope: _Scope) -> str | None:
        return scope.owners.get(term.label) if isinstance(term, Var) else None

    def _test(self, formula: External, scope: _Scope) -> Expression:
        op = formula.op.value
        if op in _COMPARISONS:
            return Call(_COMPARISONS[op], tuple(self._term(arg, scope) for arg in formula.args))
        if op == PRED + "is-literal-double":
            return Call("known", (self._term(formula.args[0], scope),))
        raise self._fail(f"the predicate {short(op)} cannot be kept true here: compare numbers", formula)

    def _exists(self, formula: Exists, scope: _Scope) -> Expression:
        inner = {v.label for v in formula.variables}
        objects = [
            v for v in inner if any(v == o.label for n in walk(formula.formula) for o in _object_of(n))
        ]
        objects.sort()
        found = [
            self._formula(formula.formula, scope.copy(dict(zip(objects, chosen, strict=True))))
            for chosen in itertools.product(*(list(self._owners) for _ in objects))
        ]
        return Call("or", tuple(found)) if found else Constant(False)

    # Terms

    def _term(self, term: Term, scope: _Scope) -> Expression:
        if isinstance(term, Var):
            if term.label in scope.values:
                return scope.values[term.label]
            raise self._fail(f"?{term.label} is not bound by a frame: say where the value comes from", term)
        if isinstance(term, Const):
            return Constant(self._constant(term))
        if isinstance(term, External) and term.op.value in _FUNCTIONS:
            return self._function(term, scope)
        what = short(term.op.value) if isinstance(term, External) else type(term).__name__
        raise self._fail(f"{what} cannot be computed here: use numbers and numeric functions", term)

    def _function(self, term: External, scope: _Scope) -> Expression:
        name, parts = _FUNCTIONS[term.op.value], [self._term(arg, scope) for arg in term.args]
        if name in ("min", "max") and len(parts) > 2:
            return Call(name, tuple(parts))
        return Call(name, tuple(parts))

    def _constant(self, term: Const) -> float | str | bool:
        if is_number(term):
            return float_of(term)
        if term.type == BOOLEAN:
            return term.value in ("true", "1")
        if term.is_iri:
            return local_name(normalized(term.value)) or term.value
        if term.type in (STRING, LOCAL):
            return term.value
        raise self._fail(f"{term.value!r} is neither a number nor a word", term)

    # ------------------------------------------------------------------ conclusions

    def _concluded(
        self, condition: Expression, scope: _Scope, bound: Mapping[str, str]
    ) -> tuple[list[Directed | Equation | Inequality], list[Made]]:
        made = self._new_objects(scope, bound)
        constraints: list[Directed | Equation | Inequality] = []
        for name in made:
            constraints.append(self._directed(name, "present", Constant(True), condition))
        classes: dict[str, set[str]] = {name: set() for name in made}
        for action in self._rule.actions.actions:
            if isinstance(action, Assert) and isinstance(action.target, Member):
                owner = self._owner(action.target.instance, scope)
                classes.setdefault(owner, set()).add(self._class(action.target.cls))
            else:
                constraints += self._action(action, condition, scope)
        constraints += [self._kept(part, condition, scope) for part in self._rule.constraints]
        return constraints, [Made(name, frozenset(classes[name]), self._rule.name) for name in made]

    def _new_objects(self, scope: _Scope, bound: Mapping[str, str]) -> list[str]:
        made = []
        for variable in self._rule.actions.variables:
            label = variable.variable.label
            if isinstance(variable.binding, New):
                name = f"{self._rule.name}({', '.join(bound.values())}).{label}"
                scope.owners[label] = name
                made.append(name)
            else:
                self._slot(self._owner(variable.binding.object, scope), *variable.binding.slots[0], scope)
        return made

    def _action(self, action: Node, condition: Expression, scope: _Scope) -> Iterator[Directed]:
        if isinstance(action, (Modify, Assert)) and isinstance(action.target, Frame):
            owner = self._owner(action.target.object, scope)
            for key, value in action.target.slots:
                yield self._written(owner, key, value, condition, scope)
        elif isinstance(action, Execute) and isinstance(action.target, Atom):
            yield from self._executed(action, action.target, condition, scope)
        else:
            raise self._fail(
                f"{type(action).__name__} cannot be kept true: use Modify or Assert of a frame", action
            )

    def _written(self, owner: str, key: Term, value: Term, condition: Expression, scope: _Scope) -> Directed:
        name = self._property(key)
        if name in features():
            raise self._fail(f"tm:{name} is a feature: features are measured, rules cannot set them", key)
        if isinstance(value, Var) and value.label in scope.owners:
            return self._directed(owner, name, Constant(scope.owners[value.label]), condition)
        wanted = self._term(value, scope)
        if isinstance(wanted, Constant):
            self._check_kind(name, wanted.value, value)
        return self._directed(owner, name, wanted, condition)

    def _check_kind(self, name: str, value: Value, node: Node) -> None:
        """Numbers for numeric parameters, words for the others."""
        parameter = parameters().get(name.removesuffix("Default"))
        if parameter is not None and parameter.is_word != isinstance(value, str):
            wanted = "a word" if parameter.is_word else f"a number, {parameter.range}"
            raise self._fail(f"tm:{name} is {wanted}, not {value!r}", node)

    def _executed(
        self, action: Execute, atom: Atom, condition: Expression, scope: _Scope
    ) -> Iterator[Directed]:
        """``tm:bypass(?track tm:CompressorEffect)`` puts the effect out of action; a note changes nothing."""
        what = _local(atom.op)
        if what == "emit-note":
            return
        if what != "bypass" or len(atom.args) != 2:
            raise self._fail("only tm:bypass(?track tm:Effect) and tm:emit-note may be executed", action)
        effect = self._class(atom.args[1])
        name = f"{effect[0].lower()}{effect[1:].removesuffix('Effect')}Active"
        if name not in parameters():
            raise self._fail(f"tm:{effect} cannot be bypassed", action)
        yield self._directed(self._owner(atom.args[0], scope), name, Constant(0.0), condition)

    def _directed(self, owner: str, name: str, value: Expression, condition: Expression) -> Directed:
        guard = None if condition == Constant(True) else condition
        return Directed(Read(owner, name), value, guard, self._rule.priority, self._rule.name)

    def _kept(self, part: Equal | External, condition: Expression, scope: _Scope) -> Equation | Inequality:
        guard = None if condition == Constant(True) else condition
        if isinstance(part, Equal):
            sides = self._term(part.left, scope), self._term(part.right, scope)
            return Equation(*sides, guard, self._rule.priority, self._rule.name)
        relation = _COMPARISONS.get(part.op.value, "")
        if relation not in ("<", "<=", ">", ">="):
            raise self._fail(f"{short(part.op.value)} cannot be kept true: use an equation or a bound", part)
        left, right = (self._term(arg, scope) for arg in part.args)
        first = next((r for r in reads(left) if r.property in parameters()), None)
        return Inequality(
            left,
            "<=" if relation[0] == "<" else ">=",
            right,
            first,
            guard,
            self._rule.priority,
            self._rule.name,
        )


@dataclass(frozen=True, slots=True)
class _Scope:
    """Variables and what they stand for."""

    owners: dict[str, str]
    values: dict[str, Expression]

    def copy(self, more: Mapping[str, str] | None = None) -> _Scope:
        return _Scope({**self.owners, **(more or {})}, dict(self.values))


def _known(name: str) -> bool:
    base = name.removesuffix("Default")
    return name in features() or name in FACTS or base in parameters()


def _object_of(node: Node) -> Iterator[Var]:
    if isinstance(node, Frame) and isinstance(node.object, Var):
        yield node.object
    elif isinstance(node, Member) and isinstance(node.instance, Var):
        yield node.instance


def _value_variables(formula: Formula, scope: _Scope) -> list[str]:
    names = [n.label for n in walk(formula) if isinstance(n, Var)]
    return [n for n in dict.fromkeys(names) if n not in scope.values and n not in scope.owners]


def _lone(formula: Equal, missing: Iterable[str]) -> bool:
    return any(isinstance(side, Var) and side.label in missing for side in (formula.left, formula.right))


def _simplified(expression: Expression) -> Expression:
    """Constants folded in ``and or not``: a rule for another instrument becomes plainly false."""
    if not isinstance(expression, Call) or expression.function not in ("and", "or", "not"):
        return expression
    parts = [_simplified(part) for part in expression.parts]
    if expression.function == "not":
        return Constant(not parts[0].value) if isinstance(parts[0], Constant) else Call("not", (parts[0],))
    settles = expression.function == "or"
    if Constant(settles) in parts:
        return Constant(settles)
    kept = tuple(dict.fromkeys(p for p in parts if p != Constant(not settles)))
    if not kept:
        return Constant(not settles)
    return kept[0] if len(kept) == 1 else Call(expression.function, kept)

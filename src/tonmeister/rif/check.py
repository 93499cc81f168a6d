"""What a well-formed, safe rule document must satisfy beyond its grammar.

Every variable is declared once and bound by something that can be looked up (a frame, a membership, an atom, an
equation with a bound side), so that a rule can be matched; builtins exist, stand where they belong and have the right
number of arguments; literals are values of their types; priorities are in range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import (
    And,
    Atom,
    Const,
    Document,
    Equal,
    Exists,
    External,
    Forall,
    Formula,
    Frame,
    Member,
    New,
    Node,
    Not,
    Or,
    Position,
    Subclass,
    Var,
    children,
    walk,
)
from tonmeister.rif.builtins import builtin
from tonmeister.rif.problems import problem
from tonmeister.rif.rules import Rule, rules_of
from tonmeister.rif.values import canonical

__all__ = ["Mistake", "bound_variables", "check_document", "free_variables", "mistakes_of"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a document."""

    text: str
    position: Position | None = None


def check_document(document: Document) -> None:
    """Raise a `BadInputError` for the first mistake, which names line, column and rule."""
    for mistake in mistakes_of(document):
        raise problem(mistake.text, mistake.position, document.origin)


def mistakes_of(document: Document) -> Iterator[Mistake]:
    """All mistakes, in the order of the document."""
    for rule in rules_of(document):
        yield from _rule_mistakes(rule)


def _rule_mistakes(rule: Rule) -> Iterator[Mistake]:
    parts = [rule.condition, rule.actions, *rule.constraints, *rule.classes]
    for part in parts:
        for node in walk(part):
            yield from (Mistake(f"{rule.name}: {m.text}", m.position) for m in _node_mistakes(node))
        yield from (Mistake(f"{rule.name}: {m.text}", m.position) for m in _misplaced(part))
    yield from _scope_mistakes(rule)


# ------------------------------------------------------------------ constants and builtins


def _node_mistakes(node: Node) -> Iterator[Mistake]:
    if isinstance(node, Const):
        try:
            canonical(node)
        except BadInputError as error:
            yield Mistake(str(error), node.position)
    elif isinstance(node, External):
        try:
            found = builtin(node.op.value)
        except BadInputError as error:
            yield Mistake(str(error), node.position)
        else:
            if not found.fewest <= len(node.args) <= found.most:
                wanted = str(found.fewest) if found.fewest == found.most else f"{found.fewest} or more"
                yield Mistake(f"{found.name} takes {wanted} arguments, not {len(node.args)}", node.position)


def _misplaced(node: Node, *, as_formula: bool = True) -> Iterator[Mistake]:
    """Predicates where a value is wanted, functions where a truth value is."""
    if isinstance(node, External):
        try:
            found = builtin(node.op.value)
        except BadInputError:
            return  # `_node_mistakes` has said so
        if as_formula and found.predicate is None:
            yield Mistake(
                f"{found.name} is a function: it has a value and cannot be a condition", node.position
            )
        if not as_formula and found.function is None:
            yield Mistake(f"{found.name} is a predicate: it has no value", node.position)
    inner = not isinstance(node, (Frame, Member, Subclass, Equal, Atom, External)) and as_formula
    for child in children(node):
        yield from _misplaced(child, as_formula=inner)


# ------------------------------------------------------------------ variables


def _scope_mistakes(rule: Rule) -> Iterator[Mistake]:
    labels = [v.label for v in rule.variables]
    for variable in rule.variables:
        if labels.count(variable.label) > 1:
            yield Mistake(f"{rule.name}: ?{variable.label} is declared twice", variable.position)
            return
    made = {v.variable.label for v in rule.actions.variables}
    for item in rule.actions.variables:
        if item.variable.label in labels:
            text = f"{rule.name}: action variable ?{item.variable.label} is already declared by Forall"
            yield Mistake(text, item.position)
    known = set(labels)
    yield from _undeclared(rule, rule.condition, known)
    bound = bound_variables(rule.condition.formulas, frozenset())
    for part in (rule.actions, *rule.constraints, *rule.classes):
        yield from _undeclared(rule, part, known | made)
    yield from _unbound(rule, bound)
    yield from _without_value(rule, bound | made)


def _undeclared(rule: Rule, node: Node, known: set[str]) -> Iterator[Mistake]:
    for variable in _free(node):
        if variable.label not in known:
            text = f"{rule.name}: ?{variable.label} is not declared: add it to Forall or Exists"
            yield Mistake(text, variable.position)
            known = known | {variable.label}


def _without_value(rule: Rule, bound: set[str]) -> Iterator[Mistake]:
    """Action variables that read a slot whose object nothing gives."""
    for item in rule.actions.variables:
        if not isinstance(item.binding, New):
            for variable in _free(item.binding.object):
                if variable.label not in bound:
                    yield Mistake(f"{rule.name}: ?{variable.label} is not bound", variable.position)


def _unbound(rule: Rule, bound: set[str]) -> Iterator[Mistake]:
    for formula in rule.condition.formulas:
        yield from _unbound_inside(rule, formula, bound)
    said = set(bound) | {v.variable.label for v in rule.actions.variables}
    for part in (rule.actions, *rule.constraints, *rule.classes):
        for variable in _free(part):
            if variable.label not in said:
                said.add(variable.label)
                yield _unsafe(rule, variable)


def _unbound_inside(rule: Rule, formula: Formula, bound: set[str]) -> Iterator[Mistake]:
    """Variables that nothing around or inside binds, each once."""
    if isinstance(formula, (And, Or)):
        inner = bound | bound_variables(formula.formulas, bound) if isinstance(formula, And) else bound
        for part in formula.formulas:
            yield from _unbound_inside(rule, part, inner)
        return
    if isinstance(formula, Not):
        own = bound_variables([formula.formula], bound) if isinstance(formula.formula, Exists) else set()
        yield from _unbound_inside(rule, formula.formula, bound | own)
        return
    if isinstance(formula, Exists):
        inner = bound_variables([formula.formula], bound)
        yield from _unbound_inside(rule, formula.formula, bound | inner)
        return
    own = bound_variables([formula], bound)
    seen = bound | own
    for variable in _free(formula):
        if variable.label not in seen:
            seen = seen | {variable.label}
            yield _unsafe(rule, variable)


def _unsafe(rule: Rule, variable: Var) -> Mistake:
    text = (
        f"{rule.name}: ?{variable.label} is not bound: a frame, membership or atom of the condition must give it a "
        "value"
    )
    return Mistake(text, variable.position)


def bound_variables(formulas: Iterable[Formula], bound: Iterable[str]) -> set[str]:
    """Labels of the variables that a conjunction gives values, when those of `bound` have some already."""
    known, parts = set(bound), list(formulas)
    while True:
        more = set().union(*(_binds(part, known) for part in parts)) - known if parts else set()
        if not more:
            return known
        known |= more


def _binds(formula: Formula, known: set[str]) -> set[str]:
    if isinstance(formula, And):
        return bound_variables(formula.formulas, known)
    if isinstance(formula, Or):
        branches = [bound_variables([part], known) for part in formula.formulas]
        return set.intersection(*branches) if branches else set()
    if isinstance(formula, Exists):
        own = {v.label for v in formula.variables}
        return bound_variables([formula.formula], known - own) - own
    if isinstance(formula, Equal):
        return _binds_equal(formula, known)
    if isinstance(formula, (Frame, Member, Subclass, Atom)):
        return {v.label for v in _matched(formula)}
    return set()


def _binds_equal(formula: Equal, known: set[str]) -> set[str]:
    found: set[str] = set()
    for one, other in ((formula.left, formula.right), (formula.right, formula.left)):
        if {v.label for v in _free(other)} <= known:
            found |= {v.label for v in _matched(one)}
    return found


def _matched(node: Node) -> Iterator[Var]:
    """The variables that matching binds: not those inside a builtin."""
    if isinstance(node, Var):
        yield node
    elif not isinstance(node, External):
        for child in children(node):
            yield from _matched(child)


def free_variables(node: Node) -> frozenset[str]:
    """Labels of the variables that are free in a node."""
    return frozenset(v.label for v in _free(node))


def _free(node: Node) -> Iterator[Var]:
    if isinstance(node, Var):
        yield node
        return
    own = {v.label for v in node.variables} if isinstance(node, (Exists, Forall)) else set()
    for child in children(node):
        yield from (v for v in _free(child) if v.label not in own)

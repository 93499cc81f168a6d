"""The rules of a document in a row: variables, patterns, condition and actions of each, with priority and name.

Whatever the notation, a rule is normalized to one shape: all variables of its nested Foralls, one condition (patterns
and If part together), and one action block. A fact is a rule without condition that asserts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tonmeister.rif.ast import (
    And,
    Assert,
    Atom,
    Do,
    Document,
    Equal,
    External,
    Fact,
    Forall,
    Formula,
    Frame,
    Group,
    Implies,
    Member,
    Metadata,
    Position,
    Sentence,
    Subclass,
    Var,
)
from tonmeister.rif.names import FORWARD_CHAINING
from tonmeister.rif.problems import problem

__all__ = ["Rule", "conjuncts", "rules_of"]

_PRIORITIES = (-10_000, 10_000)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be matched."""

    name: str
    """Its IRI; without one, ``rule N`` by its place in the document."""
    order: int
    """Place in the document, from 0."""
    priority: int
    variables: tuple[Var, ...]
    condition: And
    """Patterns and If part; empty for a fact."""
    actions: Do
    """What it does; of a fact or a conclusion: an Assert for each part."""
    constraints: tuple[Equal | External, ...] = ()
    """Parts of the conclusion that are to be kept true rather than asserted."""
    classes: tuple[Subclass, ...] = ()
    """Parts of the conclusion that say which class lies below which."""
    metadata: Metadata | None = None
    position: Position | None = None
    origin: str = ""
    is_fact: bool = False
    """Stated by itself, without variables, condition or Do: it holds from the beginning."""

    @property
    def place(self) -> str:
        """Name and position, for messages."""
        where = f" ({self.origin}:{self.position.line})" if self.position and self.origin else ""
        return f"{self.name}{where}"


def rules_of(document: Document) -> tuple[Rule, ...]:
    """All rules of a document in its order; imports are not followed (see `tonmeister.rif.files`)."""
    if document.group is None:
        return ()
    found = _in_group(document.group, 0, document.origin, top=True)
    return tuple(_numbered(rule, order) for order, rule in enumerate(found))


def _numbered(rule: Rule, order: int) -> Rule:
    return replace(rule, order=order, name=rule.name or f"rule {order + 1}")


def _in_group(group: Group, inherited: int, origin: str, *, top: bool = False) -> Iterator[Rule]:
    """A group without a priority has that of the group around it."""
    priority = inherited if group.priority is None else group.priority
    if not _PRIORITIES[0] <= priority <= _PRIORITIES[1]:
        text = f"Group: priority={priority} lies outside {_PRIORITIES[0]} to {_PRIORITIES[1]}"
        raise problem(text, group.position, origin)
    if group.strategy not in (None, FORWARD_CHAINING):
        text = f"Group: strategy <{group.strategy}> is not supported: rif:forwardChaining is"
        raise problem(text, group.position, origin)
    for sentence in group.sentences:
        if isinstance(sentence, Group):
            yield from _in_group(sentence, priority, origin)
        else:
            yield _rule(sentence, priority, origin)


def _rule(sentence: Sentence, priority: int, origin: str) -> Rule:
    variables: list[Var] = []
    conditions: list[Formula] = []
    node: Sentence = sentence
    metadata = node.metadata
    while isinstance(node, Forall):
        variables += node.variables
        conditions += node.patterns
        node = node.body
        metadata = metadata or node.metadata
    if isinstance(node, Implies):
        conditions.append(node.condition)
        node = node.conclusion
    assert not isinstance(node, (Group, Forall, Implies))
    name = metadata.iri.value if metadata is not None and metadata.iri is not None else ""
    is_fact = node is sentence and not isinstance(node, Do)
    condition = And(tuple(part for formula in conditions for part in conjuncts(formula)))
    actions, constraints, classes = _parts(node)
    return Rule(
        name, 0, priority, tuple(variables), condition, actions, constraints, classes, metadata,
        sentence.position, origin, is_fact,
    )  # fmt: skip


def conjuncts(formula: Formula) -> Iterator[Formula]:
    """The parts of nested Ands."""
    if isinstance(formula, And):
        for part in formula.formulas:
            yield from conjuncts(part)
    else:
        yield formula


def _parts(conclusion: Do | Fact) -> tuple[Do, tuple[Equal | External, ...], tuple[Subclass, ...]]:
    if isinstance(conclusion, Do):
        return conclusion, (), ()
    parts = tuple(conjuncts(conclusion))
    facts = [Assert(p, position=p.position) for p in parts if isinstance(p, (Atom, Frame, Member))]
    return (
        Do(tuple(facts), position=conclusion.position),
        tuple(p for p in parts if isinstance(p, (Equal, External))),
        tuple(p for p in parts if isinstance(p, Subclass)),
    )

"""The syntax tree of a rule document: RIF-PRD and RIF-Core, the subset tonmeister supports.

    Document(group, imports)          one Group, or none
    Group(sentences, priority, strategy)
    sentence = Group | Forall | Implies | Do | fact
    Forall(variables, patterns, body) body = Forall | Implies | Do | fact
    Implies(condition, conclusion)    conclusion = Do | fact
    Do(actions, variables)            action = Assert | Retract | Modify | Execute
    formula = And | Or | Not | Exists | Equal | Frame | Member | Subclass | Atom | External
    fact = Frame | Member | Subclass | Atom | And of them, or a constraint: Equal | External
    term = Const | Var | List | External

Nodes are frozen and compare by what they say: where a node stood (`position`) and the prefixes a document was
written with are not part of equality, metadata is. Terms carry no metadata: it has no meaning there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TypeAlias

from tonmeister.rif.names import BOOLEAN, DECIMAL, DOUBLE, FORWARD_CHAINING, INTEGER, IRI, LOCAL, STRING

__all__ = [
    "Action", "ActionVariable", "And", "Assert", "Atom", "Const", "Do", "Document", "Equal", "Execute", "Exists",
    "External", "Fact", "Forall", "Formula", "Frame", "Group", "Implies", "Import", "List", "Member", "Metadata",
    "Modify", "New", "Node", "Not", "Or", "Position", "Retract", "Sentence", "Subclass", "Term", "Var", "boolean",
    "children", "decimal", "double", "integer", "iri", "local", "string", "walk",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Position:
    """Where a node begins: line and column, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """Anything a document is made of."""

    position: Position | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Annotated(Node):
    """A node that may bear a name (IRI) and statements about itself."""

    metadata: Metadata | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str | None:
        """Its IRI (or local name), if it has one."""
        return self.metadata.iri.value if self.metadata and self.metadata.iri else None


# ------------------------------------------------------------------ terms


@dataclass(frozen=True, slots=True)
class Const(Node):
    """A constant: its lexical form and its symbol space (the IRI of a datatype, of ``rif:iri`` or ``rif:local``).

    Two constants are equal when both are: ``0.5`` and ``0.50`` are different text for one number, see
    `tonmeister.rif.values`. An ``rdf:PlainLiteral`` is written ``text@language``.
    """

    value: str
    type: str

    @property
    def is_iri(self) -> bool:
        """Whether it names something, rather than being a number or a text."""
        return self.type == IRI


@dataclass(frozen=True, slots=True)
class Var(Node):
    """A variable, without its question mark."""

    label: str


@dataclass(frozen=True, slots=True)
class List(Node):
    """A closed list."""

    items: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class External(Annotated):
    """A builtin predicate (where a formula stands) or function (where a term stands), applied to its arguments."""

    op: Const
    args: tuple[Term, ...] = ()


Term: TypeAlias = Const | Var | List | External

# ------------------------------------------------------------------ formulas


@dataclass(frozen=True, slots=True)
class Atom(Annotated):
    """``op(args)``: a relation with positional arguments."""

    op: Const
    args: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame(Annotated):
    """``object[key -> value ...]``: properties of an object."""

    object: Term
    slots: tuple[tuple[Term, Term], ...] = ()
    """(key, value) pairs in the order of the document."""


@dataclass(frozen=True, slots=True)
class Member(Annotated):
    """``instance # cls``."""

    instance: Term
    cls: Term


@dataclass(frozen=True, slots=True)
class Subclass(Annotated):
    """``sub ## super``."""

    sub: Term
    sup: Term


@dataclass(frozen=True, slots=True)
class Equal(Annotated):
    """``left = right``."""

    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class And(Annotated):
    """All of them; of none: true."""

    formulas: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True)
class Or(Annotated):
    """At least one of them; of none: false."""

    formulas: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True)
class Not(Annotated):
    """Inflationary negation (``INeg``): there is no match now."""

    formula: Formula


@dataclass(frozen=True, slots=True)
class Exists(Annotated):
    """There are values for the variables that make the formula true."""

    variables: tuple[Var, ...]
    formula: Formula


Fact: TypeAlias = Frame | Member | Subclass | Equal | Atom | External | And
"""What may stand as a conclusion or a sentence by itself; the parts of an And are such too.

RIF-PRD allows frames, memberships and atoms. An Equal or a builtin predicate there is a constraint to be kept true,
which is the project's own use; `tonmeister.rif.production` refuses it.
"""
Formula: TypeAlias = And | Or | Not | Exists | Equal | Frame | Member | Subclass | Atom | External

# ------------------------------------------------------------------ actions


@dataclass(frozen=True, slots=True)
class Assert(Annotated):
    """Add an atom, a membership or each slot of a frame to the facts."""

    target: Atom | Frame | Member


@dataclass(frozen=True, slots=True)
class Retract(Annotated):
    """Take away an atom, the slots of a frame, all values of one attribute of an object, or all about an object."""

    target: Atom | Frame | Term
    attribute: Term | None = None
    """With an object as `target`: only the values of this attribute."""


@dataclass(frozen=True, slots=True)
class Modify(Annotated):
    """For each slot: take away all values of the key on the object, then assert the value."""

    target: Frame


@dataclass(frozen=True, slots=True)
class Execute(Annotated):
    """Call something outside the rules; which names are allowed, the program that runs the rules says."""

    target: Atom


@dataclass(frozen=True, slots=True)
class New(Annotated):
    """``New()``: a new object, different from every other."""


@dataclass(frozen=True, slots=True)
class ActionVariable(Node):
    """A variable of an action block: bound to a new object or to the value of a slot, ``object[key -> ?variable]``."""

    variable: Var
    binding: New | Frame


Action: TypeAlias = Assert | Retract | Modify | Execute


@dataclass(frozen=True, slots=True)
class Do(Annotated):
    """Actions in order, after binding the action variables."""

    actions: tuple[Action, ...]
    variables: tuple[ActionVariable, ...] = ()


# ------------------------------------------------------------------ rules and documents


@dataclass(frozen=True, slots=True)
class Implies(Annotated):
    """``If condition Then conclusion``, also written ``conclusion :- condition``."""

    condition: Formula
    conclusion: Do | Fact


@dataclass(frozen=True, slots=True)
class Forall(Annotated):
    """``Forall variables such that patterns (body)``."""

    variables: tuple[Var, ...]
    patterns: tuple[Formula, ...]
    body: Forall | Implies | Do | Fact


@dataclass(frozen=True, slots=True)
class Group(Annotated):
    """Rules, facts and groups together."""

    sentences: tuple[Sentence, ...] = ()
    priority: int | None = None
    """Higher fires first, -10000 to 10000. None: that of the surrounding group, 0 at the top."""
    strategy: str | None = None
    """IRI of the conflict resolution. None: that of the surrounding group, `FORWARD_CHAINING` at the top."""

    @property
    def effective_strategy(self) -> str:
        """The strategy of a group at the top."""
        return self.strategy or FORWARD_CHAINING


Sentence: TypeAlias = Group | Forall | Implies | Do | Fact


@dataclass(frozen=True, slots=True)
class Import(Annotated):
    """Another document, and how it is to be understood (an entailment regime), if it is not RIF."""

    location: str
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Metadata(Node):
    """``(* iri frames *)``: the name of a node and statements about it or anything else."""

    iri: Const | None = None
    frames: tuple[Frame, ...] = ()

    def values(self, key: str) -> tuple[str, ...]:
        """What the frames say under the property IRI `key`, as text, in order."""
        pairs = (pair for frame in self.frames for pair in frame.slots)
        return tuple(
            v.value for k, v in pairs if isinstance(k, Const) and k.value == key and isinstance(v, Const)
        )

    def value(self, key: str) -> str | None:
        """The first of `values`, or None."""
        return next(iter(self.values(key)), None)


@dataclass(frozen=True, slots=True)
class Document(Annotated):
    """One rule document."""

    group: Group | None = None
    imports: tuple[Import, ...] = ()
    prefixes: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """(prefix, IRI) in the order of the document: notation only, every IRI in the tree is complete."""
    base: str | None = field(default=None, compare=False)
    origin: str = field(default="", compare=False, repr=False)
    """The file it was read from."""


# ------------------------------------------------------------------ making and walking


def iri(text: str) -> Const:
    """A complete IRI."""
    return Const(text, IRI)


def local(text: str) -> Const:
    """A name of this document only."""
    return Const(text, LOCAL)


def string(text: str) -> Const:
    """An ``xs:string``."""
    return Const(text, STRING)


def integer(number: int) -> Const:
    """An ``xs:integer``."""
    return Const(str(int(number)), INTEGER)


def decimal(number: str) -> Const:
    """An ``xs:decimal`` from its digits."""
    return Const(number, DECIMAL)


def double(number: float) -> Const:
    """An ``xs:double``: the shortest text that reads back as this number; NaN and INF as XML Schema writes them."""
    if number != number:
        return Const("NaN", DOUBLE)
    if number in (float("inf"), float("-inf")):
        return Const("INF" if number > 0 else "-INF", DOUBLE)
    return Const(repr(float(number)), DOUBLE)


def boolean(truth: bool) -> Const:
    """An ``xs:boolean``."""
    return Const("true" if truth else "false", BOOLEAN)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in order; metadata is not among them."""
    for item in fields(node):
        if item.name not in ("metadata", "position"):
            yield from _nodes(getattr(node, item.name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _nodes(part)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first, in document order; metadata is left out."""
    yield node
    for child in children(node):
        yield from walk(child)

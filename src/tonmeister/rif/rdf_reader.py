"""RIF in RDF (W3C note, second edition): rule documents written as graphs, read from Turtle.

    [] a rif:Document ; rif:payload [ a rif:Group ; rif:sentences ( [ a rif:Forall ; rif:vars ( ... ) ; ... ] ) ]

Elements of the XML are nodes and its roles are properties; roles that repeat are lists under a name in the plural
(``sentences``, ``vars``, ``formulas``, ``slots``, ``directives``). A name of a rule is the IRI of its node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from tonmeister.errors import MissingExtraError, nearest
from tonmeister.rif.ast import (
    Action,
    ActionVariable,
    And,
    Assert,
    Atom,
    Const,
    Do,
    Document,
    Equal,
    Execute,
    Exists,
    External,
    Fact,
    Forall,
    Formula,
    Frame,
    Group,
    Implies,
    Import,
    List,
    Member,
    Metadata,
    Modify,
    New,
    Not,
    Or,
    Retract,
    Sentence,
    Subclass,
    Term,
    Var,
    iri,
)
from tonmeister.rif.names import IRI, LOCAL, NAME, PLAIN, RDF, RIF, STRING
from tonmeister.rif.problems import DEEPEST, problem
from tonmeister.rif.text_writer import formula_text

__all__ = ["read_turtle"]

_T = TypeVar("_T")
_Node = Any
"""A node of the graph."""

_PLURALS: Final[Mapping[str, str]] = {
    "directive": "directives", "sentence": "sentences", "declare": "vars", "formula": "formulas", "slot": "slots",
    "pattern": "patterns", "actionVar": "actionVars",
}  # fmt: skip
"""Role of the XML -> property that holds the list."""


def read_turtle(text: str, origin: str = "") -> Document:
    """The one rule document of a graph in Turtle."""
    try:
        import rdflib
    except ImportError:
        raise MissingExtraError("reading rules from Turtle", extra="semantic") from None
    graph = rdflib.Graph()
    try:
        graph.parse(data=text, format="turtle", publicID="urn:tonmeister:document")
    except Exception as error:  # the parser raises many kinds of its own
        raise problem(f"not valid Turtle: {_first_line(error)}", None, origin) from None
    return _Reader(graph, origin).document()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3])[:300] or type(error).__name__


class _Reader:
    """One method for each class of the language."""

    def __init__(self, graph: Any, origin: str) -> None:
        import rdflib

        self._graph, self._origin = graph, origin
        self._uri: Callable[[str], Any] = rdflib.URIRef
        self._literal, self._blank = rdflib.Literal, rdflib.BNode
        self._depth = 0

    # -------------------------------------------------------------- help

    def _fail(self, node: _Node, text: str) -> NoReturn:
        name = self._kind(node) if self._is_subject(node) else ""
        named = f"rif:{name} " if name else ""
        shown = "" if isinstance(node, self._blank) else f"<{node}> "
        raise problem(f"{named}{shown}{text}", None, self._origin)

    def _is_subject(self, node: _Node) -> bool:
        return not isinstance(node, self._literal)

    def _kind(self, node: _Node) -> str:
        """The class of a node, without the namespace of RIF."""
        kinds = sorted(str(k) for k in self._graph.objects(node, self._uri(RDF + "type")))
        return next((k.removeprefix(RIF) for k in kinds if k.startswith(RIF)), "")

    def _all(self, node: _Node, role: str) -> list[_Node]:
        """What a role holds: the items of its list, or the values of the singular property in order of their text."""
        plural = self._graph.value(node, self._uri(RIF + _PLURALS.get(role, role)))
        if role in _PLURALS and plural is not None:
            return self._items(plural)
        return sorted(self._graph.objects(node, self._uri(RIF + role)), key=str)

    def _items(self, head: _Node) -> list[_Node]:
        items, seen, nil = [], set(), self._uri(RDF + "nil")
        while head != nil:
            first = self._graph.value(head, self._uri(RDF + "first"))
            if first is None or head in seen:
                self._fail(head, "should be a list, written ( ... )")
            seen.add(head)
            items.append(first)
            head = self._graph.value(head, self._uri(RDF + "rest"))
        return items

    def _one(self, node: _Node, role: str) -> _Node:
        found = self._all(node, role)
        if len(found) != 1:
            self._fail(node, f"needs exactly one rif:{role}, found {len(found)}")
        return found[0]

    def _read(self, node: _Node, table: Mapping[str, Callable[[_Reader, _Node], _T]]) -> _T:
        kind = self._kind(node)
        if kind not in table:
            guess = nearest(kind, list(table)) if kind else ""
            self._fail(node, f"does not belong here{guess}: {', '.join(table)} may stand there")
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(node, f"is nested deeper than {DEEPEST} levels, or contains itself")
        result = table[kind](self, node)
        self._depth -= 1
        return result

    def _metadata(self, node: _Node) -> Metadata | None:
        metas = [self._meta_frames(meta) for meta in self._all(node, "meta")]
        frames = [f for meta in sorted(metas, key=lambda m: [formula_text(f) for f in m]) for f in meta]
        named = self._graph.value(node, self._uri(RIF + "id"))
        name = None if isinstance(node, self._blank) else iri(str(node))
        if named is not None:
            name = self._const(named) if self._kind(named) == "Const" else iri(str(named))
        return Metadata(name, tuple(frames)) if name or frames else None

    def _meta_frames(self, node: _Node) -> list[Frame]:
        if self._kind(node) == "And":
            return [f for part in self._all(node, "formula") for f in self._meta_frames(part)]
        return [self._read(node, {"Frame": _Reader._frame})]

    # -------------------------------------------------------------- document

    def document(self) -> Document:
        """The only document of the graph."""
        kinds = [RIF + name for name in ("Document", "PRDDocument", "BLDDocument", "CoreDocument")]
        nodes = [n for kind in kinds for n in self._graph.subjects(self._uri(RDF + "type"), self._uri(kind))]
        if len(set(nodes)) != 1:
            raise problem(
                f"the graph holds {len(set(nodes))} rule documents (rif:Document): give exactly one",
                None,
                self._origin,
            )
        node = nodes[0]
        imports = tuple(
            self._read(item, {"Import": _Reader._import}) for item in self._all(node, "directive")
        )
        payload = self._all(node, "payload")
        group = self._read(self._one(node, "payload"), {"Group": _Reader._group}) if payload else None
        prefixes = tuple((str(p), str(n)) for p, n in self._graph.namespaces() if p and self._uses(str(n)))
        return Document(group, imports, prefixes, None, self._origin, metadata=self._metadata(node))

    def _uses(self, namespace: str) -> bool:
        """Whether the graph uses a namespace: rdflib knows many by itself."""
        nodes = (node for triple in self._graph for node in triple)
        return any(str(getattr(node, "datatype", None) or node).startswith(namespace) for node in nodes)

    def _import(self, node: _Node) -> Import:
        profiles = self._all(node, "profile")
        return Import(str(self._one(node, "location")), str(profiles[0]) if profiles else None)

    def _group(self, node: _Node) -> Group:
        sentences = tuple(self._sentence(item) for item in self._all(node, "sentence"))
        strategy, priority = None, None
        for behavior in self._all(node, "behavior")[:1]:
            strategy = next((str(s) for s in self._all(behavior, "ConflictResolution")), None)
            priority = next((self._integer(p) for p in self._all(behavior, "Priority")), None)
        return Group(sentences, priority, strategy, metadata=self._metadata(node))

    def _integer(self, literal: _Node) -> int:
        try:
            return int(str(literal))
        except ValueError:
            self._fail(literal, f"priority={literal} is not an integer")

    def _sentence(self, node: _Node) -> Sentence:
        if self._kind(node) == "Group":
            return self._read(node, {"Group": _Reader._group})
        return self._rule(node)

    def _rule(self, node: _Node) -> Forall | Implies | Do | Fact:
        return self._read(node, _RULES)

    def _forall(self, node: _Node) -> Forall:
        patterns = self._formulas(node, "pattern")
        body = self._rule(self._graph.value(node, self._uri(RIF + "formula")) or self._one(node, "formula"))
        return Forall(self._variables(node), patterns, body, metadata=self._metadata(node))

    def _variables(self, node: _Node) -> tuple[Var, ...]:
        found = tuple(self._read(item, {"Var": _Reader._variable}) for item in self._all(node, "declare"))
        if not found:
            self._fail(node, "declares no variable: add rif:vars ( ... )")
        return found

    def _implies(self, node: _Node) -> Implies:
        condition = self._formula(self._one(node, "if"))
        return Implies(
            condition, self._read(self._one(node, "then"), _CONCLUSIONS), metadata=self._metadata(node)
        )

    # -------------------------------------------------------------- actions

    def _do(self, node: _Node) -> Do:
        variables = tuple(v for item in self._all(node, "actionVar") for v in self._action_variables(item))
        held = self._one(node, "actions")
        actions = tuple(self._read(item, _ACTIONS) for item in self._items(held))
        if not actions:
            self._fail(node, "does nothing: it needs at least one action")
        return Do(actions, variables, metadata=self._metadata(node))

    def _action_variables(self, node: _Node) -> list[ActionVariable]:
        """A list of a variable and what it is bound to; some writers put all pairs into one list."""
        items = self._items(node)
        if len(items) % 2:
            self._fail(node, f"pairs each variable with New or a frame, found {len(items)} nodes")
        return [self._action_variable(*items[i : i + 2]) for i in range(0, len(items), 2)]

    def _action_variable(self, first: _Node, second: _Node) -> ActionVariable:
        variable = self._read(first, {"Var": _Reader._variable})
        table: Mapping[str, Callable[[_Reader, _Node], New | Frame]] = {
            "New": _Reader._new, "Frame": _Reader._frame,
        }  # fmt: skip
        return ActionVariable(variable, self._read(second, table))

    def _pair(self, node: _Node) -> list[_Node]:
        items = self._items(node)
        if len(items) != 2:
            self._fail(node, f"holds two nodes, found {len(items)}")
        return items

    def _new(self, node: _Node) -> New:
        return New(metadata=self._metadata(node))

    def _assert(self, node: _Node) -> Assert:
        return Assert(self._read(self._one(node, "target"), _ATOMIC), metadata=self._metadata(node))

    def _modify(self, node: _Node) -> Modify:
        frame = self._read(self._one(node, "target"), {"Frame": _Reader._frame})
        return Modify(frame, metadata=self._metadata(node))

    def _execute(self, node: _Node) -> Execute:
        atom = self._read(self._one(node, "target"), {"Atom": _Reader._atom})
        return Execute(atom, metadata=self._metadata(node))

    def _retract(self, node: _Node) -> Retract:
        target, metadata = self._one(node, "target"), self._metadata(node)
        if not self._kind(target) and self._graph.value(target, self._uri(RDF + "first")) is not None:
            subject, attribute = (self._term(item) for item in self._pair(target))
            return Retract(subject, attribute, metadata=metadata)
        table: Mapping[str, Callable[[_Reader, _Node], Frame | Atom | Term]] = {
            "Frame": _Reader._frame, "Atom": _Reader._atom, **_TERMS,
        }  # fmt: skip
        return Retract(self._read(target, table), metadata=metadata)

    # -------------------------------------------------------------- formulas

    def _formula(self, node: _Node) -> Formula:
        return self._read(node, _FORMULAS)

    def _formulas(self, node: _Node, role: str) -> tuple[Formula, ...]:
        """In the order of the list; without a list a graph has no order, and that of the text stands in."""
        found = [self._formula(item) for item in self._all(node, role)]
        listed = self._graph.value(node, self._uri(RIF + _PLURALS[role])) is not None
        return tuple(found if listed else sorted(found, key=formula_text))

    def _and(self, node: _Node) -> And:
        return And(self._formulas(node, "formula"), metadata=self._metadata(node))

    def _facts(self, node: _Node) -> And:
        parts = tuple(self._read(item, _FACTS) for item in self._all(node, "formula"))
        return And(parts, metadata=self._metadata(node))

    def _or(self, node: _Node) -> Or:
        return Or(self._formulas(node, "formula"), metadata=self._metadata(node))

    def _inner(self, node: _Node) -> Formula:
        found = list(self._graph.objects(node, self._uri(RIF + "formula")))
        if len(found) != 1:
            self._fail(node, f"needs exactly one rif:formula, found {len(found)}")
        return self._formula(found[0])

    def _not(self, node: _Node) -> Not:
        return Not(self._inner(node), metadata=self._metadata(node))

    def _exists(self, node: _Node) -> Exists:
        return Exists(self._variables(node), self._inner(node), metadata=self._metadata(node))

    def _equal(self, node: _Node) -> Equal:
        left, right = (self._term(self._one(node, side)) for side in ("left", "right"))
        return Equal(left, right, metadata=self._metadata(node))

    def _member(self, node: _Node) -> Member:
        instance, cls = (self._term(self._one(node, side)) for side in ("instance", "class"))
        return Member(instance, cls, metadata=self._metadata(node))

    def _subclass(self, node: _Node) -> Subclass:
        sub, sup = (self._term(self._one(node, side)) for side in ("sub", "super"))
        return Subclass(sub, sup, metadata=self._metadata(node))

    def _frame(self, node: _Node) -> Frame:
        slots = []
        for item in self._all(node, "slot"):
            key, value = self._one(item, "slotkey"), self._one(item, "slotvalue")
            slots.append((self._term(key), self._term(value)))
        return Frame(self._term(self._one(node, "object")), tuple(slots), metadata=self._metadata(node))

    def _call(self, node: _Node) -> tuple[Const, tuple[Term, ...]]:
        if self._all(node, "namedargs"):
            self._fail(node, "named arguments are not supported: use positions or a frame")
        op = self._read(self._one(node, "op"), {"Const": _Reader._const})
        lists = self._all(node, "args")
        return op, tuple(self._term(item) for item in self._items(lists[0])) if lists else ()

    def _atom(self, node: _Node) -> Atom:
        op, args = self._call(node)
        return Atom(op, args, metadata=self._metadata(node))

    def _external(self, node: _Node) -> External:
        content = self._one(node, "content")
        if self._kind(content) not in ("Atom", "Expr"):
            self._fail(content, "cannot be external: only builtin predicates and functions can")
        op, args = self._call(content)
        return External(op, args, metadata=self._metadata(node))

    # -------------------------------------------------------------- terms

    def _term(self, node: _Node) -> Term:
        if self._kind(node) == "Expr":
            self._fail(node, "outside External: function symbols of RIF-BLD are not supported")
        return self._read(node, _TERMS)

    def _const(self, node: _Node) -> Const:
        address = self._graph.value(node, self._uri(RIF + "constIRI"))
        if address is not None:
            return Const(str(address), IRI)
        name = self._graph.value(node, self._uri(RIF + "constname"))
        if name is not None:
            return Const(str(name), LOCAL)
        value = self._graph.value(node, self._uri(RIF + "value"))
        if not isinstance(value, self._literal):
            self._fail(node, "needs rif:constIRI, rif:constname or a literal rif:value")
        if value.language:
            return Const(f"{value}@{value.language}", PLAIN)
        return Const(str(value), str(value.datatype or STRING))

    def _variable(self, node: _Node) -> Var:
        label = str(self._one(node, "varname"))
        if not NAME.fullmatch(label):
            self._fail(node, f"{label!r} is not a name: letters, digits, and '.', '-', '_' between them")
        return Var(label)

    def _list(self, node: _Node) -> List:
        lists = self._all(node, "items")
        return List(tuple(self._term(item) for item in self._items(lists[0])) if lists else ())


_ATOMIC: Final[Mapping[str, Callable[[_Reader, _Node], Frame | Member | Atom]]] = {
    "Frame": _Reader._frame,
    "Member": _Reader._member,
    "Atom": _Reader._atom,
}
_FACTS: Final[Mapping[str, Callable[[_Reader, _Node], Fact]]] = {
    **_ATOMIC,
    "Subclass": _Reader._subclass,
    "Equal": _Reader._equal,
    "External": _Reader._external,
    "And": _Reader._facts,
}
_FORMULAS: Final[Mapping[str, Callable[[_Reader, _Node], Formula]]] = {
    **_FACTS,
    "And": _Reader._and,
    "Or": _Reader._or,
    "INeg": _Reader._not,
    "Not": _Reader._not,
    "Exists": _Reader._exists,
}
_CONCLUSIONS: Final[Mapping[str, Callable[[_Reader, _Node], Do | Fact]]] = {**_FACTS, "Do": _Reader._do}
_RULES: Final[Mapping[str, Callable[[_Reader, _Node], Forall | Implies | Do | Fact]]] = {
    **_CONCLUSIONS,
    "Forall": _Reader._forall,
    "Implies": _Reader._implies,
}
_ACTIONS: Final[Mapping[str, Callable[[_Reader, _Node], Action]]] = {
    "Assert": _Reader._assert,
    "Retract": _Reader._retract,
    "Modify": _Reader._modify,
    "Execute": _Reader._execute,
}
_TERMS: Final[Mapping[str, Callable[[_Reader, _Node], Term]]] = {
    "Const": _Reader._const,
    "Var": _Reader._variable,
    "List": _Reader._list,
    "External": _Reader._external,
}

"""RIF-PRD and RIF-Core in their normative XML, read into the syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar
from urllib.parse import urljoin

from tonmeister.errors import nearest
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
)
from tonmeister.rif.markup import Element, parse_markup
from tonmeister.rif.names import IRI, NAME
from tonmeister.rif.problems import problem

__all__ = ["read_xml"]

_T = TypeVar("_T")

_FOREIGN: Final[Mapping[str, str]] = {
    "Expr": "a function symbol of RIF-BLD outside External",
    "Neg": "strong negation",
    "Naf": "negation as failure",
    "NegAbout": "negation",
    "Remote": "a remote term",
    "Name": "a named argument",
    "rest": "an open list",
    "Aggregate": "aggregation",
}
"""Constructs of other dialects, by their element."""


def read_xml(data: bytes | str, origin: str = "") -> Document:
    """The document in `data`; a mistake is a `BadInputError` with line, column and the construct."""
    markup = parse_markup(data, origin)
    return _Reader(origin, markup.prefixes, markup.base).document(markup.root)


class _Reader:
    """One method for each class of the language."""

    def __init__(self, origin: str, prefixes: tuple[tuple[str, str], ...], base: str | None) -> None:
        self._origin, self._prefixes, self._base = origin, prefixes, base

    # -------------------------------------------------------------- help

    def _fail(self, element: Element, text: str) -> NoReturn:
        raise problem(f"<{element.tag}>: {text}", element.position, self._origin)

    def _unexpected(self, element: Element, where: str, wanted: list[str]) -> NoReturn:
        if element.tag in _FOREIGN:
            self._fail(element, f"{_FOREIGN[element.tag]} is not supported: write it as a frame")
        self._fail(
            element,
            f"does not belong in <{where}>{nearest(element.tag, wanted)}: {_words(wanted)} may stand there",
        )

    def _roles(self, element: Element, *allowed: str) -> dict[str, list[Element]]:
        """The role elements inside a class element, by name; id and meta may always be there."""
        if element.text.strip():
            self._fail(
                element, f"the text {element.text.strip()[:30]!r} does not belong here: only elements do"
            )
        found: dict[str, list[Element]] = {name: [] for name in (*allowed, "id", "meta")}
        for child in element.children:
            if child.tag not in found:
                self._unexpected(child, element.tag, list(found))
            found[child.tag].append(child)
        return found

    def _one(self, element: Element, roles: dict[str, list[Element]], name: str) -> Element:
        if len(roles[name]) != 1:
            self._fail(element, f"needs exactly one <{name}>, found {len(roles[name])}")
        return roles[name][0]

    def _content(self, role: Element, count: int = 1) -> list[Element]:
        """The class elements inside a role element, of which there must be `count`."""
        if role.text.strip():
            self._fail(role, f"the text {role.text.strip()[:30]!r} does not belong here: only elements do")
        if len(role.children) != count:
            self._fail(role, f"holds {count} element{'s'[: count != 1]}, found {len(role.children)}")
        return role.children

    def _inside(self, element: Element, roles: dict[str, list[Element]], name: str) -> Element:
        return self._content(self._one(element, roles, name))[0]

    def _read(
        self, element: Element, table: Mapping[str, Callable[[_Reader, Element], _T]], where: str
    ) -> _T:
        if element.tag not in table:
            self._unexpected(element, where, list(table))
        return table[element.tag](self, element)

    def _metadata(self, roles: dict[str, list[Element]]) -> Metadata | None:
        if not roles["id"] and not roles["meta"]:
            return None
        iri = None
        for role in roles["id"][:1]:
            iri = self._const(self._content(role)[0])
        frames = tuple(f for role in roles["meta"] for f in self._meta_frames(self._content(role)[0]))
        first = (roles["id"] or roles["meta"])[0]
        return Metadata(iri, frames, position=first.position)

    def _meta_frames(self, element: Element) -> list[Frame]:
        if element.tag == "Frame":
            return [self._frame(element)]
        if element.tag != "And":
            self._unexpected(element, "meta", ["Frame", "And"])
        roles = self._roles(element, "formula")
        return [frame for role in roles["formula"] for frame in self._meta_frames(self._content(role)[0])]

    # -------------------------------------------------------------- document

    def document(self, element: Element) -> Document:
        if element.tag != "Document":
            self._fail(
                element, "is not a rule document: the outermost element is <Document> in the namespace of RIF"
            )
        roles = self._roles(element, "directive", "payload")
        imports = tuple(self._import(self._content(role)[0]) for role in roles["directive"])
        if len(roles["payload"]) > 1:
            self._fail(roles["payload"][1], "a document has one payload: put its groups into one group")
        group = None
        for role in roles["payload"]:
            group = self._group(self._class(self._content(role)[0], "Group", role.tag))
        return Document(
            group, imports, self._prefixes, self._base, self._origin,
            metadata=self._metadata(roles), position=element.position,
        )  # fmt: skip

    def _class(self, element: Element, tag: str, where: str) -> Element:
        if element.tag != tag:
            self._unexpected(element, where, [tag])
        return element

    def _import(self, element: Element) -> Import:
        roles = self._roles(self._class(element, "Import", "directive"), "location", "profile")
        location = self._one(element, roles, "location").text.strip()
        if not location:
            self._fail(element, "the location is empty: name a file")
        profile = roles["profile"][0].text.strip() if roles["profile"] else None
        return Import(location, profile, metadata=self._metadata(roles), position=element.position)

    def _group(self, element: Element) -> Group:
        roles = self._roles(element, "behavior", "sentence")
        sentences = tuple(self._sentence(self._content(role)[0]) for role in roles["sentence"])
        strategy, priority = None, None
        if roles["behavior"]:
            strategy, priority = self._behavior(self._one(element, roles, "behavior"))
        return Group(sentences, priority, strategy, metadata=self._metadata(roles), position=element.position)

    def _behavior(self, element: Element) -> tuple[str | None, int | None]:
        roles = self._roles(element, "ConflictResolution", "Priority")
        strategy = roles["ConflictResolution"][0].text.strip() if roles["ConflictResolution"] else None
        if not roles["Priority"]:
            return strategy, None
        text = self._one(element, roles, "Priority").text.strip()
        try:
            return strategy, int(text)
        except ValueError:
            self._fail(roles["Priority"][0], f"{text!r} is not an integer")

    def _sentence(self, element: Element) -> Sentence:
        if element.tag == "Group":
            return self._group(element)
        return self._rule(element)

    def _rule(self, element: Element) -> Forall | Implies | Do | Fact:
        return self._read(element, _RULES, "sentence")

    def _forall(self, element: Element) -> Forall:
        roles = self._roles(element, "declare", "pattern", "formula")
        variables = tuple(self._variable(self._content(role)[0]) for role in roles["declare"])
        if not variables:
            self._fail(element, "declares no variable: add <declare>")
        patterns = tuple(self._formula(self._content(role)[0]) for role in roles["pattern"])
        body = self._rule(self._inside(element, roles, "formula"))
        return Forall(variables, patterns, body, metadata=self._metadata(roles), position=element.position)

    def _implies(self, element: Element) -> Implies:
        roles = self._roles(element, "if", "then")
        condition = self._formula(self._inside(element, roles, "if"))
        conclusion = self._read(self._inside(element, roles, "then"), _CONCLUSIONS, "then")
        return Implies(condition, conclusion, metadata=self._metadata(roles), position=element.position)

    # -------------------------------------------------------------- actions

    def _do(self, element: Element) -> Do:
        roles = self._roles(element, "actionVar", "actions")
        variables = tuple(self._action_variable(role) for role in roles["actionVar"])
        actions = tuple(
            self._read(child, _ACTIONS, "actions") for child in self._one(element, roles, "actions").children
        )
        if not actions:
            self._fail(element, "does nothing: it needs at least one action")
        return Do(actions, variables, metadata=self._metadata(roles), position=element.position)

    def _action_variable(self, role: Element) -> ActionVariable:
        first, second = self._content(role, 2)
        binding: New | Frame
        if second.tag == "New":
            binding = New(metadata=self._metadata(self._roles(second)), position=second.position)
        else:
            binding = self._frame(self._class(second, "Frame", role.tag))
        return ActionVariable(self._variable(first), binding, position=role.position)

    def _target(self, element: Element) -> tuple[Element, Metadata | None]:
        roles = self._roles(element, "target")
        return self._one(element, roles, "target"), self._metadata(roles)

    def _assert(self, element: Element) -> Assert:
        role, metadata = self._target(element)
        target = self._read(self._content(role)[0], _ATOMIC, role.tag)
        return Assert(target, metadata=metadata, position=element.position)

    def _modify(self, element: Element) -> Modify:
        role, metadata = self._target(element)
        frame = self._frame(self._class(self._content(role)[0], "Frame", role.tag))
        return Modify(frame, metadata=metadata, position=element.position)

    def _execute(self, element: Element) -> Execute:
        role, metadata = self._target(element)
        atom = self._atom(self._class(self._content(role)[0], "Atom", role.tag))
        return Execute(atom, metadata=metadata, position=element.position)

    def _retract(self, element: Element) -> Retract:
        role, metadata = self._target(element)
        if len(role.children) == 2:
            first, second = (self._term(child) for child in role.children)
            return Retract(first, second, metadata=metadata, position=element.position)
        child = self._content(role)[0]
        if child.tag in ("Atom", "Frame"):
            target = self._atom(child) if child.tag == "Atom" else self._frame(child)
            return Retract(target, metadata=metadata, position=element.position)
        return Retract(self._term(child), metadata=metadata, position=element.position)

    # -------------------------------------------------------------- formulas

    def _formula(self, element: Element) -> Formula:
        return self._read(element, _FORMULAS, "formula")

    def _and(self, element: Element) -> And:
        roles = self._roles(element, "formula")
        parts = tuple(self._formula(self._content(role)[0]) for role in roles["formula"])
        return And(parts, metadata=self._metadata(roles), position=element.position)

    def _facts(self, element: Element) -> And:
        """An And that stands as a conclusion."""
        roles = self._roles(element, "formula")
        parts = tuple(self._read(self._content(role)[0], _FACTS, "And") for role in roles["formula"])
        return And(parts, metadata=self._metadata(roles), position=element.position)

    def _or(self, element: Element) -> Or:
        roles = self._roles(element, "formula")
        parts = tuple(self._formula(self._content(role)[0]) for role in roles["formula"])
        return Or(parts, metadata=self._metadata(roles), position=element.position)

    def _not(self, element: Element) -> Not:
        roles = self._roles(element, "formula")
        formula = self._formula(self._inside(element, roles, "formula"))
        return Not(formula, metadata=self._metadata(roles), position=element.position)

    def _exists(self, element: Element) -> Exists:
        roles = self._roles(element, "declare", "formula")
        variables = tuple(self._variable(self._content(role)[0]) for role in roles["declare"])
        if not variables:
            self._fail(element, "declares no variable: add <declare>")
        formula = self._formula(self._inside(element, roles, "formula"))
        return Exists(variables, formula, metadata=self._metadata(roles), position=element.position)

    def _equal(self, element: Element) -> Equal:
        roles = self._roles(element, "left", "right")
        left, right = (self._term(self._inside(element, roles, side)) for side in ("left", "right"))
        return Equal(left, right, metadata=self._metadata(roles), position=element.position)

    def _member(self, element: Element) -> Member:
        roles = self._roles(element, "instance", "class")
        instance, cls = (self._term(self._inside(element, roles, side)) for side in ("instance", "class"))
        return Member(instance, cls, metadata=self._metadata(roles), position=element.position)

    def _subclass(self, element: Element) -> Subclass:
        roles = self._roles(element, "sub", "super")
        sub, sup = (self._term(self._inside(element, roles, side)) for side in ("sub", "super"))
        return Subclass(sub, sup, metadata=self._metadata(roles), position=element.position)

    def _frame(self, element: Element) -> Frame:
        roles = self._roles(element, "object", "slot")
        subject = self._term(self._inside(element, roles, "object"))
        slots = []
        for role in roles["slot"]:
            key, value = self._content(role, 2)
            slots.append((self._term(key), self._term(value)))
        return Frame(subject, tuple(slots), metadata=self._metadata(roles), position=element.position)

    def _atom(self, element: Element) -> Atom:
        op, args, metadata = self._call(element)
        return Atom(op, args, metadata=metadata, position=element.position)

    def _call(self, element: Element) -> tuple[Const, tuple[Term, ...], Metadata | None]:
        if next(element.named("slot"), None):
            self._fail(element, "named arguments are not supported: use positions or a frame")
        roles = self._roles(element, "op", "args")
        op = self._const(self._inside(element, roles, "op"))
        if len(roles["args"]) > 1:
            self._fail(element, "has more than one <args>")
        args = tuple(self._term(child) for role in roles["args"] for child in role.children)
        return op, args, self._metadata(roles)

    def _external(self, element: Element, inner: str) -> External:
        roles = self._roles(element, "content")
        content = self._inside(element, roles, "content")
        if content.tag not in ("Atom", "Expr"):
            self._fail(
                content,
                f"an external {content.tag} is not supported: only builtin predicates and functions are",
            )
        if content.tag != inner:
            self._fail(
                content,
                f"where a {'formula' if inner == 'Atom' else 'term'} is wanted, External holds <{inner}>",
            )
        op, args, within = self._call(content)
        return External(op, args, metadata=self._metadata(roles) or within, position=element.position)

    def _external_formula(self, element: Element) -> External:
        return self._external(element, "Atom")

    # -------------------------------------------------------------- terms

    def _term(self, element: Element) -> Term:
        return self._read(element, _TERMS, "term")

    def _external_term(self, element: Element) -> External:
        return self._external(element, "Expr")

    def _const(self, element: Element) -> Const:
        self._class(element, "Const", "term")
        kind = element.attributes.get("type")
        if not kind:
            self._fail(element, "has no type: add the IRI of its datatype, or of rif:iri")
        if element.children:
            self._unexpected(element.children[0], "Const", ["text"])
        if kind != IRI:
            return Const(element.text, kind, position=element.position)
        value = element.text.strip()
        return Const(urljoin(self._base, value) if self._base else value, IRI, position=element.position)

    def _variable(self, element: Element) -> Var:
        self._class(element, "Var", "declare")
        label = element.text.strip()
        if not NAME.fullmatch(label):
            self._fail(element, f"{label!r} is not a name: letters, digits, and '.', '-', '_' between them")
        return Var(label, position=element.position)

    def _list(self, element: Element) -> List:
        roles = self._roles(element, "items", "rest")
        if roles["rest"]:
            self._unexpected(roles["rest"][0], "List", ["items"])
        items = tuple(self._term(child) for role in roles["items"] for child in role.children)
        return List(items, position=element.position)


def _words(names: list[str]) -> str:
    shown = [name for name in names if name not in ("id", "meta")] or names
    return ", ".join(f"<{name}>" if name != "text" else "text" for name in shown)


_ATOMIC: Final[Mapping[str, Callable[[_Reader, Element], Frame | Member | Atom]]] = {
    "Frame": _Reader._frame,
    "Member": _Reader._member,
    "Atom": _Reader._atom,
}
_FACTS: Final[Mapping[str, Callable[[_Reader, Element], Fact]]] = {
    **_ATOMIC,
    "Subclass": _Reader._subclass,
    "Equal": _Reader._equal,
    "External": _Reader._external_formula,
    "And": _Reader._facts,
}
_FORMULAS: Final[Mapping[str, Callable[[_Reader, Element], Formula]]] = {
    **_FACTS,
    "And": _Reader._and,
    "Or": _Reader._or,
    "Not": _Reader._not,
    "INeg": _Reader._not,
    "Exists": _Reader._exists,
}
_CONCLUSIONS: Final[Mapping[str, Callable[[_Reader, Element], Do | Fact]]] = {**_FACTS, "Do": _Reader._do}
_RULES: Final[Mapping[str, Callable[[_Reader, Element], Forall | Implies | Do | Fact]]] = {
    **_CONCLUSIONS,
    "Forall": _Reader._forall,
    "Implies": _Reader._implies,
}
_ACTIONS: Final[Mapping[str, Callable[[_Reader, Element], Action]]] = {
    "Assert": _Reader._assert,
    "Retract": _Reader._retract,
    "Modify": _Reader._modify,
    "Execute": _Reader._execute,
}
_TERMS: Final[Mapping[str, Callable[[_Reader, Element], Term]]] = {
    "Const": _Reader._const,
    "Var": _Reader._variable,
    "List": _Reader._list,
    "External": _Reader._external_term,
}

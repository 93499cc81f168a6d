"""The syntax tree as RIF XML: one document, one text, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from tonmeister.rif.ast import (
    Action,
    ActionVariable,
    And,
    Annotated,
    Atom,
    Const,
    Do,
    Document,
    Equal,
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
    New,
    Not,
    Or,
    Retract,
    Sentence,
    Subclass,
    Term,
    Var,
)
from tonmeister.rif.names import RIF
from tonmeister.rif.problems import problem

__all__ = ["write_xml"]

_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NCNAME: Final = re.compile(r"[^\W\d][\w.\-]*")
_REFERENCES: Final = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def write_xml(document: Document) -> str:
    """The text of an XML file; raises `BadInputError` for a character that XML cannot hold."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(f"{line}\n" for line in _document(document))


def _document(document: Document) -> Iterator[str]:
    spaces = "".join(
        f" xmlns:{prefix}={quoteattr(iri)}"
        for prefix, iri in document.prefixes
        if _NCNAME.fullmatch(prefix) and not prefix.startswith("xml") and iri
    )
    yield f'<Document xmlns="{RIF}"{spaces}>'
    yield from _deeper(_metadata(document.metadata))
    for item in document.imports:
        yield from _deeper(_in("directive", _import(item)))
    if document.group is not None:
        yield from _deeper(_in("payload", _group(document.group)))
    yield "</Document>"


def _deeper(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _in(tag: str, lines: Iterable[str], *, ordered: bool = False) -> Iterator[str]:
    """The lines inside an element; a single one stands beside its tags, as in ``<object><Var>x</Var></object>``."""
    inner = list(lines)
    start = f'{tag} ordered="yes"' if ordered else tag
    if not inner:
        yield f"<{start}/>"
    elif len(inner) == 1:
        yield f"<{start}>{inner[0]}</{tag}>"
    else:
        yield f"<{start}>"
        yield from _deeper(inner)
        yield f"</{tag}>"


def _class(tag: str, node: Annotated, lines: Iterable[str]) -> Iterator[str]:
    yield from _in(tag, [*_metadata(node.metadata), *lines])


def _text(tag: str, text: str) -> str:
    return f"<{tag}>{_escaped(text)}</{tag}>"


def _escaped(text: str) -> str:
    if (bad := _UNWRITABLE.search(text)) is not None:
        raise problem(f"the character U+{ord(bad[0]):04X} cannot stand in XML: remove it from {text[:40]!r}")
    return escape(text, _REFERENCES)


def _metadata(metadata: Metadata | None) -> Iterator[str]:
    if metadata is None:
        return
    if metadata.iri is not None:
        yield from _in("id", _term(metadata.iri))
    if len(metadata.frames) == 1:
        yield from _in("meta", _frame(metadata.frames[0]))
    elif metadata.frames:
        parts = [line for frame in metadata.frames for line in _in("formula", _frame(frame))]
        yield from _in("meta", _in("And", parts))


def _import(item: Import) -> Iterator[str]:
    lines = [_text("location", item.location)]
    if item.profile is not None:
        lines.append(_text("profile", item.profile))
    yield from _class("Import", item, lines)


def _group(group: Group) -> Iterator[str]:
    lines: list[str] = []
    if group.strategy is not None or group.priority is not None:
        inner = [] if group.strategy is None else [_text("ConflictResolution", group.strategy)]
        inner += [] if group.priority is None else [_text("Priority", str(group.priority))]
        lines += _in("behavior", inner)
    for sentence in group.sentences:
        lines += _in("sentence", _sentence(sentence))
    yield from _class("Group", group, lines)


def _sentence(sentence: Sentence) -> Iterator[str]:
    return _group(sentence) if isinstance(sentence, Group) else _rule(sentence)


def _rule(rule: Forall | Implies | Do | Fact) -> Iterator[str]:
    if isinstance(rule, Forall):
        lines = [line for v in rule.variables for line in _in("declare", _term(v))]
        lines += [line for p in rule.patterns for line in _in("pattern", _formula(p))]
        yield from _class("Forall", rule, [*lines, *_in("formula", _rule(rule.body))])
    elif isinstance(rule, Implies):
        condition, conclusion = _in("if", _formula(rule.condition)), _in("then", _rule(rule.conclusion))
        yield from _class("Implies", rule, [*condition, *conclusion])
    elif isinstance(rule, Do):
        lines = [line for v in rule.variables for line in _action_variable(v)]
        actions = [line for action in rule.actions for line in _action(action)]
        yield from _class("Do", rule, [*lines, *_in("actions", actions, ordered=True)])
    else:
        yield from _formula(rule)


def _action_variable(item: ActionVariable) -> Iterator[str]:
    bound = _class("New", item.binding, []) if isinstance(item.binding, New) else _frame(item.binding)
    yield from _in("actionVar", [*_term(item.variable), *bound], ordered=True)


def _action(action: Action) -> Iterator[str]:
    tag = type(action).__name__
    if isinstance(action, Retract):
        target = action.target
        lines = list(_formula(target) if isinstance(target, (Atom, Frame)) else _term(target))
        pair = action.attribute is not None
        lines += [] if action.attribute is None else _term(action.attribute)
        yield from _class(tag, action, _in("target", lines, ordered=pair))
    else:
        yield from _class(tag, action, _in("target", _formula(action.target)))


def _formula(formula: Formula) -> Iterator[str]:
    if isinstance(formula, (And, Or)):
        parts = [line for part in formula.formulas for line in _in("formula", _formula(part))]
        yield from _class(type(formula).__name__, formula, parts)
    elif isinstance(formula, Not):
        yield from _class("INeg", formula, _in("formula", _formula(formula.formula)))
    elif isinstance(formula, Exists):
        lines = [line for v in formula.variables for line in _in("declare", _term(v))]
        yield from _class("Exists", formula, [*lines, *_in("formula", _formula(formula.formula))])
    elif isinstance(formula, Frame):
        yield from _frame(formula)
    elif isinstance(formula, Atom):
        yield from _class("Atom", formula, _call(formula))
    elif isinstance(formula, External):
        yield from _class("External", formula, _in("content", _in("Atom", _call(formula))))
    else:
        yield from _pair(formula)


def _pair(formula: Equal | Member | Subclass) -> Iterator[str]:
    if isinstance(formula, Equal):
        sides = (("left", formula.left), ("right", formula.right))
    elif isinstance(formula, Member):
        sides = (("instance", formula.instance), ("class", formula.cls))
    else:
        sides = (("sub", formula.sub), ("super", formula.sup))
    lines = [line for tag, term in sides for line in _in(tag, _term(term))]
    yield from _class(type(formula).__name__, formula, lines)


def _frame(frame: Frame) -> Iterator[str]:
    lines = list(_in("object", _term(frame.object)))
    for key, value in frame.slots:
        lines += _in("slot", [*_term(key), *_term(value)], ordered=True)
    yield from _class("Frame", frame, lines)


def _call(node: Atom | External) -> Iterator[str]:
    yield from _in("op", _term(node.op))
    if node.args:
        yield from _in("args", [line for arg in node.args for line in _term(arg)], ordered=True)


def _term(term: Term) -> Iterator[str]:
    if isinstance(term, Var):
        yield _text("Var", term.label)
    elif isinstance(term, Const):
        yield f"<Const type={quoteattr(term.type)}>{_escaped(term.value)}</Const>"
    elif isinstance(term, List):
        items = [line for item in term.items for line in _term(item)]
        yield from _in("List", _in("items", items, ordered=True) if items else [])
    else:
        yield from _class("External", term, _in("content", _in("Expr", _call(term))))

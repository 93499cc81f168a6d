"""The syntax tree in presentation syntax: what people read and write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tonmeister.rif.ast import (
    Action,
    ActionVariable,
    And,
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
from tonmeister.rif.names import DECIMAL, DOUBLE, INTEGER, IRI, LOCAL, NAME, PLAIN, PREFIXES, STRING
from tonmeister.rif.problems import problem

__all__ = ["formula_text", "term_text", "write_text"]

_WIDTH: Final = 110
_PLAIN_NUMBER: Final = {
    INTEGER: re.compile(r"[+-]?\d+"),
    DECIMAL: re.compile(r"[+-]?(?:\d+)?\.\d+"),
    DOUBLE: re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)[eE][+-]?\d+"),
}
_ANGLE: Final = re.compile(r"[^<>\"{}|^`\\\s]*")
_LANGUAGE: Final = re.compile(r"(.*)(@[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)", re.DOTALL)
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_text(document: Document) -> str:
    """The text of a document."""
    own = {name: iri for name, iri in document.prefixes if NAME.fullmatch(name) and iri}
    prefixes = {**own, **_usual(document, own)}
    return "\n".join(_Writer(prefixes).document(document)) + "\n"


def formula_text(formula: Formula, prefixes: Mapping[str, str] | None = None) -> str:
    """One formula in one line; the project's prefixes shorten it."""
    return " ".join(
        line.strip() for line in _Writer(PREFIXES if prefixes is None else prefixes).formula(formula)
    )


def term_text(term: Term, prefixes: Mapping[str, str] | None = None) -> str:
    """One term."""
    return _Writer(PREFIXES if prefixes is None else prefixes).term(term)


def _usual(document: Document, own: Mapping[str, str]) -> dict[str, str]:
    """The usual prefixes that shorten something the document's own do not."""
    candidates = {n: iri for n, iri in PREFIXES.items() if n not in own and iri not in own.values()}
    text = "\n".join(_Writer({**own, **candidates}).document(document))
    return {name: iri for name, iri in candidates.items() if re.search(rf"(?<![\w:]){name}:\w", text)}


def _deeper(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _wrap(head: str, lines: list[str], tail: str) -> list[str]:
    """In one line if it is short, else the lines between head and tail."""
    if not lines or all(not line.startswith(" ") for line in lines):
        flat = head + " ".join(lines) + tail
        if len(flat) <= _WIDTH and len(lines) <= 3 and not any("(*" in line for line in lines):
            return [flat]
    return [head.rstrip(), *_deeper(lines), tail.strip()]


class _Writer:
    """Every method gives lines."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = prefixes
        self._longest_first = sorted(prefixes.items(), key=lambda item: (-len(item[1]), item[0]))

    def document(self, document: Document) -> Iterator[str]:
        """Everything."""
        yield from self._metadata(document.metadata)
        yield "Document("
        yield from _deeper(f"Prefix({name} <{iri}>)" for name, iri in self._prefixes.items())
        for item in document.imports:
            yield from _deeper(self._metadata(item.metadata))
            profile = "" if item.profile is None else f" {self._angle(item.profile)}"
            yield f"  Import({self._angle(item.location)}{profile})"
        if document.group is not None:
            yield from _deeper(self.group(document.group))
        yield ")"

    def group(self, group: Group) -> Iterator[str]:
        """A group and all in it."""
        yield from self._metadata(group.metadata)
        strategy = "" if group.strategy is None else f"{self._short(group.strategy)} "
        priority = "" if group.priority is None else f"{group.priority} "
        yield f"Group {strategy}{priority}("
        for sentence in group.sentences:
            yield from _deeper(self.sentence(sentence))
        yield ")"

    def sentence(self, sentence: Sentence) -> Iterable[str]:
        """A group, a rule or a fact."""
        return self.group(sentence) if isinstance(sentence, Group) else self._rule(sentence)

    def _rule(self, rule: Forall | Implies | Do | Fact) -> Iterator[str]:
        if not isinstance(rule, (Forall, Implies, Do)):
            yield from self.formula(rule)
            return
        yield from self._metadata(rule.metadata)
        if isinstance(rule, Forall):
            yield from self._forall(rule)
        elif isinstance(rule, Implies):
            yield from self._lead("If ", self.formula(rule.condition))
            conclusion = rule.conclusion
            yield from self._lead("Then ", self._rule(conclusion))
        else:
            parts = [line for v in rule.variables for line in self._action_variable(v)]
            parts += [line for action in rule.actions for line in self._action(action)]
            yield from _wrap("Do( ", parts, " )")

    def _forall(self, rule: Forall) -> Iterator[str]:
        head = f"Forall {' '.join(self.term(v) for v in rule.variables)}"
        if not rule.patterns:
            yield f"{head} ("
        else:
            yield f"{head} such that"
            for pattern in rule.patterns:
                yield from _deeper(_wrap("( ", list(self.formula(pattern)), " )"))
            yield "("
        yield from _deeper(self._rule(rule.body))
        yield ")"

    def _lead(self, word: str, lines: Iterable[str]) -> list[str]:
        first, *rest = lines
        return [word + first, *rest]

    def _action_variable(self, item: ActionVariable) -> list[str]:
        binding = item.binding
        bound = (
            [*self._metadata(binding.metadata), "New()"]
            if isinstance(binding, New)
            else list(self._frame(binding))
        )
        return _wrap(f"( {self.term(item.variable)} ", bound, " )")

    def _action(self, action: Action) -> Iterator[str]:
        yield from self._metadata(action.metadata)
        name = type(action).__name__
        if isinstance(action, Retract) and not isinstance(action.target, (Atom, Frame)):
            attribute = "" if action.attribute is None else f" {self.term(action.attribute)}"
            yield f"{name}( {self.term(action.target)}{attribute} )"
        else:
            assert isinstance(action.target, (Atom, Frame, Member))
            yield from _wrap(f"{name}( ", list(self.formula(action.target)), " )")

    def formula(self, formula: Formula) -> Iterator[str]:
        """A formula with its metadata."""
        if isinstance(formula, External):
            yield self.term(formula)
            return
        yield from self._metadata(formula.metadata)
        if isinstance(formula, (And, Or)):
            parts = [line for part in formula.formulas for line in self.formula(part)]
            yield from _wrap(f"{type(formula).__name__}( ", parts, " )")
        elif isinstance(formula, Not):
            yield from _wrap("Not( ", list(self.formula(formula.formula)), " )")
        elif isinstance(formula, Exists):
            head = f"Exists {' '.join(self.term(v) for v in formula.variables)} ( "
            yield from _wrap(head, list(self.formula(formula.formula)), " )")
        else:
            yield self._atomic(formula)

    def _frame(self, frame: Frame) -> Iterator[str]:
        yield from self.formula(frame)

    def _atomic(self, formula: Frame | Member | Subclass | Equal | Atom) -> str:
        if isinstance(formula, Frame):
            slots = " ".join(f"{self.term(k)} -> {self.term(v)}" for k, v in formula.slots)
            return f"{self.term(formula.object)}[{slots}]"
        if isinstance(formula, Member):
            return f"{self.term(formula.instance)} # {self.term(formula.cls)}"
        if isinstance(formula, Subclass):
            return f"{self.term(formula.sub)} ## {self.term(formula.sup)}"
        if isinstance(formula, Equal):
            return f"{self.term(formula.left)} = {self.term(formula.right)}"
        return self._call(formula)

    def _call(self, node: Atom | External) -> str:
        return f"{self.term(node.op)}({' '.join(self.term(arg) for arg in node.args)})"

    def term(self, term: Term) -> str:
        """A term in one line."""
        if isinstance(term, Var):
            return f"?{self._name(term.label, 'variable')}"
        if isinstance(term, List):
            return f"List({' '.join(self.term(item) for item in term.items)})"
        if isinstance(term, External):
            inner = " ".join([*self._metadata(term.metadata), self._call(term)])
            return f"External({inner})"
        return self._const(term)

    def _const(self, const: Const) -> str:
        if const.type == IRI and _ANGLE.fullmatch(const.value):
            return self._short(const.value)
        if const.type == LOCAL and NAME.fullmatch(const.value):
            return f"_{const.value}"
        if const.type == STRING:
            return _quoted(const.value)
        if const.type in _PLAIN_NUMBER and _PLAIN_NUMBER[const.type].fullmatch(const.value):
            return const.value
        if const.type == PLAIN and (match := _LANGUAGE.fullmatch(const.value)):
            return _quoted(match[1]) + match[2]
        return f"{_quoted(const.value)}^^{self._short(const.type)}"

    def _short(self, iri: str) -> str:
        for name, start in self._longest_first:
            if iri.startswith(start) and NAME.fullmatch(iri, len(start)):
                return f"{name}:{iri[len(start) :]}"
        return self._angle(iri)

    def _angle(self, iri: str) -> str:
        if not _ANGLE.fullmatch(iri):
            raise problem(f"{iri[:60]!r} is not an IRI: it holds a character that IRIs may not hold")
        return f"<{iri}>"

    def _name(self, name: str, what: str) -> str:
        if not NAME.fullmatch(name):
            raise problem(
                f"{name!r} is no name for a {what}: letters, digits, and '.', '-', '_' between them"
            )
        return name

    def _metadata(self, metadata: Metadata | None) -> list[str]:
        if metadata is None or not (metadata.iri or metadata.frames):
            return []
        head = [] if metadata.iri is None else [self.term(metadata.iri)]
        frames = [line for frame in metadata.frames for line in self._meta_frame(frame)]
        if len(metadata.frames) > 1:
            frames = ["And(", *_deeper(frames), ")"]
        if not frames:
            return [f"(* {head[0]} *)"]
        return self._lead("(* ", [*head, *frames[:-1], f"{frames[-1]} *)"])

    def _meta_frame(self, frame: Frame) -> list[str]:
        lines = [f"{self.term(k)} -> {self.term(v)}" for k, v in frame.slots]
        flat = f"{self.term(frame.object)}[{' '.join(lines)}]"
        if len(flat) <= _WIDTH - 20 or len(lines) < 2:
            return [flat]
        return [f"{self.term(frame.object)}[", *_deeper(lines), "]"]


def _quoted(text: str) -> str:
    return (
        '"'
        + "".join(
            _ESCAPES.get(c, c if c.isprintable() or ord(c) >= 0xA0 else f"\\u{ord(c):04X}") for c in text
        )
        + '"'
    )

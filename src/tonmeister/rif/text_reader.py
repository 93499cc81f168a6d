"""The presentation syntax of RIF-PRD and RIF-Core, read into the syntax tree.

    Document( Base(<iri>)  Prefix(name <iri>)  Import(<location> <profile>)  Group strategy priority ( sentence ... ) )
    sentence = Group | Forall ?v ... such that (formula) ... ( rule ) | If formula Then actions | fact :- formula | fact
    actions  = Do( (?v New()) (?v frame) Assert(fact) Retract(...) Modify(frame) Execute(atom) ) | And(fact ...) | fact
    formula  = And(...) | Or(...) | Not(...) | Exists ?v ... (...) | External(builtin(term ...)) | atomic
    atomic   = term[key -> value ...] | term # term | term ## term | term = term | name(term ...)
    term     = ?v | <iri> | prefix:name | _local | "text" | "text"@en | "text"^^type | 1 | 1.5 | 1e3 | List(...)
             | External(...)

``(* iri frames *)`` before a document, group, rule, formula or action is its metadata; ``/* */`` and ``//`` are comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeAlias, TypeVar

from tonmeister.errors import nearest
from tonmeister.rif.ast import (
    Action,
    ActionVariable,
    And,
    Annotated,
    Assert,
    Atom,
    Const,
    Do,
    Document,
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
    Var,
)
from tonmeister.rif.names import PREFIXES
from tonmeister.rif.text_formulas import FormulaReader, annotated, shown
from tonmeister.rif.tokens import Token

__all__ = ["read_formula", "read_text"]

_T = TypeVar("_T")
_A = TypeVar("_A", bound=Annotated)
_Rule: TypeAlias = Forall | Implies | Do | Fact

_KEYWORDS: Final = (
    "And", "Assert", "Base", "Do", "Document", "Execute", "Exists", "External", "Forall", "Group", "If", "Import",
    "List", "Modify", "New", "Not", "Or", "Prefix", "Retract", "Then", "such", "that",
)  # fmt: skip
_CONSTANTS: Final = ("iri", "curie", "local", "string")
"""Words that begin a constant which may name something."""
_FOREIGN: Final[Mapping[str, str]] = {
    "Neg": "strong negation is not supported: use Not",
    "Naf": "negation as failure is not supported: use Not",
    "Remote": "remote terms are not supported",
    "Module": "modules are not supported",
}


def read_text(text: str, origin: str = "") -> Document:
    """The document in `text`; a mistake is a `BadInputError` with line and column."""
    return _Reader(text, origin).document()


def read_formula(text: str, prefixes: Mapping[str, str] | None = None, origin: str = "") -> Formula:
    """One formula, for instance a question to the facts; the project's prefixes are known."""
    reader = _Reader(text, origin)
    reader.prefixes.update(PREFIXES if prefixes is None else prefixes)
    formula = reader.formula()
    reader.expect_end()
    return formula


class _Reader(FormulaReader):
    """Documents, groups, rules and actions."""

    # -------------------------------------------------------------- document

    def document(self) -> Document:
        """Everything."""
        self._look_ahead()
        metadata, first = self._metadata(), self._token
        self.prefixes, self._base = {}, None
        if not self._is("Document"):
            self._fail(f"a rule document begins with Document(, not with {shown(first)}")
        self._take()
        self._expect("(", "Document")
        imports: list[Import] = []
        group: Group | None = None
        while not self._is(")"):
            inner = self._metadata()
            if self._is("Base", "Prefix") and inner is None:
                self._directive()
            elif self._is("Import"):
                imports.append(self._import(inner))
            elif self._is("Group"):
                if group is not None:
                    self._fail("a document has one group: put its groups into one group")
                group = self._group(inner)
            elif self._token.kind == "end":
                self._fail("Document: ')' is missing at the end")
            else:
                self._fail(
                    f"Document: {shown(self._token)} does not belong here{self._guess()}: it holds Base, Prefix, "
                    "Import and one Group"
                )
        self._take()
        self.expect_end()
        return Document(
            group, tuple(imports), tuple(self.prefixes.items()), self._base, self._origin,
            metadata=metadata, position=first.position,
        )  # fmt: skip

    def _look_ahead(self) -> None:
        """Declare what the document will: its metadata stand before the prefixes they are written with."""
        for i, token in enumerate(self._tokens[:-3]):
            if token.kind == "word" and token.text == "Group":
                return
            name, address = self._tokens[i + 2 : i + 4]
            if token.text == "Prefix" and address.kind == "iri":
                self.prefixes[name.text] = address.text[1:-1]
            elif token.text == "Base" and name.kind == "iri":
                self._base = name.text[1:-1]

    def _guess(self) -> str:
        return nearest(self._token.text, list(_KEYWORDS)) if self._token.kind == "word" else ""

    def _directive(self) -> None:
        keyword = self._take().text
        self._expect("(", keyword)
        if keyword == "Base":
            self._base = self._angle("Base")
        else:
            name = self._take()
            if name.kind not in ("word", "local"):
                self._fail("Prefix: a name is missing, as in Prefix(tm <urn:tonmeister:mix#>)", name)
            if name.text in self.prefixes:
                self._fail(f"Prefix: {name.text!r} is declared twice", name)
            self.prefixes[name.text] = self._angle("Prefix")
        self._expect(")", keyword)

    def _angle(self, where: str) -> str:
        token = self._take()
        if token.kind != "iri":
            self._fail(f"{where}: an IRI in angle brackets is missing before {shown(token)}", token)
        return token.text[1:-1]

    def _import(self, metadata: Metadata | None) -> Import:
        first = self._take()
        self._expect("(", "Import")
        location = self._angle("Import")
        profile = self._angle("Import") if self._token.kind == "iri" else None
        self._expect(")", "Import")
        return Import(location, profile, metadata=metadata, position=first.position)

    def _group(self, metadata: Metadata | None) -> Group:
        first, strategy, priority = self._take(), None, None
        if self._token.kind in ("iri", "curie"):
            strategy = self._iri(self._take())
        if self._token.kind == "number":
            priority = self._priority(self._take())
        self._expect("(", "Group")
        sentences = self._deeper(lambda: self._until(")", "Group", self._sentence))
        return Group(sentences, priority, strategy, metadata=metadata, position=first.position)

    def _priority(self, token: Token) -> int:
        try:
            return int(token.text)
        except ValueError:
            self._fail(f"Group: priority={token.text} is not an integer", token)

    # -------------------------------------------------------------- rules

    def _sentence(self) -> Sentence:
        metadata = self._metadata()
        return self._group(metadata) if self._is("Group") else self._rule(metadata)

    def _rule(self, metadata: Metadata | None) -> _Rule:
        if self._is("Forall"):
            return self._deeper(lambda: self._forall(metadata))
        if self._is("If"):
            return self._if(metadata)
        if self._is("Do"):
            return self._do(metadata)
        first = self._token
        head = self._formula_bare()
        if self._accept(":-"):
            condition = self.formula()
            return Implies(condition, self._fact(head, first), metadata=metadata, position=first.position)
        return annotated(self._fact(head, first), metadata)

    def _fact(self, formula: Formula, token: Token) -> Fact:
        if isinstance(formula, (Or, Not, Exists)):
            self._fail(
                f"{type(formula).__name__} cannot be a conclusion: state frames, memberships or atoms", token
            )
        if isinstance(formula, And):
            for part in formula.formulas:
                self._fact(part, token)
        return formula

    def _forall(self, metadata: Metadata | None) -> Forall:
        first = self._take()
        variables = self._variables("Forall")
        patterns: list[Formula] = []
        body: _Rule | None = None
        if self._accept("such"):
            self._expect("that", "Forall ... such")
            while not self._is("(") and not self._is("(*"):
                patterns.append(self.formula())
            while body is None:
                body = self._pattern_or_body(patterns)
        else:
            self._expect("(", "Forall")
            body = self._rule(self._metadata())
            self._expect(")", "Forall")
        return Forall(variables, tuple(patterns), body, metadata=metadata, position=first.position)

    def _pattern_or_body(self, patterns: list[Formula]) -> _Rule | None:
        """What stands in parentheses: a pattern when another parenthesis follows, else the body."""
        self._expect("(", "Forall ... such that")
        first, metadata = self._token, self._metadata()
        if self._is("Forall", "If", "Do"):
            body: _Rule | None = self._rule(metadata)
            self._expect(")", "Forall")
            return body
        formulas = [annotated(self._formula_bare(), metadata)]
        if self._accept(":-"):
            condition, head = self.formula(), replace(formulas[0], metadata=None)
            body = Implies(condition, self._fact(head, first), metadata=metadata, position=first.position)
            self._expect(")", "Forall")
            return body
        formulas += self._until(")", "Forall ... such that", self.formula)
        if self._is("("):
            patterns += formulas
            return None
        if len(formulas) != 1:
            self._fail("Forall: the rule in parentheses is missing after the patterns")
        return self._fact(formulas[0], first)

    def _if(self, metadata: Metadata | None) -> Implies:
        first = self._take()
        condition = self.formula()
        self._expect("Then", "If")
        inner, token = self._metadata(), self._token
        conclusion = self._do(inner) if self._is("Do") else self._annotated_fact(inner, token)
        return Implies(condition, conclusion, metadata=metadata, position=first.position)

    def _annotated_fact(self, metadata: Metadata | None, token: Token) -> Fact:
        return annotated(self._fact(self._formula_bare(), token), metadata)

    # -------------------------------------------------------------- actions

    def _do(self, metadata: Metadata | None) -> Do:
        first = self._take()
        self._expect("(", "Do")
        variables: list[ActionVariable] = []
        while self._is("(") or self._token.kind == "variable":
            variables.append(self._action_variable())
        actions = self._until(")", "Do", self._action)
        if not actions:
            self._fail("Do: does nothing, it needs at least one action", first)
        return Do(actions, tuple(variables), metadata=metadata, position=first.position)

    def _action_variable(self) -> ActionVariable:
        first, wrapped = self._token, self._accept("(")
        if self._token.kind != "variable":
            self._fail(f"Do: an action variable is missing before {shown(self._token)}")
        variable = self._variable()
        metadata, token = self._metadata(), self._token
        binding: New | Frame
        if self._accept("New"):
            self._expect("(", "New")
            self._expect(")", "New")
            binding = New(metadata=metadata, position=token.position)
        else:
            binding = annotated(self._frame("Do"), metadata)
        if wrapped:
            self._expect(")", "Do")
        return ActionVariable(variable, binding, position=first.position)

    def _action(self) -> Action:
        metadata, first = self._metadata(), self._take()
        if first.text not in ("Assert", "Retract", "Modify", "Execute"):
            guess = nearest(first.text, ["Assert", "Retract", "Modify", "Execute"])
            self._fail(
                f"Do: {shown(first)} is not an action{guess}: Assert, Retract, Modify, Execute are", first
            )
        self._expect("(", first.text)
        action = getattr(self, f"_{first.text.lower()}")()
        self._expect(")", first.text)
        made: Action = replace(action, metadata=metadata, position=first.position)
        return made

    def _assert(self) -> Assert:
        token, target = self._token, self.formula()
        if not isinstance(target, (Atom, Frame, Member)):
            self._fail(
                f"Assert: {type(target).__name__} cannot be asserted: frames, memberships and atoms can",
                token,
            )
        return Assert(target)

    def _modify(self) -> Modify:
        return Modify(self._frame("Modify"))

    def _execute(self) -> Execute:
        token, target = self._token, self.formula()
        if not isinstance(target, Atom):
            self._fail("Execute: it takes a name with arguments, as in Execute(tm:bypass(?track))", token)
        return Execute(target)

    def _retract(self) -> Retract:
        metadata, token = self._metadata(), self._token
        formula = self._term_or_formula()
        if isinstance(formula, (Frame, Atom)):
            return Retract(annotated(formula, metadata))
        if not isinstance(formula, (Var, Const, List, External)):
            self._fail(
                f"Retract: {type(formula).__name__} cannot be retracted: frames, atoms and objects can", token
            )
        return Retract(formula, None if self._is(")") else self._term())

    def _frame(self, where: str) -> Frame:
        token, formula = self._token, self.formula()
        if not isinstance(formula, Frame):
            self._fail(f"{where}: a frame is missing, as in ?track[tm:pan -> 0]", token)
        return formula

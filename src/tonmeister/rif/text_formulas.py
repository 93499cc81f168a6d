"""Formulas, terms and metadata of the presentation syntax: the part of the reader that rules and actions build on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NoReturn, TypeAlias, TypeVar
from urllib.parse import urljoin

from tonmeister.errors import nearest
from tonmeister.rif.ast import (
    And,
    Annotated,
    Atom,
    Const,
    Do,
    Equal,
    Exists,
    External,
    Fact,
    Forall,
    Formula,
    Frame,
    Implies,
    List,
    Member,
    Metadata,
    Not,
    Or,
    Subclass,
    Term,
    Var,
)
from tonmeister.rif.names import DECIMAL, DOUBLE, INTEGER, IRI, LOCAL, PLAIN, STRING
from tonmeister.rif.problems import DEEPEST, problem
from tonmeister.rif.tokens import Token, tokens_of, unescaped

__all__ = ["FormulaReader", "annotated", "shown"]

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


class FormulaReader:
    """Recursive descent over the words, with a limit on depth."""

    def __init__(self, text: str, origin: str) -> None:
        self._origin = origin
        self._tokens = tokens_of(text, origin)
        self._at = 0
        self._depth = 0
        self._base: str | None = None
        self.prefixes: dict[str, str] = {}

    # -------------------------------------------------------------- words

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._token
        self._at += token.kind != "end"
        return token

    def _fail(self, text: str, token: Token | None = None) -> NoReturn:
        raise problem(text, (token or self._token).position, self._origin)

    def _is(self, *signs: str) -> bool:
        return self._token.text in signs and self._token.kind in ("sign", "word")

    def _accept(self, sign: str) -> bool:
        found = self._is(sign)
        self._at += found
        return found

    def _expect(self, sign: str, where: str) -> Token:
        if not self._is(sign):
            self._fail(f"{where}: {sign!r} is missing before {shown(self._token)}")
        return self._take()

    def expect_end(self) -> None:
        """Raise unless everything was read."""
        if self._token.kind != "end":
            self._fail(f"{shown(self._token)} stands behind the end")

    def _deeper(self, inner: Callable[[], _T]) -> _T:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"nested deeper than {DEEPEST} levels: a rule is flatter")
        result = inner()
        self._depth -= 1
        return result

    def _until(self, close: str, where: str, part: Callable[[], _T]) -> tuple[_T, ...]:
        """Parts up to a closing sign, which is taken."""
        parts = []
        while not self._is(close):
            if self._token.kind == "end":
                self._fail(f"{where}: {close!r} is missing at the end")
            parts.append(part())
        self._take()
        return tuple(parts)

    # -------------------------------------------------------------- formulas

    def formula(self) -> Formula:
        """A formula with its metadata."""
        metadata = self._metadata()
        return annotated(self._formula_bare(), metadata)

    def _formula_bare(self) -> Formula:
        token = self._token
        if token.kind == "word":
            if token.text in ("And", "Or"):
                return self._deeper(self._junction)
            if token.text in ("Not", "INeg"):
                return self._deeper(self._negation)
            if token.text == "Exists":
                return self._deeper(self._exists)
            if token.text in _FOREIGN:
                self._fail(f"{token.text}: {_FOREIGN[token.text]}")
        found = self._deeper(self._term_or_formula)
        if isinstance(found, (Var, Const, List)):
            self._fail(f"{shown(token)} alone is not a formula: it needs [...], #, ##, = or (...)", token)
        return found

    def _junction(self) -> And | Or:
        first = self._take()
        self._expect("(", first.text)
        parts = self._until(")", first.text, self.formula)
        if first.text == "And":
            return And(parts, position=first.position)
        return Or(parts, position=first.position)

    def _negation(self) -> Not:
        first = self._take()
        self._expect("(", first.text)
        inner = self.formula()
        self._expect(")", first.text)
        return Not(inner, position=first.position)

    def _exists(self) -> Exists:
        first = self._take()
        variables = self._variables("Exists")
        self._expect("(", "Exists")
        inner = self.formula()
        self._expect(")", "Exists")
        return Exists(variables, inner, position=first.position)

    def _term_or_formula(self) -> Formula | Term:
        """A term, or the atomic formula that begins with it."""
        first = self._token
        where = first.position
        if first.kind not in _CONSTANTS:
            term = self._term()
        else:
            term = op = self._const()
            if self._is("("):
                return self._atom(op, first)
        if self._accept("["):
            return Frame(term, self._until("]", "frame", self._slot), position=where)
        if self._accept("##"):
            return Subclass(term, self._term(), position=where)
        if self._accept("#"):
            return Member(term, self._term(), position=where)
        if self._accept("="):
            return Equal(term, self._term(), position=where)
        return term

    def _slot(self) -> tuple[Term, Term]:
        key = self._term()
        self._expect("->", "frame")
        return key, self._term()

    def _atom(self, op: Const, first: Token) -> Atom:
        self._expect("(", "atom")
        atom = Atom(op, self._until(")", "atom", self._argument), position=first.position)
        if self._is("[", "#", "##", "=", "->"):
            self._fail(
                f"{first.text}(...) as a term: function symbols of RIF-BLD are not supported, use External or a frame",
                first,
            )
        return atom

    def _argument(self) -> Term:
        term = self._term()
        if self._is("->"):
            self._fail("named arguments are not supported: use positions or a frame")
        return term

    # -------------------------------------------------------------- terms

    def _term(self) -> Term:
        token = self._token
        if token.kind == "variable":
            return self._variable()
        if token.kind == "word" and token.text == "List":
            return self._deeper(self._list)
        if token.kind == "word" and token.text == "External":
            return self._deeper(self._external)
        if self._is("(*"):
            self._fail("metadata has no meaning before a term: move it before the formula")
        const = self._const()
        if self._is("(") and token.kind != "number":
            self._fail(
                f"{token.text}(...) as a term: function symbols of RIF-BLD are not supported, use External or a frame",
                token,
            )
        return const

    def _variables(self, where: str) -> tuple[Var, ...]:
        variables = []
        while self._token.kind == "variable":
            variables.append(self._variable())
        if not variables:
            self._fail(f"{where}: a variable is missing before {shown(self._token)}")
        return tuple(variables)

    def _variable(self) -> Var:
        token = self._take()
        return Var(token.text[1:], position=token.position)

    def _list(self) -> List:
        first = self._take()
        self._expect("(", "List")
        return List(self._until(")", "List", self._term), position=first.position)

    def _external(self) -> External:
        first = self._take()
        self._expect("(", "External")
        metadata = self._metadata()
        op = self._const()
        self._expect("(", "External")
        args = self._until(")", "External", self._argument)
        self._expect(")", "External")
        return External(op, args, metadata=metadata, position=first.position)

    def _const(self) -> Const:
        token = self._take()
        if token.kind in ("iri", "curie"):
            return Const(self._iri(token), IRI, position=token.position)
        if token.kind == "local":
            return Const(token.text[1:], LOCAL, position=token.position)
        if token.kind == "number":
            return Const(token.text, _number_type(token.text), position=token.position)
        if token.kind != "string":
            guess = nearest(token.text, list(_KEYWORDS)) if token.kind == "word" else ""
            self._fail(f"a term is missing before {shown(token)}{guess}", token)
        return self._literal(token)

    def _literal(self, token: Token) -> Const:
        text = unescaped(token, self._origin)
        if self._token.kind == "language":
            return Const(f"{text}{self._take().text}", PLAIN, position=token.position)
        if not self._accept("^^"):
            return Const(text, STRING, position=token.position)
        kind = self._take()
        if kind.kind not in ("iri", "curie"):
            self._fail(f'the type of a literal is missing before {shown(kind)}, as in "1"^^xs:integer', kind)
        return Const(text, self._iri(kind), position=token.position)

    def _iri(self, token: Token) -> str:
        if token.kind == "iri":
            return urljoin(self._base, token.text[1:-1]) if self._base else token.text[1:-1]
        prefix, _, name = token.text.partition(":")
        if prefix not in self.prefixes:
            known = nearest(prefix, list(self.prefixes))
            self._fail(
                f"prefix {prefix!r} is not declared{known}: add Prefix({prefix or 'name'} <...>)", token
            )
        return self.prefixes[prefix] + name

    # -------------------------------------------------------------- metadata

    def _metadata(self) -> Metadata | None:
        return self._deeper(self._annotation) if self._is("(*") else None

    def _annotation(self) -> Metadata | None:
        first, iri, frames = self._take(), None, list[Frame]()
        if self._token.kind in _CONSTANTS:
            start, iri = self._at, self._const()
            if self._is("["):  # the object of a frame, not the name
                self._at, iri = start, None
        while not self._is("*)"):
            token, formula = self._token, self.formula()
            frames += self._meta_frames(formula, token)
        self._take()
        return Metadata(iri, tuple(frames), position=first.position) if iri or frames else None

    def _meta_frames(self, formula: Formula, token: Token) -> list[Frame]:
        if isinstance(formula, Frame):
            return [formula]
        if not isinstance(formula, And):
            self._fail(f"metadata holds frames, not {type(formula).__name__}", token)
        return [frame for part in formula.formulas for frame in self._meta_frames(part, token)]


def annotated(node: _A, metadata: Metadata | None) -> _A:
    return replace(node, metadata=metadata) if metadata is not None else node


def _number_type(text: str) -> str:
    if "e" in text or "E" in text:
        return DOUBLE
    return DECIMAL if "." in text else INTEGER


def shown(token: Token) -> str:
    return (
        "the end"
        if token.kind == "end"
        else repr(token.text if len(token.text) <= 40 else token.text[:40] + "...")
    )

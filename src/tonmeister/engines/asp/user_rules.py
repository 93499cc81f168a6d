"""Rules of a user: read, judged safe, and checked before the solver sees them.

A rule file may state facts, rules, constraints and preferences over the public predicates (see `PUBLIC`). It may
not run code, leave its folder, or open the program: no ``#script``, no ``@function``, no ``#external``, no
``#program``, and ``#include`` only of files beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.asp.program import Statement
from tonmeister.errors import BadInputError, MissingExtraError, nearest

__all__ = ["PUBLIC", "problem_in_words", "read_rules", "statement_of"]

PUBLIC: Final = {
    "track": 1, "name": 2, "instrument": 2, "role": 2, "lead": 1, "low": 1, "core": 1, "image": 1,
    "background": 1, "dry": 1, "free": 1, "pair": 2, "together": 2, "side": 2, "level": 1, "pan": 1, "depth": 1,
    "want_level": 3, "want_pan": 2, "want_width": 2, "want_depth": 2, "mask": 3, "contest": 4,
    "at_level": 2, "at_pan": 2, "at_depth": 2, "owns": 2, "cut": 3, "boost": 3, "zone": 2,
}  # fmt: skip
"""Predicates that rules of a user may read, with their arity."""

_OWN: Final = frozenset({"active", "rule", "weigh", "because", "tilt", "amplitude", "may_level", "may_pan"})
_DIRECTIVES: Final = frozenset(
    "#count #sum #sum+ #min #max #true #false #inf #infimum #sup #supremum #minimize #minimise #maximize "
    "#maximise #defined #show #const #include".split()
)
_COMMENT: Final = re.compile(r"%\*.*?\*%|%[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
_WORD: Final = re.compile(r"#[a-z_]+\+?|@(?=[\w(])")
_INCLUDE: Final = re.compile(r"#include\s*(?:\"((?:\\.|[^\"\\\n])*)\"|<[^>\n]*>)\s*\.")
_LOCATION: Final = re.compile(r"<(?:string|block)>:(\d+):(\d+)(?:-[\d:]+)?:\s*(.*)", re.DOTALL)
_LARGEST_BYTES: Final = 1 << 20
_MOST_FILES: Final = 50


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it was read, its includes blanked out."""

    path: str
    text: str


def read_rules(path: Path) -> list[Statement]:
    """The statements of a rule file and of the files it includes, checked together."""
    return _checked([(file.text, file.path) for file in _with_includes(Path(path).expanduser())])


def statement_of(text: str, origin: str, *, switch: str = "", words: str = "") -> Statement:
    """Check a piece of program text; `origin` is what messages call it."""
    (statement,) = _checked([(text, origin)])
    return replace(statement, switch=switch, words=words)


def _checked(texts: Sequence[tuple[str, str]]) -> list[Statement]:
    heads: set[tuple[str, int]] = set()
    uses: list[tuple[str, int, str]] = []
    for text, origin in texts:
        _refuse_unsafe(text, origin)
        defined, used = _predicates(text, origin)
        heads |= defined
        uses += [(name, arity, f"{origin}:{line}") for name, arity, line in used]
    for name, arity, where in uses:
        _known(name, arity, heads, where)
    spoken_of = frozenset(u[0] for u in uses) | frozenset(h[0] for h in heads)
    return [Statement(text, origin, spoken_of) for text, origin in texts]


def _with_includes(path: Path) -> Iterator[_File]:
    home, waiting, seen = path.resolve().parent, [path], set[Path]()
    while waiting:
        file = waiting.pop(0)
        if file.resolve() in seen:
            continue
        if len(seen) >= _MOST_FILES:
            raise BadInputError(f"{path}: includes more than {_MOST_FILES} files: put the rules into fewer")
        seen.add(file.resolve())
        text = _read(file)
        waiting += [_included(file, home, match, text) for match in _active_includes(text)]
        yield _File(str(file), _INCLUDE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text))


def _active_includes(text: str) -> list[re.Match[str]]:
    plain = _blanked(text, strings=False)
    return list(_INCLUDE.finditer(plain))


def _included(file: Path, home: Path, match: re.Match[str], text: str) -> Path:
    line = text.count("\n", 0, match.start()) + 1
    if match[1] is None:
        raise BadInputError(f"{file}:{line}: {match[0]} is not allowed: include files beside this one")
    target = (file.parent / match[1]).resolve()
    if not target.is_relative_to(home):
        raise BadInputError(f"{file}:{line}: {match[1]!r} lies outside {home}: put the file beside this one")
    return target


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadInputError(f"{path}: larger than a megabyte: this is no rule file")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: not a text file (UTF-8): give a file with rules for clingo") from None
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}: give the path of a rule file") from None


def _blanked(text: str, *, strings: bool = True) -> str:
    """The text with comments (and strings) blanked, so that positions stay."""

    def blank(match: re.Match[str]) -> str:
        if match[0].startswith('"') and not strings:
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return _COMMENT.sub(blank, text)


def _refuse_unsafe(text: str, origin: str) -> None:
    if "\0" in text:
        raise BadInputError(f"{origin}: holds a zero byte: give a text file")
    plain = _blanked(text)
    for match in _WORD.finditer(plain):
        line = plain.count("\n", 0, match.start()) + 1
        if match[0] == "@" and _is_priority(plain, match.start()):
            continue
        if match[0] not in _DIRECTIVES:
            word = "calling functions by @" if match[0] == "@" else match[0]
            raise BadInputError(
                f"{origin}:{line}: {word} is not allowed in rules of your own: they may state facts, rules, "
                "constraints and preferences"
            )


def _is_priority(plain: str, at: int) -> bool:
    """Whether an @ stands between a weight and its priority, as in [1@2] or {1@2 : ...}."""
    before = plain[:at].rstrip()
    return bool(before) and (before[-1].isalnum() or before[-1] in "_)|")


def _predicates(text: str, origin: str) -> tuple[set[tuple[str, int]], list[tuple[str, int, int]]]:
    """(name, arity) of what is defined, and (name, arity, line) of what is used."""
    try:
        from clingo import ast
    except ImportError:
        raise MissingExtraError("engine 'asp'", extra="asp") from None
    heads: set[tuple[str, int]] = set()
    uses: list[tuple[str, int, int]] = []
    messages: list[str] = []

    class Collector(ast.Transformer):
        def visit_SymbolicAtom(self, node: Any) -> Any:  # noqa: N802
            symbol = node.symbol
            while symbol.ast_type == ast.ASTType.UnaryOperation:
                symbol = symbol.argument
            name, arity = getattr(symbol, "name", ""), len(getattr(symbol, "arguments", ()))
            uses.append(
                (name, arity, node.location.begin.line if hasattr(node, "location") else _line(symbol))
            )
            return node

    def collect(statement: Any) -> None:
        if statement.ast_type == ast.ASTType.Rule:
            before = len(uses)
            Collector().visit(statement.head)
            heads.update((n, a) for n, a, _ in uses[before:])
            del uses[before:]
            Collector().visit_sequence(statement.body)
        else:
            Collector().visit(statement)

    try:
        ast.parse_string(text, collect, logger=lambda code, message: messages.append(message))
    except RuntimeError:
        raise BadInputError(_located(messages[0] if messages else "syntax error", origin)) from None
    return heads, uses


def _line(symbol: Any) -> int:
    return int(symbol.location.begin.line)


def _located(message: str, origin: str) -> str:
    """A solver's message with the user's file instead of ``<string>``."""
    match = _LOCATION.search(message)
    if match is None:
        return f"{origin}: {message.strip()}"
    text = " ".join(match[3].replace("error: ", "").split())
    return f"{origin}:{match[1]}: {text}: correct the rule"


def _known(name: str, arity: int, heads: set[tuple[str, int]], where: str) -> None:
    if (name, arity) in heads or name in _OWN:
        return
    if name not in PUBLIC:
        raise BadInputError(f"{where}: nothing defines {name}/{arity}{nearest(name, list(PUBLIC))}")
    if PUBLIC[name] != arity:
        raise BadInputError(
            f"{where}: {name} has {PUBLIC[name]} arguments, not {arity}: see the public predicates"
        )


def problem_in_words(messages: Sequence[str], text: str, statements: Sequence[Statement]) -> str:
    """What the grounder said about the whole program, with the user's file and line."""
    message = next((m for m in messages if "error" in m), messages[0])
    match = _LOCATION.search(message)
    if match is None:
        return " ".join(message.split())
    line, before = int(match[1]), 0
    lines = text.split("\n")
    for statement in statements:
        start = _line_of(lines, statement.text, before)
        length = statement.text.count("\n") + 1
        if start <= line < start + length:
            return f"{statement.origin}:{line - start + 1}: {' '.join(match[3].split())}"
        before = start
    return " ".join(message.split())


def _line_of(lines: Sequence[str], text: str, start: int) -> int:
    wanted = text.split("\n")
    count = len(wanted)
    for index in range(start, len(lines) - count + 1):
        if list(lines[index : index + count]) == wanted:
            return index + 1
    return len(lines) + 1

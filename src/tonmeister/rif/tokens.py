"""The words of the presentation syntax, with line and column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tonmeister.rif.ast import Position
from tonmeister.rif.problems import MOST_NODES, problem, refuse_size

__all__ = ["Token", "tokens_of", "unescaped"]

_NAME: Final = r"\w(?:[\w.\-]*\w)?"
_TOKEN: Final = re.compile(
    rf"""
      (?P<space>\s+|/\*.*?\*/|//[^\n]*)
    | (?P<iri><[^<>"{{}}|^`\\\s]*>)
    | (?P<variable>\?{_NAME})
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<language>@[A-Za-z]{{1,8}}(?:-[A-Za-z0-9]{{1,8}})*)
    | (?P<number>[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w:]))
    | (?P<curie>(?:{_NAME})?:(?!-)(?:{_NAME})?)
    | (?P<local>_{_NAME})
    | (?P<word>{_NAME})
    | (?P<sign>\(\*|\*\)|->|:-|\#\#|\^\^|[()\[\]=\#])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word: its kind (a group of `_TOKEN`, or ``end``), its text, where it stands."""

    kind: str
    text: str
    position: Position


def tokens_of(text: str, origin: str = "") -> list[Token]:
    """All words of a text, without white space and comments, and an ``end``."""
    refuse_size(len(text.encode("utf-8", "surrogatepass")), origin)
    tokens: list[Token] = []
    at, line, line_start = 0, 1, 0
    while at < len(text):
        position = Position(line, at - line_start + 1)
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise problem(_strange(text, at), position, origin)
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match[0], position))
            if len(tokens) > MOST_NODES:
                raise problem(f"more than {MOST_NODES} words: a rule document is smaller", position, origin)
        if breaks := match[0].count("\n"):
            line, line_start = line + breaks, at + match[0].rindex("\n") + 1
        at = match.end()
    tokens.append(Token("end", "", Position(line, at - line_start + 1)))
    return tokens


def _strange(text: str, at: int) -> str:
    if text[at] == '"':
        return 'a string begins here and does not end: close it with "'
    if text.startswith("/*", at):
        return "a comment begins here and does not end: close it with */"
    if text[at] == "<":
        return "an IRI begins here and does not end, or holds a character that IRIs may not hold"
    return f"{text[at]!r} is not part of the language"


def unescaped(token: Token, origin: str) -> str:
    """The text of a string token."""

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "uU" and len(code) > 1 and int(code[1:], 16) <= 0x10FFFF:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise problem(f"\\{code} is not an escape: write \\\\ for a backslash", token.position, origin)
        return _ESCAPES[code]

    return _ESCAPE.sub(plain, token.text[1:-1])

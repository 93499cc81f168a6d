"""XML from strangers, read into a small tree that knows lines and columns.

Only elements, attributes and text are read. A document type (and with it every entity), too many bytes, elements or
levels are refused before they can do harm; nothing outside the text is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Position
from tonmeister.rif.names import RIF, XML_NS
from tonmeister.rif.problems import DEEPEST, MOST_NODES, problem, refuse_size

__all__ = ["Element", "Markup", "parse_markup"]

_XML_LEVELS: Final = 3 * DEEPEST
"""A level of the language takes up to three elements."""


@dataclass(slots=True)
class Element:
    """One element: its name without the namespace of RIF (others stay as ``{namespace}name``)."""

    tag: str
    position: Position
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    """The text directly inside."""

    @property
    def text(self) -> str:
        """The text directly inside, as it stands."""
        return "".join(self.pieces)

    def named(self, tag: str) -> Iterator[Element]:
        """The children with this name, in order."""
        return (child for child in self.children if child.tag == tag)


@dataclass(frozen=True, slots=True)
class Markup:
    """A parsed document: its root, and the namespace prefixes it declares (in order)."""

    root: Element
    prefixes: tuple[tuple[str, str], ...]
    base: str | None


def parse_markup(data: bytes | str, origin: str = "") -> Markup:
    """Read XML safely; whatever is wrong is a `BadInputError` with line and column."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    refuse_size(len(raw), origin)
    return _Builder(origin).parse(raw, forced="utf-8" if isinstance(data, str) else None)


class _Builder:
    """Collects elements while the parser runs."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._open: list[Element] = []
        self._root: Element | None = None
        self._count = 0
        self._prefixes: dict[str, str] = {}

    def parse(self, raw: bytes, *, forced: str | None) -> Markup:
        parser = self._parser = expat.ParserCreate(forced, namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartNamespaceDeclHandler = self._prefix
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        try:
            parser.Parse(raw, True)
        except expat.ExpatError as error:
            where = Position(error.lineno, error.offset + 1)
            raise problem(
                f"not well-formed XML: {expat.ErrorString(error.code)}", where, self._origin
            ) from None
        except LookupError:
            raise problem("its encoding is not known: save it as UTF-8", None, self._origin) from None
        assert self._root is not None
        return Markup(
            self._root, tuple(self._prefixes.items()), self._root.attributes.get(f"{{{XML_NS}}}base")
        )

    def _here(self) -> Position:
        return Position(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    def _refused(self, text: str) -> BadInputError:
        return problem(text, self._here(), self._origin)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_NODES:
            raise self._refused(f"more than {MOST_NODES} elements: a rule document is smaller")
        if len(self._open) >= _XML_LEVELS:
            raise self._refused(f"nested deeper than {_XML_LEVELS} elements: a rule document is flatter")
        element = Element(
            _name(name), self._here(), {_name(k, attribute=True): v for k, v in attributes.items()}
        )
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].pieces.append(text)

    def _prefix(self, prefix: str | None, uri: str | None) -> None:
        if prefix and uri:
            self._prefixes.setdefault(prefix, uri)

    def _doctype(self, *_: object) -> None:
        raise self._refused(
            "a document type (DOCTYPE) is refused, entities could do harm: write every IRI out and remove it"
        )


def _name(name: str, *, attribute: bool = False) -> str:
    namespace, _, local = name.rpartition(" ")
    if namespace == RIF or (attribute and not namespace):
        return local
    return f"{{{namespace}}}{local}"

"""Rule documents as files: read in whatever notation they are in, written in the one their name asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from tonmeister.errors import BadInputError, OutputError
from tonmeister.rif.ast import Document, Group, Import, Sentence
from tonmeister.rif.check import check_document
from tonmeister.rif.problems import LARGEST_BYTES, problem, refuse_size

__all__ = ["FORMATS", "notation_of", "read_document", "read_rules", "rules_text", "write_rules"]

FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "xml": (".rif", ".xml"),
    "text": (".rifps", ".txt"),
    "turtle": (".ttl",),
}
"""Notation -> endings of file names; turtle can only be read."""

_MOST_IMPORTS: Final = 50


def read_rules(path: Path | str, *, follow: bool = True, check: bool = True) -> Document:
    """A rule document from a file: RIF XML, presentation syntax, or RIF in RDF (Turtle), told apart by their content.

    With `follow`, imported rule documents (files beside this one) become groups before its own. With `check`, a
    document that is not well formed or not safe is refused. Every mistake is a `BadInputError` with file and line.
    """
    path = Path(path).expanduser()
    document = _with_imports(path, ()) if follow else read_document(_bytes(path), str(path))
    if check:
        check_document(document)
    return document


def read_document(data: bytes | str, origin: str = "") -> Document:
    """A document from its content."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    refuse_size(len(raw), origin)
    kind = _kind(raw)
    if kind == "xml":
        from tonmeister.rif.xml_reader import read_xml

        return read_xml(data, origin)
    text = _decoded(raw, origin)
    if kind == "turtle":
        from tonmeister.rif.rdf_reader import read_turtle

        return read_turtle(text, origin)
    from tonmeister.rif.text_reader import read_text

    return read_text(text, origin)


def write_rules(path: Path | str, document: Document, *, overwrite: bool = False) -> None:
    """Write a document as XML (``.rif``, ``.xml``) or presentation syntax (``.rifps``, ``.txt``)."""
    path = Path(path).expanduser()
    text = rules_text(document, notation_of(path))
    if path.exists() and not overwrite:
        raise OutputError(f"{path} is already there: choose another name or overwrite it")
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


def rules_text(document: Document, notation: str) -> str:
    """The text of a document in a notation, ``xml`` or ``text``."""
    if notation == "xml":
        from tonmeister.rif.xml_writer import write_xml

        return write_xml(document)
    if notation == "text":
        from tonmeister.rif.text_writer import write_text

        return write_text(document)
    raise BadInputError(f"notation={notation!r} cannot be written: xml and text can")


def notation_of(path: Path) -> str:
    """The notation a file's ending asks for: ``xml`` or ``text``."""
    for name in ("xml", "text"):
        if path.suffix.lower() in FORMATS[name]:
            return name
    endings = ", ".join(e for name in ("xml", "text") for e in FORMATS[name])
    raise BadInputError(f"{path.name}: its ending names no notation of rules: use one of {endings}")


_XML: Final = re.compile(rb"<(?:\?xml|!|[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?[\s/>])")
_TURTLE: Final = re.compile(rb"@prefix|@base|(?i:prefix|base)\s|<|#|\[")


def _kind(raw: bytes) -> str:
    """By content: XML begins with a tag, Turtle with a prefix or a subject, presentation syntax with a word."""
    start = raw[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if _XML.match(start) or start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "xml"
    return "turtle" if _TURTLE.match(start) else "text"


def _decoded(raw: bytes, origin: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise problem(f"byte {error.start} is not UTF-8: save the file as UTF-8", None, origin) from None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}: give the path of a rule document") from None
    refuse_size(len(data), str(path))
    return data


# ------------------------------------------------------------------ imports


def _with_imports(path: Path, above: tuple[Path, ...], loaded: set[Path] | None = None) -> Document:
    """A document and, as groups before its own, the rule documents it imports; each file once."""
    loaded = set() if loaded is None else loaded
    here = path.resolve()
    if here in above:
        chain = " imports ".join(p.name for p in (*above[above.index(here) :], here))
        raise BadInputError(f"{path}: imports itself ({chain}): take one of the imports out")
    loaded.add(here)
    if len(loaded) > _MOST_IMPORTS:
        raise BadInputError(f"{path}: more than {_MOST_IMPORTS} files are imported: put the rules into fewer")
    document = read_document(_bytes(path), str(path))
    groups: list[Sentence] = []
    for item in document.imports:
        target = _target(item, path, document.origin)
        if target.resolve() in loaded and target.resolve() not in (*above, here):
            continue
        inner = _with_imports(target, (*above, here), loaded)
        groups += [] if inner.group is None else [inner.group]
    if not groups:
        return document
    own = () if document.group is None else (document.group,)
    return replace(document, group=Group((*groups, *own)), imports=())


def _target(item: Import, path: Path, origin: str) -> Path:
    if item.profile is not None:
        raise problem(
            f"Import with a profile <{item.profile}> is not supported: import rule documents only",
            item.position,
            origin,
        )
    if "://" in item.location or item.location.startswith(("/", "\\", "urn:", "data:")):
        raise problem(
            f"Import <{item.location}>: only files beside the document are imported", item.position, origin
        )
    home = path.resolve().parent
    target = (home / item.location.removeprefix("file:")).resolve()
    if not target.is_relative_to(home):
        raise problem(
            f"Import <{item.location}> lies outside {home}: put the file beside this one",
            item.position,
            origin,
        )
    return target

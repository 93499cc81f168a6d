"""From anywhere to anywhere: rule data of an engine, or a file, as a rule document; a document as an engine's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tonmeister.engines.exchange.report import Exchanged
from tonmeister.errors import BadInputError, nearest
from tonmeister.rif.ast import Document

__all__ = ["ENGINES", "TARGETS", "converted", "exported"]

ENGINES: Final = ("textbook", "asp")
"""Engines whose own rule data can be exported."""
TARGETS: Final[Mapping[str, str]] = {"textbook": ".toml", "asp": ".lp"}
"""Engines that a document can be converted for, and the ending of their rule files."""


def exported(what: str, *, without: str = "") -> Exchanged[Document]:
    """The rule data of an engine (by name), of a rule table (``.toml``) or of rules for clingo (``.lp``) as a document."""
    path = Path(what).expanduser()
    if what == "textbook" or path.suffix == ".toml":
        return _of_textbook(path if path.suffix == ".toml" else None, without)
    if without:
        raise BadInputError(
            f"without={without!r}: only rules of the engine textbook can be left out by name or grade"
        )
    if what == "asp":
        from tonmeister.engines.exchange.asp_in import asp_shipped

        return asp_shipped()
    if path.suffix == ".lp":
        from tonmeister.engines.exchange.asp_in import asp_document

        return asp_document(path)
    guess = nearest(what, list(ENGINES))
    raise BadInputError(
        f"{what!r} has no rules to export{guess}: give {', '.join(ENGINES)}, a .toml or an .lp file"
    )


def _of_textbook(path: Path | None, without: str) -> Exchanged[Document]:
    from tonmeister.engines.exchange.textbook_out import textbook_document
    from tonmeister.engines.textbook.rules import RuleSet

    rules = RuleSet.shipped() if path is None else RuleSet.load(path)
    name = "textbook" if path is None else path.stem
    return textbook_document(rules.without(without.split(",")), name=name, own=path is None)


def converted(document: Document, target: str) -> Exchanged[str]:
    """A document as the text of a rule file of an engine."""
    if target == "textbook":
        from tonmeister.engines.exchange.textbook_in import textbook_table

        return textbook_table(document)
    if target == "asp":
        from tonmeister.engines.exchange.asp_out import asp_program

        return asp_program(document)
    raise BadInputError(
        f"target={target!r} cannot take rules{nearest(target, list(TARGETS))}: {', '.join(TARGETS)} can"
    )

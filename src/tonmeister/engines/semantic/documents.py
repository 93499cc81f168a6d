"""Rule documents as the engine knows them: read from files or folders, with what each rule says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Document
from tonmeister.rif.files import read_rules
from tonmeister.rif.names import DCTERMS, RDFS, TM
from tonmeister.rif.rules import Rule, rules_of

__all__ = ["SHIPPED", "KnownRule", "load_documents", "load_rules", "known_rule"]

SHIPPED: Final = Path(__file__).with_name("rules")
"""The rule library that comes with the package."""
_ENDINGS: Final = (".rif", ".rifps", ".xml", ".ttl")
_SOURCE, _COMMENT = DCTERMS + "source", RDFS + "comment"


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A rule with its provenance."""

    rule: Rule
    comment: str
    source: str
    evidence: str
    profiles: tuple[str, ...]
    disputed: bool
    document: str

    @property
    def iri(self) -> str:
        return self.rule.name


def known_rule(rule: Rule) -> KnownRule:
    """What a rule's metadata say; where they are silent the document speaks."""
    told = rule.metadata
    document = Path(rule.origin).name

    def values(key: str) -> tuple[str, ...]:
        return told.values(key) if told else ()

    def first(key: str, default: str) -> str:
        return next(iter(values(key)), default)

    return KnownRule(
        rule,
        first(_COMMENT, f"Rule {rule.name.rpartition('#')[2]} of {document}."),
        first(_SOURCE, document),
        first(TM + "evidence", "R"),
        values(TM + "profile"),
        first(TM + "disputed", "false") in ("true", "1"),
        document,
    )


def load_documents(path: Path | None) -> list[Document]:
    """The rule documents at a path: one file, or all in a folder by name; without a path the shipped library."""
    where = SHIPPED if path is None else path.expanduser()
    if where.is_dir():
        files = sorted(f for f in where.iterdir() if f.suffix in _ENDINGS and not f.name.startswith("."))
        if not files:
            raise BadInputError(f"rules={str(where)!r} holds no rule documents: give *.rif or *.rifps")
        return [read_rules(file) for file in files]
    return [read_rules(where)]


def load_rules(path: Path | None) -> list[KnownRule]:
    """All rules at a path, in the order of the documents."""
    return known_rules(load_documents(path))


def known_rules(documents: Sequence[Document]) -> list[KnownRule]:
    """The rules of several documents in a row; two of one name are a `BadInputError`."""
    rules = [known_rule(_unique(rule, document)) for document in documents for rule in rules_of(document)]
    _check_names(rules)
    return rules


def _unique(rule: Rule, document: Document) -> Rule:
    """Rules without a name of their own are named after their document."""
    from dataclasses import replace

    if rule.metadata is not None and rule.metadata.iri is not None:
        return rule
    return replace(rule, name=f"{Path(document.origin).name}: {rule.name}")


def _check_names(rules: Iterable[KnownRule]) -> None:
    seen: dict[str, str] = {}
    for known in rules:
        if known.iri in seen:
            raise BadInputError(
                f"two rules are called {known.iri} (in {seen[known.iri]} and {known.document}): rename one"
            )
        seen[known.iri] = known.document

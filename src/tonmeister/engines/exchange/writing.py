"""The vocabulary of rule documents as terms: features, parameters, classes, and rules with their provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from tonmeister.engines.semantic.terms import camel, tm
from tonmeister.rif.ast import (
    Const,
    Document,
    External,
    Frame,
    Group,
    Metadata,
    Sentence,
    Term,
    Var,
    iri,
    string,
)
from tonmeister.rif.names import CREATOR, DCTERMS, LICENSE, RDFS, SOURCE, TM
from tonmeister.rif.values import constant

__all__ = [
    "PREFIXES", "RULE", "call", "class_of", "described", "document_of", "frame", "grouped", "number", "property_of",
    "word",
]  # fmt: skip

RULE: Final = "urn:tonmeister:rule#"
"""Namespace of the names of shipped rules."""
_CREATOR: Final = "The tonmeister developers"
_LICENSE: Final = "MIT"

PREFIXES: Final = (("tm", TM), ("rule", RULE), ("dcterms", DCTERMS), ("rdfs", RDFS))


def property_of(name: str) -> Const:
    """``tm:crest``."""
    return iri(tm(name))


def class_of(word: str) -> Const:
    """``tm:LeadVoice`` of ``lead_voice``."""
    return iri(tm(camel(word, capital=True)))


def word(name: str) -> Const:
    """``tm:background``."""
    return iri(tm(name))


def number(value: float) -> Const:
    """A number as people write it: an integer or a decimal with the fewest digits."""
    return constant(Decimal(repr(float(value))))


def call(builtin: str, *args: Term) -> External:
    """A builtin predicate or function."""
    return External(iri(builtin), args)


def frame(subject: Var, slots: Mapping[str, Term] | Iterable[tuple[str, Term]]) -> Frame:
    """``?subject[tm:name -> value ...]``."""
    pairs = slots.items() if isinstance(slots, Mapping) else slots
    return Frame(subject, tuple((property_of(name), value) for name, value in pairs))


def described(
    name: str, *, source: str, evidence: str, comment: str, own: bool, more: Iterable[tuple[str, Const]] = ()
) -> Metadata:
    """Name and provenance of a rule; of our `own` rules also who made them and under which licence."""
    about = iri(RULE + name)
    slots: list[tuple[Term, Term]] = [
        *_makers(own),
        (iri(SOURCE), string(source)),
        (property_of("evidence"), string(evidence)),
        (iri(RDFS + "comment"), string(comment)),
        *((property_of(key), value) for key, value in more),
    ]
    return Metadata(about, (Frame(about, tuple(slots)),))


def _makers(own: bool) -> list[tuple[Term, Term]]:
    return [(iri(CREATOR), string(_CREATOR)), (iri(LICENSE), string(_LICENSE))] if own else []


def grouped(rules: Sequence[tuple[str, int, Sentence]]) -> tuple[Group, ...]:
    """Neighbors with one heading and priority share a group: (heading, priority, rule)."""
    groups: list[tuple[tuple[str, int], list[Sentence]]] = []
    for heading, priority, rule in rules:
        if not groups or groups[-1][0] != (heading, priority):
            groups.append(((heading, priority), []))
        groups[-1][1].append(rule)
    return tuple(Group(tuple(members), priority) for (_, priority), members in groups)


def document_of(name: str, title: str, groups: Sequence[Group], *, own: bool = False) -> Document:
    """A document with its name and title; our `own` with makers and licence."""
    about = iri(f"urn:tonmeister:rules:{name}")
    slots: list[tuple[Term, Term]] = [
        (iri(DCTERMS + "title"), string(title)),
        *_makers(own),
    ]
    return Document(
        Group(tuple(groups)), prefixes=PREFIXES, metadata=Metadata(about, (Frame(about, tuple(slots)),))
    )

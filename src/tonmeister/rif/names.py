"""The IRIs rules are written with: RIF, its builtins, XML Schema, Dublin Core, and the project's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = [
    "BOOLEAN", "CREATOR", "DCTERMS", "DECIMAL", "DOUBLE", "FLOAT", "FORWARD_CHAINING", "FUNC", "INTEGER", "IRI",
    "LICENSE", "LOCAL", "LONG", "NAME", "PLAIN", "PREFIXES", "PRED", "RDF", "RDFS", "RIF", "SOURCE", "STRING", "TM",
    "XML_NS", "XS",
]  # fmt: skip

RIF: Final = "http://www.w3.org/2007/rif#"
PRED: Final = "http://www.w3.org/2007/rif-builtin-predicate#"
FUNC: Final = "http://www.w3.org/2007/rif-builtin-function#"
XS: Final = "http://www.w3.org/2001/XMLSchema#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
DCTERMS: Final = "http://purl.org/dc/terms/"
TM: Final = "urn:tonmeister:mix#"
XML_NS: Final = "http://www.w3.org/XML/1998/namespace"

# Symbol spaces: the type of a constant.
IRI: Final = RIF + "iri"
LOCAL: Final = RIF + "local"
STRING: Final = XS + "string"
BOOLEAN: Final = XS + "boolean"
INTEGER: Final = XS + "integer"
LONG: Final = XS + "long"
DECIMAL: Final = XS + "decimal"
DOUBLE: Final = XS + "double"
FLOAT: Final = XS + "float"
PLAIN: Final = RDF + "PlainLiteral"

FORWARD_CHAINING: Final = RIF + "forwardChaining"
"""The one conflict resolution strategy: refraction, then priority, then recency, then document order."""

# Where a rule comes from.
CREATOR: Final = DCTERMS + "creator"
SOURCE: Final = DCTERMS + "source"
LICENSE: Final = DCTERMS + "license"

NAME: Final = re.compile(r"\w(?:[\w.\-]*\w)?")
"""Names of variables, prefixes, local constants, and what may follow a prefix."""

PREFIXES: Final[Mapping[str, str]] = {
    "rif": RIF, "pred": PRED, "func": FUNC, "xs": XS, "rdf": RDF, "rdfs": RDFS, "dcterms": DCTERMS, "tm": TM,
}  # fmt: skip
"""Prefixes the writers use for IRIs of a document that declares none for them."""

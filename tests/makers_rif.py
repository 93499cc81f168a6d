"""Rule documents for tests: one or more for every construct that can be read, each with what makes it special."""

from __future__ import annotations

from typing import Final

__all__ = ["DOCUMENTS", "NO_SECOND_READER", "document"]

_HEAD: Final = """Document(
  Prefix(ex <http://example.org/desk#>)
  Prefix(tm <urn:tonmeister:mix#>)
  Prefix(pred <http://www.w3.org/2007/rif-builtin-predicate#>)
  Prefix(func <http://www.w3.org/2007/rif-builtin-function#>)
  Prefix(xs <http://www.w3.org/2001/XMLSchema#>)
  Prefix(rdf <http://www.w3.org/1999/02/22-rdf-syntax-ns#>)
  Prefix(dcterms <http://purl.org/dc/terms/>)
  Prefix(rif <http://www.w3.org/2007/rif#>)
"""


def document(sentences: str, *, group: str = "Group", before: str = "") -> str:
    """A document with the usual prefixes around some sentences."""
    return f"{before}{_HEAD}  {group} (\n{sentences}\n  )\n)\n"


_OF_SENTENCES: Final = {
    "fact frame": "ex:kick[ex:level -> -6 ex:level -> -7]",
    "fact membership": "ex:kick # ex:Drum",
    "fact subclass": "ex:Drum ## ex:Source",
    "fact atom": "ex:beside(ex:kick ex:snare)",
    "fact atom without arguments": "ex:soundcheck()",
    "fact conjunction": "And( ex:kick # ex:Drum ex:kick[ex:level -> 1] )",
    "implies in words": "Forall ?x ( If ?x # ex:Drum Then ?x[ex:bus -> ex:kit] )",
    "implies with an arrow": "Forall ?x ( ?x[ex:bus -> ex:kit] :- ?x # ex:Drum )",
    "implies without variables": "If ex:kick # ex:Drum Then ex:kick[ex:bus -> ex:kit]",
    "pattern": "Forall ?x such that ( ?x # ex:Drum ) ( If ?x[ex:loud -> \"yes\"] Then ?x[ex:level -> 0] )",
    "two patterns": "Forall ?x ?y such that ( ?x # ex:Drum ) ( ?y # ex:Kit ) ( ?x[ex:bus -> ?y] )",
    "nested forall": "Forall ?x such that ( ?x # ex:Drum ) ( Forall ?v ( If ?x[ex:level -> ?v] Then ?x[ex:was -> ?v] ) )",
    "and": "Forall ?x ( If And( ?x # ex:Drum ?x[ex:level -> 0] And() ) Then ?x[ex:ok -> 1] )",
    "or": "Forall ?x ( If Or( ?x # ex:Drum ?x # ex:Bass ) Then ?x[ex:ok -> 1] )",
    "not": "Forall ?x ( If And( ?x # ex:Drum Not( ?x[ex:muted -> 1] ) ) Then ?x[ex:ok -> 1] )",
    "exists": "Forall ?x ( If And( ?x # ex:Bus Exists ?t ( ?t[ex:bus -> ?x] ) ) Then ?x[ex:used -> 1] )",
    "equal": "Forall ?x ?v ( If And( ?x[ex:level -> ?v] ?v = 0 ) Then ?x[ex:ok -> 1] )",
    "external predicate": (
        "Forall ?x ?v ( If And( ?x[ex:level -> ?v] External(pred:numeric-less-than(?v -3.5)) ) Then ?x[ex:low -> 1] )"
    ),
    "external function": (
        "Forall ?x ?v ( If ?x[ex:level -> ?v] Then Do( Modify( ?x[ex:next -> External(func:numeric-add(?v 1))] ) ) )"
    ),
    "project function": (
        "Forall ?x ?v ( If ?x[ex:level -> ?v] Then Do( Modify( ?x[ex:next -> External(tm:clamp(?v -6 6))] ) ) )"
    ),
    "list": "ex:kit[ex:order -> List(ex:kick ex:snare List() List(1 2.5))]",
    "list builtin": (
        "Forall ?l ( If And( ex:kit[ex:order -> ?l] External(pred:list-contains(?l ex:kick)) ) Then ex:kit[ex:ok -> 1] )"
    ),
    "literals": (
        'ex:k[ex:p -> "text" ex:p -> "line\\nbreak \\"quoted\\" \\u00e9" ex:p -> "mot"@fr-CA ex:p -> "true"^^xs:boolean '
        'ex:p -> 12 ex:p -> -0.5 ex:p -> 1e-3 ex:p -> "0.5"^^xs:double ex:p -> <http://example.org/a?b#c> ex:p -> _here]'
    ),
    "assert": "Do( Assert( ex:kick # ex:Drum ) Assert( ex:kick[ex:level -> 0] ) Assert( ex:beside(1 2) ) )",
    "retract": (
        "Forall ?x ( If ?x # ex:Drum Then Do( Retract( ?x[ex:level -> 0] ) Retract( ?x ex:pan ) Retract( ?x ) "
        "Retract( ex:beside(?x 1) ) ) )"
    ),
    "modify": "Forall ?x such that ( ?x # ex:Drum ) ( Do( Modify( ?x[ex:level -> 0 ex:pan -> 0.5] ) ) )",
    "execute": "Forall ?x ( If ?x # ex:Drum Then Do( Execute( tm:emit-note(?x \"a drum\") ) ) )",
    "new": "Forall ?x ( If ?x # ex:Drum Then Do( ( ?s New() ) Assert( ?s # ex:Send ) Assert( ?s[ex:from -> ?x] ) ) )",
    "action variable": "Forall ?x ( If ?x # ex:Drum Then Do( ( ?v ?x[ex:level -> ?v] ) Modify( ?x[ex:was -> ?v] ) ) )",
    "metadata": (
        "(* ex:a-rule And( ex:a-rule[dcterms:source -> \"a book\"] ex:a-rule[dcterms:creator -> ex:me] ) *)\n"
        "Forall ?x ( (* ex:inner *) If (* ex:test *) ?x # ex:Drum Then ?x[ex:ok -> 1] )"
    ),
    "nested groups": "Group ( ex:a # ex:B Group ( ex:c # ex:D ) ) Group ()",
    "priorities": "Group 10 ( ex:a # ex:B ) Group rif:forwardChaining -3 ( ex:c # ex:D )",
}  # fmt: skip

DOCUMENTS: Final[dict[str, str]] = {
    **{name: document(text) for name, text in _OF_SENTENCES.items()},
    "empty": "Document()",
    "empty group": "Document( Group () )",
    "base": "Document( Base(<http://example.org/>) Group ( <kick> # <Drum> ) )",
    "import": "Document( Import(<more.rifps>) Import(<facts.ttl> <http://www.w3.org/ns/entailment/Simple>) Group () )",
    "comments": document("/* about\n all */ ex:kick # ex:Drum // and that was it"),
    "document metadata": document("ex:a # ex:B", before='(* ex:doc ex:doc[dcterms:title -> "All"] *)\n'),
    "group metadata": document("ex:a # ex:B", group="(* ex:group *) Group"),
}
"""Name -> presentation syntax."""

NO_SECOND_READER: Final = frozenset({"priorities", "literals", "base", "import"})
"""Documents that rdflib-rif 0.3.0 cannot read or changes: priorities, languages of texts, imports."""

"""What is known about a system: the ontology, what the system offers, and what follows from both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

from tonmeister.engines.semantic.terms import prefixes, tm
from tonmeister.errors import BadInputError, MissingExtraError
from tonmeister.rif.names import RDFS

if TYPE_CHECKING:
    from rdflib import Graph

__all__ = ["Close", "World", "closure", "normalized", "shape_findings", "short", "world_of"]

Triple: TypeAlias = tuple[Any, Any, Any]
Close: TypeAlias = "Callable[[Graph], Iterable[Triple]]"

_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*")
_ONTOLOGY: Final = Path(__file__).with_name("ontology")
_SUBCLASS: Final = (RDFS + "subClassOf", RDFS + "subPropertyOf")
_LARGEST_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class World:
    """Ontology and one system, closed."""

    system: str
    """Its name for a reader."""
    offered: frozenset[str]
    """What it offers, with all that its offers include."""
    above: Mapping[str, set[str]]
    """Term -> everything it is a kind of."""
    known: frozenset[str]
    """Everything an ontology says anything about."""
    near: Mapping[str, tuple[str, ...]]
    """Capability -> what is declared to approximate it."""

    @property
    def supported(self) -> frozenset[str]:
        """What is offered, or of which something offered is a kind."""
        return self.offered.union(*(self.above.get(iri, set()) for iri in self.offered))


def world_of(capabilities: Path | None, close: Close | None = None) -> World:
    """What is known about this system, or the one that a capability file describes."""
    _check_extra()
    if close is not None:
        return _world(capabilities, close)
    if capabilities is None:
        return _cached(None, 0, 0)
    try:
        stat = capabilities.stat()
    except OSError as error:
        raise BadInputError(f"capabilities={str(capabilities)!r} cannot be read: {error.strerror}") from None
    return _cached(capabilities, stat.st_size, stat.st_mtime_ns)


def _check_extra() -> None:
    try:
        import rdflib  # noqa: F401
        import reasonable  # noqa: F401
    except ImportError:
        raise MissingExtraError("reasoning about rules", extra="semantic") from None


@lru_cache(maxsize=8)
def _cached(capabilities: Path | None, size: int, changed: int) -> World:
    return _world(capabilities, closure)


def _world(capabilities: Path | None, close: Close) -> World:
    graph, system = _described(capabilities)
    near: dict[str, list[str]] = {}
    for missing, stand_in in graph.subject_objects(_node("approximatedBy")):
        near.setdefault(str(missing), []).append(str(stand_in))
    return World(
        _label(graph, system), _offered(graph, system), kinds_of(close(graph)), _known(graph),
        {missing: tuple(sorted(found)) for missing, found in near.items()},
    )  # fmt: skip


def _node(name: str) -> Any:
    from rdflib import URIRef

    return URIRef(tm(name))


def closure(graph: Graph) -> list[Triple]:
    """The triples of the OWL 2 RL closure of a graph."""
    from reasonable import PyReasoner

    reasoner = PyReasoner()
    reasoner.from_graph(graph)
    return list(reasoner.reason())


def kinds_of(closed: Iterable[Triple]) -> dict[str, set[str]]:
    """Term -> everything it is a kind of: a class below a property's class is below what that one is below."""
    found: dict[str, set[str]] = {}
    for subject, name, above in closed:
        if str(name) in _SUBCLASS:
            found.setdefault(str(subject), set()).add(str(above))
    for above in found.values():
        waiting = list(above)
        while waiting:
            more = found.get(waiting.pop(), set()) - above
            above |= more
            waiting += more
    return found


def _offered(graph: Graph, system: str) -> frozenset[str]:
    """What a system offers, with all that its offers include."""
    from rdflib import URIRef

    includes, waiting = URIRef(tm("includes")), list(graph.objects(URIRef(system), URIRef(tm("offers"))))
    found: set[str] = set()
    while waiting:
        iri = waiting.pop()
        if str(iri) not in found:
            found.add(str(iri))
            waiting += graph.objects(iri, includes)
    return frozenset(normalized(iri) for iri in found)


def _known(graph: Graph) -> frozenset[str]:
    """Everything an ontology says anything about."""
    from rdflib import URIRef

    nodes = {*graph.subjects(), *graph.objects(None, _node("includes"))}
    named = {str(node) for node in nodes if isinstance(node, URIRef)}
    return frozenset(named)


def _described(capabilities: Path | None) -> tuple[Graph, str]:
    """Ontology and the description of one system."""
    graph = _ontology()
    if capabilities is None:
        return graph + _parsed(_ONTOLOGY / "this-system.ttl"), "urn:tonmeister:system"
    given = _parsed(capabilities)
    _check_shapes(given, graph, capabilities)
    from rdflib import URIRef
    from rdflib.namespace import RDF as RDF_NAMES

    systems = sorted(str(s) for s in given.subjects(RDF_NAMES.type, URIRef(tm("System"))))
    if len(systems) != 1:
        raise BadInputError(
            f"{capabilities.name} describes {len(systems)} systems: give exactly one <name> a tm:System"
        )
    return graph + given, systems[0]


def _ontology() -> Graph:
    """A fresh graph of the shipped ontology."""
    from rdflib import Graph

    whole = Graph()
    for triple in _ontology_triples():
        whole.add(triple)
    return whole


@cache
def _ontology_triples() -> tuple[Any, ...]:
    return tuple(t for name in ("tonmeister.ttl", "alignment.ttl") for t in _parsed(_ONTOLOGY / name))


def _parsed(path: Path) -> Graph:
    from rdflib import Graph

    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadInputError(f"{path.name} is larger than 4 MiB: that is no description of a system")
        text = path.read_text(encoding="utf-8")
        return Graph().parse(data=text, format="turtle", publicID="urn:tonmeister:document")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"capabilities={str(path)!r} cannot be read: {error}") from None
    except BadInputError:
        raise
    except Exception as error:  # rdflib raises many kinds of its own
        raise BadInputError(f"{path.name} is not Turtle: {str(error).splitlines()[0]}") from None


def _check_shapes(given: Graph, ontology: Graph, path: Path) -> None:
    """Hold a capability file against the shapes; what is wrong is told in their words."""
    findings = shape_findings(given, ontology)
    if findings:
        raise BadInputError(f"{path.name}: {'; '.join(findings[:4])}")


def shape_findings(given: Graph, ontology: Graph | None = None) -> list[str]:
    """What the SHACL shapes say about a graph, sorted; empty when it conforms."""
    try:
        from pyshacl import validate
    except ImportError:
        raise MissingExtraError("checking a capability file", extra="semantic") from None
    from rdflib import URIRef

    shapes = _parsed(_ONTOLOGY / "shapes.ttl")
    conforms, report, _ = validate(given, shacl_graph=shapes, ont_graph=ontology, inference="none")
    if conforms:
        return []
    message = URIRef("http://www.w3.org/ns/shacl#resultMessage")
    focus = URIRef("http://www.w3.org/ns/shacl#focusNode")
    return sorted(
        f"{short(str(next(iter(report.objects(node, focus)), '')))}: {text}"
        for node, text in report.subject_objects(message)
    )


def normalized(iri: str) -> str:
    """The same term under its usual address; what is no IRI becomes one that nobody knows."""
    if not _IRI.fullmatch(iri):
        return f"urn:tonmeister:not-an-iri#{quote(iri)}"
    for other, usual in prefixes()[1].items():
        if iri.startswith(other):
            return usual + iri.removeprefix(other)
    return iri


def short(iri: str) -> str:
    """``tm:compressorRatio`` instead of the whole IRI."""
    for prefix, namespace in prefixes()[0].items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    return f"<{iri}>"


def _label(graph: Graph, system: str) -> str:
    from rdflib import RDFS as RDFS_NAMES
    from rdflib import URIRef

    return str(next(iter(graph.objects(URIRef(system), RDFS_NAMES.label)), short(system)))

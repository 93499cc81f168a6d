"""Which rules a system can carry out, why not the others, and what may stand in.

What a rule requires is read from the rule itself: every feature, parameter, class, builtin and action it mentions.
A capability is supported when it is offered, or when an offered one is a subclass of it. That "all it requires is
supported" never follows in an open world, so the complement is stated: after the first closure every other capability
is marked unsupported, and the second closure finds the rules that require such a one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tonmeister.engines.semantic.terms import features, local_name, tm
from tonmeister.engines.semantic.world import Close, World, closure, normalized, short, world_of
from tonmeister.rif.ast import (
    Action,
    Assert,
    Atom,
    Const,
    Execute,
    External,
    Frame,
    Member,
    Modify,
    Node,
    Retract,
    walk,
)
from tonmeister.rif.names import RDF, RIF
from tonmeister.rif.rules import Rule

__all__ = ["Selection", "Verdict", "requires", "select"]

_SELECTED: Final = "urn:tonmeister:selection#"
_DEFINITION: Final = f"""
@prefix tm: <{tm("")}> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
tm:requires a owl:ObjectProperty .
tm:UnsupportedRule owl:equivalentClass
    [ a owl:Restriction ; owl:onProperty tm:requires ; owl:someValuesFrom tm:UnsupportedCapability ] .
"""
_ACTIONS: Final[Mapping[type[Any], str]] = {
    Assert: RIF + "Assert", Retract: RIF + "Retract", Modify: RIF + "Modify", Execute: RIF + "Execute",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one rule."""

    rule: Rule
    requires: frozenset[str]
    missing: tuple[str, ...] = ()
    """Required capabilities that this system does not have, sorted."""
    unknown: tuple[str, ...] = ()
    """Those of them that no loaded ontology mentions."""
    substitutes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Missing capability -> offered ones that are declared to approximate it."""

    @property
    def applies(self) -> bool:
        return not self.missing

    @property
    def why_not(self) -> str:
        """In words, why the rule cannot be applied."""
        if self.applies:
            return ""
        parts = []
        for iri in self.missing:
            known = " (unknown to every ontology)" if iri in self.unknown else ""
            close = ", ".join(short(s) for s in self.substitutes.get(iri, ()))
            parts.append(f"{short(iri)}{known}{f', {close} comes near' if close else ''}")
        return f"needs {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules divided into those that apply and those that do not."""

    verdicts: tuple[Verdict, ...]
    meanings: Mapping[str, str]
    """Required capability -> the offered one that stands for it: itself, or a subclass."""
    system: str = ""
    notes: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[Rule, ...]:
        return tuple(v.rule for v in self.verdicts if v.applies)

    @property
    def dropped(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if not v.applies)


def requires(rule: Rule) -> frozenset[str]:
    """IRIs of all features, parameters, classes, builtins and actions a rule mentions; metadata is not read."""
    parts: tuple[Node, ...] = (rule.condition, rule.actions, *rule.constraints, *rule.classes)
    return frozenset(normalized(iri) for part in parts for node in walk(part) for iri in _named(node))


def _named(node: Node) -> Iterable[str]:
    if isinstance(node, (Assert, Retract, Modify, Execute)):
        yield _ACTIONS[type(node)]
        yield from _executed(node)
    elif isinstance(node, External):
        yield node.op.value
    elif isinstance(node, Member):
        yield from _iris(node.cls)
    elif isinstance(node, Frame):
        for key, value in node.slots:
            yield from _iris(key)
            if isinstance(key, Const) and key.value == RDF + "type":
                yield from _iris(value)


def _executed(action: Action) -> Iterable[str]:
    if isinstance(action, Execute) and isinstance(action.target, Atom):
        yield from _iris(action.target.op)


def _iris(term: Node) -> Iterable[str]:
    if isinstance(term, Const) and term.is_iri and term.value != RDF + "type":
        yield term.value


# ------------------------------------------------------------------ reasoning


def select(
    rules: Sequence[Rule], capabilities: Path | None = None, *, close: Close | None = None
) -> Selection:
    """Divide rules by what a system can do: this one, or the one a capability file describes.

    `close` computes the OWL 2 RL closure of a graph; by default `closure`.
    """
    needed = [requires(rule) for rule in rules]
    world = world_of(capabilities, close)
    complement = frozenset().union(*needed, world.known) - world.supported
    unsupported = unsupported_rules(needed, complement, close or closure)
    verdicts = tuple(
        _verdict(rule, need, number in unsupported, complement, world)
        for number, (rule, need) in enumerate(zip(rules, needed, strict=True))
    )
    strange = tuple(
        f"the capability file offers {short(iri)}, which no ontology knows"
        for iri in sorted(world.offered - world.known)
    )
    return Selection(verdicts, _meanings(world, frozenset().union(*needed)), world.system, strange)


def unsupported_rules(
    needed: Sequence[frozenset[str]], complement: Iterable[str], close: Close
) -> frozenset[int]:
    """Numbers of the rules that the second closure finds to require something unsupported.

    Only the definition of an unsupported rule takes part: what is a kind of what, the first closure has told.
    """
    from rdflib import RDF as RDF_NAMES
    from rdflib import Graph, URIRef

    graph = Graph().parse(data=_DEFINITION, format="turtle")
    for iri in complement:
        graph.add((URIRef(iri), RDF_NAMES.type, URIRef(tm("UnsupportedCapability"))))
    for number, need in enumerate(needed):
        for iri in need:
            graph.add((URIRef(f"{_SELECTED}{number}"), URIRef(tm("requires")), URIRef(iri)))
    wanted = (RDF_NAMES.type, URIRef(tm("UnsupportedRule")))
    found = (str(subject) for subject, name, cls in close(graph) if (name, cls) == wanted)
    return frozenset(int(rule.removeprefix(_SELECTED)) for rule in found if rule.startswith(_SELECTED))


def _meanings(world: World, needed: frozenset[str]) -> dict[str, str]:
    """Who stands for what is required: itself, else of the offered subclasses a steady one, the first by name."""
    below: dict[str, list[str]] = {}
    for iri in sorted(world.offered):
        for above in world.above.get(iri, ()):
            below.setdefault(above, []).append(iri)

    def moving(iri: str) -> bool:
        feature = features().get(local_name(iri) or "")
        return feature is not None and feature.moving

    found = {}
    for need in needed:
        if need in world.offered:
            found[need] = need
        elif candidates := below.get(need):
            found[need] = min(candidates, key=lambda iri: (moving(iri), iri))
    return found


def _verdict(
    rule: Rule, need: frozenset[str], unsupported: bool, complement: frozenset[str], world: World
) -> Verdict:
    if not unsupported:
        return Verdict(rule, need)
    missing = tuple(sorted(need & complement))
    near = {iri: tuple(n for n in world.near.get(iri, ()) if n in world.offered) for iri in missing}
    unknown = tuple(iri for iri in missing if iri not in world.known)
    return Verdict(rule, need, missing, unknown, {iri: found for iri, found in near.items() if found})

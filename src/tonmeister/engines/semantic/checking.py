"""What a careful reader would ask about rule documents, tried out on a song that does not exist.

The trial song has one track of every instrument the rules name, and features around every number they compare with.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tonmeister.constraints import Call, Constant, Expression, Read, Store
from tonmeister.engines.semantic.capabilities import Selection, select
from tonmeister.engines.semantic.compiling import Compiled, compiled_rule, is_about_facts
from tonmeister.engines.semantic.documents import KnownRule, known_rules, load_documents
from tonmeister.engines.semantic.judging import contradictions
from tonmeister.engines.semantic.situation import DRUM_BUS, MIX_BUS, SONG, Situation, filled_store
from tonmeister.engines.semantic.terms import features, instrument_of, local_name, owner_classes, tm
from tonmeister.engines.semantic.world import shape_findings, short
from tonmeister.errors import BadInputError
from tonmeister.rif.ast import Const, Document, Frame, Member, iri, walk
from tonmeister.rif.check import mistakes_of
from tonmeister.rif.facts import Facts
from tonmeister.rif.files import read_rules
from tonmeister.rif.names import DCTERMS, RDFS
from tonmeister.rif.production import run
from tonmeister.vocabulary import ROLES

__all__ = ["Finding", "check_rules"]

_SAMPLES: Final = 12
_FIRINGS: Final = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something noticed: an ``error`` keeps the documents from being used, a ``note`` does not."""

    severity: str
    rule: str
    text: str


def check_rules(path: Path | None) -> list[Finding]:
    """Everything noticed about the documents at a path, errors first; malformed documents raise `BadInputError`."""
    found = list(_malformed(path))
    if found:
        return found
    documents = load_documents(path)
    rules = known_rules(documents)
    selection = select([known.rule for known in rules])
    found += [*_unsupported(selection), *_provenance(rules)]
    instances, errors = _compiled(rules, selection)
    found += errors
    if not any(f.severity == "error" for f in found):
        found += _tried(rules, instances)
    return sorted(dict.fromkeys(found), key=lambda f: f.severity != "error")


def _malformed(path: Path | None) -> Iterator[Finding]:
    """Every mistake of a single document, where reading it all would stop at the first."""
    if path is None or path.is_dir():
        return
    document: Document = read_rules(path, check=False)
    for mistake in mistakes_of(document):
        where = f"{mistake.position}: " if mistake.position else ""
        yield Finding("error", document.origin and Path(document.origin).name, f"{where}{mistake.text}")


def _unsupported(selection: Selection) -> Iterator[Finding]:
    for verdict in selection.dropped:
        yield Finding("note", verdict.rule.name, f"cannot run here: {verdict.why_not}")
    for needed, meant in sorted(selection.meanings.items()):
        if needed != meant:
            yield Finding("note", "-", f"{short(needed)} is taken to be {short(meant)}")


def _provenance(rules: Sequence[KnownRule]) -> Iterator[Finding]:
    """The SHACL shapes of rules, held against the metadata."""
    from rdflib import RDF, Graph, Literal, URIRef

    graph = Graph()
    names: dict[str, str] = {}
    for number, known in enumerate(rules):
        node = URIRef(f"urn:tonmeister:checked#{number}")
        names[str(node)] = known.iri
        graph.add((node, RDF.type, URIRef(tm("Rule"))))
        told = known.rule.metadata
        for key in (DCTERMS + "source", RDFS + "comment", tm("evidence"), tm("profile")):
            for value in told.values(key) if told else ():
                graph.add((node, URIRef(key), Literal(value)))
    for text in shape_findings(graph):
        node_name, _, said = text.partition(": ")
        rule = names.get(node_name.strip("<>"), node_name)
        yield Finding("note", rule, said)


# ------------------------------------------------------------------ the trial


def _owners(rules: Iterable[KnownRule]) -> dict[str, frozenset[str]]:
    """One track of every instrument that is named, one of no known kind, the buses and the song."""
    named = {
        name
        for known in rules
        for node in walk(known.rule.condition)
        if isinstance(node, Member) and isinstance(node.cls, Const) and (name := local_name(node.cls.value))
    }
    words = sorted({instrument_of()[n] for n in named if n in instrument_of()} | {"other"})
    owners = {f"track/{word}": owner_classes(word) for word in words}
    buses = {DRUM_BUS: frozenset({"DrumBus", "Strip"}), MIX_BUS: frozenset({"MixBus", "Strip"})}
    return {**owners, **buses, SONG: frozenset({"Song"})}


def _compiled(rules: Sequence[KnownRule], selection: Selection) -> tuple[list[Compiled], list[Finding]]:
    owners, instances = _owners(rules), []
    found: list[Finding] = []
    kept = {rule.name for rule in selection.kept}
    facts = []
    for known in rules:
        if known.iri not in kept:
            continue
        if is_about_facts(known.rule):
            facts.append(known)
            continue
        try:
            own = list(compiled_rule(known.rule, owners, {}, selection.meanings))
        except BadInputError as error:
            found.append(Finding("error", known.iri, str(error)))
            continue
        instances += own
        if not own:
            found.append(Finding("note", known.iri, "speaks about nobody: no track can be all it asks for"))
    found += _endless(facts, owners)
    return instances, found


def _endless(facts: Sequence[KnownRule], owners: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Rules about facts that never come to an end, on tracks of each role."""
    for role in ROLES if facts else ():
        try:
            run([known.rule for known in facts], _trial_facts(owners, role), most_firings=_FIRINGS)
        except BadInputError as error:
            yield Finding("error", facts[0].iri, str(error))
            return


def _trial_facts(owners: Mapping[str, frozenset[str]], role: str) -> Facts:
    facts = Facts()
    for number, (owner, classes) in enumerate(owners.items()):
        if owner.startswith("track/"):
            node = iri(f"urn:tonmeister:owner#{number}")
            tags = {"role": role, "section": "single"}
            facts.add(Frame(node, tuple((iri(tm(key)), iri(tm(word))) for key, word in tags.items())))
            for cls in sorted(classes):
                facts.add(Member(node, iri(tm(cls))))
    return facts


def _tried(rules: Sequence[KnownRule], instances: Sequence[Compiled]) -> Iterator[Finding]:
    """Contradictions and circles that come up while the features take values around those the rules name."""
    disputed = {k.iri for k in rules if k.disputed}
    kept = tuple(i for i in instances if i.constraints and i.constraints[0].name not in disputed)
    store, made = filled_store(_owners(rules), kept, faithful=False)
    situation = Situation(store, {k.iri: k for k in rules}, kept, made)
    read, chance = _compared(kept), random.Random(1)
    for _ in range(_SAMPLES):
        _sample(situation.store, read, chance)
        for text in contradictions(situation):
            yield Finding("note", _rule_in(text), text)
        for report in situation.store.reports:
            if report.kind == "cycle":
                yield Finding("error", report.constraint or "-", report.text.replace("track/", ""))


def _rule_in(text: str) -> str:
    return text.partition(": ")[2].partition(" says")[0]


def _compared(instances: Sequence[Compiled]) -> dict[Read, list[float]]:
    """Features, each with the numbers it is compared with."""
    found: dict[Read, list[float]] = {}
    for instance in instances:
        _collect(instance.condition, found)
    return found


def _collect(expression: Expression, found: dict[Read, list[float]]) -> None:
    if not isinstance(expression, Call):
        return
    numbers = [p.value for p in expression.parts if isinstance(p, Constant) and isinstance(p.value, float)]
    for part in expression.parts:
        if isinstance(part, Read) and part.property in features():
            found.setdefault(part, []).extend(numbers)
        _collect(part, found)


def _sample(store: Store, read: dict[Read, list[float]], chance: random.Random) -> None:
    values: dict[tuple[str, str], Any] = {}
    for feature, numbers in read.items():
        near = chance.choice(numbers or [1.0])
        values[feature.owner, feature.property] = near + chance.choice((-1.0, 1.0)) * (
            abs(near) * 0.01 + 1e-4
        )
    for owner in store.owners:
        if owner.startswith("track/"):
            values[owner, "role"] = chance.choice(("lead", "foreground", "background"))
            values[owner, "section"] = chance.choice(("single", "several"))
    store.update(values)

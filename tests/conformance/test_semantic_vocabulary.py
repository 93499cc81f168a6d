"""The ontology is what the program knows, and the reasoners agree on what follows from it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from makers_semantic import EVERYTHING, capabilities, document, rule
from tonmeister.effects.base import effect_type
from tonmeister.effects.registry import EFFECTS
from tonmeister.engines.semantic.capabilities import requires, select, unsupported_rules
from tonmeister.engines.semantic.documents import SHIPPED, load_rules
from tonmeister.engines.semantic.ontology_text import BUILTINS, system_turtle, terms_turtle
from tonmeister.engines.semantic.terms import (
    camel,
    effect_class,
    features,
    instrument_of,
    parameters,
    prefixes,
    textbook_terms,
)
from tonmeister.engines.semantic.world import closure, kinds_of, normalized, short
from tonmeister.engines.textbook.measures import NAMES
from tonmeister.engines.textbook.parameters import PARAMETERS, PROCESSORS
from tonmeister.errors import BadInputError
from tonmeister.rif.builtins import builtin
from tonmeister.rif.files import read_document
from tonmeister.rif.names import FUNC, PRED, TM
from tonmeister.rif.rules import Rule, rules_of
from tonmeister.vocabulary import INSTRUMENTS, ROLES

rdflib = pytest.importorskip("rdflib")
pytest.importorskip("reasonable")

ONTOLOGY = SHIPPED.parent / "ontology"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"


def parsed(name: str) -> rdflib.Graph:
    return rdflib.Graph().parse(ONTOLOGY / name, format="turtle")


def rules(*texts: str) -> tuple[Rule, ...]:
    return rules_of(read_document(document(*texts)))


def owlrl_closure(graph: rdflib.Graph) -> rdflib.Graph:
    owlrl = pytest.importorskip("owlrl")
    closed = rdflib.Graph()
    closed += graph
    owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(closed)
    return closed


# ------------------------------------------------------------------ the files


@pytest.mark.parametrize(
    ("name", "text"), [("tonmeister.ttl", terms_turtle), ("this-system.ttl", system_turtle)]
)
def test_the_shipped_ontology_is_what_the_vocabulary_gives(name: str, text: object) -> None:
    assert (ONTOLOGY / name).read_text(encoding="utf-8") == text()  # type: ignore[operator]


def test_every_instrument_and_role_is_a_term() -> None:
    graph = parsed("tonmeister.ttl")
    for word in INSTRUMENTS:
        assert (rdflib.URIRef(TM + camel(word, capital=True)), None, None) in graph
    for role in ROLES:
        assert (rdflib.URIRef(TM + role), None, None) in graph
    assert sorted(instrument_of().values()) == sorted(INSTRUMENTS)


def test_every_effect_is_offered_with_the_range_of_each_parameter() -> None:
    graph = parsed("tonmeister.ttl")
    graph += parsed("this-system.ttl")
    system = rdflib.URIRef("urn:tonmeister:system")
    offered = {str(o).removeprefix(TM) for o in graph.objects(system, rdflib.URIRef(TM + "offers"))}
    assert {effect_class(kind) for kind in EFFECTS} <= offered
    for kind in EFFECTS:
        for name, allowed in effect_type(kind).ranges().items():
            term = next(p for p in parameters().values() if p.effect == (kind, name))
            node = rdflib.URIRef(TM + term.name)
            assert float(graph.value(node, rdflib.URIRef(TM + "minimum"))) == allowed.minimum
            assert float(graph.value(node, rdflib.URIRef(TM + "maximum"))) == allowed.maximum


def test_the_words_of_the_textbook_are_all_here() -> None:
    table = textbook_terms()
    assert set(table["features"]) == NAMES
    assert set(table["features"].values()) <= set(features())
    assert set(table["parameters"]) == set(PARAMETERS) - {"equalizer.section_db"}
    assert {*table["parameters"].values(), *table["details"].values(), *table["bypass"].values()} <= set(
        parameters()
    )
    assert set(table["bypass"]) <= set(PROCESSORS)


def test_every_foreign_term_says_where_its_name_was_read() -> None:
    graph = parsed("alignment.ttl")
    used = {
        str(node)
        for triple in graph
        for node in (triple[0], triple[2])
        if isinstance(node, rdflib.URIRef) and not str(node).startswith((TM, "http://www.w3.org/"))
    }
    checked = rdflib.URIRef(TM + "checkedAgainst")
    assert all((rdflib.URIRef(iri), checked, None) in graph for iri in used)
    namespaces = tuple(prefixes()[0].values())
    assert all(iri.startswith(namespaces) for iri in used)


def test_the_builtins_of_the_ontology_exist() -> None:
    namespaces = {"pred": PRED, "func": FUNC, "tm": TM}
    for name in BUILTINS:
        prefix, _, local = name.partition(":")
        assert builtin(namespaces[prefix] + local).name == local


# ------------------------------------------------------------------ what rules require


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rule("r", "", "Modify(?t[tm:pan -> 0.0])"), "tm:Track tm:pan rif:Modify"),
        (rule("r", "?t # tm:Kick", "Modify(?t[tm:gain -> 0.0])"), "tm:Track tm:Kick tm:gain rif:Modify"),
        (
            rule("r", "And( ?t[tm:crest -> ?c] External(pred:numeric-less-than(?c 8.0)) )",
                 "Modify(?t[tm:compressorActive -> 0.0])", values="?c"),
            "tm:Track tm:crest pred:numeric-less-than tm:compressorActive rif:Modify",
        ),
        (
            rule("r", "?t[afv:Loudness -> ?l]",
                 "Modify(?t[tm:gain -> External(func:numeric-subtract(-20.0 ?l))])", values="?l"),
            "tm:Track afv:Loudness func:numeric-subtract tm:gain rif:Modify",
        ),
        (
            rule("r", "?t[tm:role -> tm:lead]", "Modify(?t[dy:Pan -> 0.0])"),
            "tm:Track tm:role dy:Pan rif:Modify",
        ),
        (rule("r", "", "Execute(tm:bypass(?t tm:GateEffect))"), "tm:Track rif:Execute tm:bypass"),
        (
            rule("r", "", "(?s New()) Assert(?s # tm:LevelStep) Assert(?s[tm:stepOf -> ?t tm:stepGain -> 3.0])"),
            "tm:Track rif:Assert tm:LevelStep tm:stepOf tm:stepGain",
        ),
        (rule("r", "Not( ?t # tm:Bass )", "Modify(?t[tm:pan -> 0.0])"), "tm:Track tm:Bass tm:pan rif:Modify"),
        (
            rule("r", "Or( ?t[tm:attribute -> \"mono\"] ?t # tm:Choir )", "Modify(?t[tm:pan -> 0.0])"),
            "tm:Track tm:attribute tm:Choir tm:pan rif:Modify",
        ),
        (
            rule("r", "?t[tm:tempo -> ?b]", "Modify(?t[tm:reverbDecay -> External(tm:clamp(?b 0.3 3.0))])",
                 values="?b", of="Song"),
            "tm:Song tm:tempo tm:clamp tm:reverbDecay rif:Modify",
        ),
    ],
)  # fmt: skip
def test_what_a_rule_requires_is_read_from_it(text: str, expected: str) -> None:
    (found,) = rules(text)
    assert {short(iri) for iri in requires(found)} == set(expected.split())


def test_metadata_requires_nothing() -> None:
    plain = rule("r", "", "Modify(?t[tm:pan -> 0.0])")
    (bare,) = rules(plain)
    (told,) = rules(plain.replace("(* rule:r *)", '(* rule:r rule:r[tm:crest -> "compressorRatio"] *)'))
    assert requires(bare) == requires(told)


def test_one_vocabulary_under_two_addresses_is_one() -> None:
    assert normalized("http://www.tiny.cc/dymo-ontology#Pan") == "http://tiny.cc/dymo-ontology#Pan"
    assert normalized("no iri at all").startswith("urn:tonmeister:not-an-iri#")


# ------------------------------------------------------------------ selection

MANY = (
    rule("fader", "", "Modify(?t[tm:gain -> 0.0])"),
    rule("dymo", "", "Modify(?t[dy:Amplitude -> 1.0])"),
    rule("place", "?t[tm:role -> tm:lead]", "Modify(?t[tm:pan -> 0.0])"),
    rule("loud", "?t[afv:Loudness -> ?l]", "Modify(?t[tm:pan -> 0.1])", values="?l"),
    rule("squash", "?t # tm:Kick", "Modify(?t[tm:compressorRatio -> 4.0])"),
    rule("strange", "", "Modify(?t[tm:sparkle -> 1.0])"),
)


def names(selection: object) -> set[str]:
    return {r.name.rpartition("#")[2] for r in selection.kept}  # type: ignore[attr-defined]


def test_offering_only_the_more_specific_keeps_the_rule(tmp_path: Path) -> None:
    path = capabilities(tmp_path, "Track", "loudness", "pan", "RifActions")
    assert names(select(rules(*MANY), path)) == {"loud"}


def test_a_missing_capability_is_named_with_what_comes_near(tmp_path: Path) -> None:
    cut = rule(
        "cut",
        "",
        "(?s New()) Assert(?s # tm:EqSection) Assert(?s[tm:sectionOf -> ?t tm:sectionGain -> -2.0])",
    )
    (verdict,) = select(rules(cut), capabilities(tmp_path, "InstrumentTags", "RifActions", "Fader")).verdicts
    assert set(map(short, verdict.missing)) == {"tm:sectionOf", "tm:sectionGain"}
    assert "tm:sectionGain, tm:gain comes near" in verdict.why_not
    assert verdict.unknown == ()


def test_more_capabilities_never_lose_a_rule_and_sets_alone_say_the_same(tmp_path: Path) -> None:
    wanted, chance = rules(*MANY), random.Random(5)
    assert names(select(wanted, capabilities(tmp_path))) == set()
    for _ in range(3):
        some = chance.sample(EVERYTHING, chance.randint(0, len(EVERYTHING)))
        more = sorted({*some, *chance.sample(EVERYTHING, 4)})
        first = select(wanted, capabilities(tmp_path, *some))
        second = select(wanted, capabilities(tmp_path, *more))
        assert names(first) <= names(second)
        assert {(v.rule.name, v.missing) for v in second.dropped} == _closed_world(wanted, more)


def test_both_reasoners_agree_on_random_hierarchies() -> None:
    pytest.importorskip("owlrl")
    chance = random.Random(7)
    terms = [f"urn:example:c{i}" for i in range(6)]
    for _ in range(12):
        graph = rdflib.Graph()
        for below in range(1, 6):
            relation = chance.choice(["subClassOf", "subClassOf", "subPropertyOf"])
            above = chance.randrange(below)
            graph.add(
                (rdflib.URIRef(terms[below]), rdflib.URIRef(RDFS + relation), rdflib.URIRef(terms[above]))
            )
        ours, theirs = (kinds_of(close(graph)) for close in (closure, owlrl_closure))
        assert {t: ours.get(t, set()) & set(terms) - {t} for t in terms} == {
            t: theirs.get(t, set()) & set(terms) - {t} for t in terms
        }
        needed = [frozenset(chance.sample(terms, chance.randint(0, 3))) for _ in range(8)]
        missing = frozenset(chance.sample(terms, 2))
        expected = frozenset(n for n, need in enumerate(needed) if need & missing)
        assert unsupported_rules(needed, missing, closure) == expected
        assert unsupported_rules(needed, missing, owlrl_closure) == expected


def _closed_world(wanted: tuple[Rule, ...], offers: list[str]) -> set[tuple[str, tuple[str, ...]]]:
    """The same by sets alone."""
    graph = parsed("tonmeister.ttl")
    graph += parsed("alignment.ttl")
    have = {rdflib.URIRef(TM + o) for o in offers}
    have |= {o for h in have for o in graph.objects(h, rdflib.URIRef(TM + "includes"))}
    above = [
        rdflib.URIRef(RDFS + "subClassOf"),
        rdflib.URIRef("http://www.w3.org/2002/07/owl#equivalentClass"),
    ]
    while more := {o for h in have for p in above for o in graph.objects(h, p)} - have:
        have |= more
    known = {str(h) for h in have}
    missing = {r.name: tuple(sorted(requires(r) - known)) for r in wanted}
    return {(name, lacks) for name, lacks in missing.items() if lacks}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("this is not turtle", "is not Turtle"),
        ("", "describes 0 systems"),
        ("<urn:x> a <urn:tonmeister:mix#System> .", "rdfs:label"),
        (
            '<urn:x> a <urn:tonmeister:mix#System> ; <http://www.w3.org/2000/01/rdf-schema#label> "x" ; '
            '<urn:tonmeister:mix#offers> "a compressor" .',
            "are names",
        ),
    ],
)
def test_bad_capability_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    pytest.importorskip("pyshacl")
    path = tmp_path / "desk.ttl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=message):
        select(rules(*MANY), path)


def test_an_offer_that_nobody_knows_is_told(tmp_path: Path) -> None:
    selection = select(rules(*MANY), capabilities(tmp_path, "SparkleEffect"))
    assert any("tm:SparkleEffect" in note for note in selection.notes)


def test_every_shipped_rule_says_where_it_comes_from() -> None:
    for known in load_rules(None):
        assert known.source not in ("", known.document), known.iri
        assert not known.comment.startswith("Rule "), known.iri
        assert known.evidence in ("P", "C", "Pa", "S", "M", "R", "R?"), known.iri

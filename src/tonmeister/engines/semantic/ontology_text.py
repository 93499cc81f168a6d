"""The ontology as Turtle, written from the vocabulary; a test holds the shipped files against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonmeister.effects.registry import EFFECTS
from tonmeister.engines.semantic.terms import (
    BUNDLES,
    CLASSES,
    Parameter,
    camel,
    effect_class,
    features,
    parameters,
)
from tonmeister.rif.names import FUNC, PRED, RIF, TM
from tonmeister.vocabulary import INSTRUMENTS, ROLES, parents

__all__ = ["ACTIONS", "BUILTINS", "system_turtle", "terms_turtle"]

_HEAD: Final = f"""\
@prefix tm: <{TM}> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix xs: <http://www.w3.org/2001/XMLSchema#> .
@prefix rif: <{RIF}> .
@prefix pred: <{PRED}> .
@prefix func: <{FUNC}> .
"""

BUILTINS: Final = (
    *(f"pred:numeric-{n}" for n in (
        "equal", "not-equal", "greater-than", "less-than", "greater-than-or-equal", "less-than-or-equal",
    )),
    "pred:is-literal-double", "pred:list-contains",
    *(f"func:numeric-{n}" for n in ("add", "subtract", "multiply", "divide")), "func:concat",
    *(f"tm:{n}" for n in ("min", "max", "clamp", "abs", "log10", "pow10")),
)  # fmt: skip
"""Builtins the constraints understand."""

ACTIONS: Final = ("rif:Assert", "rif:Modify", "rif:Retract", "rif:Execute", "tm:bypass", "tm:emit-note")

_FRAME: Final = """
<urn:tonmeister:mix> a owl:Ontology ; rdfs:label "tonmeister: terms of mixing rules" .

# Who speaks about what, and what a system can do. A rule is unsupported when it requires something unsupported;
# what is supported is stated from outside, once the first closure is known.

tm:Rule a owl:Class .
tm:System a owl:Class ; rdfs:label "something that mixes" .
tm:Capability a owl:Class ; rdfs:label "something a system may be able to do" .
tm:UnsupportedCapability a owl:Class ; rdfs:subClassOf tm:Capability .
tm:requires a owl:ObjectProperty ; rdfs:domain tm:Rule .
tm:includes a owl:ObjectProperty ; rdfs:label "offering the one is offering the other" .
tm:offers a owl:ObjectProperty ; rdfs:domain tm:System ; owl:propertyChainAxiom ( tm:offers tm:includes ) .
tm:UnsupportedRule owl:equivalentClass
    [ a owl:Restriction ; owl:onProperty tm:requires ; owl:someValuesFrom tm:UnsupportedCapability ] .
tm:approximatedBy a owl:ObjectProperty ; rdfs:label "what may stand in for a missing capability" .
tm:Feature a owl:Class ; rdfs:subClassOf tm:Capability ; rdfs:label "measured, never set by a rule" .
tm:Parameter a owl:Class ; rdfs:subClassOf tm:Capability ; rdfs:label "what a rule may set" .
tm:NumericParameter a owl:Class ; rdfs:subClassOf tm:Parameter .
tm:unit a owl:DatatypeProperty .
tm:minimum a owl:DatatypeProperty .
tm:maximum a owl:DatatypeProperty .
tm:default a owl:DatatypeProperty .
tm:behavior a owl:DatatypeProperty ; rdfs:label "how values combine down the hierarchy of buses" .
tm:evidence a owl:AnnotationProperty ; rdfs:label "grade of the source: P C Pa S M R R?" .
tm:profile a owl:AnnotationProperty ; rdfs:label "profiles of the engine in which a rule speaks" .
tm:disputed a owl:AnnotationProperty ; rdfs:label "contradicted by later studies: kept for the record, not applied" .
tm:role a owl:ObjectProperty .
tm:section a owl:ObjectProperty .
tm:attribute a owl:DatatypeProperty ; rdfs:label "what else a track's name says" .
tm:genre a owl:DatatypeProperty .
tm:single a tm:Section . tm:several a tm:Section .
"""


def terms_turtle() -> str:
    """Everything rules may speak about: classes, features with units, parameters with ranges."""
    return "\n".join((_HEAD, _FRAME, *_classes(), *_features(), *_parameters(), *_bundles(), ""))


def system_turtle() -> str:
    """What tonmeister itself offers, as a capability file."""
    effects = " ,\n    ".join(f"tm:{effect_class(kind)}" for kind in EFFECTS)
    bundles = ", ".join(f"tm:{name}" for name in BUNDLES)
    return f"""{_HEAD}
# What tonmeister offers. A description of another system looks like this one with other offers.

<urn:tonmeister:system> a tm:System ; rdfs:label "tonmeister" ;
  tm:offers {bundles} ,
    {effects} .
"""


def _classes() -> Iterator[str]:
    yield "# Classes of what rules speak about\n"
    for name, label in CLASSES.items():
        above = " ; rdfs:subClassOf tm:Strip" if name in ("Track", "DrumBus", "MixBus") else ""
        yield f'tm:{name} a owl:Class{above} ; rdfs:label "{label}" .'
    yield "\n# Instruments\n"
    yield 'tm:Instrument a owl:Class ; rdfs:subClassOf tm:Track ; rdfs:label "what sounds on a track" .'
    for word in INSTRUMENTS:
        above = parents(word)[1] if len(parents(word)) > 1 else "instrument"
        yield (
            f"tm:{camel(word, capital=True)} a owl:Class ; rdfs:subClassOf tm:{camel(above, capital=True)} ; "
            f'rdfs:label "{word.replace("_", " ")}" .'
        )
    yield "\n# Roles\n"
    yield from (f"tm:{role} a tm:Role ." for role in ROLES)


def _features() -> Iterator[str]:
    yield "\n# Features\n"
    for feature in features().values():
        unit = f' ; tm:unit "{feature.unit}"' if feature.unit else ""
        yield f'tm:{feature.name} a owl:DatatypeProperty , tm:Feature{unit} ; rdfs:label "{feature.label}" .'


def _parameters() -> Iterator[str]:
    yield "\n# Parameters\n"
    yield from (_parameter(parameter) for parameter in parameters().values())


def _parameter(parameter: Parameter) -> str:
    head = f"tm:{parameter.name} a owl:DatatypeProperty , "
    if parameter.range is None:
        return f'{head}tm:Parameter ; rdfs:label "{parameter.label}" .'
    allowed = parameter.range
    unit = f'tm:unit "{allowed.unit}" ; ' if allowed.unit else ""
    default = f"tm:default {_number(parameter.default)} ; " if parameter.default is not None else ""
    behavior = f'tm:behavior "{parameter.behavior}" ; ' if parameter.behavior != "independent" else ""
    return (
        f"{head}tm:NumericParameter ; {unit}tm:minimum {_number(allowed.minimum)} ; "
        f"tm:maximum {_number(allowed.maximum)} ; {default}{behavior}"
        f'rdfs:label "{parameter.label}" .'
    )


def _number(value: float) -> str:
    return f'"{float(value)!r}"^^xs:double'


def _bundles() -> Iterator[str]:
    yield "\n# Capabilities that include others\n"
    kinds = {effect_class(kind): f"the effect {kind.replace('_', '-')}" for kind in EFFECTS}
    for name, label in {**BUNDLES, **kinds}.items():
        members = " , ".join(_members(name))
        yield f'tm:{name} a tm:Capability ; rdfs:label "{label}"{f" ; tm:includes {members}" if members else ""} .'
    yield "\n# Builtins and actions are capabilities too\n"
    yield from (f"{_full(name)} a tm:Capability ." for name in (*BUILTINS, *ACTIONS))


def _members(bundle: str) -> list[str]:
    fixed = {
        "MeasuredFeatures": [f"tm:{f.name}" for f in features().values() if f.measured],
        "InstrumentTags": [f"tm:{c}" for c in (*CLASSES, "Instrument")]
        + [f"tm:{camel(word, capital=True)}" for word in INSTRUMENTS]
        + ["tm:attribute", "tm:genre", "tm:section", "tm:single", "tm:several"],
        "RifBuiltins": [_full(name) for name in BUILTINS],
        "RifActions": [_full(name) for name in ACTIONS],
    }
    if bundle in fixed:
        return fixed[bundle]
    own = [p for p in parameters().values() if p.part == bundle]
    with_defaults = [f"tm:{p.name}Default" for p in own if p.has_default]
    roles = [f"tm:{role}" for role in ROLES] if bundle == "RoleTags" else []
    return [*(f"tm:{p.name}" for p in own), *with_defaults, *roles]


def _full(name: str) -> str:
    """Names with a hyphen are safe as complete IRIs everywhere."""
    prefix, _, local = name.partition(":")
    return f"<{ {'tm': TM, 'pred': PRED, 'func': FUNC, 'rif': RIF}[prefix] }{local}>".replace(" ", "")

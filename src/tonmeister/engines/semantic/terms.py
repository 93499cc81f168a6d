"""The vocabulary of rules: features, parameters, classes and what they belong to, from the data of the package.

What stands in the ontology and what the engine understands come from here, so that they cannot differ.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from tonmeister.constraints import Property
from tonmeister.effects.base import effect_type
from tonmeister.effects.registry import EFFECTS
from tonmeister.rif.names import TM
from tonmeister.units import KNOWN_UNITS, Range
from tonmeister.vocabulary import INSTRUMENTS, ROLES, parents

__all__ = [
    "BUNDLES", "CLASSES", "Feature", "Parameter", "camel", "effect_class", "features", "instrument_of", "local_name",
    "owner_classes", "parameters", "prefixes", "properties", "textbook_terms", "tm",
]  # fmt: skip

_VOCABULARIES: Final = Path(__file__).with_name("vocab")
_UNITS: Final = {
    "_lufs": "LUFS",
    "_lu": "LU",
    "_db": "dB",
    "_dbtp": "dBTP",
    "_hz": "Hz",
    "_ms": "ms",
    "_s": "s",
}

CLASSES: Final[Mapping[str, str]] = {
    "Strip": "anything with a fader", "Track": "one source of the song", "DrumBus": "the bus of the drum kit",
    "MixBus": "the bus everything feeds", "Song": "the whole, with its room", "LevelStep": "a step of level of a track",
    "EqSection": "a section of the equalizer of a track or bus",
}  # fmt: skip
"""Classes of what rules speak about, beside instruments."""

BUNDLES: Final[Mapping[str, str]] = {
    "MeasuredFeatures": "all features that tonmeister measures", "InstrumentTags": "knows which instrument a track is",
    "RoleTags": "knows what a track does in the song", "Fader": "levels", "Panner": "places", "Buses": "groups",
    "RifBuiltins": "the predicates and functions of rules", "RifActions": "the actions of rules",
}  # fmt: skip
"""Capabilities that include others; every effect is one more."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something measured."""

    name: str
    unit: str
    about: tuple[str, ...]
    label: str
    moving: bool = False
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something a rule may set; `range` is None for words."""

    name: str
    part: str
    """The capability it belongs to."""
    label: str
    range: Range | None = None
    default: float | None = None
    behavior: str = "independent"
    effect: tuple[str, str] | None = field(default=None)
    """(kind, parameter) of the effect it is one of."""

    @property
    def has_default(self) -> bool:
        """Whether a rule may say what stands in for it: a parameter of an effect."""
        return self.range is not None and self.part.endswith("Effect")

    @property
    def is_word(self) -> bool:
        return self.range is None


def tm(name: str) -> str:
    """The IRI of one of our own terms."""
    return TM + name


def local_name(iri: str) -> str | None:
    """The name of one of our own terms, or None."""
    return iri.removeprefix(TM) if iri.startswith(TM) else None


def camel(word: str, *, capital: bool = False) -> str:
    """``lead_voice`` as ``leadVoice``, or as ``LeadVoice``."""
    first, *rest = word.split("_")
    return (first.capitalize() if capital else first) + "".join(part.capitalize() for part in rest)


def effect_class(kind: str) -> str:
    """The capability of an effect: ``CompressorEffect``."""
    return f"{camel(kind, capital=True)}Effect"


@cache
def prefixes() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Prefix -> namespace, and other address -> namespace."""
    data = _read("prefixes.toml")
    return data["prefixes"], data["same"]


@cache
def textbook_terms() -> Mapping[str, Mapping[str, Any]]:
    """The tables of ``vocab/textbook.toml``."""
    return _read("textbook.toml")


@cache
def features() -> Mapping[str, Feature]:
    """Every feature by name."""
    return {r["name"]: _feature(r) for r in _read("features.toml")["feature"]}


def _feature(record: Mapping[str, Any]) -> Feature:
    flags = {name: bool(record[name]) for name in ("moving", "measured") if name in record}
    return Feature(record["name"], record["unit"], tuple(record["about"]), record["label"], **flags)


@cache
def parameters() -> Mapping[str, Parameter]:
    """Every parameter by name: those of the desk, and those of every effect."""
    found = {record["name"]: _parameter(record) for record in _read("parameters.toml")["parameter"]}
    for kind in EFFECTS:
        for name, parameter in _of_effect(kind):
            found.setdefault(name, parameter)
        name, label = f"{camel(kind)}Active", f"0 leaves the {kind.replace('_', '-')} out"
        found.setdefault(
            name, Parameter(name, effect_class(kind), label, Range(0.0, 1.0), 1.0, "multiplicative")
        )
    return found


def _parameter(record: Mapping[str, Any]) -> Parameter:
    allowed = None
    if not record.get("word"):
        allowed = Range(float(record["minimum"]), float(record["maximum"]), str(record["unit"]))
    return Parameter(
        record["name"], record["part"], record["label"], allowed, record.get("default"),
        str(record.get("behavior", "independent")),
    )  # fmt: skip


def _of_effect(kind: str) -> list[tuple[str, Parameter]]:
    cls = effect_type(kind)
    defaults = {f.name: f.default for f in dataclasses.fields(cast(Any, cls))}
    found = []
    for field_name, allowed in cls.ranges().items():
        default = defaults[field_name]
        name = camel(f"{kind}_{_without_unit(field_name)}")
        label = f"{_without_unit(field_name).replace('_', ' ')} of the {kind.replace('_', '-')}"
        value = float(default) if isinstance(default, (int, float)) else None
        unit = next((_UNITS.get(s, s[1:]) for s in KNOWN_UNITS if field_name.endswith(s)), "")
        shown = Range(float(allowed.minimum), float(allowed.maximum), unit, allowed.curve)
        found.append(
            (name, Parameter(name, effect_class(kind), label, shown, value, effect=(kind, field_name)))
        )
    return found


def _without_unit(name: str) -> str:
    suffix = next((s for s in sorted(KNOWN_UNITS, key=len, reverse=True) if name.endswith(s)), "")
    return name.removesuffix(suffix)


@cache
def properties() -> tuple[Property, ...]:
    """All features and parameters for a store; defaults of effects stay with the effects."""
    known = [Property(f.name, "feature") for f in features().values()]
    for p in parameters().values():
        default = p.default if p.effect is None else None
        known.append(Property(p.name, "parameter", default, p.range, p.behavior))  # type: ignore[arg-type]
    known += [Property(f"{p.name}Default", "parameter") for p in parameters().values() if p.has_default]
    known += [Property("section"), Property("present", default=None)]
    return tuple(known)


@cache
def instrument_of() -> Mapping[str, str]:
    """Class -> instrument word."""
    return {camel(word, capital=True): word for word in INSTRUMENTS}


def owner_classes(instrument: str) -> frozenset[str]:
    """The classes of a track of this instrument: its own, its families', Track and Strip."""
    return frozenset({"Track", "Strip", *(camel(word, capital=True) for word in parents(instrument))})


def _read(name: str) -> Mapping[str, Any]:
    return tomllib.loads((_VOCABULARIES / name).read_text(encoding="utf-8"))


ROLE_NAMES: Final = frozenset(ROLES)

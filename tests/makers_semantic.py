"""Makers for the engine `semantic`: rule documents in a few words, songs with the features that matter."""

from __future__ import annotations

from pathlib import Path

HEAD = """
  Prefix(tm <urn:tonmeister:mix#>)
  Prefix(rule <urn:tonmeister:rule#>)
  Prefix(pred <http://www.w3.org/2007/rif-builtin-predicate#>)
  Prefix(func <http://www.w3.org/2007/rif-builtin-function#>)
  Prefix(afv <https://w3id.org/afo/vocab/1.1#>)
  Prefix(dy <http://www.tiny.cc/dymo-ontology#>)
"""
EVERYTHING = (
    "MeasuredFeatures InstrumentTags RoleTags Fader Panner Buses RifBuiltins RifActions GainEffect PanEffect "
    "AlignmentEffect HighPassEffect LowPassEffect EqualizerEffect CompressorEffect GateEffect DeesserEffect "
    "SaturationEffect WidthEffect ReverbEffect EchoEffect LimiterEffect"
).split()


def rule(name: str, condition: str, actions: str, *, values: str = "", of: str = "Track") -> str:
    """A rule about ``?t``, named ``rule:NAME``; `values` are its further variables."""
    body = f"If {condition} Then Do( {actions} )" if condition else f"Do( {actions} )"
    return f"(* rule:{name} *) Forall ?t {values} such that ( ?t # tm:{of} ) ( {body} )"


def document(*rules: str, priority: int = 0) -> str:
    """A document in presentation syntax."""
    return f"Document( {HEAD} Group {priority} ( {' '.join(rules)} ) )"


def write(folder: Path, *rules: str, name: str = "own.rifps", priority: int = 0) -> Path:
    """The same as a file."""
    path = folder / name
    path.write_text(document(*rules, priority=priority), encoding="utf-8")
    return path


def capabilities(folder: Path, *offers: str, label: str = "a small desk") -> Path:
    """A capability file."""
    path = folder / "desk.ttl"
    named = f"; rdfs:label '{label}'" if label else ""
    offered = f"; tm:offers {', '.join(f'tm:{o}' for o in offers)}" if offers else ""
    path.write_text(
        "@prefix tm: <urn:tonmeister:mix#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        f"<urn:example:desk> a tm:System {named} {offered} .\n",
        encoding="utf-8",
    )
    return path

"""A model from a file of any kind that is known: JSON (the master), TOML (rules), BIF, or what pyAgrum reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tonmeister.engines.expert.knowledge import Knowledge, knowledge, load_knowledge
from tonmeister.engines.expert.network import Network
from tonmeister.errors import BadInputError

__all__ = ["load_any", "with_network"]


def load_any(path: Path | None) -> Knowledge:
    """The shipped knowledge, or that with a model from a file in its place.

    A network without rules (BIF and the like) keeps the shipped rules and bins as far as nodes and states agree.
    """
    if path is None:
        return knowledge()
    suffix = path.suffix.lower()
    if suffix == ".toml":
        return load_knowledge(path)
    if suffix == ".json":
        from tonmeister.engines.expert.model import load_model

        return _usable(replace(knowledge(), model=load_model(path)), path)
    if suffix == ".bif":
        from tonmeister.engines.expert.bif import load_bif

        return _usable(with_network(load_bif(path)), path)
    from tonmeister.engines.expert.foreign import load_foreign

    return _usable(with_network(load_foreign(path)), path)


def with_network(network: Network) -> Knowledge:
    """The shipped knowledge around another network; what speaks of other nodes or states is left out."""
    shipped = knowledge()
    model = shipped.model

    def same(name: str) -> bool:
        return name in network.nodes and network.nodes[name].states == model.network.nodes[name].states

    def parents_kept(then: str, when: object) -> bool:
        return same(then) and all(p in network.tables[then].parents and same(p) for p in when)  # type: ignore[attr-defined]

    return replace(
        shipped,
        model=replace(
            model,
            network=network,
            rules=tuple(r for r in model.rules if parents_kept(r.then, r.when)),
            habits={n: h for n, h in model.habits.items() if same(n)},
            bins={n: b for n, b in model.bins.items() if same(n)},
            choices={n: c for n, c in model.choices.items() if same(n)},
        ),
        words={k: v for k, v in shipped.words.items() if same(k[0])},
    )


def _usable(known: Knowledge, path: Path) -> Knowledge:
    """An engine needs instruments to tell tracks apart and a fader to move."""
    for name in ("Instrument", "FaderStep"):
        if name not in known.model.network.nodes:
            raise BadInputError(f"{path}: the network has no node {name!r}: the engine needs it")
    if "FaderStep" not in known.model.choices:
        raise BadInputError(f"{path}: the states of FaderStep are not those the engine knows")
    return known

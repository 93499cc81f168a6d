"""The human side: `production.toml`, or a file like it, compiled into a model.

A file that does not hold together (an unknown word, five parents, a circle of arcs) is refused in one line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.expert.evidence import Bins
from tonmeister.engines.expert.model import Choice, Model
from tonmeister.engines.expert.network import Network, Node
from tonmeister.engines.expert.rules import Rule, compile_table
from tonmeister.errors import BadInputError, nearest
from tonmeister.units import DoubleArray

__all__ = ["Knowledge", "Reference", "knowledge", "load_knowledge", "read_knowledge"]

_TABLES: Final = (
    "meta",
    "node",
    "evidence",
    "choice",
    "word",
    "alias",
    "reference",
    "rule",
    "hold",
    "structure",
)
_RULE_KEYS: Final = ("id", "when", "then", "prefer", "around", "width", "strength", "source", "grade", "text")
_MOST_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a kind of source stands at the soundcheck."""

    level_lu: float
    """Against the lead, or against the whole kit."""
    spread_lu: float
    """How much that differs between songs."""
    of_kit: bool
    of_rest: bool
    """Whether it is part of the rest of the kit, which was measured as one."""
    source: str
    grade: str


@dataclass(frozen=True, eq=False)
class Knowledge:
    """A knowledge file: the compiled model and what surrounds it."""

    model: Model
    words: Mapping[tuple[str, str], DoubleArray]
    """(node, word) -> likelihood per state."""
    aliases: Mapping[str, str]
    """Instrument -> the state of the node ``Instrument`` it falls under, where the tree of words does not say."""
    references: Mapping[str, Reference]
    """Instrument (or ``whole kit``) -> its level at the soundcheck."""
    candidates: Mapping[str, tuple[str, ...]]
    """Decision -> the parents it may get when the structure is learned."""


@cache
def knowledge() -> Knowledge:
    """What is shipped."""
    return read_knowledge(files(__package__).joinpath("production.toml").read_text(encoding="utf-8"))


def load_knowledge(path: Path) -> Knowledge:
    """A knowledge file of the user's."""
    from tonmeister.engines.expert.files import read_text

    try:
        return read_knowledge(read_text(path, _MOST_BYTES))
    except BadInputError as error:
        raise BadInputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def read_knowledge(text: str) -> Knowledge:
    """Compile a knowledge file's text."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInputError(f"is not valid TOML ({error}): correct that line") from None
    for key in data:
        if key not in _TABLES:
            raise BadInputError(f"table={key!r} is not known{nearest(key, list(_TABLES))}")
    try:
        return _compiled(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"something is missing or of the wrong kind ({error})") from None


def _compiled(data: Mapping[str, Any]) -> Knowledge:
    nodes = {n["name"]: Node(n["name"], tuple(n["states"]), n.get("kind", "given")) for n in data["node"]}
    choices = {c["node"]: _choice(c, nodes) for c in data.get("choice", ())}
    rules = tuple(_rules(data, nodes, choices))
    model = Model(
        network=_network(data, nodes, rules),
        rules=rules,
        habits={n["name"]: _habit(n, nodes) for n in data["node"]},
        bins={b["node"]: _bins(b, nodes) for b in data.get("evidence", ())},
        choices=choices,
    )
    return Knowledge(
        model,
        {(w["node"], w["word"]): _word(w, nodes) for w in data.get("word", ())},
        {w: _alias(a, nodes) for a in data.get("alias", ()) for w in a["words"]},
        {name: _reference(r) for r in data.get("reference", ()) for name in r["instruments"]},
        {s["node"]: tuple(s["candidates"]) for s in data.get("structure", ())},
    )


def _network(data: Mapping[str, Any], nodes: Mapping[str, Node], rules: tuple[Rule, ...]) -> Network:
    tables = {}
    for entry in data["node"]:
        node = nodes[entry["name"]]
        parents = [_node(nodes, p) for p in entry.get("parents", ())]
        mine = [r for r in rules if r.then == node.name]
        tables[node.name] = compile_table(node, parents, _habit(entry, nodes), mine)
    before = {e["name"]: e["past_of"] for e in data["node"] if "past_of" in e}
    return Network(str(data["meta"]["name"]), dict(nodes), tables, before)


def _node(nodes: Mapping[str, Node], name: str) -> Node:
    if name not in nodes:
        raise BadInputError(f"there is no node {name!r}{nearest(name, list(nodes))}")
    return nodes[name]


def _habit(entry: Mapping[str, Any], nodes: Mapping[str, Node]) -> DoubleArray:
    node = nodes[entry["name"]]
    habit = np.array(entry.get("habit", [1.0 / len(node.states)] * len(node.states)), dtype=np.float64)
    if habit.shape != (len(node.states),) or not (habit > 0.0).all() or abs(habit.sum() - 1.0) > 1e-6:
        raise BadInputError(f"{node.name}: habit needs {len(node.states)} positive numbers that add up to 1")
    return np.asarray(habit / habit.sum())


def _choice(entry: Mapping[str, Any], nodes: Mapping[str, Node]) -> Choice:
    node = _node(nodes, entry["node"])
    values = tuple(None if v == "off" else float(v) for v in entry["values"])
    if len(values) != len(node.states):
        raise BadInputError(f"choice {node.name}: {len(values)} values for {len(node.states)} states")
    return Choice(node.name, entry["control"], values, entry["source"], entry["grade"])


def _bins(entry: Mapping[str, Any], nodes: Mapping[str, Node]) -> Bins:
    node = _node(nodes, entry["node"])
    if len(entry["centers"]) != len(node.states):
        raise BadInputError(
            f"evidence {node.name}: {len(entry['centers'])} centers, {len(node.states)} states"
        )
    return Bins(
        node.name, entry["feature"], tuple(map(float, entry["centers"])), entry["source"], entry["grade"]
    )


def _word(entry: Mapping[str, Any], nodes: Mapping[str, Node]) -> DoubleArray:
    from tonmeister.engines.expert.evidence import likelihood

    found = likelihood(_node(nodes, entry["node"]), entry["likelihood"], None)
    assert found is not None
    return found


def _alias(entry: Mapping[str, Any], nodes: Mapping[str, Node]) -> str:
    node = _node(nodes, entry["node"])
    return node.states[node.index(entry["state"])]


def _reference(entry: Mapping[str, Any]) -> Reference:
    of_kit = {"lead": False, "kit": True}[entry["relative_to"]]
    return Reference(
        float(entry["level_lu"]),
        float(entry["spread_lu"]),
        of_kit,
        entry.get("part") == "rest",
        entry["source"],
        entry["grade"],
    )


def _rules(
    data: Mapping[str, Any], nodes: Mapping[str, Node], choices: Mapping[str, Choice]
) -> Iterator[Rule]:
    seen: set[str] = set()
    made = [_rule(e, nodes, choices) for e in data.get("rule", ())]
    made += [rule for e in data.get("hold", ()) for rule in _held(e, nodes)]
    for rule in made:
        if rule.id in seen:
            raise BadInputError(f"rule {rule.id}: there are two of that id")
        seen.add(rule.id)
        yield rule


def _rule(entry: Mapping[str, Any], nodes: Mapping[str, Node], choices: Mapping[str, Choice]) -> Rule:
    for key in entry:
        if key not in _RULE_KEYS:
            raise BadInputError(
                f"rule {entry.get('id')}: key={key!r} is not known{nearest(key, list(_RULE_KEYS))}"
            )
    node = _node(nodes, entry["then"])
    when = {
        name: (states,) if isinstance(states, str) else tuple(states)
        for name, states in entry["when"].items()
    }
    for name, states in when.items():
        for state in states:
            _node(nodes, name).index(state)
    prefer = entry["prefer"] if "prefer" in entry else _around(entry, node, choices)
    for state in prefer:
        node.index(state)
    return Rule(entry["id"], node.name, dict(prefer), float(entry["strength"]), when, entry["source"],
                entry["grade"], entry["text"])  # fmt: skip


def _around(entry: Mapping[str, Any], node: Node, choices: Mapping[str, Choice]) -> dict[str, float]:
    """1 - ((value - around) / width)^2 where positive; nothing for "off"."""
    center, width = float(entry["around"]), float(entry["width"])
    shares = {
        state: 1.0 - ((value - center) / width) ** 2
        for state, value in zip(node.states, choices[node.name].values, strict=True)
        if value is not None
    }
    return {state: share for state, share in shares.items() if share > 0.0}


def _held(entry: Mapping[str, Any], nodes: Mapping[str, Node]) -> Iterator[Rule]:
    """A rule per state: stay there, or beside it."""
    node, before = _node(nodes, entry["then"]), _node(nodes, entry["before"])
    for index, state in enumerate(node.states):
        beside = {
            node.states[i]: float(entry["near"]) for i in (index - 1, index + 1) if 0 <= i < len(node.states)
        }
        yield Rule(f"{entry['id']}/{state}", node.name, {**beside, state: 1.0}, float(entry["strength"]),
                   {before.name: (state,)}, entry["source"], entry["grade"], entry["text"])  # fmt: skip

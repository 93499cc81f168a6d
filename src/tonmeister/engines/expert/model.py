"""An expert: a network, the rules and habits it was compiled from, how numbers become findings, what it was taught.

The master copy of a model is JSON (`save_model`, `load_model`), exact to the last bit: nodes, tables by named parents,
rules with the rows in which they hold, strength of the prior, counts, version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.expert.evidence import Bins, Finding, likelihood
from tonmeister.engines.expert.network import Network, Node, Table
from tonmeister.engines.expert.rules import Rule
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray

__all__ = ["Choice", "Model", "load_model", "model_from_dict", "model_to_dict", "save_model"]

FORMAT: Final = "tonmeister-expert"
SCHEMA_VERSION: Final = 1
_MOST_BYTES: Final = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Choice:
    """How a decision node is read as a control: a value per state, None for "off"."""

    node: str
    control: str
    """Name of the control in operation logs and decisions, with its unit."""
    values: tuple[float | None, ...]
    source: str
    grade: str = "R"

    @property
    def graded(self) -> bool:
        """Whether a value between two states makes sense: levels and places, not switches or kinds of rooms."""
        return self.control.endswith("_db") or self.control == "pan"


@dataclass(frozen=True, eq=False)
class Model:
    """Everything the engine, the live filter and learning need."""

    network: Network
    rules: tuple[Rule, ...] = ()
    habits: Mapping[str, DoubleArray] = field(default_factory=dict)
    """P0 of each node that rules speak about."""
    bins: Mapping[str, Bins] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    kappa: float = math.inf
    """Strength of the hand-built tables when the model was taught; infinite when it never was."""
    counts: Mapping[str, DoubleArray] = field(default_factory=dict)
    """N(d, pa) of the learned tables."""
    taught_by: tuple[str, ...] = ()
    """The logs it learned from."""

    def find(self, name: str, finding: Finding) -> DoubleArray | None:
        """A finding about a node as a likelihood per state; None where nothing is known."""
        return likelihood(self.network.node(name), finding, self.bins.get(name))

    def rule(self, id: str) -> Rule:
        """A rule by its id."""
        return next(rule for rule in self.rules if rule.id == id)

    def learned(self, name: str) -> bool:
        """Whether the table of a node has seen data."""
        return name in self.counts and bool(self.counts[name].sum() > 0)

    def with_tables(self, *tables: Table, **changes: Any) -> Model:
        """The model with other tables."""
        return replace(self, network=self.network.with_tables(*tables), **changes)


# JSON


def model_to_dict(model: Model) -> dict[str, Any]:
    """Plain data; floats are exact."""
    network = model.network
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "name": network.name,
        "nodes": [{"name": n.name, "kind": n.kind, "states": list(n.states)} for n in network.nodes.values()],
        "arcs": [list(arc) for arc in network.arcs],
        "before": dict(network.before),
        "tables": [_table_to_dict(network, t) for t in network.tables.values()],
        "rules": [_rule_to_dict(network, rule) for rule in model.rules],
        "habits": {name: habit.tolist() for name, habit in model.habits.items()},
        "bins": [asdict(b) for b in model.bins.values()],
        "choices": [asdict(c) for c in model.choices.values()],
        "kappa": None if math.isinf(model.kappa) else model.kappa,
        "counts": {name: counts.tolist() for name, counts in model.counts.items()},
        "taught_by": list(model.taught_by),
    }


def _table_to_dict(network: Network, table: Table) -> dict[str, Any]:
    return {
        "node": table.node,
        "parents": list(table.parents),
        "states": {name: list(network.nodes[name].states) for name in table.scope},
        "values": table.values.tolist(),
    }


def _rule_to_dict(network: Network, rule: Rule) -> dict[str, Any]:
    """The rule, and the numbers of the rows in which it holds (states of the parents counted in their order)."""
    from tonmeister.engines.expert.rules import covered

    parents = [network.node(p) for p in network.tables[rule.then].parents]
    known = set(rule.when) <= {p.name for p in parents}
    rows = np.flatnonzero(covered(rule, parents)).tolist() if known and rule.when else None
    return {
        "id": rule.id, "then": rule.then, "prefer": dict(rule.prefer), "strength": rule.strength,
        "when": {k: list(v) for k, v in rule.when.items()}, "source": rule.source, "grade": rule.grade,
        "text": rule.text, "rows": rows,
    }  # fmt: skip


def model_from_dict(data: Any) -> Model:
    """The inverse of `model_to_dict`; raises `BadInputError` for anything else."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise BadInputError("this is no model of the engine 'expert': give a file that tonmeister wrote")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BadInputError(f"schema_version={version!r}: this tonmeister reads {SCHEMA_VERSION}")
    try:
        return _model(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"the model is damaged ({type(error).__name__}: {error})") from None


def _model(data: Mapping[str, Any]) -> Model:
    nodes = {n["name"]: Node(n["name"], tuple(n["states"]), n["kind"]) for n in data["nodes"]}
    tables = {t["node"]: _table_from_dict(t, nodes) for t in data["tables"]}
    network = Network(str(data["name"]), nodes, tables, dict(data["before"]))
    kappa = data["kappa"]
    return Model(
        network=network,
        rules=tuple(_rule_from_dict(r) for r in data["rules"]),
        habits={name: _numbers(values) for name, values in data["habits"].items()},
        bins={b["node"]: Bins(**{**b, "centers": tuple(b["centers"])}) for b in data["bins"]},
        choices={c["node"]: Choice(**{**c, "values": tuple(c["values"])}) for c in data["choices"]},
        kappa=math.inf if kappa is None else float(kappa),
        counts={name: _numbers(values) for name, values in data["counts"].items()},
        taught_by=tuple(map(str, data["taught_by"])),
    )


def _table_from_dict(data: Mapping[str, Any], nodes: Mapping[str, Node]) -> Table:
    table = Table(str(data["node"]), tuple(data["parents"]), _numbers(data["values"]))
    for name, states in data["states"].items():
        if tuple(states) != nodes[name].states:
            raise BadInputError(f"table of {table.node}: its states of {name} are not those of the node")
    return table


def _rule_from_dict(data: Mapping[str, Any]) -> Rule:
    return Rule(
        id=data["id"], then=data["then"], prefer=dict(data["prefer"]), strength=float(data["strength"]),
        when={k: tuple(v) for k, v in data["when"].items()}, source=data["source"], grade=data["grade"],
        text=data["text"],
    )  # fmt: skip


def _numbers(values: Sequence[Any]) -> DoubleArray:
    return np.array(values, dtype=np.float64)


def save_model(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write the master copy."""
    from tonmeister.engines.expert.files import write_text

    write_text(
        path,
        json.dumps(model_to_dict(model), ensure_ascii=False, allow_nan=False) + "\n",
        overwrite=overwrite,
    )


def load_model(path: Path) -> Model:
    """Read a master copy; raises `BadInputError` in one line for anything that is not one."""
    from tonmeister.engines.expert.files import read_text

    try:
        return model_from_dict(json.loads(read_text(path, _MOST_BYTES), parse_constant=_refuse))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInputError(f"{path}: is not JSON ({error})") from None
    except BadInputError as error:
        raise BadInputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def _refuse(word: str) -> float:
    raise BadInputError(f"{word} is not a number a model may hold")

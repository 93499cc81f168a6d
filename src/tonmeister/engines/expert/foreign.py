"""Networks of other programs: pyAgrum (the extra `expert`) reads and writes XDSL, BIFXML, NET, DSL, UAI and O3PRM.

A cell is addressed by the names of its states, never by the order of axes, which differs between libraries.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.engines.expert.knowledge import knowledge
from tonmeister.engines.expert.network import Network, Node, Table
from tonmeister.errors import BadInputError, MissingExtraError, OutputError, nearest

__all__ = ["FORMATS", "from_pyagrum", "library", "load_foreign", "save_foreign", "to_pyagrum"]

FORMATS: Final = (".bif", ".xdsl", ".bifxml", ".net", ".dsl")
_MOST_BYTES: Final = 32 * 2**20


def library() -> Any:
    """pyAgrum, or a `MissingExtraError`."""
    try:
        with (
            warnings.catch_warnings()
        ):  # the binding warns on import, and does not survive a warning that is an error
            warnings.simplefilter("ignore", DeprecationWarning)
            import pyagrum
    except ImportError:
        raise MissingExtraError("this network format", extra="expert") from None
    return pyagrum


def to_pyagrum(network: Network) -> Any:
    """The network as pyAgrum's object."""
    gum = library()
    made = gum.BayesNet(network.name)
    for node in network.nodes.values():
        made.add(gum.LabelizedVariable(node.name, node.name, list(node.states)))
    for parent, child in network.arcs:
        made.addArc(parent, child)
    for table in network.tables.values():
        states = [network.nodes[p].states for p in table.parents]
        rows = table.values.reshape(-1, table.values.shape[-1])
        cpt = made.cpt(table.node)
        for words, row in zip(itertools.product(*states), rows, strict=True):
            cpt[dict(zip(table.parents, words, strict=True))] = row.tolist()
    return made


def from_pyagrum(made: Any, like: Network | None = None) -> Network:
    """pyAgrum's object as a network; kinds and links between slices come from `like` where names agree."""
    names = [made.variable(i).name() for i in made.nodes()]
    known: Mapping[str, Node] = like.nodes if like is not None else {}
    nodes = {
        name: Node(name, tuple(made.variable(name).labels()), known[name].kind if name in known else "given")
        for name in names
    }
    tables = {name: _table(made, name, nodes) for name in names}
    before = {p: n for p, n in (like.before if like is not None else {}).items() if p in nodes and n in nodes}
    return Network(
        str(made.property("name")) if "name" in made.properties() else "network", nodes, tables, before
    )


def _table(made: Any, name: str, nodes: Mapping[str, Node]) -> Table:
    cpt = made.cpt(name)
    parents = tuple(n for n in cpt.names if n != name)
    values = np.empty([len(nodes[n].states) for n in (*parents, name)])
    for row in np.ndindex(*values.shape[:-1]):
        words = {p: nodes[p].states[i] for p, i in zip(parents, row, strict=True)}
        values[row] = np.asarray(cpt[words], dtype=np.float64)
    total = values.sum(axis=-1, keepdims=True)
    if (np.abs(total - 1.0) > 1e-4).any():
        raise BadInputError(f"{name}: a row of its table does not add up to 1")
    return Table(name, parents, values / total)


def load_foreign(path: Path) -> Network:
    """Read a network in a format of another program."""
    gum = library()
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise BadInputError(f"{path}: {suffix!r} is no format of a network{nearest(suffix, list(FORMATS))}")
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise BadInputError(f"{path}: is not there, or too large for a network")
    try:
        made = gum.loadBN(str(path))
    except Exception as error:  # the library has some twenty exceptions of its own
        raise BadInputError(f"{path}: cannot be read as a network ({_line(error)})") from None
    return from_pyagrum(made, knowledge().model.network)


def save_foreign(network: Network, path: Path, *, overwrite: bool = False) -> None:
    """Write a network in the format that the name's ending says."""
    gum = library()
    if path.suffix.lower() not in FORMATS:
        known = nearest(path.suffix, list(FORMATS)) or f": use {', '.join(FORMATS)}"
        raise BadInputError(f"{path}: {path.suffix!r} is no format of a network{known}")
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    try:
        gum.saveBN(to_pyagrum(network), str(path))
    except Exception as error:  # as above
        raise OutputError(f"{path}: could not be written ({_line(error)})") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

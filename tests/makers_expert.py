"""Makers for the engine expert: random networks, and posteriors by brute force, written another way than the engine's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.expert.network import Network, Node, Table

Vector = NDArray[np.float64]


def random_network(random: np.random.Generator, count: int, most_parents: int = 3) -> Network:
    """Nodes of 2 to 4 states (unequal sizes catch swapped axes), each with some of the earlier ones as parents."""
    nodes = {
        f"N{k}": Node(f"N{k}", tuple(f"s{i}" for i in range(random.integers(2, 5)))) for k in range(count)
    }
    names = list(nodes)
    tables = {}
    for k, name in enumerate(names):
        wanted = min(k, int(random.integers(0, most_parents + 1)))
        parents = tuple(str(p) for p in random.permutation(names[:k])[:wanted])
        shape = [len(nodes[n].states) for n in (*parents, name)]
        values = random.gamma(0.7, size=shape) + 1e-3
        tables[name] = Table(name, parents, values / values.sum(axis=-1, keepdims=True))
    order = [str(n) for n in random.permutation(names)]
    return Network("random", {n: nodes[n] for n in order}, tables)


def enumerated(network: Network, asked: str, findings: Mapping[str, Vector]) -> Vector:
    """P(asked | findings) from the whole joint distribution, every combination of states."""
    names = list(network.nodes)
    joint = np.ones([len(network.nodes[n].states) for n in names])
    factors = [(table.scope, table.values) for table in network.tables.values()]
    factors += [((name,), found) for name, found in findings.items()]
    for scope, values in factors:
        order = sorted(range(len(scope)), key=lambda axis: names.index(scope[axis]))
        shape = [len(network.nodes[n].states) if n in scope else 1 for n in names]
        joint *= np.transpose(values, order).reshape(shape)
    result = joint.sum(axis=tuple(i for i, n in enumerate(names) if n != asked))
    return np.asarray(result / result.sum())


def two_slice_network(random: np.random.Generator) -> Network:
    """Two carried nodes (one drives the other through a hidden one), and two that are heard."""
    sizes = {"ABefore": 2, "A": 2, "FBefore": 3, "H": 3, "F": 3, "X": 2, "Y": 3}
    parents: dict[str, tuple[str, ...]] = {
        "ABefore": (), "FBefore": (), "A": ("ABefore",), "H": ("A",), "F": ("H", "FBefore"), "X": ("A",), "Y": ("F",),
    }  # fmt: skip
    nodes = {
        n: Node(n, tuple(f"s{i}" for i in range(s)), "before" if "Before" in n else "sound")
        for n, s in sizes.items()
    }
    tables = {}
    for name, above in parents.items():
        values = random.gamma(1.0, size=[sizes[n] for n in (*above, name)]) + 0.05
        tables[name] = Table(name, above, values / values.sum(axis=-1, keepdims=True))
    return Network("slices", nodes, tables, {"ABefore": "A", "FBefore": "F"})


def unrolled(network: Network, slices: int) -> Network:
    """The network written out: slice k's nodes are called NAME_k, those of the past are the slice before."""
    nodes: dict[str, Node] = {}
    tables: dict[str, Table] = {}
    for k in range(slices):

        def name(n: str, k: int = k) -> str:
            return f"{network.before[n]}_{k - 1}" if n in network.before and k else f"{n}_{k}"

        for n, node in network.nodes.items():
            if n in network.before and k:
                continue
            table = network.tables[n]
            nodes[name(n)] = Node(name(n), node.states)
            tables[name(n)] = Table(name(n), tuple(name(p) for p in table.parents), table.values)
    return Network("unrolled", nodes, tables)


def random_findings(
    random: np.random.Generator, network: Network, names: Sequence[str], kind: str
) -> dict[str, Any]:
    """None, certain states, or likelihoods."""
    found = {}
    for name in names:
        size = len(network.nodes[name].states)
        if kind == "hard":
            found[name] = np.eye(size)[random.integers(size)]
        elif kind == "soft":
            found[name] = random.random(size) + 1e-3
    return found

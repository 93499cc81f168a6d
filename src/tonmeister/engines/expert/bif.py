"""BIF, the Bayesian interchange format: the part that is written here, read without any library.

Rows are written by the names of the parents' states, so a reader that orders parents differently reads the same table.
The kinds of nodes and the links between slices stand in comments, which other programs skip.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.expert.network import MOST_CELLS, Network, Node, Table
from tonmeister.errors import BadInputError

__all__ = ["bif_text", "load_bif", "network_from_bif", "save_bif"]

_DIGITS: Final = 9
_MOST_BYTES: Final = 32 * 2**20
_KIND: Final = re.compile(r"^// kind (?P<name>\w+) (?P<word>\w+)$", re.MULTILINE)
_BEFORE: Final = re.compile(r"^// before (?P<past>\w+) (?P<now>\w+)$", re.MULTILINE)
_TOKEN: Final = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"]*"|[{}()\[\];|,]|[^\s{}()\[\];|,"]+', re.DOTALL)


def bif_text(network: Network) -> str:
    """The network as BIF; probabilities carry 9 digits."""
    lines = [f'network "{network.name}" {{', "}"]
    lines += [f"// kind {node.name} {node.kind}" for node in network.nodes.values()]
    lines += [f"// before {past} {now}" for past, now in network.before.items()]
    for node in network.nodes.values():
        states = ", ".join(node.states)
        lines += [f"variable {node.name} {{", f"  type discrete[{len(node.states)}] {{{states}}};", "}"]
    for name in network.nodes:
        lines += _table_lines(network, network.tables[name])
    return "\n".join(lines) + "\n"


def _table_lines(network: Network, table: Table) -> Iterator[str]:
    if not table.parents:
        yield f"probability ({table.node}) {{"
        yield f"  table {_row(table.values)};"
    else:
        yield f"probability ({table.node} | {', '.join(table.parents)}) {{"
        states = [network.node(p).states for p in table.parents]
        rows = table.values.reshape(-1, table.values.shape[-1])
        for words, row in zip(itertools.product(*states), rows, strict=True):
            yield f"  ({', '.join(words)}) {_row(row)};"
    yield "}"


def _row(values: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return ", ".join(f"{float(v):.{_DIGITS}g}" for v in values)


def save_bif(network: Network, path: Path, *, overwrite: bool = False) -> None:
    """Write a BIF file."""
    from tonmeister.engines.expert.files import write_text

    write_text(path, bif_text(network), overwrite=overwrite)


def load_bif(path: Path) -> Network:
    """Read a BIF file; raises `BadInputError` in one line for anything else."""
    from tonmeister.engines.expert.files import read_text

    try:
        return network_from_bif(read_text(path, _MOST_BYTES))
    except BadInputError as error:
        raise BadInputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def network_from_bif(text: str) -> Network:
    """The inverse of `bif_text`; also reads what other programs write with rows by states or one flat table."""
    tokens = _Tokens([t for t in _TOKEN.findall(text) if not t.startswith(("//", "/*"))])
    name, nodes, tables = "network", dict[str, Node](), dict[str, Table]()
    kinds = {match["name"]: match["word"] for match in _KIND.finditer(text)}
    while (word := tokens.next_or_none()) is not None:
        if word == "network":
            name = tokens.next().strip('"')
            tokens.skip_block()
        elif word == "variable":
            node = _variable(tokens, kinds)
            if node.name in nodes:
                raise BadInputError(f"variable {node.name} is declared twice")
            nodes[node.name] = node
        elif word == "probability":
            table = _probability(tokens, nodes)
            tables[table.node] = table
        else:
            raise BadInputError(f"BIF: {word!r} where network, variable or probability was expected")
    before = {m["past"]: m["now"] for m in _BEFORE.finditer(text) if {m["past"], m["now"]} <= nodes.keys()}
    return Network(name, nodes, tables, before)


class _Tokens:
    """The words of the file, one after another."""

    def __init__(self, words: list[str]) -> None:
        self._words, self._at = words, 0

    def next_or_none(self) -> str | None:
        if self._at >= len(self._words):
            return None
        self._at += 1
        return self._words[self._at - 1]

    def next(self) -> str:
        word = self.next_or_none()
        if word is None:
            raise BadInputError("BIF: the file ends in the middle")
        return word

    def expect(self, wanted: str) -> None:
        word = self.next()
        if word != wanted:
            raise BadInputError(f"BIF: {word!r} where {wanted!r} was expected")

    def until(self, end: str) -> list[str]:
        words = []
        while (word := self.next()) != end:
            words.append(word)
        return words

    def skip_block(self) -> None:
        self.expect("{")
        self.until("}")


def _variable(tokens: _Tokens, kinds: Mapping[str, str]) -> Node:
    name, states = tokens.next(), tuple[str, ...]()
    tokens.expect("{")
    while (word := tokens.next()) != "}":
        words = tokens.until(";")
        if word == "type":
            states = (
                tuple(w for w in words[words.index("{") + 1 :] if w not in (",", "}")) if "{" in words else ()
            )
    return Node(name, states, kinds.get(name, "given"))


def _probability(tokens: _Tokens, nodes: dict[str, Node]) -> Table:
    tokens.expect("(")
    scope = [w for w in tokens.until(")") if w not in ("|", ",")]
    for name in scope:
        if name not in nodes:
            raise BadInputError(f"probability of {name!r}, which is no variable")
    node, parents = nodes[scope[0]], [nodes[p] for p in scope[1:]]
    shape = [len(n.states) for n in (*parents, node)]
    if np.prod(shape, dtype=np.float64) > MOST_CELLS:
        raise BadInputError(f"{node.name}: a table of {np.prod(shape)} cells, more than {MOST_CELLS}")
    values = np.full(shape, np.nan)
    tokens.expect("{")
    while (word := tokens.next()) != "}":
        if word == "table":
            _fill_flat(values, tokens, node.name)
        elif word == "default":
            values[np.isnan(values).any(axis=-1)] = _floats(tokens, shape[-1], node.name)
        elif word == "(":
            words = [w for w in tokens.until(")") if w != ","]
            if len(words) != len(parents):
                raise BadInputError(f"{node.name}: a row of {len(words)} states, {len(parents)} parents")
            row = tuple(p.index(w) for p, w in zip(parents, words, strict=True))
            values[row] = _floats(tokens, shape[-1], node.name)
        else:
            tokens.until(";")
    if np.isnan(values).any():
        raise BadInputError(f"{node.name}: rows of its table are missing")
    return Table(node.name, tuple(p.name for p in parents), values)


def _fill_flat(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], tokens: _Tokens, name: str) -> None:
    """A flat table runs over the node's states slowest, then over the parents in order."""
    flat = _floats(tokens, values.size, name)
    values[...] = np.moveaxis(flat.reshape(values.shape[-1], *values.shape[:-1]), 0, -1)


def _floats(tokens: _Tokens, count: int, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    words = [w for w in tokens.until(";") if w != ","]
    if len(words) != count:
        raise BadInputError(f"{name}: {len(words)} numbers where {count} were expected")
    try:
        return np.array([float(w) for w in words])
    except ValueError as error:
        raise BadInputError(f"{name}: {error}") from None

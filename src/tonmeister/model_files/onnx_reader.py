"""Reads an ONNX file far enough to know what it would do, before anything runs it.

An ONNX file is a protocol-buffer message: a row of fields, each a key (number << 3 | wire type) and a value. Only what
decides on safety is read: the operators with their domains, subgraphs, functions, and where the weights lie. Every
length is checked against its message, nesting is by our own few levels, and nothing is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tonmeister.errors import ModelError

__all__ = ["NetworkFacts", "network_facts"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_FIELDS: Final = 2_000_000
_MAX_NODES: Final = 20_000
_MAX_TEXT: Final = 256
_EXTERNAL: Final = 1

# Field numbers of onnx.proto (ONNX 1.17, IR version 10)
_MODEL_IR_VERSION, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_TRAINING, _MODEL_FUNCTIONS = 1, 7, 8, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE: Final = (22, 23)
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What an ONNX file contains."""

    ir_version: int
    opsets: frozenset[tuple[str, int]]
    """(domain, version); the domain of ONNX itself is the empty word."""
    operators: frozenset[tuple[str, str]]
    """(domain, operator) of every node."""
    nodes: int


def network_facts(data: bytes) -> NetworkFacts:
    """The facts of an ONNX file's bytes.

    Raises `ModelError` for what is no ONNX, is cut off, keeps weights outside the file, or has control flow,
    functions, sparse tensors or training instructions inside.
    """
    reader = _Reader(data)
    whole = (0, len(data))
    fields = list(reader.fields(whole))
    graphs = [span for number, _, span in fields if number == _MODEL_GRAPH and span]
    versions = [value for number, value, span in fields if number == _MODEL_IR_VERSION and span is None]
    if len(graphs) != 1 or len(versions) != 1:
        raise ModelError("this is not an ONNX network: get the model again")
    if any(number in (_MODEL_TRAINING, _MODEL_FUNCTIONS) for number, _, _ in fields):
        raise ModelError("the network brings functions of its own: only plain networks are run")
    opsets = frozenset(reader.opset(span) for number, _, span in fields if number == _MODEL_OPSET and span)
    operators, nodes = reader.graph(graphs[0])
    return NetworkFacts(versions[0], opsets, operators, nodes)


_Span = tuple[int, int]
_Field = tuple[int, int, _Span | None]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MAX_FIELDS

    def graph(self, span: _Span) -> tuple[frozenset[tuple[str, str]], int]:
        """(domain, operator) of the nodes, and how many nodes there are."""
        operators, nodes = set(), 0
        for number, _, inner in self.fields(span):
            if number == _GRAPH_NODE:
                operators.add(self._node(_message(inner)))
                nodes += 1
            elif number == _GRAPH_INITIALIZER:
                self._check_tensor(_message(inner))
            elif number == _GRAPH_SPARSE:
                raise ModelError("the network has sparse tensors, which are not run")
        if not 0 < nodes <= _MAX_NODES:
            raise ModelError(f"the network has {nodes} nodes: 1 to {_MAX_NODES} are run")
        return frozenset(operators), nodes

    def opset(self, span: _Span) -> tuple[str, int]:
        """(domain, version)."""
        domain, version = "", 0
        for number, value, inner in self.fields(span):
            if number == _OPSET_DOMAIN:
                domain = self._text(_message(inner))
            elif number == _OPSET_VERSION:
                version = value
        return _plain_domain(domain), version

    def _node(self, span: _Span) -> tuple[str, str]:
        domain, operator = "", ""
        for number, _, inner in self.fields(span):
            if number == _NODE_OPERATOR:
                operator = self._text(_message(inner))
            elif number == _NODE_DOMAIN:
                domain = self._text(_message(inner))
            elif number == _NODE_ATTRIBUTE:
                self._check_attribute(_message(inner))
        return _plain_domain(domain), operator

    def _check_attribute(self, span: _Span) -> None:
        for number, _, inner in self.fields(span):
            if number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                raise ModelError("the network has branches or loops: only plain networks are run")
            if number in _ATTRIBUTE_SPARSE:
                raise ModelError("the network has sparse tensors, which are not run")
            if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                self._check_tensor(_message(inner))

    def _check_tensor(self, span: _Span) -> None:
        for number, value, _ in self.fields(span):
            if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == _EXTERNAL):
                raise ModelError("the network keeps weights in other files: all must be in the one file")

    def fields(self, span: _Span) -> Iterator[_Field]:
        """(number, integer value, where the bytes lie) of each field of a message."""
        at, end = span
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise ModelError("the network has too many parts to be one of ours")
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            if wire == _VARINT:
                value, at = self._varint(at, end)
                yield number, value, None
            elif wire == _BYTES:
                length, at = self._varint(at, end)
                _within(at + length, end)
                yield number, 0, (at, at + length)
                at += length
            elif wire in (_FIXED32, _FIXED64):
                at += 4 if wire == _FIXED32 else 8
                _within(at, end)
                yield number, 0, None
            else:
                raise ModelError("this is not an ONNX network: get the model again")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            _within(at + 1, end)
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise ModelError("this is not an ONNX network: get the model again")

    def _text(self, span: _Span) -> str:
        start, end = span
        if end - start > _MAX_TEXT:
            raise ModelError("the network has names too long to be ours")
        return self._data[start:end].decode("utf-8", errors="replace")


def _message(span: _Span | None) -> _Span:
    if span is None:
        raise ModelError("this is not an ONNX network: get the model again")
    return span


def _within(at: int, end: int) -> None:
    if at > end:
        raise ModelError("the network is cut off: get the model again")


def _plain_domain(domain: str) -> str:
    """The two names of ONNX's own domain are one."""
    return "" if domain == "ai.onnx" else domain

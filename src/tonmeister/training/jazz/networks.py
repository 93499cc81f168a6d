"""The networks for training, in torch, and the same as ONNX or as plain arrays.

Separator, small:   7 frames of 256 bands (1792) -> 384 -> three highway 384 -> 256, sigmoid    1 674 112 weights
Separator, paper:   2049 bins -> five highway 2049                                             42 004 500
Placing, small:     256 bands -> two highway 256 -> 19 + 21, two softmax                          273 448
Placing, paper:     2049 bins -> two highway 2049 -> 40, one softmax                           16 883 800
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.jazz.placement import ANGLES_DEG, CLASSES, GAINS
from tonmeister.training.torch_library import torch_module

__all__ = [
    "build_pan",
    "build_solo",
    "highway_count",
    "pan_onnx",
    "published_order",
    "solo_onnx",
]

PAPER_BINS: Final = 2049
_GATE_BIAS: Final = -2.0
"""Gates begin nearly closed: a layer begins as the identity."""
_CENTER, _SCALE = 5.0, 0.4
"""Features run from -10 to 0: (x + 5) 0.4 is of unit size."""
_OPSET: Final = 17
_IR_VERSION: Final = 8


def highway_count(width: int, layers: int) -> int:
    """Weights of highway layers: 2 (n^2 + n) each."""
    return layers * 2 * (width * width + width)


def _highway(width: int) -> Any:
    torch: Any = torch_module()

    class Highway(torch.nn.Module):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.transform = torch.nn.Linear(width, width)
            self.gate = torch.nn.Linear(width, width)
            torch.nn.init.constant_(self.gate.bias, _GATE_BIAS)

        def forward(self, h: Any) -> Any:
            gate = torch.sigmoid(self.gate(h))
            return gate * torch.relu(self.transform(h)) + (1.0 - gate) * h

    return Highway()


def build_solo(*, paper: bool = False, bands: int = 256, context: int = 3, width: int = 384) -> Any:
    """The separator: features (n, bands (2 context + 1)) to logits of masks (n, bands).

    With `paper`, magnitudes (n, 2049) to the soloist's magnitudes (n, 2049).
    """
    nn: Any = torch_module().nn
    if paper:
        return nn.Sequential(*(_highway(PAPER_BINS) for _ in range(5)))
    hidden = [_highway(width) for _ in range(3)]
    return nn.Sequential(
        nn.Linear(bands * (2 * context + 1), width), nn.ReLU(), *hidden, nn.Linear(width, bands)
    )


def build_pan(*, paper: bool = False, bands: int = 256) -> Any:
    """The network that places: features (n, bands), with `paper` magnitudes (n, 2049), to forty scores."""
    nn: Any = torch_module().nn
    width = PAPER_BINS if paper else bands
    return nn.Sequential(_highway(width), _highway(width), nn.Linear(width, CLASSES))


def centered(features: Any) -> Any:
    """Features of about unit size; the exported network does this itself."""
    return (features + _CENTER) * _SCALE


def published_order(network: Any) -> list[NDArray[np.float32]]:
    """The arrays of a paper-sized network: Wh, bh, Wt, bt of each highway layer, then W, b of a dense one."""
    arrays: list[Any] = []
    for layer in network:
        parts = (layer.transform, layer.gate) if hasattr(layer, "gate") else (layer,)
        for part in parts:
            arrays += [part.weight.detach().numpy().T, part.bias.detach().numpy()]
    return [np.ascontiguousarray(a, np.float32) for a in arrays]


class _Graph:
    """Nodes and constants of an ONNX network, one after the other."""

    def __init__(self, entrance: str) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.now = entrance

    def add(self, operator: str, *more: str, name: str = "", **attributes: Any) -> str:
        """A node on what came last, and on `more`."""
        return self.on(operator, (self.now, *more), name, **attributes)

    def on(self, operator: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.now = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [self.now], **attributes))
        return self.now

    def constant(self, value: Any) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def dense(self, linear: Any, of: str) -> str:
        weight, bias = (self.constant(p.detach().numpy()) for p in (linear.weight, linear.bias))
        return self.on("Gemm", (of, weight, bias), transB=1)

    def highway(self, layer: Any) -> str:
        h = self.now
        transform = self.on("Relu", (self.dense(layer.transform, h),))
        gate = self.on("Sigmoid", (self.dense(layer.gate, h),))
        changed = self.on("Mul", (gate, self.on("Sub", (transform, h))))
        return self.on("Add", (h, changed))

    def centered(self) -> str:
        """`centered`, in the graph."""
        self.add("Add", self.constant(np.float32(_CENTER)))
        return self.add("Mul", self.constant(np.float32(_SCALE)))

    def bytes(
        self, inputs: Sequence[tuple[str, int]], outputs: Sequence[tuple[str, int]], title: str
    ) -> bytes:
        from onnx import TensorProto, helper

        def ports(rows: Sequence[tuple[str, int]]) -> list[Any]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", size]) for n, size in rows]

        graph = helper.make_graph(self.nodes, title, ports(inputs), ports(outputs), self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="tonmeister"
        )
        model.ir_version = _IR_VERSION
        return bytes(model.SerializeToString())


def solo_onnx(network: Any, *, bands: int, context: int) -> bytes:
    """The small separator: ``features`` (n, bands (2 context + 1)) to ``masks`` (n, bands)."""
    graph = _Graph("features")
    graph.centered()
    for layer in network:
        if hasattr(layer, "gate"):
            graph.highway(layer)
        elif hasattr(layer, "weight"):
            graph.dense(layer, graph.now)
        else:
            graph.add("Relu")
    graph.add("Sigmoid", name="masks")
    return graph.bytes([("features", bands * (2 * context + 1))], [("masks", bands)], "jazz-solo")


def pan_onnx(network: Any, pool: NDArray[np.float32]) -> bytes:
    """The small network that places: ``power`` (n, bins) to ``angles`` and ``gains``, logarithms of probabilities.

    Pooling to bands (`pool`: bands, bins) and the logarithm are its first layers.
    """
    graph = _Graph("power")
    graph.add("MatMul", graph.constant(np.ascontiguousarray(pool.T)))
    graph.add("Max", graph.constant(np.float32(1e-10)))
    graph.add("Log")
    graph.add("Mul", graph.constant(np.float32(1.0 / np.log(10.0))))
    graph.centered()
    for layer in network:
        if hasattr(layer, "gate"):
            graph.highway(layer)
        else:
            scores = graph.dense(layer, graph.now)
    border = graph.constant(np.array([0], np.int64)), graph.constant(np.array([len(ANGLES_DEG)], np.int64))
    end, axis = graph.constant(np.array([CLASSES], np.int64)), graph.constant(np.array([1], np.int64))
    graph.on("Slice", (scores, *border, axis))
    graph.add("LogSoftmax", name="angles", axis=1)
    graph.on("Slice", (scores, border[1], end, axis))
    graph.add("LogSoftmax", name="gains", axis=1)
    outputs = [("angles", len(ANGLES_DEG)), ("gains", len(GAINS))]
    return graph.bytes([("power", pool.shape[1])], outputs, "jazz-pan")

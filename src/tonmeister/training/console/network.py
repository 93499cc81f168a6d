"""The network: tracks as a set, each seeing all others; what it says does not depend on their order.

    columns (n, inputs) -> standardized -> 128 -> 64
    -> twice: [attention over the tracks, 4 heads] and [256], each around a residual path, normalized before
    -> 64 -> mean and spread of each control, probability of each insert

About 0.14 million weights. M. Zaheer et al., "Deep Sets", NeurIPS 2017; J. Lee et al., "Set Transformer", ICML 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.predict.outputs import CONTROLS, WANTED
from tonmeister.training.torch_library import torch_module

__all__ = ["HEADS", "LAYERS", "WIDTH", "build_network", "onnx_bytes", "weights_of"]

WIDTH: Final = 64
HEADS: Final = 4
LAYERS: Final = 2
_HIDDEN: Final = 128
_INNER: Final = 256
_EPSILON: Final = 1e-5
_OPSET: Final = 17
_IR_VERSION: Final = 8
LEAST_SPREAD: Final = 0.02
"""Of a control's prior spread: nothing is surer than that."""

Weights = Mapping[str, NDArray[np.float32]]


def build_network(inputs: int) -> Any:
    """For training: columns (songs, tracks, inputs) and which tracks there are (songs, tracks), to means, spreads and
    scores, each (songs, tracks, ...), in units of the controls' prior spreads."""
    torch: Any = torch_module()
    nn: Any = torch.nn

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm_a, self.norm_b = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
            self.up, self.down = nn.Linear(WIDTH, _INNER), nn.Linear(_INNER, WIDTH)
            self.drop = nn.Dropout(0.1)

        def forward(self, x: Any, there: Any) -> Any:
            a = self.norm_a(x)
            q, k, v = (self._split(part(a)) for part in (self.query, self.key, self.value))
            scores = q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
            scores = scores.masked_fill(~there[:, None, None, :], -1e9)
            mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
            x = x + self.drop(self.out(mixed))
            return x + self.drop(self.down(torch.relu(self.up(self.norm_b(x)))))

        def _split(self, x: Any) -> Any:
            return x.unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(1, 2)

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("center", torch.zeros(inputs))
            self.register_buffer("scale", torch.ones(inputs))
            self.first, self.second = nn.Linear(inputs, _HIDDEN), nn.Linear(_HIDDEN, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm, self.hidden = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)
            self.head = nn.Linear(WIDTH, 2 * len(CONTROLS) + len(WANTED))
            self.drop = nn.Dropout(0.1)

        def forward(self, x: Any, there: Any) -> tuple[Any, Any, Any]:
            x = ((x - self.center) * self.scale).clamp(-6.0, 6.0)
            x = self.second(self.drop(torch.relu(self.first(x))))
            for block in self.blocks:
                x = block(x, there)
            out = self.head(torch.relu(self.hidden(self.norm(x))))
            mean, spread, wanted = out.split([len(CONTROLS), len(CONTROLS), len(WANTED)], -1)
            return mean, torch.nn.functional.softplus(spread) + LEAST_SPREAD, wanted

    return Network()


def weights_of(network: Any, center: NDArray[Any], prior: NDArray[Any], stretch: NDArray[Any]) -> Weights:
    """The weights as plain arrays; `center` and `prior` bring the controls to their units, `stretch` corrects the
    spreads."""
    weights = {
        name: np.asarray(v.detach().cpu().numpy(), np.float32) for name, v in network.state_dict().items()
    }
    ends = {"control.center": center, "control.prior": prior, "control.spread": prior * stretch}
    return {**weights, **{name: np.asarray(value, np.float32) for name, value in ends.items()}}


class _Graph:
    """Nodes in order; every name is made once."""

    def __init__(self, weights: Weights) -> None:
        self.weights = dict(weights)
        self.nodes: list[Any] = []

    def constant(self, name: str, value: Any, kind: Any) -> str:
        self.weights[name] = np.asarray(value, kind)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def linear(self, x: str, name: str) -> str:
        return self.node("Gemm", [x, f"{name}.weight", f"{name}.bias"], f"{name}.out", transB=1)

    def norm(self, x: str, name: str) -> str:
        names = [x, f"{name}.weight", f"{name}.bias"]
        return self.node("LayerNormalization", names, f"{name}.out", axis=-1, epsilon=_EPSILON)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], f"{x}.relu")


def onnx_bytes(weights: Weights) -> bytes:
    """The same network as ONNX for one song: ``columns`` (n, inputs) to ``mean``, ``spread``, ``wanted`` (n, ...)."""
    from onnx import TensorProto, helper, numpy_helper

    graph = _Graph(weights)
    least, most = graph.constant("least", -6.0, np.float32), graph.constant("most", 6.0, np.float32)
    x = graph.node("Sub", ["columns", "center"], "centered")
    x = graph.node("Clip", [graph.node("Mul", [x, "scale"], "scaled"), least, most], "clipped")
    x = graph.linear(graph.relu(graph.linear(x, "first")), "second")
    for i in range(LAYERS):
        x = _block(graph, x, f"blocks.{i}")
    x = graph.linear(graph.relu(graph.linear(graph.norm(x, "norm"), "hidden")), "head")
    _ends(graph, x)
    wide, float32 = len(CONTROLS), TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        "console",
        [helper.make_tensor_value_info("columns", float32, ["n", len(weights["center"])])],
        [
            helper.make_tensor_value_info("mean", float32, ["n", wide]),
            helper.make_tensor_value_info("spread", float32, ["n", wide]),
            helper.make_tensor_value_info("wanted", float32, ["n", len(WANTED)]),
        ],
        [numpy_helper.from_array(value, name) for name, value in graph.weights.items()],
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="tonmeister"
    )
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())


def _block(graph: _Graph, x: str, name: str) -> str:
    split = graph.constant("split", [-1, HEADS, WIDTH // HEADS], np.int64)
    joined = graph.constant("joined", [-1, WIDTH], np.int64)
    root = graph.constant("root", (WIDTH // HEADS) ** -0.5, np.float32)
    a = graph.norm(x, f"{name}.norm_a")

    def heads(part: str, order: list[int]) -> str:
        apart = graph.node("Reshape", [graph.linear(a, f"{name}.{part}"), split], f"{name}.{part}.split")
        return graph.node("Transpose", [apart], f"{name}.{part}.heads", perm=order)

    q, k, v = heads("query", [1, 0, 2]), heads("key", [1, 2, 0]), heads("value", [1, 0, 2])
    scores = graph.node("Mul", [graph.node("MatMul", [q, k], f"{name}.scores"), root], f"{name}.scaled")
    shares = graph.node("Softmax", [scores], f"{name}.shares", axis=-1)
    mixed = graph.node("Transpose", [graph.node("MatMul", [shares, v], f"{name}.mixed")], f"{name}.turned",
                       perm=[1, 0, 2])  # fmt: skip
    mixed = graph.node("Reshape", [mixed, joined], f"{name}.joined")
    x = graph.node("Add", [x, graph.linear(mixed, f"{name}.out")], f"{name}.heard")
    up = graph.relu(graph.linear(graph.norm(x, f"{name}.norm_b"), f"{name}.up"))
    return graph.node("Add", [x, graph.linear(up, f"{name}.down")], f"{name}.done")


def _ends(graph: _Graph, x: str) -> None:
    """Means, spreads and probabilities in the units of the controls."""
    from onnx import helper

    parts = graph.constant("parts", [len(CONTROLS), len(CONTROLS), len(WANTED)], np.int64)
    graph.nodes.append(
        helper.make_node("Split", [x, parts], ["mean.raw", "spread.raw", "wanted.raw"], axis=1)
    )
    scaled = graph.node("Mul", ["mean.raw", "control.prior"], "mean.scaled")
    graph.node("Add", [scaled, "control.center"], "mean")
    least = graph.constant("least_spread", LEAST_SPREAD, np.float32)
    spread = graph.node("Add", [graph.node("Softplus", ["spread.raw"], "spread.soft"), least], "spread.floor")
    graph.node("Mul", [spread, "control.spread"], "spread")
    graph.node("Sigmoid", ["wanted.raw"], "wanted")

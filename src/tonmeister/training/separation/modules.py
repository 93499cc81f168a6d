"""A list of layers as a torch module, as arrays, as NumPy arithmetic and as an ONNX file; all four agree.

A model may be several nets side by side, its *branches*: they hear the same input, and their outputs are stacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tonmeister.training.separation.networks import Convolution, Dense, Layer, Layers
from tonmeister.training.torch_library import torch_module
from tonmeister.units import FloatArray

__all__ = [
    "INPUT",
    "OUTPUT",
    "Weights",
    "arrays",
    "build",
    "computed",
    "onnx_bytes",
    "rounded",
]

Weights = Mapping[str, NDArray[Any]]
"""``b0.l1.weight`` and ``b0.l1.bias`` of branch 0, layer 1, the shifts added to the biases."""
Storage = Literal["float32", "int8"]
INPUT: Final = "input"
OUTPUT: Final = "output"
_OPSET: Final = 17
_WIDE: Final = 256
"""Entries of a kernel."""
_IR_VERSION: Final = 8


def build(layers: Layers, *, wide: bool = False) -> Any:
    """A module with fresh weights; `wide` draws them from +-4 sqrt(6 / (inputs + outputs)) and biases of 0."""
    torch = torch_module()
    nn: Any = torch.nn

    class Stack(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(map(_torch_layer, layers))

        def forward(self, x: Any) -> Any:
            for module, layer in zip(self.layers, layers, strict=True):
                x = _torch_activation(_torch_applied(module, layer, x) + layer.shift, layer.activation)
            return x

    stack = Stack()
    for module in stack.layers if wide else ():
        fan = module.weight.shape[0] + module.weight.shape[1]
        nn.init.uniform_(module.weight, -4 * (6 / fan) ** 0.5, 4 * (6 / fan) ** 0.5)
        nn.init.zeros_(module.bias)
    return stack


def _torch_layer(layer: Layer) -> Any:
    nn = torch_module().nn
    if isinstance(layer, Dense):
        return nn.Linear(layer.inputs, layer.outputs)
    size = (layer.frames, layer.bands)
    return nn.Conv2d(layer.inputs, layer.outputs, size, padding=(size[0] // 2, size[1] // 2))


def _torch_applied(module: Any, layer: Layer, x: Any) -> Any:
    """W x + b; wide kernels by the Fourier transform: several times faster to learn on a processor."""
    if not isinstance(layer, Convolution) or layer.frames * layer.bands < _WIDE:
        return module(x)
    torch = torch_module()
    size = (x.shape[2] + layer.frames - 1, x.shape[3] + layer.bands - 1)
    sound, kernel = torch.fft.rfft2(x, s=size), torch.fft.rfft2(module.weight.flip(2, 3), s=size)
    whole = torch.fft.irfft2(torch.einsum("nihw,oihw->nohw", sound, kernel), s=size)
    top, left = layer.frames // 2, layer.bands // 2
    return whole[..., top : top + x.shape[2], left : left + x.shape[3]] + module.bias[:, None, None]


def _torch_activation(x: Any, name: str) -> Any:
    torch = torch_module()
    return {"linear": lambda y: y, "relu": torch.relu, "sigmoid": torch.sigmoid}[name](x)


def arrays(modules: Sequence[Any], branches: Sequence[Layers]) -> dict[str, FloatArray]:
    """The weights of trained modules, one per branch."""
    made: dict[str, FloatArray] = {}
    for b, (module, layers) in enumerate(zip(modules, branches, strict=True)):
        for n, (part, layer) in enumerate(zip(module.layers, layers, strict=True)):
            made[f"b{b}.l{n}.weight"] = part.weight.detach().cpu().numpy().astype(np.float32)
            made[f"b{b}.l{n}.bias"] = (part.bias.detach().cpu().numpy() + layer.shift).astype(np.float32)
    return made


# ------------------------------------------------------------------ 8 bits


def _eighths(weight: FloatArray) -> tuple[NDArray[np.int8], FloatArray]:
    """Steps of -127 to 127 and the size of a step for each output."""
    flat = np.abs(weight.reshape(len(weight), -1)).max(1)
    scale = (np.maximum(flat, 1e-12) / 127).astype(np.float32).reshape(-1, *[1] * (weight.ndim - 1))
    return np.rint(weight / scale).astype(np.int8), scale


def rounded(weights: Weights) -> dict[str, FloatArray]:
    """The weights as they will be when stored with 8 bits."""
    made = {}
    for name, value in weights.items():
        if name.endswith("weight"):
            steps, scale = _eighths(value)
            value = steps.astype(np.float32) * scale
        made[name] = value
    return made


# ------------------------------------------------------------------ NumPy


def computed(branches: Sequence[Layers], weights: Weights, x: FloatArray) -> FloatArray:
    """What dense branches make of (n, inputs): (n, branches, outputs), or (n, outputs) of one branch."""
    outputs = []
    for b, layers in enumerate(branches):
        y = x
        for n, layer in enumerate(layers):
            y = y @ weights[f"b{b}.l{n}.weight"].T + weights[f"b{b}.l{n}.bias"]
            y = _activated(y, layer.activation)
        outputs.append(y)
    return np.asarray(outputs[0] if len(outputs) == 1 else np.stack(outputs, 1), np.float32)


def _activated(y: FloatArray, name: str) -> FloatArray:
    if name == "relu":
        return np.maximum(y, 0.0)
    return np.asarray(1.0 / (1.0 + np.exp(-y)), np.float32) if name == "sigmoid" else y


# ------------------------------------------------------------------ ONNX


def onnx_bytes(branches: Sequence[Layers], weights: Weights, *, storage: Storage = "int8") -> bytes:
    """The branches as one ONNX file: ``input`` -> ``output``; dense (n, inputs), or (n, 1, frames, bands)."""
    from onnx import TensorProto, helper

    graph = _Graph(storage)
    ends = [graph.branch(b, layers, weights) for b, layers in enumerate(branches)]
    dense = isinstance(branches[0][0], Dense)
    if len(ends) == 1:
        graph.node("Identity", ends, OUTPUT)
    else:
        graph.constant("axis", np.array([1], np.int64))
        raised = [graph.node("Unsqueeze", [end, "axis"], f"{end}.raised") for end in ends]
        graph.node("Concat", raised, OUTPUT, axis=1)
    first, last = branches[0][0], branches[0][-1]
    into: list[Any] = ["n", first.inputs] if dense else ["n", 1, "frames", "bands"]
    out: list[Any] = ["n", last.outputs] if dense else ["n", 1, "frames", "bands"]
    out[1:1] = [len(branches)] if len(branches) > 1 else []
    whole = helper.make_graph(
        graph.nodes,
        "separator",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, into)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, out)],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(whole, opset_imports=opsets, producer_name="tonmeister")
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants of an ONNX graph in the making."""

    def __init__(self, storage: Storage) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._storage = storage

    def node(self, kind: str, inputs: Sequence[str], output: str, **how: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [output], **how))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def branch(self, number: int, layers: Layers, weights: Weights) -> str:
        """One stack of layers; the name of its output."""
        now = INPUT
        for n, layer in enumerate(layers):
            name = f"b{number}.l{n}"
            inputs = [now, self._weight(f"{name}.weight", weights), self._bias(f"{name}.bias", weights)]
            if isinstance(layer, Convolution):
                pads = [layer.frames // 2, layer.bands // 2] * 2
                now = self.node("Conv", inputs, f"{name}.sum", pads=pads)
            else:
                now = self.node("Gemm", inputs, f"{name}.sum", transB=1)
            if layer.activation != "linear":
                now = self.node(layer.activation.capitalize(), [now], f"{name}.out")
        return now

    def _bias(self, name: str, weights: Weights) -> str:
        return self.constant(name, np.asarray(weights[name], np.float32))

    def _weight(self, name: str, weights: Weights) -> str:
        from onnx import TensorProto

        if self._storage == "float32":
            return self.constant(name, np.asarray(weights[name], np.float32))
        steps, scale = _eighths(weights[name])
        wide = self.node(
            "Cast", [self.constant(f"{name}.steps", steps)], f"{name}.wide", to=TensorProto.FLOAT
        )
        return self.node("Mul", [wide, self.constant(f"{name}.scale", scale)], name)

"""The two networks for training, and the same as ONNX.

    improved: 320 -> 256 -> 256 -> 64, rectified, output 18 tanh            164,416 weights
    faithful: 1025 -> 1025 -> 1024 -> 1025, rectified throughout          3,152,899 weights
              (and, as a ratio mask, one more layer 1025 -> 1025)

What the input is centered and scaled by is folded into the first layer.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.erb_bands import BANDS
from tonmeister.effects.stem_model import AROUND, FRAME, MOST_DB, PORTS
from tonmeister.training.torch_library import torch_module

__all__ = ["DROPOUT", "build_faithful", "build_improved", "dense_layers", "onnx_network", "parameter_count"]

DROPOUT: Final = 0.2
_HIDDEN: Final = 256
_BINS: Final = FRAME // 2 + 1
_OPSET: Final = 17
_IR_VERSION: Final = 8

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""(weights (out, in), bias (out,)) of dense layers in order."""


def build_improved(hidden: int = _HIDDEN) -> Any:
    """Scaled bands of five frames (n, 320) -> tanh of 64 gains (n, 64)."""
    nn: Any = torch_module().nn
    width = (2 * AROUND + 1) * BANDS
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, BANDS), nn.Tanh()
    )  # fmt: skip


def build_faithful(neurons: int = 256, *, mask: bool = False, bins: int = _BINS) -> Any:
    """Magnitudes (n, 1025) -> magnitudes, or ratios with `mask`; the middle has 4 times `neurons`."""
    nn: Any = torch_module().nn
    middle = 4 * neurons
    layers = [
        nn.Linear(bins, bins), nn.ReLU(), nn.Dropout(DROPOUT),
        nn.Linear(bins, middle), nn.ReLU(), nn.Dropout(DROPOUT),
        nn.Linear(middle, bins), nn.ReLU(),
    ]  # fmt: skip
    layers += [nn.Dropout(DROPOUT), nn.Linear(bins, bins), nn.ReLU()] if mask else []
    network = nn.Sequential(*layers)
    for layer in network:
        if isinstance(layer, nn.Linear):  # LeCun: variance 1 / inputs
            nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5, a=-2, b=2)
            nn.init.zeros_(layer.bias)
    return network


def parameter_count(network: Any) -> int:
    """Weights and biases."""
    return sum(int(p.numel()) for p in network.parameters())


def dense_layers(
    network: Any, mean: NDArray[Any] | None = None, deviation: NDArray[Any] | None = None
) -> Layers:
    """The dense layers as plain arrays; W (x - m) / d + b = (W / d) x + (b - W m / d) in the first."""
    linear = torch_module().nn.Linear
    layers = [(_array(m.weight), _array(m.bias)) for m in network if isinstance(m, linear)]
    if mean is not None and deviation is not None:
        weight, bias = layers[0]
        layers[0] = (weight / deviation, bias - (weight / deviation) @ mean)
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]


def _array(tensor: Any) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)


def onnx_network(layers: Layers, profile: str) -> bytes:
    """The layers as an ONNX file with the ports of the profile."""
    from onnx import TensorProto, helper, numpy_helper

    given, made = PORTS[profile]
    nodes, now, constants = [], given.name, []
    for number, (weight, bias) in enumerate(layers):
        last = number == len(layers) - 1
        names = [f"weight{number}", f"bias{number}"]
        constants += [numpy_helper.from_array(a, n) for a, n in zip((weight, bias), names, strict=True)]
        nodes.append(helper.make_node("Gemm", [now, *names], [f"sum{number}"], transB=1))
        bent = profile == "improved" and last
        now = made.name if last and not bent else f"out{number}"
        nodes.append(helper.make_node("Tanh" if bent else "Relu", [f"sum{number}"], [now]))
    if profile == "improved":
        constants.append(numpy_helper.from_array(np.array(MOST_DB, np.float32), "most_db"))
        nodes.append(helper.make_node("Mul", [now, "most_db"], [made.name]))
    ports = [helper.make_tensor_value_info(p.name, TensorProto.FLOAT, list(p.shape)) for p in (given, made)]
    graph = helper.make_graph(nodes, "stem", [ports[0]], [ports[1]], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="tonmeister"
    )
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())

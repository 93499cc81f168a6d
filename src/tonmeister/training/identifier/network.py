"""The network: five small convolutions, then what is there on average and at most over time.

    picture (1, 64, 96) -> conv 5x5 every second (16, 32, 48) -> [conv 3x3, halve] x 3 -> conv 3x3 (128, 4, 6)
    -> mean and maximum over time (1024) -> scores of the classes and of the roles

each convolution normalized and rectified. About 0.25 million weights and 14 million multiplications per picture.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.identification.log_mel import BANDS, PATCH_STEPS
from tonmeister.training.torch_library import torch_module

__all__ = ["CHANNELS", "build_network", "folded_weights", "onnx_bytes"]

CHANNELS: Final = (16, 32, 64, 96, 128)
_FIRST_WIDTH: Final = 5
_OPSET: Final = 17
_IR_VERSION: Final = 8


def build_network(classes: int, roles: int) -> Any:
    """The network for training: pictures (n, 1, bands, steps) -> scores (n, classes + roles)."""
    torch: Any = torch_module()
    nn: Any = torch.nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            before, blocks = 1, []
            for number, channels in enumerate(CHANNELS):
                width = _FIRST_WIDTH if number == 0 else 3
                stride = 2 if number == 0 else 1
                conv = nn.Conv2d(before, channels, width, stride, padding=width // 2, bias=False)
                blocks.append(nn.Sequential(conv, nn.BatchNorm2d(channels)))
                before = channels
            self.blocks = nn.ModuleList(blocks)
            self.drop = nn.Dropout(0.3)
            self.scores = nn.Linear(2 * before * (BANDS >> 4), classes + roles)

        def forward(self, x: Any) -> Any:
            for number, block in enumerate(self.blocks):
                x = torch.relu(block(x))
                if 0 < number < len(CHANNELS) - 1:
                    x = torch.nn.functional.max_pool2d(x, 2)
            x = torch.cat([x.mean(dim=3), x.amax(dim=3)], dim=1).flatten(1)
            return self.scores(self.drop(x))

    return Network()


def folded_weights(network: Any) -> dict[str, NDArray[np.float32]]:
    """The weights as plain arrays, each normalization folded into the convolution before it."""
    weights = {}
    for number, block in enumerate(network.blocks):
        conv, norm = block[0], block[1]
        scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
        weights[f"conv{number}.weight"] = _array(conv.weight) * scale[:, None, None, None]
        weights[f"conv{number}.bias"] = _array(norm.bias) - _array(norm.running_mean) * scale
    weights["scores.weight"] = _array(network.scores.weight)
    weights["scores.bias"] = _array(network.scores.bias)
    return {name: np.asarray(value, np.float32) for name, value in weights.items()}


def _array(tensor: Any) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)


def onnx_bytes(weights: dict[str, NDArray[np.float32]], *, classes: int) -> bytes:
    """The same network as ONNX: input ``pictures``, outputs ``classes`` and ``roles`` (scores)."""
    from onnx import TensorProto, helper, numpy_helper

    roles = len(weights["scores.bias"]) - classes
    nodes, now = [], "pictures"
    for number in range(len(CHANNELS)):
        names = [now, f"conv{number}.weight", f"conv{number}.bias"]
        width, stride = (_FIRST_WIDTH, 2) if number == 0 else (3, 1)
        shape: Any = {"kernel_shape": [width] * 2, "pads": [width // 2] * 4, "strides": [stride] * 2}
        nodes.append(helper.make_node("Conv", names, [f"c{number}"], **shape))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        now = f"r{number}"
        if 0 < number < len(CHANNELS) - 1:
            nodes.append(
                helper.make_node("MaxPool", [now], [f"p{number}"], kernel_shape=[2, 2], strides=[2, 2])
            )
            now = f"p{number}"
    nodes += [
        helper.make_node("ReduceMean", [now], ["mean"], axes=[3], keepdims=0),
        helper.make_node("ReduceMax", [now], ["most"], axes=[3], keepdims=0),
        helper.make_node("Concat", ["mean", "most"], ["both"], axis=1),
        helper.make_node("Flatten", ["both"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "scores.weight", "scores.bias"], ["all"], transB=1),
        helper.make_node("Split", ["all", "parts"], ["classes", "roles"], axis=1),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    constants.append(numpy_helper.from_array(np.array([classes, roles], np.int64), "parts"))
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "identifier",
        [helper.make_tensor_value_info("pictures", float32, ["n", 1, BANDS, PATCH_STEPS])],
        [
            helper.make_tensor_value_info("classes", float32, ["n", classes]),
            helper.make_tensor_value_info("roles", float32, ["n", roles]),
        ],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="tonmeister"
    )
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())

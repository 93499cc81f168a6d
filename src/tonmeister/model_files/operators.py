"""Which ONNX operators a model may use: arithmetic on arrays, nothing that branches, loops or reaches outside."""

from __future__ import annotations

from typing import Final

from tonmeister.errors import ModelError
from tonmeister.model_files.onnx_reader import NetworkFacts

__all__ = ["ALLOWED", "check_operators"]

ALLOWED: Final = frozenset(
    # linear
    "Conv ConvTranspose Gemm MatMul LSTM GRU RNN Einsum "
    # arithmetic
    "Abs Add Sub Mul Div Neg Pow Sqrt Reciprocal Exp Log Sin Cos Tan Atan Min Max Mean Sum Clip Floor Ceil Round Sign Mod "
    "Sinh Cosh Tanh Asin Acos "
    # activations
    "Relu LeakyRelu PRelu Elu Selu Celu Gelu Sigmoid HardSigmoid HardSwish Softplus Softsign Softmax LogSoftmax Erf Mish "
    # normalization and pooling
    "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization LpNormalization Dropout Identity "
    "AveragePool MaxPool GlobalAveragePool GlobalMaxPool "
    # reductions
    "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ReduceLogSumExp ArgMax ArgMin "
    "CumSum TopK "
    # shapes
    "Reshape Flatten Transpose Squeeze Unsqueeze Concat Split Slice Gather GatherElements GatherND Pad Shape Size Cast "
    "Constant ConstantOfShape Expand Tile Range DepthToSpace SpaceToDepth Upsample Resize Where "
    # comparisons
    "Equal Less LessOrEqual Greater GreaterOrEqual And Or Not Xor".split()
)
"""Operators of ONNX's own domain."""

_OPSETS: Final = range(9, 27)
_IR_VERSIONS: Final = range(4, 14)


def check_operators(facts: NetworkFacts) -> None:
    """Raise `ModelError` when a network uses an operator or a version that is not run."""
    for domain, operator in sorted(facts.operators):
        if domain or operator not in ALLOWED:
            name = f"{domain}.{operator}" if domain else operator
            raise ModelError(
                f"operator {name!r} is not one that models may use: get a model made for tonmeister"
            )
    opsets = {version for domain, version in facts.opsets if not domain}
    if len(opsets) != 1 or not opsets <= set(_OPSETS) or facts.ir_version not in _IR_VERSIONS:
        raise ModelError(
            f"ir_version={facts.ir_version}, opset={sorted(opsets)}: this version of ONNX is not run: export the model "
            f"with an opset from {_OPSETS.start} to {_OPSETS.stop - 1}"
        )

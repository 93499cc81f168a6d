"""Highway layers on rows of arrays: a layer that may let its input through.

    T = sigmoid(h Wt + bt),   H = relu(h Wh + bh),   h' = T H + (1 - T) h

(Srivastava, Greff & Schmidhuber, "Highway networks", 2015). Where bt goes to minus infinity the layer is the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import FloatArray

__all__ = ["HighwayLayer", "highway_layers", "sigmoid"]


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + e^-x), by way of tanh, which does not overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x), x.dtype)


@dataclass(frozen=True, eq=False)
class HighwayLayer:
    """Weights (n, n) and biases (n,) of the transform and of its gate."""

    wh: FloatArray
    bh: FloatArray
    wt: FloatArray
    bt: FloatArray

    def __call__(self, h: FloatArray) -> FloatArray:
        """(rows, n) to (rows, n)."""
        gate = sigmoid(h @ self.wt + self.bt)
        return np.asarray(gate * np.maximum(h @ self.wh + self.bh, 0.0) + (1.0 - gate) * h, h.dtype)


def highway_layers(arrays: Sequence[NDArray[Any]]) -> list[HighwayLayer]:
    """Layers of arrays in the order Wh, bh, Wt, bt, again and again; float32 from here on."""
    plain = [np.ascontiguousarray(a, np.float32) for a in arrays]
    return [HighwayLayer(*plain[i : i + 4]) for i in range(0, len(plain), 4)]

"""A small LSTM, sample by sample: y = x + w h + b, its state carried from block to block.

    i, f, g, o = split(W_x x + W_h h + b);  c = s(f) c + s(i) tanh(g);  h = s(o) tanh(c);  s(z) = (1 + tanh(z / 2)) / 2

S. Hochreiter and J. Schmidhuber (1997); as a model of devices A. Wright et al. (2019).
"""

from __future__ import annotations

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray

__all__ = ["run", "tanh"]


@kernel
def tanh(x: float) -> float:
    """tanh x = 2 t / (1 + t^2), t = tanh(x / 2) by J. H. Lambert's continued fraction; wrong by less than 1e-7."""
    half = 0.5 * min(max(x, -9.0), 9.0)
    square = half * half
    above = half * (135135.0 + square * (17325.0 + square * (378.0 + square)))
    below = 135135.0 + square * (62370.0 + square * (3150.0 + square * 28.0))
    return 2.0 * above * below / (below * below + above * above)


@kernel
def run(
    x: DoubleArray,
    from_input: DoubleArray,
    from_state: DoubleArray,
    bias: DoubleArray,
    out: DoubleArray,
    state: DoubleArray,
    gates: DoubleArray,
) -> None:
    """x (channels, frames) in place; `from_state` (units, 4 units); `out` (units + 1,) with the offset last.

    `state` (channels, 2, units) holds h and c; `gates` (4 units,) is room to work in.
    """
    units = len(from_state)
    for channel in range(len(x)):
        h, c = state[channel, 0], state[channel, 1]
        for n in range(x.shape[1]):
            now = x[channel, n]
            for j in range(4 * units):
                gates[j] = bias[j] + from_input[j] * now
            for k in range(units):
                weight, held = from_state[k], h[k]
                for j in range(4 * units):
                    gates[j] += weight[j] * held
            for j in range(2 * units):
                gates[j] = 0.5 + 0.5 * tanh(0.5 * gates[j])
            for j in range(2 * units, 3 * units):
                gates[j] = tanh(gates[j])
            for j in range(3 * units, 4 * units):
                gates[j] = 0.5 + 0.5 * tanh(0.5 * gates[j])
            for j in range(units):
                c[j] = gates[units + j] * c[j] + gates[j] * gates[2 * units + j]
            for j in range(units):
                h[j] = gates[3 * units + j] * tanh(c[j])
            total = now + out[units]
            for j in range(units):
                total += out[j] * h[j]
            x[channel, n] = total

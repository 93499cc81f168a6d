"""Two versions of one sound, and the choice of the second where the first strays from it.

    d = sum a^k |first - second|^2 / (sum a^k |second|^2 + floor), over about 50 ms; first while d <= bound

The choice is faded over about 5 ms. Decides sample by sample, so that blocks do not matter.
"""

from __future__ import annotations

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray

__all__ = ["choose", "stray"]


@kernel
def choose(
    first: DoubleArray,
    second: DoubleArray,
    bound: float,
    floor: float,
    memory: float,
    fade: float,
    state: DoubleArray,
    shares: DoubleArray,
) -> None:
    """Into `first`, in place (channels, frames). `state` (channels, 3) holds both sums and the first one's share.

    `shares` (2,) gains the energy of `second`, and that part of it which was played.
    """
    for channel in range(len(first)):
        apart, power, share = state[channel, 0], state[channel, 1], state[channel, 2]
        for n in range(first.shape[1]):
            a, b = first[channel, n], second[channel, n]
            apart = memory * apart + (a - b) * (a - b)
            power = memory * power + b * b
            wanted = 1.0 if apart <= bound * (power + floor) else 0.0
            share += fade * (wanted - share)
            first[channel, n] = share * a + (1.0 - share) * b
            shares[0] += b * b
            shares[1] += (1.0 - share) * b * b
        state[channel, 0], state[channel, 1], state[channel, 2] = apart, power, share


@kernel
def stray(first: DoubleArray, second: DoubleArray, floor: float, memory: float, found: DoubleArray) -> None:
    """found[n] = d of two signals (frames,), as `choose` sees it."""
    apart, power = 0.0, 0.0
    for n in range(len(first)):
        a, b = first[n], second[n]
        apart = memory * apart + (a - b) * (a - b)
        power = memory * power + b * b
        found[n] = apart / (power + floor)

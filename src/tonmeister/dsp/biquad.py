"""Second-order sections in series over (channels, frames); design is in `filter_design`."""

from __future__ import annotations

from tonmeister.dsp.denormals import flush
from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["filter_cascade"]


@kernel
def filter_cascade(
    source: FloatArray, target: FloatArray, coefficients: DoubleArray, state: DoubleArray
) -> None:
    """Filter `source` into `target` (which may be the same array) by sections (n, 5).

    Transposed direct form II with float64 state (channels, n, 2)::

        y = b0 x + s1;  s1 = b1 x - a1 y + s2;  s2 = b2 x - a2 y
    """
    channels, frames = source.shape
    sections = coefficients.shape[0]
    for channel in range(channels):
        for frame in range(frames):
            value = float(source[channel, frame])
            for n in range(sections):
                y = coefficients[n, 0] * value + state[channel, n, 0]
                s1 = coefficients[n, 1] * value - coefficients[n, 3] * y + state[channel, n, 1]
                state[channel, n, 0] = flush(s1)
                state[channel, n, 1] = flush(coefficients[n, 2] * value - coefficients[n, 4] * y)
                value = y
            target[channel, frame] = value

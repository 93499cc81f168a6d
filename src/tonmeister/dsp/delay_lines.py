"""Delay lines: the plain delay and the echo."""

from __future__ import annotations

from tonmeister.dsp.denormals import flush
from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["delay", "echo"]


@kernel
def delay(block: FloatArray, ring: FloatArray, position: int) -> int:
    """Delay `block` in place by the length of `ring` (channels, delay); returns the new position."""
    channels, frames = block.shape
    length = ring.shape[1]
    if length == 0:
        return 0
    end = position
    for channel in range(channels):
        end = position
        for frame in range(frames):
            held = ring[channel, end]
            ring[channel, end] = block[channel, frame]
            block[channel, frame] = held
            end += 1
            if end == length:
                end = 0
    return end


@kernel
def echo(
    block: FloatArray,
    feedback: float,
    damping: float,
    dry: float,
    wet: float,
    ping_pong: bool,
    ring: DoubleArray,
    damped: DoubleArray,
    position: int,
) -> int:
    """Repeat, in place; returns the new position.

    With e_c the end of line c and d_c its damped copy, d += damping (e - d)::

        out_c = dry x_c + wet e_c,    line_c in = x_c + feedback d_c

    and for ping-pong (two channels) line_0 in = (x_0 + x_1) / 2 + feedback d_1, line_1 in = feedback d_0.
    `ring` (channels, delay) and `damped` (channels,) are state.
    """
    channels, frames = block.shape
    length = ring.shape[1]
    for frame in range(frames):
        middle = 0.0
        if ping_pong:
            middle = 0.5 * (float(block[0, frame]) + float(block[1, frame]))
        for channel in range(channels):
            end = ring[channel, position]
            damped[channel] = flush(damped[channel] + damping * (end - damped[channel]))
        for channel in range(channels):
            end, x = ring[channel, position], float(block[channel, frame])
            source, back = x, damped[channel]
            if ping_pong:
                source, back = (middle, damped[1]) if channel == 0 else (0.0, damped[0])
            ring[channel, position] = flush(source + feedback * back)
            block[channel, frame] = dry * x + wet * end
        position += 1
        if position == length:
            position = 0
    return position

"""An algorithmic room: diffusers, then a feedback delay network of sixteen lines.

The lines feed back through a Hadamard matrix (orthogonal, so that nothing but the line filters takes
energy away), and each line's filter is a one-pole low-pass whose gain is that of the wanted decay::

    |H_i(f)| = 10^(-3 d_i / (fs T(f))),    T(1 kHz) = decay,    T(damping) = decay / 2

Sources: J.-M. Jot, A. Chaigne, "Digital delay networks for designing artificial reverberators", AES 90
(1991); M. R. Schroeder, "Natural sounding artificial reverberation", JAES 10(3) (1962).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.denormals import flush
from tonmeister.dsp.filter_design import corner
from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["LINES", "MID_HZ", "RoomDesign", "RoomState", "design_room", "impulse_energy", "reverberate"]

LINES: Final = 16
MID_HZ: Final = 1000.0
"""Where the decay time is exact."""

_SHORTEST_MS: Final = 19.0
_LONGEST_MS: Final = 79.0
_SMALLEST: Final = 0.25
"""Scale of all delays at size 0; it is 1 at size 1."""
_DIFFUSER_MS: Final = ((4.1, 6.3, 9.7, 13.3), (4.7, 5.9, 8.9, 14.1))
_MOST_DIFFUSION: Final = 0.7
"""Coefficient of Schroeder's all-pass."""
_BASS_STRETCH: Final = 1.5
"""Damping may lengthen the decay of the bass by no more than this."""


@dataclass(frozen=True, eq=False)
class RoomDesign:
    """Delays in frames and filters of one room."""

    delays: NDArray[np.int64]
    """Of the lines: prime, all different; shape (16,)."""
    gains: DoubleArray
    """Of the line filters y = gain x + pole y[n-1]; shape (16,)."""
    poles: DoubleArray
    diffuser_delays: NDArray[np.int64]
    """Of the all-passes of each channel; shape (2, 4)."""
    diffuser_gains: DoubleArray
    inputs: DoubleArray
    """How each channel enters the lines; shape (2, 16)."""
    outputs: DoubleArray
    """How the lines leave to each channel; shape (2, 16)."""


class RoomState:
    """Delay lines and filter memories, all zero at first."""

    def __init__(self, design: RoomDesign) -> None:
        self.lines: DoubleArray = np.zeros((_power_of_two(int(design.delays.max()) + 1), LINES))
        self.damped: DoubleArray = np.zeros(LINES)
        longest = _power_of_two(int(design.diffuser_delays.max()) + 1)
        self.diffusers: DoubleArray = np.zeros((*design.diffuser_delays.shape, longest))
        self.position: NDArray[np.int64] = np.zeros(1, np.int64)

    def reset(self) -> None:
        """Back to silence."""
        for array in (self.lines, self.damped, self.diffusers, self.position):
            array.fill(0)


def design_room(
    *, decay_s: float, damping_hz: float, size: float, diffusion: float, sample_rate: int
) -> RoomDesign:
    """Delays, filters and wiring of a room.

    An all-pass rings too: its coefficient is held so that it decays at least twice as fast as the room.
    """
    scale = _SMALLEST + (1.0 - _SMALLEST) * size
    spread = np.geomspace(_SHORTEST_MS, _LONGEST_MS, LINES)
    delays = _rising_primes(spread * scale * sample_rate / 1000.0)
    gains, poles = _line_filters(delays, decay_s, damping_hz, sample_rate)
    diffusers = np.array(
        [_rising_primes(np.array(row) * scale * sample_rate / 1000.0) for row in _DIFFUSER_MS]
    )
    ring = 10.0 ** (-3.0 * diffusers / (sample_rate * 0.5 * decay_s))
    matrix = _hadamard()
    left = np.arange(LINES) % 2 == 0
    inputs = np.stack([matrix[1] * left, matrix[2] * ~left]) / math.sqrt(LINES / 2)
    outputs = np.stack([matrix[5], matrix[10]]) / math.sqrt(LINES)
    return RoomDesign(
        delays, gains, poles, diffusers, np.minimum(_MOST_DIFFUSION * diffusion, ring), inputs, outputs
    )


def _hadamard() -> DoubleArray:
    matrix = np.ones((1, 1))
    while len(matrix) < LINES:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return np.asarray(matrix)


def _line_filters(
    delays: NDArray[np.int64], decay_s: float, damping_hz: float, sample_rate: int
) -> tuple[DoubleArray, DoubleArray]:
    """Gain and pole of each line's low-pass.

    For |H|^2 = k^2 (1-p)^2 / (1 - 2 p cos w + p^2), a wanted ratio |H(w2)|^2 / |H(w1)|^2 = G gives
    p + 1/p = 2 (cos w1 - G cos w2) / (1 - G).
    """
    middle, high = corner(MID_HZ, sample_rate), corner(damping_hz, sample_rate)
    power = np.power(10.0, np.asarray(-6.0 * delays / (sample_rate * decay_s), np.float64))
    wanted = _pole(middle, high, power)
    limit = _pole(0.0, middle, power ** (1.0 - 1.0 / _BASS_STRETCH))
    poles = np.minimum(wanted, limit)
    gains = np.sqrt(power * (1.0 - 2.0 * poles * math.cos(middle) + poles**2))
    return gains, poles


def _pole(w1: float, w2: float, ratio: DoubleArray) -> DoubleArray:
    """The stable pole; 1 where one pole cannot fall so steeply."""
    half = (math.cos(w1) - ratio * math.cos(w2)) / (1.0 - ratio)
    return np.asarray(np.where(half > 1.0, half - np.sqrt(np.maximum(half**2 - 1.0, 0.0)), 1.0))


def _rising_primes(frames: DoubleArray) -> NDArray[np.int64]:
    found: list[int] = []
    for wish in frames:
        candidate = max(int(wish), found[-1] + 1 if found else 3)
        while any(candidate % divisor == 0 for divisor in range(2, math.isqrt(candidate) + 1)):
            candidate += 1
        found.append(candidate)
    return np.array(found, np.int64)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def reverberate(block: FloatArray, design: RoomDesign, state: RoomState) -> None:
    """Replace `block` (2, frames) by its reverberation."""
    _diffuse(block, design.diffuser_delays, design.diffuser_gains, state.diffusers, state.position)
    _network(
        block, design.delays, design.gains, design.poles, design.inputs, design.outputs,
        state.lines, state.damped, state.position,
    )  # fmt: skip


def impulse_energy(design: RoomDesign, *, decay_s: float, sample_rate: int) -> float:
    """Energy of the impulse response: from one input to both outputs, mean over the two inputs.

    Summed over half the decay time, where all but a thousandth of the energy lies.
    """
    frames = int(sample_rate * (0.5 * decay_s + 0.2))
    energy = 0.0
    for channel in range(2):
        impulse = np.zeros((2, frames), np.float32)
        impulse[channel, 0] = 1.0
        reverberate(impulse, design, RoomState(design))
        energy += float(np.sum(impulse.astype(np.float64) ** 2))
    return energy / 2.0


@kernel
def _diffuse(
    block: FloatArray,
    delays: NDArray[np.int64],
    gains: DoubleArray,
    rings: DoubleArray,
    position: NDArray[np.int64],
) -> None:
    """All-passes in series: v = x - g v[n-d], y = g v + v[n-d]. The position moves in `_network`."""
    channels, frames = block.shape
    mask = rings.shape[2] - 1
    for channel in range(channels):
        at = position[0]
        for frame in range(frames):
            value = float(block[channel, frame])
            for n in range(delays.shape[1]):
                old = rings[channel, n, (at - delays[channel, n]) & mask]
                inner = flush(value - gains[channel, n] * old)
                rings[channel, n, at & mask] = inner
                value = gains[channel, n] * inner + old
            block[channel, frame] = value
            at += 1


@kernel
def _network(
    block: FloatArray,
    delays: NDArray[np.int64],
    gains: DoubleArray,
    poles: DoubleArray,
    inputs: DoubleArray,
    outputs: DoubleArray,
    lines: DoubleArray,
    damped: DoubleArray,
    position: NDArray[np.int64],
) -> None:
    """The feedback delay network, in place; the Hadamard product by four equal passes of its fast transform."""
    frames = block.shape[1]
    mask = lines.shape[0] - 1
    spread = np.empty(LINES)
    other = np.empty(LINES)
    at = position[0]
    for frame in range(frames):
        x0, x1 = float(block[0, frame]), float(block[1, frame])
        y0, y1 = 0.0, 0.0
        for n in range(LINES):
            s = flush(gains[n] * lines[(at - delays[n]) & mask, n] + poles[n] * damped[n])
            damped[n] = s
            spread[n] = s
            y0 += outputs[0, n] * s
            y1 += outputs[1, n] * s
        for _ in range(2):
            for n in range(LINES // 2):
                other[n] = spread[2 * n] + spread[2 * n + 1]
                other[n + LINES // 2] = spread[2 * n] - spread[2 * n + 1]
            for n in range(LINES // 2):
                spread[n] = other[2 * n] + other[2 * n + 1]
                spread[n + LINES // 2] = other[2 * n] - other[2 * n + 1]
        for n in range(LINES):
            lines[at & mask, n] = 0.25 * spread[n] + inputs[0, n] * x0 + inputs[1, n] * x1
        block[0, frame] = y0
        block[1, frame] = y1
        at += 1
    position[0] = at

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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.filter_design import corner
from tonmeister.dsp.jit import kernel
from tonmeister.dsp.lanes import (
    LANES,
    columns_at,
    flushed,
    load,
    rows_from,
    splat,
    store,
    swap_fours,
    swap_pairs,
    swap_twos,
    total,
)
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["LINES", "MID_HZ", "RoomDesign", "RoomState", "design_room", "impulse_energy", "reverberate"]

LINES: Final = 16
GUARDS: Final = 3 * LANES
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
    """Delay lines and filter memories, all zero at first.

    A line of `length` frames stands between guards, eight frames before and sixteen behind, which repeat its
    other end: eight frames may be read and written anywhere.
    """

    def __init__(self, design: RoomDesign) -> None:
        self.lines: FloatArray = np.zeros(LINES * _room(design.delays), np.float32)
        self.damped: DoubleArray = np.zeros(LINES)
        self.diffusers: DoubleArray = np.zeros(design.diffuser_delays.size * _room(design.diffuser_delays))
        self.position: NDArray[np.int64] = np.zeros(1, np.int64)

    def reset(self) -> None:
        """Back to silence."""
        for array in (self.lines, self.damped, self.diffusers, self.position):
            array.fill(0)


def _room(delays: NDArray[np.int64]) -> int:
    """Numbers that a line takes: a power of two behind the longest delay, and the guards."""
    return _power_of_two(int(delays.max()) + 2 * LANES) + GUARDS


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
        candidate = max(int(wish), found[-1] + 1 if found else LANES + 1)
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
        block, design.delays, design.gains, design.poles, design.inputs.reshape(-1), design.outputs.reshape(-1),
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
def _write(ring: Any, base: Any, length: Any, at: Any, value: Any) -> None:
    """Eight frames into a ring of float64, and into the guards where they repeat its end or beginning."""
    store(ring, base + LANES + at, value)
    if at > length - LANES:
        store(ring, base + LANES + at - length, value)
    if at < LANES:
        store(ring, base + LANES + at + length, value)


@kernel
def _write_rows(source: Any, rows: Any, stride: Any, at: Any) -> None:
    """The same for eight rings of float32 from eight frames of ``source[frame][lane]``."""
    length = stride - GUARDS
    place = at % stride
    base = at - place
    rows_from(source, 0, rows, stride, base + LANES + place)
    if place > length - LANES:
        rows_from(source, 0, rows, stride, base + LANES + place - length)
    if place < LANES:
        rows_from(source, 0, rows, stride, base + LANES + place + length)


@kernel
def _diffuse(
    block: FloatArray,
    delays: NDArray[np.int64],
    gains: DoubleArray,
    rings: DoubleArray,
    position: NDArray[np.int64],
) -> None:
    """All-passes in series: v = x - g v[n-d], y = g v + v[n-d]; eight frames at once, for no delay is shorter.

    The position moves in `_network`.
    """
    channels, frames = block.shape
    stages = delays.shape[1]
    stride = len(rings) // (channels * stages)
    length = stride - GUARDS
    waiting = np.zeros(LANES)
    for channel in range(channels):
        for start in range(0, frames, LANES):
            count = min(LANES, frames - start)
            for i in range(count):
                waiting[i] = block[channel, start + i]
            value = load(waiting, 0)
            at = (position[0] + start) & (length - 1)
            for n in range(stages):
                base = (channel * stages + n) * stride
                gain = splat(gains[channel, n])
                old = load(rings, base + LANES + ((at - delays[channel, n]) & (length - 1)))
                inner = flushed(value - gain * old)
                _write(rings, base, length, at, inner)
                value = gain * inner + old
            store(waiting, 0, value)
            for i in range(count):
                block[channel, start + i] = waiting[i]


@kernel
def _spread(value: Any, signs1: Any, signs2: Any, signs4: Any) -> Any:
    """Hadamard product of eight lanes."""
    value = swap_pairs(value) + signs1 * value
    value = swap_twos(value) + signs2 * value
    return swap_fours(value) + signs4 * value


@kernel
def _network(
    block: FloatArray,
    delays: NDArray[np.int64],
    gains: DoubleArray,
    poles: DoubleArray,
    inputs: DoubleArray,
    outputs: DoubleArray,
    lines: FloatArray,
    damped: DoubleArray,
    position: NDArray[np.int64],
) -> None:
    """The feedback delay network, in place; lines 0 to 7 and 8 to 15 side by side, eight frames at once."""
    frames = block.shape[1]
    stride = len(lines) // LINES
    mask = stride - GUARDS - 1
    places = np.empty(LINES, np.int64)
    low, high = np.empty(LANES * LANES), np.empty(LANES * LANES)
    signs = np.empty(3 * LANES)
    for lane in range(LANES):
        for k in range(3):
            signs[k * LANES + lane] = -1.0 if lane >> k & 1 else 1.0
    signs1, signs2, signs4 = load(signs, 0), load(signs, LANES), load(signs, 2 * LANES)
    gain0, gain1, pole0, pole1 = load(gains, 0), load(gains, LANES), load(poles, 0), load(poles, LANES)
    left0, left1 = load(outputs, 0), load(outputs, LANES)
    right0, right1 = load(outputs, 2 * LANES), load(outputs, 3 * LANES)
    first0, first1 = load(inputs, 0), load(inputs, LANES)
    second0, second1 = load(inputs, 2 * LANES), load(inputs, 3 * LANES)
    held0, held1 = load(damped, 0), load(damped, LANES)
    quarter = splat(0.25)
    for start in range(0, frames, LANES):
        at = position[0] + start
        for n in range(LINES):
            places[n] = n * stride + LANES + ((at - delays[n]) & mask)
        columns_at(lines, places, 0, low)
        columns_at(lines, places, LANES, high)
        for i in range(min(LANES, frames - start)):
            x0, x1 = splat(float(block[0, start + i])), splat(float(block[1, start + i]))
            held0 = flushed(gain0 * load(low, i * LANES) + pole0 * held0)
            held1 = flushed(gain1 * load(high, i * LANES) + pole1 * held1)
            block[0, start + i] = total(left0 * held0 + left1 * held1)
            block[1, start + i] = total(right0 * held0 + right1 * held1)
            spread0 = _spread(held0 + held1, signs1, signs2, signs4)
            spread1 = _spread(held0 - held1, signs1, signs2, signs4)
            store(low, i * LANES, quarter * spread0 + first0 * x0 + second0 * x1)
            store(high, i * LANES, quarter * spread1 + first1 * x0 + second1 * x1)
        _write_rows(low, lines, stride, at & mask)
        _write_rows(high, lines, stride, LANES * stride + (at & mask))
    store(damped, 0, held0)
    store(damped, LANES, held1)
    position[0] += frames

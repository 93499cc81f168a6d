"""The fused kernels: eight signals through filters and compressors side by side, then faders, pans and buses.

One call handles a chunk; inside, blocks of 256 frames stay in the first-level cache. What a block gives does
not depend on where it begins, so any cutting into chunks gives the same bits. The arithmetic is float64 from
the first filter to the fader; strips hand on float32, buses add up in float64.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.dsp.lanes import (
    LANES,
    absolute,
    columns,
    exp2,
    flushed,
    fma,
    larger,
    load,
    load_floats,
    log2,
    rounded,
    rows_from,
    select_less,
    smaller,
    splat,
    store,
    store_floats,
    swap_pairs,
)
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "BLOCK",
    "COMPRESSOR",
    "COMPRESSOR_NUMBERS",
    "FILTERS",
    "OFF_DB",
    "add_raw",
    "mix_lanes",
    "run_lanes",
]

BLOCK: Final = 256
"""Frames that go through all stages before the next ones."""
FILTERS: Final = 0
COMPRESSOR: Final = 1
COMPRESSOR_NUMBERS: Final = 9
"""Rows of a compressor before its sidechain's sections: threshold, slope, half knee, knee, 1 / (2 knee),
attack, release, makeup, link."""
OFF_DB: Final = -96.0

_SECTION: Final = 5 * LANES
_PAIR: Final = 2 * _SECTION
_MEMORY: Final = 2 * LANES
_DB_PER_OCTAVE: Final = 20.0 * math.log10(2.0)
_OCTAVES_PER_DB: Final = math.log2(10.0) / 20.0
_UNITY_DB: Final = -1e-7
_TINY: Final = 1e-100
"""Memory below this is set to zero after each block: nothing of it reaches float32."""
_SINE: Final = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(5, -1, -1))
_COSINE: Final = tuple((-1.0) ** k / math.factorial(2 * k) for k in range(5, -1, -1))
"""Taylor series, highest power first; error below 2e-9 to pi / 4."""


@kernel
def _section(numbers: Any, at: Any, memory: Any, held: Any, x: Any, frames: Any) -> None:
    """One second-order section (transposed direct form II) over a block, in place."""
    b0, b1, b2 = load(numbers, at), load(numbers, at + LANES), load(numbers, at + 2 * LANES)
    a1, a2 = load(numbers, at + 3 * LANES), load(numbers, at + 4 * LANES)
    s1, s2 = load(memory, held), load(memory, held + LANES)
    for i in range(frames):
        v = load(x, i * LANES)
        y = fma(b0, v, s1)
        s1 = fma(a1, y, fma(b1, v, s2))
        s2 = fma(a2, y, b2 * v)
        store(x, i * LANES, y)
    _keep(memory, held, s1)
    _keep(memory, held + LANES, s2)


@kernel
def _two_sections(numbers: Any, at: Any, memory: Any, held: Any, x: Any, frames: Any) -> None:
    """Two sections in one pass: their recursions overlap in the processor."""
    b0, b1, b2 = load(numbers, at), load(numbers, at + LANES), load(numbers, at + 2 * LANES)
    a1, a2 = load(numbers, at + 3 * LANES), load(numbers, at + 4 * LANES)
    at += 5 * LANES
    d0, d1, d2 = load(numbers, at), load(numbers, at + LANES), load(numbers, at + 2 * LANES)
    e1, e2 = load(numbers, at + 3 * LANES), load(numbers, at + 4 * LANES)
    s1, s2 = load(memory, held), load(memory, held + LANES)
    s3, s4 = load(memory, held + 2 * LANES), load(memory, held + 3 * LANES)
    for i in range(frames):
        v = load(x, i * LANES)
        y = fma(b0, v, s1)
        s1 = fma(a1, y, fma(b1, v, s2))
        s2 = fma(a2, y, b2 * v)
        w = fma(d0, y, s3)
        s3 = fma(e1, w, fma(d1, y, s4))
        s4 = fma(e2, w, d2 * y)
        store(x, i * LANES, w)
    _keep(memory, held, s1)
    _keep(memory, held + LANES, s2)
    _keep(memory, held + 2 * LANES, s3)
    _keep(memory, held + 3 * LANES, s4)


@kernel
def _keep(memory: Any, held: Any, state: Any) -> None:
    store(memory, held, select_less(absolute(state), splat(_TINY), splat(0.0), state))


@kernel
def _sections(numbers: Any, at: Any, memory: Any, held: Any, count: Any, x: Any, frames: Any) -> None:
    for n in range(0, count - 1, 2):
        _two_sections(numbers, at + n * _SECTION, memory, held + n * _MEMORY, x, frames)
    if count % 2:
        last = count - 1
        _section(numbers, at + last * _SECTION, memory, held + last * _MEMORY, x, frames)


@kernel
def _compress(numbers: Any, at: Any, memory: Any, held: Any, x: Any, detector: Any, frames: Any) -> None:
    """`dsp.dynamics.compress` for eight lanes without a branch.

    With x the level over the threshold, W the knee: u = min(max(x + W/2, 0), W), and the curve is
    (1/R - 1) (u^2 / (2 W) + max(x - W/2, 0)). `link` is 1 where two neighboring lanes are one stereo strip.
    """
    threshold, slope = load(numbers, at), load(numbers, at + LANES)
    half_knee, knee = load(numbers, at + 2 * LANES), load(numbers, at + 3 * LANES)
    over_knee, attack = load(numbers, at + 4 * LANES), load(numbers, at + 5 * LANES)
    release, makeup = load(numbers, at + 6 * LANES), load(numbers, at + 7 * LANES)
    link = load(numbers, at + 8 * LANES)
    zero, unity = splat(0.0), splat(_UNITY_DB)
    octave, octaves = splat(_DB_PER_OCTAVE), splat(_OCTAVES_PER_DB)
    gain = load(memory, held)
    for i in range(frames):
        peak = absolute(load(detector, i * LANES))
        peak = larger(peak, link * swap_pairs(peak))
        over = log2(peak) * octave - threshold
        inside = smaller(larger(over + half_knee, zero), knee)
        target = slope * fma(inside * inside, over_knee, larger(over - half_knee, zero))
        falling = fma(attack, gain - target, target)
        rising = fma(release, gain - target, target)
        gain = select_less(target, gain, falling, select_less(rising, unity, rising, zero))
        store(x, i * LANES, load(x, i * LANES) * (makeup * exp2(gain * octaves)))
    store(memory, held, gain)


@kernel
def run_lanes(
    rows: FloatArray,
    stride: int,
    frames: int,
    signs: DoubleArray,
    stages: NDArray[np.int64],
    numbers: DoubleArray,
    memory: DoubleArray,
) -> None:
    """Run eight rows (flat, `stride` apart, a multiple of 8) through the stages, in place.

    `stages` (n, 4): kind, sections, first number, first memory; `numbers` holds eight lanes of each
    coefficient (b0 b1 b2 -a1 -a2 per section); a compressor's sections filter its detector only.
    """
    x = np.empty(BLOCK * LANES)
    detector = np.empty(BLOCK * LANES)
    sign = load(signs, 0)
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        for i in range(0, count, LANES):
            columns(rows, stride, start + i, x, i * LANES)
        for i in range(count):
            store(x, i * LANES, sign * load(x, i * LANES))
        for stage in range(stages.shape[0]):
            kind, sections = stages[stage, 0], stages[stage, 1]
            at, held = stages[stage, 2], stages[stage, 3]
            if kind == FILTERS:
                _sections(numbers, at, memory, held, sections, x, count)
            elif sections == 0:
                _compress(numbers, at, memory, held, x, x, count)
            else:
                detector[: count * LANES] = x[: count * LANES]
                first = at + COMPRESSOR_NUMBERS * LANES
                _sections(numbers, first, memory, held + LANES, sections, detector, count)
                _compress(numbers, at, memory, held, x, detector, count)
        for i in range(count):
            store(x, i * LANES, flushed(load(x, i * LANES)))
        for i in range(0, count, LANES):
            rows_from(x, i * LANES, rows, stride, start + i)


@kernel
def _curve(times: Any, values: Any, position: Any, rate: Any, ramp: Any, out: Any, frames: Any) -> None:
    """Straight lines between breakpoints, held before and after, at `frames` song positions; as numpy.interp.

    `ramp` is 0 1 2 ...; `out` is written to the next multiple of eight.
    """
    last, i, segment = len(times) - 1, 0, 0
    while i < frames and (position + i) / rate <= times[0]:
        out[i] = values[0]
        i += 1
    while i < frames:
        now = (position + i) / rate
        while segment < last and times[segment + 1] <= now:
            segment += 1
        if segment == last:
            out[i : frames + LANES] = values[last]
            return
        start_s, start = times[segment], values[segment]
        slope = (values[segment + 1] - start) / (times[segment + 1] - start_s)
        sure = int(times[segment + 1] * rate) - position - 1
        if i % LANES == 0 and i + LANES <= min(sure, frames):
            while i + LANES <= min(sure, frames):
                time_s = (load(ramp, i) + splat(float(position))) * splat(1.0 / rate)
                store(out, i, (time_s - splat(start_s)) * splat(slope) + splat(start))
                i += LANES
        else:
            out[i] = (float(position + i) * (1.0 / rate) - start_s) * slope + start
            i += 1


@kernel
def _gains(level_db: Any, frames: Any) -> None:
    """Decibels to gains in place, 0 at the bottom of a fader."""
    for i in range(0, frames, LANES):
        level = load(level_db, i)
        gain = exp2(level * splat(_OCTAVES_PER_DB))
        store(level_db, i, select_less(splat(OFF_DB), level, gain, splat(0.0)))


@kernel
def _pan_gains(pan: Any, left: Any, right: Any, frames: Any) -> None:
    """The pan law: with u = pan pi / 4, left = cos u - sin u, right = cos u + sin u."""
    for i in range(0, frames, LANES):
        u = load(pan, i) * splat(0.25 * math.pi)
        square = u * u
        sine, cosine = splat(_SINE[0]), splat(_COSINE[0])
        sine, cosine = fma(sine, square, splat(_SINE[1])), fma(cosine, square, splat(_COSINE[1]))
        sine, cosine = fma(sine, square, splat(_SINE[2])), fma(cosine, square, splat(_COSINE[2]))
        sine, cosine = fma(sine, square, splat(_SINE[3])), fma(cosine, square, splat(_COSINE[3]))
        sine, cosine = fma(sine, square, splat(_SINE[4])), fma(cosine, square, splat(_COSINE[4]))
        sine, cosine = fma(sine, square, splat(_SINE[5])), fma(cosine, square, splat(_COSINE[5]))
        sine = sine * u
        store(left, i, cosine - sine)
        store(right, i, cosine + sine)


@kernel
def _leave(
    rows: Any, at: Any, gains: Any, moving: Any, gain: Any, output: Any, buses: Any, bus: Any, frames: Any
) -> None:
    """One channel through fader and pan: rounded to float32, held in `output`, added to its bus."""
    for i in range(0, frames, LANES):
        factor = load(gains, i) if moving else splat(gain)
        value = rounded(load_floats(rows, at + i) * factor)
        store(output, i, value)
        store(buses, bus + i, load(buses, bus + i) + value)


@kernel
def _send(
    source: Any, gains: Any, moving: Any, gain: Any, carried: Any, buses: Any, bus: Any, frames: Any
) -> None:
    """One channel of a send, in the same way."""
    for i in range(0, frames, LANES):
        factor = load(gains, i) if moving else splat(gain)
        value = rounded(load(source, i) * factor)
        store(carried, i, value)
        store(buses, bus + i, load(buses, bus + i) + value)


@kernel
def _hold(source: Any, kept: Any, at: Any, frames: Any) -> None:
    for i in range(0, frames, LANES):
        store_floats(kept, at + i, load(source, i))


@kernel
def mix_lanes(
    rows: FloatArray,
    stride: int,
    frames: int,
    positions: NDArray[np.int64],
    strips: NDArray[np.int64],
    levels: DoubleArray,
    edges: NDArray[np.int64],
    edge_gains: DoubleArray,
    curve_starts: NDArray[np.int64],
    curve_times: DoubleArray,
    curve_values: DoubleArray,
    sample_rate: int,
    buses: DoubleArray,
    kept: FloatArray,
) -> None:
    """Faders, pans and sends of the strips in eight `rows`, added to `buses` (n, 2, stride, flat).

    `strips` (n, 6): left lane, right lane, curve of the fader, of the pan (-1: none), first and last edge;
    `levels` (n, 3): fader, pan left, pan right. `edges` (n, 3): bus, pre-fader, curve; the first edge of a
    strip is its output. `kept` (edges, 2, stride, flat) receives what each edge carries, unless it is empty.
    """
    rate = float(sample_rate)
    fader, sent = np.empty(BLOCK + LANES), np.empty(BLOCK + LANES)
    left, right = np.empty(BLOCK + LANES), np.empty(BLOCK + LANES)
    ramp = np.arange(BLOCK + LANES).astype(np.float64)
    outputs, carried = (np.empty(BLOCK), np.empty(BLOCK)), np.empty(BLOCK)
    source = np.empty(BLOCK)
    keeping = len(kept) > 0
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        for strip in range(strips.shape[0]):
            position = positions[strip] + start
            fader_curve, pan_curve = strips[strip, 2], strips[strip, 3]
            moving = fader_curve >= 0 or pan_curve >= 0
            if pan_curve >= 0:
                begin, end = curve_starts[pan_curve], curve_starts[pan_curve + 1]
                _curve(curve_times[begin:end], curve_values[begin:end], position, rate, ramp, left, count)
                _pan_gains(left, left, right, count)
            elif moving:
                left[:] = levels[strip, 1]
                right[:] = levels[strip, 2]
            if fader_curve >= 0:
                begin, end = curve_starts[fader_curve], curve_starts[fader_curve + 1]
                _curve(curve_times[begin:end], curve_values[begin:end], position, rate, ramp, fader, count)
                _gains(fader, count)
            elif moving:
                fader[:] = levels[strip, 0]
            if moving:
                for i in range(0, count, LANES):
                    store(left, i, load(left, i) * load(fader, i))
                    store(right, i, load(right, i) * load(fader, i))
            first = strips[strip, 4]
            for side in range(2):
                gains = right if side else left
                gain = levels[strip, 0] * levels[strip, 1 + side]
                output = outputs[1] if side else outputs[0]
                at = strips[strip, side] * stride + start
                bus = (2 * edges[first, 0] + side) * stride + start
                _leave(rows, at, gains, moving, gain, output, buses, bus, count)
                if keeping:
                    _hold(output, kept, (2 * first + side) * stride + start, count)
            for edge in range(first + 1, strips[strip, 5]):
                pre_fader, send_curve = edges[edge, 1], edges[edge, 2]
                if send_curve >= 0:
                    begin, end = curve_starts[send_curve], curve_starts[send_curve + 1]
                    _curve(curve_times[begin:end], curve_values[begin:end], position, rate, ramp, sent, count)
                    _gains(sent, count)
                for side in range(2):
                    tapped = outputs[1] if side else outputs[0]
                    if pre_fader:
                        for i in range(0, count, LANES):
                            store(source, i, load_floats(rows, strips[strip, side] * stride + start + i))
                        tapped = source
                    bus = (2 * edges[edge, 0] + side) * stride + start
                    _send(tapped, sent, send_curve >= 0, edge_gains[edge], carried, buses, bus, count)
                    if keeping:
                        _hold(carried, kept, (2 * edge + side) * stride + start, count)


@kernel
def add_raw(
    rows: FloatArray, stride: int, frames: int, strips: NDArray[np.int64], total: DoubleArray
) -> None:
    """Add the strips in eight `rows` as they are to `total` (2, stride, flat)."""
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        for strip in range(strips.shape[0]):
            for side in range(2):
                at, to = strips[strip, side] * stride + start, side * stride + start
                for i in range(0, count, LANES):
                    store(total, to + i, load(total, to + i) + load_floats(rows, at + i))

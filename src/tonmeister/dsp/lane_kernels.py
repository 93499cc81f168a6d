"""The fused kernels: eight signals through filters and compressors side by side, then faders, pans and buses.

One call handles a chunk; inside, blocks of 256 frames stay in the first-level cache. What a block gives does
not depend on where it begins, so any cutting into chunks gives the same bits. The arithmetic is float64 from
the first filter to the fader; strips hand on float32, buses add up in float64.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.dsp.lanes import (
    LANES,
    absolute,
    exp2,
    flushed,
    fma,
    larger,
    load,
    log2,
    select_less,
    smaller,
    splat,
    store,
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
_SINE: Final = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(6, -1, -1))
_COSINE: Final = tuple((-1.0) ** k / math.factorial(2 * k) for k in range(6, -1, -1))


@kernel
def _section(numbers, at, memory, held, x, frames):  # type: ignore[no-untyped-def]
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
def _two_sections(numbers, at, memory, held, x, frames):  # type: ignore[no-untyped-def]
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
def _keep(memory, held, state):  # type: ignore[no-untyped-def]
    store(memory, held, select_less(absolute(state), splat(_TINY), splat(0.0), state))


@kernel
def _sections(numbers, at, memory, held, count, x, frames):  # type: ignore[no-untyped-def]
    for n in range(0, count - 1, 2):
        _two_sections(numbers, at + n * _SECTION, memory, held + n * _MEMORY, x, frames)
    if count % 2:
        last = count - 1
        _section(numbers, at + last * _SECTION, memory, held + last * _MEMORY, x, frames)


@kernel
def _compress(numbers, at, memory, held, x, detector, frames):  # type: ignore[no-untyped-def]
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
    signs: DoubleArray,
    stages: NDArray[np.int64],
    numbers: DoubleArray,
    memory: DoubleArray,
) -> None:
    """Run `rows` (8, frames) through the stages, in place.

    `stages` (n, 4): kind, sections, first number, first memory; `numbers` holds eight lanes of each
    coefficient (b0 b1 b2 -a1 -a2 per section); a compressor's sections filter its detector only.
    """
    frames = rows.shape[1]
    x = np.empty(BLOCK * LANES)
    detector = np.empty(BLOCK * LANES)
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        for lane in range(LANES):
            sign = signs[lane]
            for i in range(count):
                x[i * LANES + lane] = sign * rows[lane, start + i]
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
        for lane in range(LANES):
            for i in range(count):
                rows[lane, start + i] = x[i * LANES + lane]


@kernel
def _curve(times, values, position, rate, out, frames):  # type: ignore[no-untyped-def]
    """Straight lines between breakpoints, held before and after, at `frames` song positions; as numpy.interp."""
    last = len(times) - 1
    i = 0
    while i < frames and (position + i) / rate <= times[0]:
        out[i] = values[0]
        i += 1
    segment = 0
    while i < frames:
        now = (position + i) / rate
        while segment < last and times[segment + 1] <= now:
            segment += 1
        if segment == last:
            out[i:frames] = values[last]
            return
        start_s, start = times[segment], values[segment]
        slope = (values[segment + 1] - start) / (times[segment + 1] - start_s)
        stop = min(frames, max(i + 1, int(times[segment + 1] * rate) - position - 1))
        for k in range(i, stop):
            out[k] = slope * ((position + k) / rate - start_s) + start
        i = stop


@kernel
def _gains(level_db, frames):  # type: ignore[no-untyped-def]
    """Decibels to gains in place, 0 at the bottom of a fader."""
    for i in range(0, frames, LANES):
        level = load(level_db, i)
        gain = exp2(level * splat(_OCTAVES_PER_DB))
        store(level_db, i, select_less(splat(OFF_DB), level, gain, splat(0.0)))


@kernel
def _pan_gains(pan, left, right, frames):  # type: ignore[no-untyped-def]
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
        sine, cosine = fma(sine, square, splat(_SINE[6])), fma(cosine, square, splat(_COSINE[6]))
        sine = sine * u
        store(left, i, cosine - sine)
        store(right, i, cosine + sine)


@kernel
def _scaled(source, gain, out, frames):  # type: ignore[no-untyped-def]
    for i in range(frames):
        out[i] = source[i] * gain


@kernel
def _shaped(source, gains, more, out, frames):  # type: ignore[no-untyped-def]
    for i in range(frames):
        out[i] = source[i] * (gains[i] * more)


@kernel
def _shaped_twice(source, gains, others, out, frames):  # type: ignore[no-untyped-def]
    for i in range(frames):
        out[i] = source[i] * (gains[i] * others[i])


@kernel
def _add(source, out, frames):  # type: ignore[no-untyped-def]
    for i in range(frames):
        out[i] += source[i]


@kernel
def _fade(source, fader, fader_db, fader_moves, pan, pans, pan_moves, out, frames):  # type: ignore[no-untyped-def]
    """One channel through fader and pan, each a number or a row that moves."""
    if fader_moves and pan_moves:
        _shaped_twice(source, fader_db, pans, out, frames)
    elif fader_moves:
        _shaped(source, fader_db, pan, out, frames)
    elif pan_moves:
        _shaped(source, pans, fader, out, frames)
    else:
        _scaled(source, fader * pan, out, frames)


@kernel
def mix_lanes(
    rows: FloatArray,
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
    """Faders, pans and sends of the strips in `rows` (8, frames), added to `buses` (n, 2, frames).

    `strips` (n, 6): left lane, right lane, curve of the fader, of the pan (-1: none), first and last edge;
    `levels` (n, 3): fader, pan left, pan right. `edges` (n, 3): bus, pre-fader, curve; the first edge of a
    strip is its output. `kept` (edges, 2, frames) receives what each edge carries, unless it is empty.
    """
    frames, rate = rows.shape[1], float(sample_rate)
    fader, sent = np.empty(BLOCK + LANES), np.empty(BLOCK + LANES)
    pan_left, pan_right = np.empty(BLOCK + LANES), np.empty(BLOCK + LANES)
    output = np.empty((2, BLOCK), np.float32)
    carried = np.empty((2, BLOCK), np.float32)
    keeping = kept.shape[0] > 0
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        for strip in range(strips.shape[0]):
            position = positions[strip] + start
            fader_curve, pan_curve = strips[strip, 2], strips[strip, 3]
            if fader_curve >= 0:
                begin, end = curve_starts[fader_curve], curve_starts[fader_curve + 1]
                _curve(curve_times[begin:end], curve_values[begin:end], position, rate, fader, count)
                _gains(fader, count)
            if pan_curve >= 0:
                begin, end = curve_starts[pan_curve], curve_starts[pan_curve + 1]
                _curve(curve_times[begin:end], curve_values[begin:end], position, rate, pan_left, count)
                _pan_gains(pan_left, pan_left, pan_right, count)
            for side in range(2):
                _fade(
                    rows[strips[strip, side], start : start + count],
                    levels[strip, 0], fader, fader_curve >= 0,
                    levels[strip, 1 + side], pan_right if side else pan_left, pan_curve >= 0,
                    output[side], count,
                )  # fmt: skip
            for edge in range(strips[strip, 4], strips[strip, 5]):
                bus, pre_fader, send_curve = edges[edge, 0], edges[edge, 1], edges[edge, 2]
                first = edge == strips[strip, 4]
                if send_curve >= 0:
                    begin, end = curve_starts[send_curve], curve_starts[send_curve + 1]
                    _curve(curve_times[begin:end], curve_values[begin:end], position, rate, sent, count)
                    _gains(sent, count)
                for side in range(2):
                    target = buses[bus, side, start : start + count]
                    if first:
                        _add(output[side], target, count)
                        if keeping:
                            kept[edge, side, start : start + count] = output[side, :count]
                        continue
                    source = output[side, :count]
                    if pre_fader:
                        source = rows[strips[strip, side], start : start + count]
                    if send_curve >= 0:
                        _shaped(source, sent, 1.0, carried[side], count)
                    else:
                        _scaled(source, edge_gains[edge], carried[side], count)
                    _add(carried[side], target, count)
                    if keeping:
                        kept[edge, side, start : start + count] = carried[side, :count]


@kernel
def add_raw(rows: FloatArray, strips: NDArray[np.int64], total: DoubleArray) -> None:
    """Add the strips in `rows` (8, frames) as they are to `total` (2, frames)."""
    frames = rows.shape[1]
    for start in range(0, frames, BLOCK):
        count = min(BLOCK, frames - start)
        for strip in range(strips.shape[0]):
            for side in range(2):
                source = rows[strips[strip, side], start : start + count]
                _add(source, total[side, start : start + count], count)

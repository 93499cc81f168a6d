"""Power spectra of eight overlapping windows at once.

A real window of N samples is a complex one of M = N / 2, z[n] = x[2n] + i x[2n + 1]; with Z its transform::

    E = (Z[k] + conj Z[M - k]) / 2,   O = (Z[k] - conj Z[M - k]) / 2i,   X[k] = E + exp(-2 pi i k / N) O

The transform is Stockham's, by fours and at the end perhaps by two; each step is done for eight windows in the
lanes of a vector, whose sums are float64 and whose storage is float32. Windows do not touch one another, so it
does not matter which eight go together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.dsp.lanes import LANES, columns, load, load_floats, splat, store, store_floats
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["add_powers", "padded_for_lanes", "turns"]


@cache
def turns(length: int) -> tuple[DoubleArray, DoubleArray]:
    """cos and sin of 2 pi k / length."""
    angles = 2.0 * np.pi * np.arange(length) / length
    return np.cos(angles), np.sin(angles)


def padded_for_lanes(signal: FloatArray, windows: int, length: int, hop: int) -> FloatArray:
    """The signal (channels, frames), long enough for whole groups of eight windows."""
    whole = length + hop * (-(-windows // LANES) * LANES - 1)
    missing = whole - signal.shape[1]
    return np.ascontiguousarray(np.pad(signal, ((0, 0), (0, missing))) if missing > 0 else signal)


@kernel
def add_powers(
    signal: Any,
    first: Any,
    window: Any,
    hop: Any,
    scale: Any,
    cosines: Any,
    sines: Any,
    one: Any,
    other: Any,
    power: Any,
) -> None:
    """Add ``scale |X[k]|^2`` of at most eight windows to `power` (windows, N / 2 + 1).

    They begin at ``signal[first]`` (flat float32), one every `hop`; `window` has N samples, a power of two;
    `cosines` and `sines` are `turns` of N; `one` and `other` are 8 N float32 each to work in.
    """
    length = len(window)
    room = np.empty(LANES * LANES)
    for i in range(0, length, LANES):
        columns(signal, hop, first + i, room, 0)
        for k in range(LANES):
            weighted = splat(float(window[i + k])) * load(room, k * LANES)
            store_floats(one, (i + k) * LANES, weighted)
    source, target, rest, stride = one, other, length // 2, 1
    while rest > 1:
        if rest >= 4:
            _by_four(source, target, rest, stride, cosines, sines)
            rest //= 4
            stride *= 4
        else:
            _by_two(source, target, stride)
            rest //= 2
            stride *= 2
        source, target = target, source
    _unpack(source, length, scale, cosines, sines, room, power)


@kernel
def _by_four(x: Any, y: Any, rest: Any, stride: Any, cosines: Any, sines: Any) -> None:
    """One step of radix 4; element n is re at 2 n and im at 2 n + 1, in vectors of eight."""
    quarter, step = rest // 4, 2 * LANES
    far = stride * quarter * step
    for p in range(quarter):
        turn = 2 * p * stride
        c1, s1 = splat(cosines[turn]), splat(sines[turn])
        c2, s2 = splat(cosines[2 * turn]), splat(sines[2 * turn])
        c3, s3 = splat(cosines[3 * turn]), splat(sines[3 * turn])
        for q in range(stride):
            at = (q + stride * p) * step
            ar, ai = load_floats(x, at), load_floats(x, at + LANES)
            br, bi = load_floats(x, at + far), load_floats(x, at + far + LANES)
            cr, ci = load_floats(x, at + 2 * far), load_floats(x, at + 2 * far + LANES)
            dr, di = load_floats(x, at + 3 * far), load_floats(x, at + 3 * far + LANES)
            er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
            gr, gi, hr, hi = br + dr, bi + di, br - dr, bi - di
            to = (q + stride * 4 * p) * step
            store_floats(y, to, er + gr)
            store_floats(y, to + LANES, ei + gi)
            ur, ui = fr + hi, fi - hr
            to += stride * step
            store_floats(y, to, ur * c1 + ui * s1)
            store_floats(y, to + LANES, ui * c1 - ur * s1)
            ur, ui = er - gr, ei - gi
            to += stride * step
            store_floats(y, to, ur * c2 + ui * s2)
            store_floats(y, to + LANES, ui * c2 - ur * s2)
            ur, ui = fr - hi, fi + hr
            to += stride * step
            store_floats(y, to, ur * c3 + ui * s3)
            store_floats(y, to + LANES, ui * c3 - ur * s3)


@kernel
def _by_two(x: Any, y: Any, stride: Any) -> None:
    """The last step, of radix 2."""
    step = 2 * LANES
    for q in range(stride):
        near, far = q * step, (q + stride) * step
        for part in (0, LANES):
            a, b = load_floats(x, near + part), load_floats(x, far + part)
            store_floats(y, near + part, a + b)
            store_floats(y, far + part, a - b)


@kernel
def _unpack(z: Any, length: Any, scale: Any, cosines: Any, sines: Any, room: Any, power: Any) -> None:
    """Powers of the real windows from the complex transform."""
    middle, step, count = length // 2, 2 * LANES, power.shape[0]
    half, factor = splat(0.5), splat(scale)
    low, high = load_floats(z, 0), load_floats(z, LANES)
    store(room, 0, (low + high) * (low + high) * factor)
    store(room, LANES, (low - high) * (low - high) * factor)
    for lane in range(count):
        power[lane, 0] += room[lane]
        power[lane, middle] += room[LANES + lane]
    for start in range(1, middle, LANES):
        bins = min(LANES, middle - start)
        for i in range(bins):
            k = start + i
            near, far = k * step, (middle - k) * step
            zr, zi = load_floats(z, near), load_floats(z, near + LANES)
            yr, yi = load_floats(z, far), load_floats(z, far + LANES)
            c, s = splat(cosines[k]), splat(sines[k])
            er, ei = zr + yr, zi - yi
            our, oi = zi + yi, yr - zr
            xr = half * (er + c * our + s * oi)
            xi = half * (ei + c * oi - s * our)
            store(room, i * LANES, (xr * xr + xi * xi) * factor)
        for lane in range(count):
            row = power[lane]
            for i in range(bins):
                row[start + i] += room[i * LANES + lane]

"""Band powers and shape of short-time spectra, frame by frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.fft import add_powers
from tonmeister.dsp.jit import kernel, summing_kernel
from tonmeister.dsp.lanes import LANES
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["SHAPES", "band_powers", "describe_windows", "spectrum_shapes"]

SHAPES = 5
"""Columns of a shape row: centroid, spread, flatness, rolloff, flux."""

ROLLOFF_SHARE = 0.85
FLATNESS_LOW_HZ = 40.0
FLATNESS_HIGH_HZ = 16_000.0
AUDIBLE_LOW_HZ = 20.0
AUDIBLE_HIGH_HZ = 20_000.0
NOTHING = 1e-30


@summing_kernel
def band_powers(power: DoubleArray, bins: NDArray[np.int64], shares: DoubleArray, bands: FloatArray) -> None:
    """Fill `bands` (frames, 66) from `power` (frames, bins), added over the channels already.

    A band takes its `shares` of its first and last bin; the outermost bins of `power` are halved on the way.
    """
    frames, count = power.shape
    last_band = len(bins)
    for frame in range(frames):
        row = power[frame]
        row[0] *= 0.5
        row[count - 1] *= 0.5
        total = 0.0
        for k in range(count):
            total += row[k]
        bands[frame, last_band] = total
        for band in range(last_band):
            first, last = bins[band, 0], bins[band, 1]
            value = 0.0
            if first < count:
                value = row[first] * (shares[band, 0] - (1.0 - shares[band, 1] if last == first else 0.0))
            for k in range(first + 1, min(last, count)):
                value += row[k]
            if last > first and last < count:
                value += row[last] * shares[band, 1]
            bands[frame, band] = value


@summing_kernel
def _moments(magnitude: DoubleArray, low: int, high: int, bin_hz: float, shape: FloatArray) -> None:
    weight, first, second = 0.0, 0.0, 0.0
    for k in range(low, high):
        weight += magnitude[k]
        first += magnitude[k] * k
        second += magnitude[k] * k * k
    center = first / weight if weight > NOTHING else 0.0
    variance = second / weight - center * center if weight > NOTHING else 0.0
    shape[0] = center * bin_hz
    shape[1] = math.sqrt(max(variance, 0.0)) * bin_hz


@summing_kernel
def _flux(magnitude: DoubleArray, low: int, high: int, previous: DoubleArray) -> float:
    norm = 0.0
    for k in range(low, high):
        norm += magnitude[k] * magnitude[k]
    inverse = 1.0 / math.sqrt(norm) if norm > NOTHING else 0.0
    distance = 0.0
    for k in range(low, high):
        now = magnitude[k] * inverse
        difference = now - previous[k]
        distance += difference * difference
        previous[k] = now
    return math.sqrt(0.5 * distance)


@summing_kernel
def _flatness(power: DoubleArray, low: int, high: int) -> float:
    """Geometric over arithmetic mean; one logarithm serves the product of eight bins."""
    total = 0.0
    for k in range(low, high):
        total += power[k]
    if total <= NOTHING:
        return 0.0
    members = high - low
    floor = 1e-12 / members
    logarithms = 0.0
    for start in range(low, high, 8):
        product = 1.0
        for k in range(start, min(start + 8, high)):
            product *= power[k] / total + floor
        logarithms += math.log(product)
    return members * math.exp(logarithms / members)


@summing_kernel
def _rolloff_bin(power: DoubleArray) -> int:
    total = 0.0
    for k in range(len(power)):
        total += power[k]
    reached, k = power[0], 0
    while k < len(power) - 1 and reached < ROLLOFF_SHARE * total:
        k += 1
        reached += power[k]
    return k


@summing_kernel
def spectrum_shapes(power: DoubleArray, bin_hz: float, previous: DoubleArray, shapes: FloatArray) -> None:
    """Fill `shapes` (frames, 5) from `power` (frames, bins).

    Centroid and spread weigh by magnitude, 20 Hz to 20 kHz; flatness is the geometric over the arithmetic mean
    of power, 40 Hz to 16 kHz; below the rolloff lies 85 % of the power; flux is the distance of successive
    magnitude spectra of unit norm over sqrt 2, hence 0 to 1. `previous` (bins,) carries the last such spectrum.
    """
    frames, count = power.shape
    low = max(1, math.ceil(AUDIBLE_LOW_HZ / bin_hz))
    high = min(count, int(AUDIBLE_HIGH_HZ / bin_hz) + 1)
    flat_low = max(1, math.ceil(FLATNESS_LOW_HZ / bin_hz))
    flat_high = min(count, int(FLATNESS_HIGH_HZ / bin_hz) + 1)
    magnitude = np.empty(count)
    for frame in range(frames):
        row = power[frame]
        for k in range(count):
            magnitude[k] = math.sqrt(row[k])
        _moments(magnitude, low, high, bin_hz, shapes[frame])
        shapes[frame, 2] = _flatness(row, flat_low, flat_high)
        shapes[frame, 3] = _rolloff_bin(row) * bin_hz
        shapes[frame, 4] = _flux(magnitude, low, high, previous)


@kernel
def describe_windows(
    signal: FloatArray,
    window: FloatArray,
    hop: int,
    scale: float,
    cosines: DoubleArray,
    sines: DoubleArray,
    work: FloatArray,
    bins: NDArray[np.int64],
    shares: DoubleArray,
    bin_hz: float,
    previous: DoubleArray,
    bands: FloatArray,
    shapes: FloatArray,
) -> None:
    """Band powers (windows, 66) and, unless `shapes` is empty, shapes (windows, 5) of a signal (channels, frames).

    Eight windows at a time, so that their spectra stay in the cache; `signal` is `fft.padded_for_lanes`, `work`
    (2, 8 N) is room to work in.
    """
    power = np.empty((LANES, len(window) // 2 + 1))
    for first in range(0, bands.shape[0], LANES):
        count = min(LANES, bands.shape[0] - first)
        power[:] = 0.0
        for channel in range(signal.shape[0]):
            add_powers(
                signal[channel],
                first * hop,
                window,
                hop,
                scale,
                cosines,
                sines,
                work[0],
                work[1],
                power[:count],
            )
        band_powers(power[:count], bins, shares, bands[first : first + count])
        if len(shapes):
            spectrum_shapes(power[:count], bin_hz, previous, shapes[first : first + count])

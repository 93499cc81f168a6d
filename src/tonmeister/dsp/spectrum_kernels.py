"""Band powers and shape of short-time spectra, frame by frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.jit import kernel
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["SHAPES", "describe_spectra"]

SHAPES = 5
"""Columns of a shape row: centroid, spread, flatness, rolloff, flux."""

ROLLOFF_SHARE = 0.85
FLATNESS_LOW_HZ = 40.0
FLATNESS_HIGH_HZ = 16_000.0
AUDIBLE_LOW_HZ = 20.0
AUDIBLE_HIGH_HZ = 20_000.0
NOTHING = 1e-30


@kernel
def describe_spectra(
    spectra: NDArray[np.complex64],
    bin_hz: float,
    scale: float,
    bins: NDArray[np.int64],
    shares: DoubleArray,
    previous: DoubleArray,
    bands: FloatArray,
    shapes: FloatArray,
) -> None:
    """Fill `bands` (frames, 66) and `shapes` (frames, 5) from `spectra` (channels, frames, bins).

    Powers are added over the channels. Centroid and spread weigh by magnitude, 20 Hz to 20 kHz; flatness is the
    geometric over the arithmetic mean of power, 40 Hz to 16 kHz; below the rolloff lies 85 % of the power;
    flux is the distance of successive magnitude spectra of unit norm over sqrt 2, hence 0 to 1.
    `previous` (bins,) carries the last normalised magnitude spectrum.
    """
    channels, frames, count = spectra.shape
    power = np.empty(count)
    last_band = len(bins)
    low = max(1, int(math.ceil(AUDIBLE_LOW_HZ / bin_hz)))
    high = min(count, int(AUDIBLE_HIGH_HZ / bin_hz) + 1)
    flat_low = max(1, int(math.ceil(FLATNESS_LOW_HZ / bin_hz)))
    flat_high = min(count, int(FLATNESS_HIGH_HZ / bin_hz) + 1)
    for frame in range(frames):
        total = 0.0
        for k in range(count):
            value = 0.0
            for channel in range(channels):
                re = np.float64(spectra[channel, frame, k].real)
                im = np.float64(spectra[channel, frame, k].imag)
                value += re * re + im * im
            power[k] = value * scale
        power[0] *= 0.5
        power[count - 1] *= 0.5
        for k in range(count):
            total += power[k]
        bands[frame, last_band] = total
        for band in range(last_band):
            first, last = bins[band, 0], bins[band, 1]
            value = 0.0
            if first < count:
                value = power[first] * (shares[band, 0] if last > first else 0.0)
            if last == first and first < count:
                value = power[first] * (shares[band, 0] + shares[band, 1] - 1.0)
            for k in range(first + 1, min(last, count)):
                value += power[k]
            if last > first and last < count:
                value += power[last] * shares[band, 1]
            bands[frame, band] = value
        # magnitude: centroid, spread, flux
        weight, first_moment, second_moment, norm = 0.0, 0.0, 0.0, 0.0
        if total > NOTHING:
            for k in range(low, high):
                magnitude = math.sqrt(power[k])
                weight += magnitude
                first_moment += magnitude * k
                second_moment += magnitude * k * k
                norm += power[k]
        if weight > 0.0 and norm > 0.0:
            center = first_moment / weight
            shapes[frame, 0] = center * bin_hz
            shapes[frame, 1] = math.sqrt(max(second_moment / weight - center * center, 0.0)) * bin_hz
            inverse = 1.0 / math.sqrt(norm)
        else:
            shapes[frame, 0] = 0.0
            shapes[frame, 1] = 0.0
            inverse = 0.0
        distance = 0.0
        for k in range(low, high):
            now = math.sqrt(power[k]) * inverse
            difference = now - previous[k]
            distance += difference * difference
            previous[k] = now
        shapes[frame, 4] = math.sqrt(0.5 * distance)
        # flatness: products of eight bins per logarithm
        logarithms, mean, members = 0.0, 0.0, flat_high - flat_low
        for k in range(flat_low, flat_high):
            mean += power[k]
        if mean > NOTHING:
            floor = 1e-12 * mean / members
            k = flat_low
            while k < flat_high:
                product = 1.0
                for j in range(k, min(k + 8, flat_high)):
                    product *= (power[j] + floor) / mean
                logarithms += math.log(product)
                k += 8
            shapes[frame, 2] = members * math.exp(logarithms / members)
        else:
            shapes[frame, 2] = 0.0
        # rolloff
        wanted, sum_, k = ROLLOFF_SHARE * total, 0.0, 0
        while k < count - 1 and sum_ + power[k] < wanted:
            sum_ += power[k]
            k += 1
        shapes[frame, 3] = k * bin_hz

"""What the features companion measures of a stem: 16 descriptors of short frames, each with eight statistics.

M. A. Martínez Ramírez and J. D. Reiss, AES 143 (2017), paper 9848, measured 1812 values; these are the families
that their selection kept, with definitions of our own:

- level: ``rms`` (dB of a frame), ``leq`` (dB of the power in 100 ms before), ``larm`` (dB with a rise of 10 ms and a
  fall of 250 ms), ``vickers_loudness`` (dB of the power after a weighting that follows equal loudness, here the K
  of BS.1770), ``loudness`` (sum over Bark bands of E^0.23, Stevens);
- bands, dB: ``energy_low`` 20 to 150 Hz, ``energy_mid_low`` 150 to 800, ``energy_mid_high`` 800 to 4000,
  ``energy_high`` 4000 to 20000, ``spectral_energy`` all, ``bark_5`` 510 to 630 Hz;
- shape: ``centroid`` (log2 Hz), ``contrast_valley_0`` (log10 of the mean of the lowest fifth of the magnitudes from 20 to
  330 Hz), ``contrast_coefficient_1`` (log10 of highest over lowest fifth, 330 to 800 Hz), ``pitch_salience`` (highest
  normalized autocorrelation from 50 to 1000 Hz), ``hpcp_33`` (share of the 34th of 36 pitch classes, A = 0).

Statistics: mean, max, stdev, var, and of the first and second differences the mean magnitude (dmean, dmean2) and the
variance (dvar, dvar2). One more value is ``effective_duration``: the share of frames within 40 % of the largest amplitude.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Final

import numpy as np

from tonmeister.dsp.bands import BARK_EDGES_HZ
from tonmeister.dsp.erb_bands import frame_length
from tonmeister.dsp.loudness import k_weighting_power
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["DESCRIPTORS", "NAMES", "STATISTICS", "measures"]

DESCRIPTORS: Final = (
    "rms", "leq", "larm", "vickers_loudness", "loudness", "energy_low", "energy_mid_low", "energy_mid_high",
    "energy_high", "spectral_energy", "bark_5", "centroid", "contrast_valley_0", "contrast_coefficient_1",
    "pitch_salience", "hpcp_33",
)  # fmt: skip
STATISTICS: Final = ("mean", "max", "stdev", "var", "dmean", "dvar", "dmean2", "dvar2")
NAMES: Final = (*(f"{d}.{s}" for d in DESCRIPTORS for s in STATISTICS), "effective_duration")
"""Of the values, in the order of `measures`."""

_FLOOR: Final = 1e-9
_BANDS_HZ: Final = ((20, 150), (150, 800), (800, 4000), (4000, 20000), (0, 1e9), (510, 630))
_SALIENCE_HZ: Final = (50.0, 1000.0)


def measures(samples: FloatArray, sample_rate: int) -> DoubleArray:
    """The values of a mono signal (frames,), at the loudness it has; shape (129,), zeros below one frame."""
    length = frame_length(sample_rate)
    hop = length // 2
    if len(samples) < length + 2 * hop:
        return np.zeros(len(NAMES))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float32), length)[::hop]
    spectra = np.fft.rfft(frames * _hann(length))
    power = np.asarray((spectra.real**2 + spectra.imag**2) * (4.0 / length**2), np.float32)
    series = [*_levels(samples, power, hop, length, sample_rate), *_bands(power, length, sample_rate)]
    series += _shapes(power, length, sample_rate)
    peak = np.abs(frames).max(1)
    duration = float(np.mean(peak > 0.4 * peak.max())) if peak.max() > 0 else 0.0
    return np.array([*(v for row in series for v in _statistics(row)), duration])


def _statistics(row: DoubleArray) -> tuple[float, ...]:
    first, second = np.diff(row), np.diff(row, 2)
    spread = float(row.var())
    return (
        float(row.mean()), float(row.max()), float(np.sqrt(spread)), spread,
        float(np.abs(first).mean()), float(first.var()), float(np.abs(second).mean()), float(second.var()),
    )  # fmt: skip


def _levels(
    samples: FloatArray, power: FloatArray, hop: int, length: int, sample_rate: int
) -> list[DoubleArray]:
    """rms, leq, larm, vickers_loudness, loudness."""
    hops = len(samples) // hop
    square = (samples[: hops * hop].astype(np.float64) ** 2).reshape(hops, hop).mean(1)
    count = len(power)
    around = 0.5 * (square[:count] + np.append(square[1:], square[-1])[:count])
    long = np.convolve(square, np.full(4, 0.25))[:count]
    weighted = power @ _weights_k(length, sample_rate)
    bark = power @ _bark(length, sample_rate).T
    loudness = ((bark + _FLOOR) ** 0.23).sum(1)
    return [_db(around), _db(long), _ballistic(_db(around), hop / sample_rate), _db(weighted), loudness]


def _ballistic(level_db: DoubleArray, hop_s: float) -> DoubleArray:
    """Rises at once (10 ms is less than a hop), falls with a time constant of 250 ms."""
    keep, held = float(np.exp(-hop_s / 0.25)), float(level_db[0])
    out = np.empty_like(level_db)
    for i, level in enumerate(level_db.tolist()):
        held = level if level > held else keep * held + (1 - keep) * level
        out[i] = held
    return out


def _bands(power: FloatArray, length: int, sample_rate: int) -> list[DoubleArray]:
    return list(_db((power @ _band_mask(length, sample_rate).T).T))


def _shapes(power: FloatArray, length: int, sample_rate: int) -> list[DoubleArray]:
    hertz = np.arange(length // 2 + 1) * (sample_rate / length)
    total = power.sum(1) + 1e-12
    centroid = np.log2(np.maximum(power @ hertz / total, 20.0))
    magnitude = np.sqrt(power)
    valley, _ = _extremes(magnitude[:, (hertz >= 20) & (hertz < 330)])
    low, high = _extremes(magnitude[:, (hertz >= 330) & (hertz < 800)])
    correlation = np.fft.irfft(power)[:, : length // 2]
    first, last = (int(sample_rate / h) for h in _SALIENCE_HZ[::-1])
    salience = correlation[:, first : min(last, length // 2)].max(1) / (correlation[:, 0] + 1e-12)
    classes = power[:, 1:] @ _pitch_class(length, sample_rate)
    share = classes / (power[:, 1:].sum(1) + 1e-12)
    return [centroid, np.log10(valley), np.log10(high / low), salience, share]


def _extremes(magnitude: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    """Means of the lowest and the highest fifth."""
    ordered = np.sort(magnitude, axis=1)
    fifth = max(ordered.shape[1] // 5, 1)
    return ordered[:, :fifth].mean(1) + 1e-6, ordered[:, -fifth:].mean(1) + 1e-6


def _db(power: DoubleArray | FloatArray) -> DoubleArray:
    return np.asarray(10 * np.log10(np.asarray(power, np.float64) + _FLOOR))


@cache
def _hann(length: int) -> FloatArray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


@cache
def _weights_k(length: int, sample_rate: int) -> FloatArray:
    hertz = np.arange(length // 2 + 1) * (sample_rate / length)
    return np.asarray(k_weighting_power(np.maximum(hertz, 1.0), sample_rate), np.float32)


@cache
def _band_mask(length: int, sample_rate: int) -> FloatArray:
    hertz = np.arange(length // 2 + 1) * (sample_rate / length)
    return np.array([(hertz >= low) & (hertz < high) for low, high in _BANDS_HZ], np.float32)


@cache
def _bark(length: int, sample_rate: int) -> FloatArray:
    hertz = np.arange(length // 2 + 1) * (sample_rate / length)
    edges = np.asarray(BARK_EDGES_HZ)
    return np.array([(hertz >= a) & (hertz < b) for a, b in itertools.pairwise(edges)], np.float32)


@cache
def _pitch_class(length: int, sample_rate: int) -> FloatArray:
    """1 where a bin from 100 to 5000 Hz lies in the 34th third of a semitone above A."""
    hertz = np.arange(1, length // 2 + 1) * (sample_rate / length)
    number = np.rint(36 * np.log2(hertz / 440.0)) % 36
    return np.asarray((number == 33) & (hertz >= 100) & (hertz <= 5000), np.float32)

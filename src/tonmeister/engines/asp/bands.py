"""Bands of the engine: the five of left/right balance, and 40 half-overlapping ERB bands of equalization.

Both are read off the measured third octaves, whose power is taken to lie evenly within each band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tonmeister.dsp.bands import band_edges_hz, exact_centers_hz
from tonmeister.engines.asp.knowledge import number, numbers, whole
from tonmeister.features import TrackFeatures
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["ErbBand", "balance_shares", "erb_bands", "erb_values", "low_share"]

_LOWEST_HZ = 20.0
_NYQUIST_HZ = 22050.0


@dataclass(frozen=True, slots=True)
class ErbBand:
    """A band of equalization."""

    number: int
    low_hz: float
    center_hz: float
    high_hz: float

    @property
    def q(self) -> float:
        return self.center_hz / (self.high_hz - self.low_hz)


def erb_number(frequency_hz: float) -> float:
    """E(f) = 21.4 log10(1 + 0.00437 f), Glasberg & Moore (1990)."""
    return float(21.4 * np.log10(1.0 + 0.00437 * frequency_hz))


def _frequency_hz(erb: float) -> float:
    return float((10.0 ** (erb / 21.4) - 1.0) / 0.00437)


@cache
def erb_bands() -> tuple[ErbBand, ...]:
    """Band k from E(20) + k d to E(20) + (k + 2) d, d = (E(22050) - E(20)) / (bands + 1)."""
    count, lowest = whole("eq.bands"), erb_number(_LOWEST_HZ)
    step = (erb_number(_NYQUIST_HZ) - lowest) / (count + 1)
    return tuple(
        ErbBand(k, *(_frequency_hz(lowest + (k + i) * step) for i in range(3))) for k in range(count)
    )


@cache
def _spread() -> DoubleArray:
    """Share of each third octave's power that falls into each ERB band; shape (bands, 30)."""
    edges = band_edges_hz(3)
    rows = []
    for band in erb_bands():
        overlap = np.minimum(edges[1:], band.high_hz) - np.maximum(edges[:-1], band.low_hz)
        rows.append(np.maximum(overlap, 0.0) / np.diff(edges))
    return np.array(rows)


def erb_values(third_octave_db: FloatArray) -> DoubleArray:
    """Amplitude per ERB band against the largest, 0 to 1; shape (bands,)."""
    powers = 10.0 ** (np.asarray(third_octave_db, dtype=np.float64) / 10.0)
    values = np.sqrt(_spread() @ powers)
    return np.asarray(values / max(float(values.max()), 1e-30))


def low_share(measured: TrackFeatures) -> float:
    """Share of the power below 200 Hz."""
    powers = 10.0 ** (np.asarray(measured.third_octave_db, dtype=np.float64) / 10.0)
    edges = band_edges_hz(3)
    below = np.clip((number("low.below") - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    return float((powers * below).sum() / max(float(powers.sum()), 1e-30))


def balance_shares(
    measured: Sequence[TrackFeatures], gains_db: Sequence[float], unit: int
) -> list[tuple[int, ...]]:
    """Each track's share of the power in each band of balance, as integers; `unit` is all of a band.

    A third octave belongs to the band whose center is nearest on a logarithmic scale; what lies more than an
    octave below the lowest center counts for none.
    """
    centers = np.log2(numbers("balance.bands"))
    thirds = np.log2(exact_centers_hz(3))
    nearest = np.abs(thirds[:, None] - centers[None, :]).argmin(axis=1)
    member = np.equal.outer(np.arange(len(centers)), nearest) & (thirds >= centers[0] - 1.0)[None, :]
    powers = np.array(
        [
            10.0 ** ((np.asarray(m.third_octave_db, dtype=np.float64) + gain_db) / 10.0)
            for m, gain_db in zip(measured, gains_db, strict=True)
        ]
    )
    inside = powers @ member.T.astype(np.float64)
    shares = np.rint(unit * inside / np.maximum(inside.sum(axis=0), 1e-30))
    return [tuple(int(s) for s in row) for row in shares]

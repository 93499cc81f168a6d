"""How far a stem is from the finished one, and the static curves that a network has to beat.

The error is the mean absolute difference of linear magnitudes (2048 / 1024, Hann), both at -23 LUFS, as the original
trained on; beside it, the mean absolute difference of band levels in dB. Compared are

- ``identity``: nothing is done;
- ``group EQ``: one curve per group, the mean difference of the log spectra of the training pairs;
- ``oracle EQ``: the static curve that fits the test pair itself best, per band argmin_c sum |b - c a|: no static
  equalizer does better;
- ``network``: the effect `stem`, as it runs in a mix.

Intervals are 95 % bootstrap percentiles over songs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tonmeister.dsp.erb_bands import BANDS, centers_hz
from tonmeister.effects.stem_network import StemNetwork, predicted_gains
from tonmeister.training.stems.pairs import StemPair, at_loudness
from tonmeister.training.stems.raw import RATE
from tonmeister.training.stems.spectra import band_amplitudes, magnitudes
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "COMPARED",
    "group_curve_db",
    "magnitude_error",
    "oracle_curve_db",
    "score_pairs",
    "static_eq",
    "summary",
]

COMPARED: Final = ("identity", "group EQ", "oracle EQ", "network")
_FLOOR: Final = 1e-4
_BOOTSTRAP: Final = 2000


def group_curve_db(clips: Sequence[tuple[FloatArray, FloatArray]]) -> DoubleArray:
    """Mean over clips of the mean difference of band levels, stem minus raw; shape (64,)."""
    return np.asarray(np.mean([_mean_difference_db(raw, stem) for raw, stem in clips], axis=0))


def _mean_difference_db(raw: FloatArray, stem: FloatArray) -> DoubleArray:
    sounding = np.sqrt((raw**2).sum(1)) > 10 ** (-70 / 20)
    difference = 20 * (np.log10(stem + _FLOOR) - np.log10(raw + _FLOOR))
    return np.asarray(difference[sounding].mean(0) if sounding.any() else np.zeros(BANDS), np.float64)


def oracle_curve_db(raw: FloatArray, stem: FloatArray) -> DoubleArray:
    """The weighted median of b / a with weights a, band by band; shape (64,)."""
    gains = np.ones(BANDS)
    for band in range(BANDS):
        ratio = stem[:, band] / np.maximum(raw[:, band], 1e-9)
        order = np.argsort(ratio)
        weight = np.cumsum(raw[order, band], dtype=np.float64)
        if weight[-1] > 0:
            gains[band] = ratio[order][np.searchsorted(weight, 0.5 * weight[-1])]
    return np.asarray(20 * np.log10(np.clip(gains, 1e-3, 1e2)))


def static_eq(samples: FloatArray, curve_db: DoubleArray) -> FloatArray:
    """The signal through a curve without phase, interpolated as the network's gains are."""
    size = 1 << (len(samples) - 1).bit_length()
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    gains = 10 ** (np.interp(hertz, centers_hz(), curve_db) / 20)
    return np.asarray(np.fft.irfft(np.fft.rfft(samples, size) * gains, size)[: len(samples)], np.float32)


def magnitude_error(made: FloatArray, stem: FloatArray) -> float:
    """Mean |Y_made - Y_stem|, both at -23 LUFS; silence in place of what has no loudness."""
    leveled = at_loudness(made)
    leveled = np.zeros_like(made) if leveled is None else leveled
    return float(np.abs(magnitudes(leveled) - magnitudes(stem)).mean())


def score_pairs(
    pairs: Sequence[StemPair], curve_db: DoubleArray, effect: StemNetwork
) -> dict[str, list[tuple[str, float, float]]]:
    """Compared -> (song, error of magnitudes, error of band levels in dB) of every pair."""
    table: dict[str, list[tuple[str, float, float]]] = {name: [] for name in COMPARED}
    for pair in pairs:
        bands = band_amplitudes(pair.stem)
        oracle = oracle_curve_db(band_amplitudes(pair.raw), bands)
        made = {
            "identity": pair.raw,
            "group EQ": static_eq(pair.raw, curve_db),
            "oracle EQ": static_eq(pair.raw, oracle),
            "network": predicted_gains(effect, pair.raw[np.newaxis], RATE)[0][0],
        }
        for name, sound in made.items():
            leveled = at_loudness(sound)
            levels = np.zeros_like(bands) if leveled is None else band_amplitudes(leveled)
            sounding = bands.max(1) > _FLOOR
            decibels = 20 * np.abs(np.log10(levels + _FLOOR) - np.log10(bands + _FLOOR))[sounding]
            table[name].append((pair.song, magnitude_error(sound, pair.stem), float(decibels.mean())))
    return table


def summary(table: Mapping[str, Sequence[tuple[str, float, float]]], seed: int = 0) -> dict[str, Any]:
    """Means, and by how much the network is nearer than each other, with its interval over songs (plain data)."""
    songs = [song for song, _, _ in table["network"]]
    errors = {name: np.array([row[1] for row in rows]) for name, rows in table.items()}
    data: dict[str, Any] = {
        "pairs": len(songs),
        "songs": len(set(songs)),
        "magnitude_mae": {name: round(float(e.mean()), 5) for name, e in errors.items()},
        "band_level_mae_db": {n: round(float(np.mean([r[2] for r in rows])), 3) for n, rows in table.items()},
    }
    for name in COMPARED[:-1]:
        gain = errors[name] - errors["network"]
        low, high = _interval(songs, gain, seed)
        data[f"network below {name}"] = {
            "mean": round(float(gain.mean()), 5), "low": round(low, 5), "high": round(high, 5)
        }  # fmt: skip
    return data


def _interval(songs: Sequence[str], values: DoubleArray, seed: int) -> tuple[float, float]:
    """Percentiles of the mean when whole songs are drawn."""
    names = sorted(set(songs))
    sums = np.array([values[[s == n for s in songs]].sum() for n in names])
    counts = np.array([songs.count(n) for n in names])
    draws = np.random.default_rng(seed).integers(0, len(names), (_BOOTSTRAP, len(names)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)

"""Distance of a few global features: RMS, crest, width, imbalance, Bark spectra of mid and side.

    distance = sum over features of weight * mean squared difference

RMS and crest per channel; width = E(S) / E(M); imbalance = (E_R - E_L) / (E_R + E_L); Bark: ln of the mean
|STFT| (FFT 32768, hop a quarter, Hann) in 24 triangles from 20 Hz to 20 kHz, equal on the Bark scale. The time
line is ignored, so mixes of different songs compare as well. 0 is perfect.

Weights after Vanka, Steinmetz, Rolland, Reiss & Fazekas, "Diff-MST", ISMIR 2024; features after De Man, Leonard,
King & Reiss, ISMIR 2014; Bark scale after Traunmueller, JASA 88(1), 1990.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.evaluation.figures import Group, figure
from tonmeister.evaluation.stft import hann, magnitudes
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["WEIGHTS", "bark_filters", "feature_distance", "global_features"]

WEIGHTS: Final[Mapping[str, float]] = {
    "rms": 0.1,
    "crest": 0.001,
    "width": 1.0,
    "imbalance": 1.0,
    "bark": 0.1,
}
FFT: Final = 32768
BANDS: Final = 24
LOW_HZ: Final = 20.0
HIGH_HZ: Final = 20_000.0
EPSILON: Final = 1e-8


def global_features(audio: Audio) -> dict[str, DoubleArray]:
    """rms (2,), crest in dB (2,), width (1,), imbalance (1,), bark (48,): mid, then side."""
    samples = audio.samples.astype(np.float64)
    left, right = samples
    rms = np.sqrt(np.maximum(np.mean(samples**2, axis=1), EPSILON))
    peak = np.maximum(np.abs(samples).max(1), EPSILON)
    mid, side = left + right, left - right
    energies = [float(np.sum(channel**2)) for channel in (left, right, mid, side)]
    return {
        "rms": rms,
        "crest": 20.0 * np.log10(peak / rms),
        "width": np.array([energies[3] / max(energies[2], EPSILON)]),
        "imbalance": np.array([(energies[1] - energies[0]) / max(energies[0] + energies[1], EPSILON)]),
        "bark": np.concatenate([_bark(signal, audio.sample_rate) for signal in (mid, side)]),
    }


def feature_distance(reference: Audio, estimate: Audio) -> Group:
    """Each weighted part, and their sum (the AF loss)."""
    a, b = global_features(reference), global_features(estimate)
    parts = {name: weight * float(np.mean((a[name] - b[name]) ** 2)) for name, weight in WEIGHTS.items()}
    figures = [figure("af_loss", sum(parts.values()), "weighted MSE", "lower")]
    figures += [figure(name, value, "weighted MSE", "lower", f"weight {WEIGHTS[name]:g}")
                for name, value in parts.items()]  # fmt: skip
    method = "weights RMS .1, crest .001, width 1, imbalance 1, Bark .1; Bark mid and side, FFT 32768"
    return Group("diff_mst", "Global features (Diff-MST)", method, tuple(figures))


def _bark(signal: DoubleArray, sample_rate: int) -> DoubleArray:
    total, count = np.zeros(FFT // 2 + 1), 0
    for chunk in magnitudes(signal.astype(np.float32), FFT, FFT // 4, hann(FFT), partial=True):
        total += chunk.sum(0, dtype=np.float64)
        count += len(chunk)
    return np.log(bark_filters(sample_rate) @ (total / max(count, 1)) + EPSILON)


@cache
def bark_filters(sample_rate: int) -> FloatArray:
    """24 triangles of height 1 whose corners lie at equal steps on the Bark scale; shape (24, bins).

    z = 26.81 f / (1960 + f) - 0.53. Corners above half the rate are put there.
    """
    first, last = (26.81 * f / (1960.0 + f) for f in (LOW_HZ, min(HIGH_HZ, sample_rate / 2)))
    corners_bark = np.linspace(first, last, BANDS + 2)
    corners = 1960.0 * corners_bark / (26.81 - corners_bark)
    bins = np.arange(FFT // 2 + 1) * sample_rate / FFT
    rising = (bins[None] - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins[None]) / np.diff(corners)[1:, None]
    return np.clip(np.minimum(rising, falling), 0.0, 1.0).astype(np.float32)

"""Spectral distances of an estimate (B) from a reference (A).

    spectral convergence   || |A| - |B| ||_F / || |A| ||_F
    log magnitude          mean | ln(|A| + eps) - ln(|B| + eps) |, eps inside the logarithm
    STFT loss              their sum; MR-STFT: mean over the resolutions
    sum and difference     [MR-STFT(A_L + A_R, B_L + B_R) + MR-STFT(A_L - A_R, B_L - B_R)] / 2

0 is perfect. Frames are not centered; the last one is filled up with silence. Arik, Jun & Diamos, IEEE SPL
26(1), 2019; Yamamoto, Song & Kim, ICASSP 2020; Steinmetz et al., ICASSP 2021 (sum and difference).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError, nearest
from tonmeister.evaluation.stft import hann, magnitude, magnitudes, spectra
from tonmeister.units import FloatArray

__all__ = ["FFT_SETS", "Resolution", "StftLoss", "SumDifference", "fft_set", "mr_stft", "stft_loss",
           "sum_difference"]  # fmt: skip

EPSILON: Final = 1e-4
"""Added to magnitudes of unnormalised spectra before the logarithm."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Length of the transform, hop and window, in frames."""

    fft: int
    hop: int
    window: int


def _quarters(*sizes: int) -> tuple[Resolution, ...]:
    return tuple(Resolution(n, n // 4, n) for n in sizes)


FFT_SETS: Final = {
    "mix": _quarters(4096, 1024, 256),
    "speech": (Resolution(1024, 120, 600), Resolution(2048, 240, 1200), Resolution(512, 50, 240)),
    "wide": _quarters(512, 2048, 8192),
}
"""`mix` is meant for music; `speech` is the common default of speech synthesis; `wide` a third set in use."""


def fft_set(name: str) -> tuple[Resolution, ...]:
    """The resolutions of a named set."""
    if name not in FFT_SETS:
        raise BadInputError(
            f"FFT set {name!r} is not known{nearest(name, list(FFT_SETS))}: give {', '.join(FFT_SETS)}"
        )
    return FFT_SETS[name]


def describe(resolutions: Sequence[Resolution]) -> str:
    """The resolutions in words."""
    return "FFT/hop/window " + ", ".join(f"{r.fft}/{r.hop}/{r.window}" for r in resolutions)


@dataclass(frozen=True, slots=True)
class StftLoss:
    """Both parts of a spectral loss; infinite where the reference is silent and the estimate is not."""

    convergence: float
    log_magnitude: float

    @property
    def total(self) -> float:
        return self.convergence + self.log_magnitude


@dataclass(frozen=True, slots=True)
class SumDifference:
    """MR-STFT of the sum and of the difference of both channels."""

    sum: StftLoss
    difference: StftLoss

    @property
    def total(self) -> float:
        return (self.sum.total + self.difference.total) / 2.0


Mapping = Callable[[FloatArray], FloatArray]
"""Turns magnitudes (windows, bins) into others, for example mel bands."""


class _Sums:
    """What one resolution of one signal adds up to."""

    def __init__(self) -> None:
        self._distance = self._norm = self._logs = 0.0
        self._count = 0

    def add(self, a: FloatArray, b: FloatArray, epsilon: float) -> None:
        self._distance += float(np.sum(np.square(a - b), dtype=np.float64))
        self._norm += float(np.sum(np.square(a), dtype=np.float64))
        self._logs += float(np.sum(np.abs(np.log((a + epsilon) / (b + epsilon))), dtype=np.float64))
        self._count += a.size

    def loss(self) -> StftLoss:
        return StftLoss(_ratio(self._distance, self._norm), self._logs / max(self._count, 1))


def _ratio(distance: float, norm: float) -> float:
    if distance <= 0.0:
        return 0.0
    return math.sqrt(distance / norm) if norm > 0.0 else math.inf


def _check_lengths(reference: FloatArray, estimate: FloatArray) -> None:
    if reference.shape != estimate.shape:
        raise BadInputError(
            f"reference has shape {reference.shape} and estimate {estimate.shape}: cut both to one length"
        )


def stft_loss(
    reference: FloatArray, estimate: FloatArray, resolution: Resolution, *, epsilon: float = EPSILON
) -> StftLoss:
    """One resolution, of signals (frames,)."""
    _check_lengths(reference, estimate)
    sums, window = _Sums(), hann(resolution.window)
    both = (
        magnitudes(x, resolution.fft, resolution.hop, window, partial=True) for x in (reference, estimate)
    )
    for a, b in zip(*both, strict=True):
        sums.add(a, b, epsilon)
    return sums.loss()


def mr_stft(
    reference: FloatArray,
    estimate: FloatArray,
    resolutions: Sequence[Resolution] = FFT_SETS["mix"],
    *,
    epsilon: float = EPSILON,
) -> StftLoss:
    """Mean over the resolutions; signals (frames,)."""
    return _mean([stft_loss(reference, estimate, r, epsilon=epsilon) for r in resolutions])


def _mean(losses: Sequence[StftLoss]) -> StftLoss:
    return StftLoss(
        math.fsum(v.convergence for v in losses) / len(losses),
        math.fsum(v.log_magnitude for v in losses) / len(losses),
    )


@dataclass(frozen=True, slots=True)
class StereoLosses:
    """MR-STFT of left, right, their sum and their difference."""

    left: StftLoss
    right: StftLoss
    sum: StftLoss
    difference: StftLoss


def stereo_losses(
    reference: FloatArray,
    estimate: FloatArray,
    resolutions: Sequence[Resolution] = FFT_SETS["mix"],
    *,
    epsilon: float = EPSILON,
    mappings: Sequence[Mapping] | None = None,
) -> StereoLosses:
    """All four of stereo signals (2, frames), from one transform of each channel."""
    _check_lengths(reference, estimate)
    found = [
        _four(reference, estimate, resolution, epsilon, mappings[i] if mappings else None)
        for i, resolution in enumerate(resolutions)
    ]
    return StereoLosses(*(_mean(column) for column in zip(*found, strict=True)))


def _four(
    reference: FloatArray,
    estimate: FloatArray,
    resolution: Resolution,
    epsilon: float,
    mapping: Mapping | None,
) -> list[StftLoss]:
    sums = [_Sums() for _ in range(4)]
    window = hann(resolution.window)
    channels = (
        spectra(x, resolution.fft, resolution.hop, window, partial=True) for x in (*reference, *estimate)
    )
    for left, right, other_left, other_right in zip(*channels, strict=True):
        one = (left, right, left + right, left - right)
        other = (other_left, other_right, other_left + other_right, other_left - other_right)
        for total, x, y in zip(sums, one, other, strict=True):
            a, b = magnitude(x), magnitude(y)
            total.add(*((a, b) if mapping is None else (mapping(a), mapping(b))), epsilon)
    return [total.loss() for total in sums]


def sum_difference(
    reference: FloatArray, estimate: FloatArray, resolutions: Sequence[Resolution] = FFT_SETS["mix"]
) -> SumDifference:
    """Of stereo signals (2, frames); left and right exchanged cost nothing."""
    found = stereo_losses(reference, estimate, resolutions)
    return SumDifference(found.sum, found.difference)

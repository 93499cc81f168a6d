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
from tonmeister.evaluation.stft import hann, magnitudes
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


def stft_loss(
    reference: FloatArray,
    estimate: FloatArray,
    resolution: Resolution,
    *,
    epsilon: float = EPSILON,
    mapping: Mapping | None = None,
) -> StftLoss:
    """One resolution, of signals (frames,); `mapping` may turn magnitudes into others, for example mel bands."""
    if reference.shape != estimate.shape:
        raise BadInputError(
            f"reference has {len(reference)} frames and estimate {len(estimate)}: cut both to one length"
        )
    window = hann(resolution.window)
    distance = norm = logs = 0.0
    count = 0
    options = {"fft": resolution.fft, "hop": resolution.hop, "window": window, "partial": True}
    for one, other in zip(magnitudes(reference, **options), magnitudes(estimate, **options), strict=True):
        a, b = (one, other) if mapping is None else (mapping(one), mapping(other))
        distance += float(np.sum(np.square(a - b), dtype=np.float64))
        norm += float(np.sum(np.square(a), dtype=np.float64))
        logs += float(np.sum(np.abs(np.log((a + epsilon) / (b + epsilon))), dtype=np.float64))
        count += a.size
    return StftLoss(_ratio(distance, norm), logs / max(count, 1))


def _ratio(distance: float, norm: float) -> float:
    if distance <= 0.0:
        return 0.0
    return math.sqrt(distance / norm) if norm > 0.0 else math.inf


def mr_stft(
    reference: FloatArray,
    estimate: FloatArray,
    resolutions: Sequence[Resolution] = FFT_SETS["mix"],
    *,
    epsilon: float = EPSILON,
    mappings: Sequence[Mapping] | None = None,
) -> StftLoss:
    """Mean over the resolutions; signals (frames,)."""
    losses = [
        stft_loss(reference, estimate, r, epsilon=epsilon, mapping=mappings[i] if mappings else None)
        for i, r in enumerate(resolutions)
    ]
    return StftLoss(
        math.fsum(v.convergence for v in losses) / len(losses),
        math.fsum(v.log_magnitude for v in losses) / len(losses),
    )


def sum_difference(
    reference: FloatArray, estimate: FloatArray, resolutions: Sequence[Resolution] = FFT_SETS["mix"]
) -> SumDifference:
    """Of stereo signals (2, frames); left and right exchanged cost nothing."""
    (left, right), (estimated_left, estimated_right) = reference, estimate
    return SumDifference(
        mr_stft(left + right, estimated_left + estimated_right, resolutions),
        mr_stft(left - right, estimated_left - estimated_right, resolutions),
    )

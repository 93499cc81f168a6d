"""The yardstick for "could this console have reached that mix?": A-weighted mel spectra of L, R, M and S.

    La = 0.5 LR + 0.25 M + 0.25 S

LR is the mean over left and right, M = L + R, S = L - R; each is spectral convergence + mean absolute difference
of the natural logarithm, on mel spectra (96 bands, magnitudes) at 30 kHz, FFT 512, 1024 and 4096, hop a quarter;
powers of bins are not below 1e-4, and the first second is left out. A-weighting is a linear-phase filter of 101
taps. Lee et al., "Searching for music mixing graphs", DAFx 2024 (grafx-prune).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import Final

import numpy as np

from tonmeister.audio import Audio, AudioReader
from tonmeister.evaluation.spectral_losses import Resolution, stereo_losses
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["ConsoleLoss", "a_weighting_taps", "console_loss", "mel_filters"]

RATE: Final = 30_000
MEL_BANDS: Final = 96
TAPS: Final = 101
POWER_FLOOR: Final = 1e-4
OMITTED_S: Final = 1.0
RESOLUTIONS: Final = tuple(Resolution(n, n // 4, n) for n in (512, 1024, 4096))

# poles of the A-weighting, IEC 61672-1, annex E
_POLES_HZ: Final = (20.598997, 107.65265, 737.86223, 12194.217)
_A1000_DB: Final = 1.9997


@dataclass(frozen=True, slots=True)
class ConsoleLoss:
    """The parts of the loss; 0 is perfect."""

    lr: float
    mid: float
    side: float

    @property
    def total(self) -> float:
        return 0.5 * self.lr + 0.25 * self.mid + 0.25 * self.side


def console_loss(reference: Audio, estimate: Audio) -> ConsoleLoss:
    """Of two stereo mixes of one length and rate."""
    mappings = [partial(_mel, mel_filters(RATE, r.fft, MEL_BANDS)) for r in RESOLUTIONS]
    found = stereo_losses(
        _weighted(reference), _weighted(estimate), RESOLUTIONS, epsilon=0.0, mappings=mappings
    )
    return ConsoleLoss((found.left.total + found.right.total) / 2.0, found.sum.total, found.difference.total)


def _weighted(audio: Audio) -> FloatArray:
    """Left and right at the rate of the loss, A-weighted, without the first second."""
    with AudioReader.from_memory(audio, RATE) as reader:
        samples = np.concatenate(list(reader.blocks(1 << 18)), axis=1)
    omitted = round(OMITTED_S * RATE)
    if samples.shape[1] > 2 * omitted:
        samples = samples[:, omitted:]
    return np.stack([_filtered(channel) for channel in samples])


def _filtered(signal: FloatArray) -> FloatArray:
    """The filtered signal without the filter's delay, by one transform of the whole."""
    length = 1 << int(len(signal) + TAPS).bit_length()
    response = np.fft.rfft(a_weighting_taps(RATE), length)
    filtered = np.fft.irfft(np.fft.rfft(signal.astype(np.float64), length) * response, length)
    return filtered[TAPS // 2 : TAPS // 2 + len(signal)].astype(np.float32)


def _mel(filters: FloatArray, magnitude: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(magnitude, np.float32(np.sqrt(POWER_FLOOR))) @ filters.T)


def a_weighting(frequency_hz: DoubleArray, sample_rate: int) -> DoubleArray:
    """Magnitude of the A-weighting after the bilinear transform; shape of `frequency_hz`."""
    z = np.exp(2j * np.pi * np.asarray(frequency_hz) / sample_rate)
    s = 2.0 * sample_rate * (z - 1.0) / (z + 1.0 + 1e-300)
    low, second, third, high = (2.0 * np.pi * pole for pole in _POLES_HZ)
    with np.errstate(all="ignore"):
        response = (
            high**2 * 10 ** (_A1000_DB / 20) * s**4
            / ((s + low) ** 2 * (s + second) * (s + third) * (s + high) ** 2)
        )  # fmt: skip
    return np.where(np.isfinite(response), np.abs(response), 0.0)


@cache
def a_weighting_taps(sample_rate: int) -> DoubleArray:
    """The linear-phase filter of 101 taps that fits the A-weighting best in the least-squares sense.

    With equal weight at all frequencies that is the middle of the inverse Fourier transform.
    """
    points = 1 << 15
    desired = a_weighting(np.arange(points // 2 + 1) * sample_rate / points, sample_rate)
    impulse = np.fft.irfft(desired, points)
    return np.roll(impulse, TAPS // 2)[:TAPS]


@cache
def mel_filters(sample_rate: int, fft: int, bands: int) -> FloatArray:
    """Triangles of equal area over 0 Hz to half the rate on Slaney's mel scale; shape (bands, fft / 2 + 1).

    The scale is linear to 1 kHz (200/3 Hz per mel) and logarithmic above (27 mel per factor 6.4); triangle k
    has the height 2 / (its width in Hz). Slaney, Auditory Toolbox, 1998.
    """
    edges = _mel_to_hz(np.linspace(0.0, float(_hz_to_mel(np.array(sample_rate / 2))), bands + 2))
    bins = np.arange(fft // 2 + 1) * sample_rate / fft
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    triangles = np.clip(np.minimum(rising, falling), 0.0, None)
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_LINEAR_HZ: Final = 200.0 / 3.0
_KNEE_HZ: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27.0


def _hz_to_mel(frequency_hz: DoubleArray) -> DoubleArray:
    above = _KNEE_HZ / _LINEAR_HZ + np.log(np.maximum(frequency_hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(frequency_hz < _KNEE_HZ, frequency_hz / _LINEAR_HZ, above)


def _mel_to_hz(mel: DoubleArray) -> DoubleArray:
    knee = _KNEE_HZ / _LINEAR_HZ
    return np.where(mel < knee, mel * _LINEAR_HZ, _KNEE_HZ * np.exp(_LOG_STEP * (mel - knee)))

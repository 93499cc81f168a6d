"""The picture of a sound that the classifier sees: mel-band levels over time, relative to their own maximum.

    P[k, t] = mean over channels |FFT(hann * x)|^2,   M[m, t] = sum_k F[m, k] P[k, t]
    picture = 1 + 10 log10(M / max M) / 80, not below 0

so that neither the level of a track, nor its polarity, nor what two channels would cancel in their sum changes it.
The mel scale is 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987); the triangles of the bank have
equal heights.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "BANDS",
    "HOP_FRAMES",
    "PATCH_FRAMES",
    "PATCH_STEPS",
    "RATE_HZ",
    "front_end",
    "log_mel",
    "mel_filters",
]

RATE_HZ: Final = 32_000
"""The one rate at which sounds are looked at."""
WINDOW_FRAMES: Final = 2048
HOP_FRAMES: Final = 640
BANDS: Final = 64
PATCH_STEPS: Final = 96
PATCH_FRAMES: Final = PATCH_STEPS * HOP_FRAMES
"""1.92 s: one patch."""
LOWEST_HZ: Final = 30.0
HIGHEST_HZ: Final = 15_500.0
DEPTH_DB: Final = 80.0
_SILENCE: Final = 1e-14


def front_end() -> dict[str, float]:
    """What pictures are made with: a model remembers it, and works with no other."""
    return {
        "rate_hz": RATE_HZ,
        "window_frames": WINDOW_FRAMES,
        "hop_frames": HOP_FRAMES,
        "bands": BANDS,
        "steps": PATCH_STEPS,
        "lowest_hz": LOWEST_HZ,
        "highest_hz": HIGHEST_HZ,
        "depth_db": DEPTH_DB,
    }


def _mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


@cache
def mel_filters() -> DoubleArray:
    """The filter bank; shape (bands, bins)."""
    mels = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2)
    edges = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    hz = np.fft.rfftfreq(WINDOW_FRAMES, 1.0 / RATE_HZ)
    low, center, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hz - low) / (center - low), (high - hz) / (high - center)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


@cache
def _window() -> FloatArray:
    return np.asarray(np.hanning(WINDOW_FRAMES + 1)[:-1], np.float32)


def log_mel(patch: FloatArray) -> FloatArray:
    """The picture of one patch, 0 (80 dB under the maximum, or silence) to 1.

    `patch` is (channels, frames) at `RATE_HZ`; a shorter one is followed by silence, of a longer one the rest is not
    seen. Returns (bands, steps).
    """
    heard = patch[:, :PATCH_FRAMES]
    before = WINDOW_FRAMES // 2
    padded = np.zeros((len(heard), PATCH_FRAMES + WINDOW_FRAMES), np.float32)
    padded[:, before : before + heard.shape[1]] = heard
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_FRAMES, axis=1)
    frames = frames[:, :PATCH_FRAMES:HOP_FRAMES]
    spectra = np.fft.rfft(frames * _window(), axis=-1)
    power = (spectra.real**2 + spectra.imag**2).mean(axis=0)
    mel = mel_filters() @ power.T
    loudest = mel.max()
    if not loudest > _SILENCE:
        return np.zeros((BANDS, PATCH_STEPS), np.float32)
    level_db = 10.0 * np.log10(np.maximum(mel / loudest, 10.0 ** (-DEPTH_DB / 10.0)))
    return np.asarray(1.0 + level_db / DEPTH_DB, np.float32)

"""Spectra of whole clips: bands as the improved network hears them, magnitudes as the faithful one does."""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.dsp.erb_bands import band_weights
from tonmeister.effects.stem_model import BAND_HOP, FRAME, amplitude_scale, analysis_window
from tonmeister.training.stems.raw import RATE
from tonmeister.units import FloatArray

__all__ = ["band_amplitudes", "magnitudes"]

FAITHFUL_HOP: Final = 1024


def band_amplitudes(samples: FloatArray) -> FloatArray:
    """Amplitude per band and frame of a mono signal, hop 512: (frames, 64); a full-scale sine reads about 1."""
    spectra = _spectra(samples, BAND_HOP, analysis_window(FRAME), centered=False)
    power = (spectra.real**2 + spectra.imag**2) @ band_weights(FRAME, RATE).T
    return np.asarray(np.sqrt(power) * amplitude_scale(FRAME), np.float32)


def magnitudes(samples: FloatArray) -> FloatArray:
    """|STFT| with a periodic Hann window, 2048 / 1024, centered: (frames, 1025); 10 s at 44.1 kHz give 431 frames."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    spectra = _spectra(samples, FAITHFUL_HOP, window.astype(np.float32), centered=True)
    return np.asarray(np.abs(spectra), np.float32)


def _spectra(samples: FloatArray, hop: int, window: FloatArray, *, centered: bool) -> np.ndarray:
    half = FRAME // 2
    padded = np.pad(samples, (half, half)) if centered else np.pad(samples, (FRAME - hop, FRAME))
    count = 1 + len(samples) // hop if centered else -(-len(samples) // hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::hop][:count]
    return np.fft.rfft(frames * window)

"""Spectra of whole clips: bands as the improved network hears them, magnitudes as the faithful one does."""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.effects.stem_model import FRAME, band_frames
from tonmeister.training.stems.raw import RATE
from tonmeister.units import FloatArray

__all__ = ["band_amplitudes", "magnitudes"]

FAITHFUL_HOP: Final = 1024


def band_amplitudes(samples: FloatArray) -> FloatArray:
    """Amplitude per band and frame of a mono signal, hop 512: (frames, 64); a full-scale sine reads about 1."""
    return band_frames(samples, RATE)[1]


def magnitudes(samples: FloatArray) -> FloatArray:
    """|STFT| with a periodic Hann window, 2048 / 1024, centered: (frames, 1025); 10 s at 44.1 kHz give 431 frames."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    padded = np.pad(samples, (FRAME // 2, FRAME // 2))
    count = 1 + len(samples) // FAITHFUL_HOP
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::FAITHFUL_HOP][:count]
    return np.asarray(np.abs(np.fft.rfft(frames * window.astype(np.float32))), np.float32)

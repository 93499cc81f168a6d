"""Stereo mixes with known faults, for the tests of the metrics."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.signal

from tonmeister.audio import Audio

RATE = 44_100


def song(seconds: float = 3.0, *, seed: int = 0, width: float = 0.4) -> Audio:
    """Pink-like noise with beats, a common part and a part of each side; peak about -3 dBFS."""
    random = np.random.default_rng(seed)
    frames = int(seconds * RATE)
    common, left, right = scipy.signal.lfilter([0.1], [1, -0.9], random.standard_normal((3, frames)))
    beats = 0.4 + 0.6 * np.exp(-8 * (np.arange(frames) % (RATE // 2)) / RATE)
    samples = beats * np.stack([common + width * left, common + width * right])
    return Audio(0.7 * samples / np.abs(samples).max(), RATE)


def changed(audio: Audio, samples: np.ndarray) -> Audio:
    return Audio(samples, audio.sample_rate)


def louder(audio: Audio, gain_db: float) -> Audio:
    return changed(audio, audio.samples * 10 ** (gain_db / 20))


def panned(audio: Audio, pan: float) -> Audio:
    """The right channel turned down by what a balance control does."""
    return changed(audio, audio.samples * np.array([[1.0], [1.0 - pan]]))


def tilted(audio: Audio, slope_db: float) -> Audio:
    """Turned by `slope_db` per octave around 1 kHz."""
    spectrum = np.fft.rfft(audio.samples.astype(np.float64))
    frequency = np.maximum(np.fft.rfftfreq(audio.frames, 1 / audio.sample_rate), 20.0)
    turned = spectrum * 10 ** (slope_db * np.log2(frequency / 1000.0) / 20)
    return changed(audio, np.fft.irfft(turned, audio.frames))


def compressed(audio: Audio, amount: float) -> Audio:
    """Soft clipping that takes more of the peaks the larger `amount`."""
    return changed(audio, np.tanh(amount * audio.samples) / amount)


def wider(audio: Audio, factor: float) -> Audio:
    left, right = audio.samples
    mid, side = (left + right) / 2, factor * (left - right) / 2
    return changed(audio, np.stack([mid + side, mid - side]))


def rises(values: list[float]) -> bool:
    return all(b > a for a, b in itertools.pairwise(values))

"""A small song whose stems are known, and estimators that do something simple."""

from __future__ import annotations

import numpy as np

from makers import RATE
from tonmeister.audio import Audio
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.units import FloatArray

SHORT = Framing(None, "hann", 512, 512, 128)


def stems(seconds: float, rate: int = RATE, *, seed: int = 0) -> dict[str, FloatArray]:
    """vocals (gliding, in the middle), drums (the same hits every second), bass, other (to the sides)."""
    times = np.arange(round(seconds * rate)) / rate
    random = np.random.default_rng(seed)
    pitch_hz = 330.0 * 2.0 ** (
        0.4 * np.sin(2 * np.pi * 0.31 * times) + 0.02 * np.sin(2 * np.pi * 5.5 * times)
    )
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 9)) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * times))
    burst = np.tile(random.standard_normal(rate), int(np.ceil(seconds)) + 1)[: len(times)]
    hits = burst * np.exp(-((times * 2) % 1) * 18)
    bass = np.sin(2 * np.pi * 82.4 * times) + 0.3 * np.sin(2 * np.pi * 164.8 * times)
    pad = [np.sin(2 * np.pi * f * times + a) for f, a in ((261.6, 0.0), (392.0, 1.0), (523.3, 2.0))]
    made = {
        "vocals": 0.12 * np.stack([voice, voice]),
        "drums": 0.10 * np.stack([hits, hits]),
        "bass": 0.12 * np.stack([bass, bass]),
        "other": 0.06 * np.stack([sum(pad), -0.2 * pad[0] + 0.1 * pad[1]]),
    }
    return {name: sound.astype(np.float32) for name, sound in made.items()}


def song(seconds: float, rate: int = RATE, *, seed: int = 0) -> Audio:
    """The sum of `stems`."""
    return Audio(sum(stems(seconds, rate, seed=seed).values()), rate)


class Fixed:
    """Masks that do not depend on the sound: shares that move with frequency."""

    tracks = ("low", "high")
    context_frames = 0

    def __init__(self, framing: Framing = SHORT) -> None:
        self.framing = framing

    def masks(self, spectrum: Spectrum) -> FloatArray:
        high = np.linspace(0.0, 1.0, spectrum.shape[1], dtype=np.float32)
        shares = np.stack([0.9 - 0.9 * high, 0.9 * high])
        return np.repeat(shares[:, None, :, None], spectrum.shape[2], axis=3)


class Smoothed:
    """Masks that look at seven frames on either side."""

    tracks = ("loud",)
    framing = SHORT
    context_frames = 7

    def masks(self, spectrum: Spectrum) -> FloatArray:
        magnitude = np.abs(spectrum).max(axis=0)
        padded = np.pad(magnitude, ((0, 0), (7, 7)), mode="edge")
        near = np.lib.stride_tricks.sliding_window_view(padded, 15, axis=1).mean(axis=-1)
        return (near / (near + 1.0)).astype(np.float32)[None, None]


class Blockwise:
    """Masks that follow the loudest frame of a block."""

    tracks = ("part",)
    framing = SHORT
    context_frames = 0
    block_frames = 64

    def masks(self, spectrum: Spectrum) -> FloatArray:
        share = np.float32(1.0 / (1.0 + np.abs(spectrum).max()))
        return np.full((1, 1, *spectrum.shape[1:]), share, np.float32)


class Halves:
    """Waveforms: 0.3 and 0.6 of what it hears."""

    tracks = ("a", "b")

    def __init__(self, channels: int = 2, sample_rate: int = RATE, segment_frames: int = 6000) -> None:
        self.channels, self.sample_rate, self.segment_frames = channels, sample_rate, segment_frames
        self.heard: list[tuple[int, ...]] = []

    def waves(self, segment: FloatArray) -> FloatArray:
        self.heard.append(segment.shape)
        return np.stack([0.3 * segment, 0.6 * segment])

"""What happens to a sound between instrument and file: level, tone, room, bleed, noise, distortion, codec, sample rate."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import soundfile
import soxr

from tonmeister.training.identifier.fonts import RATE_HZ
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["add_noise", "colored_noise", "fast_length", "normalized", "reverberant", "spoiled"]

_CODECS: Final = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))
_RATES: Final = (8_000, 11_025, 16_000, 22_050, 24_000)


def normalized(sound: FloatArray, peak_db: float = -3.0) -> FloatArray:
    """With its peak at `peak_db`; silence stays silent."""
    peak = float(np.abs(sound).max(initial=0.0))
    return sound if peak <= 0 else np.asarray(sound * np.float32(db_to_gain(peak_db) / peak))


def fast_length(frames: int) -> int:
    """The next length whose only prime factors are 2, 3 and 5: transforms of others are slow."""
    best = 1 << (max(frames, 1) - 1).bit_length()
    three = 1
    while three < best:
        five = three
        while five < best:
            best = min(best, five << max(0, (-(-frames // five) - 1).bit_length()))
            five *= 5
        three *= 3
    return best


def spoiled(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A plausible recording or track of a clean sound (channels, frames) at `RATE_HZ`."""
    sound = normalized(sound)
    if rng.random() < 0.35:
        sound = _varied_speed(sound, rng)
    if rng.random() < 0.25:
        sound = _driven(sound, rng)
    if rng.random() < 0.7:
        sound = _equalized(sound, rng)
    if rng.random() < 0.25:
        sound = _compressed(sound, rng)
    if rng.random() < 0.15:
        sound = _chorused(sound, rng)
    if rng.random() < 0.15:
        sound = _echoed(sound, rng)
    if rng.random() < 0.45:
        sound = reverberant(sound, rng)
    if rng.random() < 0.3:
        sound = add_noise(sound, rng)
    if rng.random() < 0.06:
        sound = _through_codec(sound, rng)
    if rng.random() < 0.06:
        sound = _band_limited(sound, rng)
    return np.asarray(normalized(sound, float(rng.uniform(-30, 0))), np.float32)


def _varied_speed(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    ratio = 2.0 ** rng.uniform(-0.12, 0.12)
    return np.asarray(soxr.resample(sound.T, RATE_HZ, RATE_HZ * ratio, quality="LQ").T)


def _driven(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    drive = np.float32(db_to_gain(float(rng.uniform(0, 18))))
    return np.asarray(np.tanh(sound * drive + rng.uniform(0, 0.1)))


def _equalized(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A tilt, two broad bells, perhaps a high-pass or low-pass, all at once on the spectrum."""
    size = fast_length(sound.shape[1])
    hz = np.maximum(np.fft.rfftfreq(size, 1 / RATE_HZ), 10.0)
    octaves = np.log2(hz / 1000.0)
    gain_db = rng.normal(0, 1.2) * octaves
    for _ in range(int(rng.integers(0, 3))):
        gain_db = gain_db + rng.normal(0, 5) * np.exp(
            -(((octaves - rng.uniform(-4, 4)) / rng.uniform(0.4, 1.5)) ** 2)
        )
    if rng.random() < 0.3:
        gain_db = gain_db - 10 * np.log10(1 + (rng.uniform(30, 150) / hz) ** 4)
    if rng.random() < 0.15:
        gain_db = gain_db - 10 * np.log10(1 + (hz / rng.uniform(3500, 12000)) ** 4)
    gain = np.asarray(10.0 ** (np.clip(gain_db, -60, 24) / 20.0), np.float32)
    filtered = np.fft.irfft(np.fft.rfft(sound, size, axis=1) * gain, size, axis=1)[:, : sound.shape[1]]
    return normalized(np.asarray(filtered, np.float32))


def _compressed(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    hop = 441
    level = np.abs(sound).max(axis=0)
    steps = np.arange(0, len(level), hop)
    held = np.maximum.reduceat(level, steps)
    decay = rng.uniform(0.75, 0.97)
    for i in range(1, len(held)):
        held[i] = max(held[i], held[i - 1] * decay)
    gain = np.maximum(held, 1e-3) ** -rng.uniform(0.2, 0.7)
    return normalized(np.asarray(sound * np.interp(np.arange(len(level)), steps, gain), np.float32))


def _chorused(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    """With itself through a delay that moves: a chorus above 10 ms, a flanger below."""
    t = np.arange(sound.shape[1])
    middle, depth = rng.uniform(1, 25) * RATE_HZ / 1000, rng.uniform(0.2, 0.9)
    turn = 2 * np.pi * rng.uniform(0.1, 3.0) * t / RATE_HZ
    out = np.array(sound, np.float32)
    for side, channel in enumerate(sound):
        at = t - middle * (1 + 0.5 * depth * np.sin(turn + side * np.pi / 2))
        out[side] += np.float32(rng.uniform(0.3, 1.0)) * np.interp(at, t, channel, left=0.0).astype(
            np.float32
        )
    return normalized(out)


def _echoed(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    """With one to four echoes, each softer."""
    out, every, softer = np.array(sound), round(rng.uniform(0.06, 0.5) * RATE_HZ), rng.uniform(0.15, 0.6)
    for k in range(1, int(rng.integers(2, 6))):
        if k * every < sound.shape[1]:
            out[:, k * every :] += np.float32(softer**k) * sound[:, : -k * every]
    return normalized(out)


def reverberant(
    sound: FloatArray, rng: np.random.Generator, *, wet: float | None = None, decay_s: float | None = None
) -> FloatArray:
    """With a room of exponentially decaying noise, duller the later, different on both sides."""
    decay_s = rng.uniform(0.15, 2.0) if decay_s is None else decay_s
    wet = rng.uniform(0.03, 0.5) if wet is None else wet
    frames = round(min(decay_s, 2.5) * RATE_HZ)
    t = np.arange(frames) / RATE_HZ
    noise = rng.standard_normal((2, frames), np.float32) * np.asarray(10 ** (-3 * t / decay_s), np.float32)
    size = fast_length(sound.shape[1] + frames)
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    response = np.fft.rfft(noise, size, axis=1) / np.asarray(
        1 + (hz / rng.uniform(2500, 9000)) ** 2, np.float32
    )
    stereo = np.asarray(np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound, np.float32)
    tail = np.fft.irfft(np.fft.rfft(stereo, size, axis=1) * response, size, axis=1)[:, : sound.shape[1]]
    tail *= np.abs(stereo).max() / max(float(np.abs(tail).max()), 1e-9)
    return normalized(np.asarray((1 - wet) * stereo + wet * tail, np.float32))


def add_noise(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Hiss, rumble or hum 30 to 65 dB under the peak."""
    frames = sound.shape[1]
    level = db_to_gain(float(rng.uniform(-65, -30))) * float(np.abs(sound).max(initial=0.0))
    if rng.random() < 0.3:
        t = np.arange(frames) / RATE_HZ
        mains = rng.choice([50.0, 60.0])
        noise = sum(np.sin(2 * np.pi * mains * k * t + rng.uniform(0, 6)) / k for k in range(1, 8))
    else:
        noise = colored_noise(frames, rng)
    return np.asarray(sound + level * noise, np.float32)


def colored_noise(frames: int, rng: np.random.Generator, *, exponent: float | None = None) -> FloatArray:
    """Noise whose magnitude falls with frequency to the power of `exponent`, peak about 1.

    None: at random between -1.5 and 0.5, that is -9 to +3 dB per octave.
    """
    size = fast_length(frames)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / RATE_HZ), 20.0)
    exponent = rng.uniform(-1.5, 0.5) if exponent is None else exponent
    noise = np.fft.irfft(spectrum * hz**exponent, size)[:frames]
    return np.asarray(noise / max(float(np.abs(noise).max()), 1e-12), np.float32)


def _through_codec(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    container, subtype = _CODECS[rng.integers(len(_CODECS))]
    buffer = io.BytesIO()
    quality = float(rng.uniform(0.3, 1.0))
    with soundfile.SoundFile(
        buffer, "w", RATE_HZ, len(sound), subtype, format=container, compression_level=quality
    ) as file:
        file.write(np.ascontiguousarray(sound.T))
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32", always_2d=True)
    return np.ascontiguousarray(decoded.T)


def _band_limited(sound: FloatArray, rng: np.random.Generator) -> FloatArray:
    rate = int(rng.choice(_RATES))
    low = soxr.resample(sound.T, RATE_HZ, rate, quality="MQ")
    return np.ascontiguousarray(soxr.resample(low, rate, RATE_HZ, quality="MQ").T)

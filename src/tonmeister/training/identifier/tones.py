"""Sounds made from sines and noise: synthesizers, plucked strings, singers.

    x(t) = sum_k a_k(t) sin(2 pi k int f0 dt + phase_k)

with a_k(t) from a waveform, a filter that moves, or the formants of a voice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from tonmeister.training.identifier.fonts import RATE_HZ
from tonmeister.training.identifier.phrases import Note
from tonmeister.training.identifier.spoiling import fast_length
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["play_singer", "play_string", "play_synth", "revoice"]

_CONTROL: Final = 441
"""Frames between two values of what moves slowly (10 ms)."""
_MAX_PARTIALS: Final = 40

VOWELS: Final = {
    "a": ((730, 1090, 2440, 3400, 4500), (0, -7, -12, -20, -26)),
    "e": ((530, 1840, 2480, 3500, 4500), (0, -10, -13, -20, -28)),
    "i": ((290, 2290, 3010, 3700, 4700), (0, -14, -16, -20, -30)),
    "o": ((570, 840, 2410, 3300, 4400), (0, -8, -24, -26, -32)),
    "u": ((310, 870, 2240, 3200, 4300), (0, -16, -30, -34, -38)),
    "er": ((490, 1350, 1690, 3300, 4400), (0, -8, -12, -24, -30)),
}
"""Formants of American vowels in hertz (men; Peterson & Barney, JASA 24, 1952); levels in dB are chosen by ear."""


def _frequency(key: float) -> float:
    return float(440.0 * 2.0 ** ((key - 69) / 12))


def _partials(
    f0: DoubleArray, levels: Callable[[DoubleArray, DoubleArray], DoubleArray], rng: np.random.Generator,
    *, stretch: float = 0.0,
) -> DoubleArray:  # fmt: skip
    """Sum of partials over f0 (one value per `_CONTROL` frames).

    `levels` gives amplitudes (partials, steps) from numbers (partials, 1) and frequencies (partials, steps).
    """
    count = int(np.clip(RATE_HZ * 0.45 / f0.min(), 1, _MAX_PARTIALS))
    numbers = np.arange(1, count + 1, dtype=np.float64)[:, None]
    ratios = numbers * np.sqrt(1.0 + stretch * numbers**2)
    frequencies = ratios * f0
    amplitudes = levels(numbers, frequencies) * (frequencies < RATE_HZ * 0.45)
    turns = np.cumsum(_between(f0)) / RATE_HZ
    out = np.zeros(len(turns), np.float32)
    for k in range(count):
        if amplitudes[k].max() > 1e-4:
            phase = ratios[k, 0] * turns + rng.random()
            phase -= np.floor(phase)
            out += _between(amplitudes[k]).astype(np.float32) * np.sin(
                np.float32(2 * np.pi) * phase.astype(np.float32)
            )
    return out.astype(np.float64)


def _between(values: DoubleArray) -> DoubleArray:
    """What lies between one value per `_CONTROL` frames, on straight lines."""
    share = np.arange(_CONTROL) / _CONTROL
    return (values[:-1, None] + np.diff(values)[:, None] * share).reshape(-1)


def _envelope(
    steps: int, attack_s: float, decay_s: float, sustain: float, held_s: float, release_s: float
) -> DoubleArray:
    t = np.arange(steps) * _CONTROL / RATE_HZ
    rise = np.minimum(1.0, t / max(attack_s, 1e-3))
    fall = sustain + (1 - sustain) * np.exp(-np.maximum(t - attack_s, 0) / decay_s)
    end = np.exp(-np.maximum(t - held_s, 0) / max(release_s / 3, 1e-3))
    return np.asarray(rise * fall * end)


def _placed(out: DoubleArray, sound: DoubleArray, start_s: float) -> None:
    at = round(start_s * RATE_HZ)
    length = min(len(sound), len(out) - at)
    if length > 0:
        out[at : at + length] += sound[:length]


def play_synth(word: str, notes: Sequence[Note], seconds: float, rng: np.random.Generator) -> FloatArray:
    """A subtractive synthesizer: ``synth_bass sub_bass synth_lead synth_pad synth_pluck``; (2, frames)."""
    shape = float(rng.uniform(0.9, 2.0))
    odd_only = rng.random() < 0.3
    if word == "sub_bass":
        shape, odd_only = float(rng.uniform(2.5, 6.0)), False
    cutoff_hz = {
        "synth_bass": 500,
        "sub_bass": 150,
        "synth_lead": 3000,
        "synth_pad": 1200,
        "synth_pluck": 1500,
    }[word]
    cutoff_hz *= 2.0 ** rng.uniform(-1, 1.3)
    sweep_octaves = rng.uniform(0, 4) if word in ("synth_bass", "synth_pluck") else rng.uniform(-0.5, 1.5)
    sweep_s = rng.uniform(0.04, 0.4) if word != "synth_pad" else rng.uniform(0.5, 2.5)
    order, peak = rng.uniform(1, 4), rng.uniform(0, 3)
    attack_s = {"synth_pad": rng.uniform(0.1, 0.8)}.get(word, rng.uniform(0.002, 0.03))
    sustain = {"synth_pluck": 0.0, "synth_pad": 0.9}.get(word, rng.uniform(0.3, 1.0))
    decay_s = rng.uniform(0.08, 0.5)
    voices = int(rng.choice([1, 1, 2])) if word != "sub_bass" else 1
    detune = rng.uniform(0.02, 0.2)
    vibrato = rng.uniform(0, 0.25) if word == "synth_lead" else 0.0
    out = np.zeros((2, round(seconds * RATE_HZ)))
    for note in notes:
        release_s = {"synth_pad": 1.0, "synth_pluck": 0.4}.get(word, 0.08)
        steps = int((note.length_s + release_s) * RATE_HZ / _CONTROL) + 2
        t = np.arange(steps) * _CONTROL / RATE_HZ
        envelope = _envelope(steps, attack_s, decay_s, sustain, note.length_s, release_s)
        cutoff = cutoff_hz * 2.0 ** (sweep_octaves * np.exp(-t / sweep_s)) + 0.5 * _frequency(note.key)

        def levels(
            number: DoubleArray,
            hz: DoubleArray,
            cutoff: DoubleArray = cutoff,
            envelope: DoubleArray = envelope,
        ) -> DoubleArray:
            wave = number**-shape * np.where((number % 2 == 0) & odd_only, 0.0, 1.0)
            ratio = hz / cutoff
            lowpass = (
                1.0
                / np.sqrt(1.0 + ratio ** (2 * order))
                * (1 + peak * np.exp(-((np.log2(ratio) / 0.3) ** 2)))
            )
            return np.asarray(wave * lowpass * envelope)

        for voice in range(voices):
            key = note.key + detune * rng.uniform(-1, 1) + vibrato * np.sin(2 * np.pi * 5.5 * t)
            sound = _partials(440.0 * 2.0 ** ((key - 69) / 12), levels, rng) * note.velocity / 127
            pan = 0.5 if voices == 1 else voice / (voices - 1)
            for side, share in enumerate((1 - pan, pan)):
                _placed(out[side], sound * (0.5 + 0.5 * share), note.start_s)
    return np.asarray(out, np.float32)


def play_string(word: str, notes: Sequence[Note], seconds: float, rng: np.random.Generator) -> FloatArray:
    """A plucked string with a wooden body: ``ukulele`` (nylon, short) or ``acoustic_guitar``; (2, frames)."""
    nylon = word == "ukulele" or rng.random() < 0.4
    place = rng.uniform(0.1, 0.35)
    ring_s = rng.uniform(0.25, 0.8) if word == "ukulele" else rng.uniform(0.6, 2.5)
    slope, bodies = (
        rng.uniform(0.8, 1.5) + 0.4 * nylon,
        rng.uniform(0.7, 1.4) * (1.9 if word == "ukulele" else 1.0),
    )
    out = np.zeros(round(seconds * RATE_HZ))
    for note in notes:
        steps = int(min(note.length_s + 0.15, 4 * ring_s) * RATE_HZ / _CONTROL) + 2
        t = np.arange(steps) * _CONTROL / RATE_HZ
        held = np.exp(-np.maximum(t - note.length_s, 0) / 0.03)

        def levels(
            number: DoubleArray, hz: DoubleArray, t: DoubleArray = t, held: DoubleArray = held
        ) -> DoubleArray:
            pluck = np.abs(np.sin(np.pi * number * place)) * number**-slope
            decay = np.exp(-t / (ring_s / (1 + (hz / 1500) ** 1.2)))
            body = (
                1
                + 1.5 * np.exp(-(((hz / (110 * bodies) - 1) * 3) ** 2))
                + np.exp(-(((hz / (220 * bodies) - 1) * 3) ** 2))
            )
            return np.asarray(pluck * decay * body * held)

        f0 = np.full(steps, _frequency(note.key)) * (1 + 0.002 * np.exp(-t / 0.05))
        sound = _partials(f0, levels, rng, stretch=rng.uniform(1e-5, 1e-4)) * note.velocity / 127
        tick = rng.standard_normal(round(0.006 * RATE_HZ)) * np.linspace(1, 0, round(0.006 * RATE_HZ)) ** 2
        sound[: len(tick)] += 0.1 * rng.random() * tick[: len(sound)]
        _placed(out, sound, note.start_s)
    return np.asarray(np.stack([out, out]), np.float32)


def play_singer(notes: Sequence[Note], seconds: float, rng: np.random.Generator) -> FloatArray:
    """One singer on changing vowels with breath, consonants, glides and vibrato; (1, frames)."""
    size = 2.0 ** rng.uniform(-0.05, 0.3)
    depth, rate_hz = rng.uniform(0.05, 0.5), rng.uniform(4.5, 6.5)
    tilt, breath = rng.uniform(0.6, 1.5), 10.0 ** rng.uniform(-2.6, -1.2)
    out = np.zeros(round(seconds * RATE_HZ))
    before = notes[0].key if notes else 60
    for note in sorted(notes, key=lambda n: n.start_s):
        steps = int((note.length_s + 0.06) * RATE_HZ / _CONTROL) + 3
        t = np.arange(steps) * _CONTROL / RATE_HZ
        drift = np.cumsum(rng.standard_normal(steps)) * 0.01
        vibrato = depth * np.clip((t - 0.2) / 0.3, 0, 1) * np.sin(2 * np.pi * rate_hz * t + rng.uniform(0, 6))
        glide = (before - note.key) * np.exp(-t / rng.uniform(0.015, 0.06))
        key = note.key + glide + vibrato + drift - 0.5 * np.exp(-t / 0.04)
        centers, decibels = _vowel_path(steps, size, rng)
        sung = _sung(440.0 * 2.0 ** ((key - 69) / 12), centers, decibels, tilt, note.length_s, rng)
        air = _band_noise(len(sung), centers[1].mean(), 6000.0, rng) * breath
        sound = (
            (sung + air * np.sqrt(np.convolve(sung**2, np.ones(441) / 441, "same")) * 8) * note.velocity / 127
        )
        if rng.random() < 0.6:
            _placed(
                out, _consonant(rng) * np.abs(sung).max() * note.velocity / 127, max(note.start_s - 0.06, 0)
            )
        _placed(out, sound, note.start_s)
        before = note.key
    return np.asarray(out[None], np.float32)


def _vowel_path(steps: int, size: float, rng: np.random.Generator) -> tuple[DoubleArray, DoubleArray]:
    """Formant frequencies (5, steps) and levels in dB (5, steps) that move from one vowel to the next."""
    names = list(VOWELS)
    first, second = (VOWELS[names[rng.integers(len(names))]] for _ in range(2))
    turn = 1 / (1 + np.exp(-(np.linspace(-6, 6, steps) + rng.uniform(-5, 8))))
    centers = np.outer(first[0], 1 - turn) + np.outer(second[0], turn)
    decibels = np.outer(first[1], 1 - turn) + np.outer(second[1], turn)
    return centers * size, decibels + rng.uniform(-4, 4, (5, 1))


def _sung(
    f0: DoubleArray,
    centers: DoubleArray,
    decibels: DoubleArray,
    tilt: float,
    held_s: float,
    rng: np.random.Generator,
) -> DoubleArray:
    envelope = _envelope(len(f0), rng.uniform(0.01, 0.08), 1.0, 0.8, held_s, 0.08)
    envelope = envelope * (1 + 0.03 * rng.standard_normal(len(f0)))
    widths = np.array([80, 100, 130, 180, 250])[:, None] * rng.uniform(0.8, 1.4)

    def levels(number: DoubleArray, hz: DoubleArray) -> DoubleArray:
        tract = sum(
            10 ** (d / 20) / np.sqrt(1 + ((hz - c) / w) ** 2)
            for c, d, w in zip(centers, decibels, widths, strict=True)
        )
        return np.asarray(number**-tilt * (tract + 0.003) * envelope)

    return _partials(f0, levels, rng)


def _band_noise(frames: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> DoubleArray:
    size = fast_length(frames)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    spectrum *= 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 4) / (1 + (hz / high_hz) ** 4)
    return np.asarray(np.fft.irfft(spectrum, size)[:frames])


def _consonant(rng: np.random.Generator) -> DoubleArray:
    frames = round(rng.uniform(0.02, 0.12) * RATE_HZ)
    low = rng.choice([300, 1500, 3500, 5000])
    return (
        _band_noise(frames, low, low * rng.uniform(1.5, 3), rng) * np.hanning(frames) * rng.uniform(0.1, 1.0)
    )


def revoice(
    speech: FloatArray, notes: Sequence[Note], seconds: float, rng: np.random.Generator
) -> FloatArray:
    """Let a recorded voice sing: its short-time spectral envelopes, slowed down, on the pitches of `notes`; (1, frames).

    The source is a pulse-like sum of harmonics plus noise; the envelope is linear prediction of order 28 per 20 ms
    (Atal & Hanauer, JASA 50, 1971).
    """
    from scipy.signal import lfilter

    order, hop = 28, 441
    start = int(rng.integers(0, max(1, len(speech) - 3 * RATE_HZ)))
    slow, shift = rng.uniform(1.0, 2.5), 2.0 ** rng.uniform(-0.15, 0.15)
    excitation = _excitation(notes, seconds, rng)
    out = np.zeros(len(excitation) + 4 * hop)
    window, state = np.hanning(4 * hop), np.hanning(4 * hop)
    for at in range(0, len(excitation) - 4 * hop, hop):
        heard = start + int(at / slow)
        piece = speech[heard % max(len(speech) - 8 * hop, 1) :][: 4 * hop]
        if len(piece) < 4 * hop:
            break
        coefficients, gain = _prediction(np.asarray(piece, np.float64) * window, order)
        out[at : at + 4 * hop] += lfilter([gain], coefficients, excitation[at : at + 4 * hop] * state)
    resampled = np.interp(np.arange(len(excitation)), np.arange(len(out)) / shift, out) if shift != 1 else out
    return np.asarray(resampled[None, : len(excitation)], np.float32)


def _excitation(notes: Sequence[Note], seconds: float, rng: np.random.Generator) -> DoubleArray:
    out = np.zeros(round(seconds * RATE_HZ))
    depth = rng.uniform(0.05, 0.4)
    for note in notes:
        steps = int((note.length_s + 0.05) * RATE_HZ / _CONTROL) + 3
        t = np.arange(steps) * _CONTROL / RATE_HZ
        vibrato = depth * np.clip((t - 0.2) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.4 * t)
        key = note.key + vibrato + np.cumsum(rng.standard_normal(steps)) * 0.01
        envelope = _envelope(steps, 0.03, 1.0, 0.8, note.length_s, 0.06)

        def levels(number: DoubleArray, _: DoubleArray, envelope: DoubleArray = envelope) -> DoubleArray:
            return np.asarray(number**-0.3 * envelope)

        sound = _partials(440.0 * 2.0 ** ((key - 69) / 12), levels, rng)
        _placed(out, sound, note.start_s)
    loud = np.sqrt(np.convolve(out**2, np.ones(441) / 441, "same"))
    return np.asarray(out + rng.uniform(0.05, 0.4) * loud * rng.standard_normal(len(out)))


def _prediction(piece: DoubleArray, order: int) -> tuple[DoubleArray, float]:
    """Coefficients and gain of linear prediction by the autocorrelation method."""
    from scipy.linalg import solve_toeplitz

    full = np.fft.irfft(np.abs(np.fft.rfft(piece, 2 * len(piece))) ** 2)[: order + 1]
    full[0] = full[0] * (1 + 1e-5) + 1e-9
    weights = np.asarray(solve_toeplitz(full[:-1], full[1:]))
    error = max(float(full[0] - weights @ full[1:]), 0.0)
    return np.concatenate([[1.0], -weights]), float(np.sqrt(error / len(piece)))

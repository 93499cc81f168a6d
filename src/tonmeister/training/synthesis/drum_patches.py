"""Synthetic drums and percussion: one-shots of swept sines, modes and noise, placed at the notes.

Numbers are ours (grade R): recognisable drum machines and rough acoustic drums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from tonmeister.training.synthesis.instruments import piece_of_key
from tonmeister.training.synthesis.songs import NoteArray
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["PIECES", "place", "play_drum"]

_TAKES: Final = 3
"""Different recordings of one hit, played in turn."""


def play_drum(
    piece: str, notes: NoteArray, *, frames: int, sample_rate: int, random: np.random.Generator
) -> FloatArray:
    """The hits of one piece: float32 (1, frames); `piece` is a word of the vocabulary."""
    make = PIECES.get(piece, _block)
    size = float(np.exp(random.normal(0.0, 0.15)))
    length = float(np.exp(random.normal(0.0, 0.3)))
    takes: dict[tuple[int, int], FloatArray] = {}
    for key in sorted(set(notes["pitch"].tolist())):
        for take in range(_TAKES):
            sound = make(sample_rate, random, key, size, length)
            takes[key, take] = _faded(sound, sample_rate)
    hits = [takes[key, number % _TAKES] for number, key in enumerate(notes["pitch"].tolist())]
    return place(hits, notes, frames=frames, sample_rate=sample_rate)


def place(
    hits: list[FloatArray],
    notes: NoteArray,
    *,
    frames: int,
    sample_rate: int,
) -> FloatArray:
    """One-shots at their notes, louder when struck harder; (1, n) or (n,) each; float32 (1, frames)."""
    out = np.zeros(frames, np.float32)
    starts = np.rint(notes["start_s"] * sample_rate).astype(np.int64).tolist()
    gains = ((notes["velocity"] / 110.0) ** 1.6).astype(np.float32)
    for hit, start, gain in zip(hits, starts, gains, strict=True):
        length = min(hit.shape[-1], frames - start)
        out[start : start + length] += gain * hit.reshape(-1)[:length]
    return out[np.newaxis]


def _faded(sound: DoubleArray, sample_rate: int) -> FloatArray:
    """Peak at a third of full scale, no click at the end."""
    tail = min(len(sound), int(0.01 * sample_rate))
    sound[-tail:] *= np.linspace(1.0, 0.0, tail)
    return np.asarray(sound * (0.33 / max(float(np.abs(sound).max()), 1e-9)), np.float32)


def _time(sample_rate: int, length_s: float) -> DoubleArray:
    return np.arange(int(length_s * sample_rate)) / sample_rate


def _swept(from_hz: float, to_hz: float, fall_s: float, time_s: DoubleArray) -> DoubleArray:
    """A falling sine: the phase is the integral of to + (from - to) e^(-t / fall)."""
    cycles = to_hz * time_s + (from_hz - to_hz) * fall_s * (1.0 - np.exp(-time_s / fall_s))
    return np.asarray(np.sin(2 * np.pi * cycles))


def _noise(random: np.random.Generator, count: int, low_hz: float, high_hz: float, rate: int) -> DoubleArray:
    """Noise with 12 dB per octave below `low_hz` and above `high_hz`."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1.0 / rate), 1.0)
    return np.fft.irfft(spectrum / (1 + (low_hz / hertz) ** 2) / (1 + (hertz / high_hz) ** 2), count)


def _kick(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    time_s = _time(rate, 0.5)
    low_hz = 52.0 / size
    body = _swept(low_hz * random.uniform(2.5, 3.5), low_hz, 0.03, time_s) * np.exp(-time_s / (0.13 * length))
    click = _noise(random, len(time_s), 300.0, 5000.0, rate) * np.exp(-time_s / 0.004)
    return np.asarray(body + 0.5 * click)


def _snare(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    time_s = _time(rate, 0.4)
    rattle = _noise(random, len(time_s), 900.0, 7000.0, rate) * np.exp(-time_s / (0.09 * length))
    drum = _swept(260.0 / size, 185.0 / size, 0.02, time_s) * np.exp(-time_s / 0.07)
    if key == 37:  # the stick across the rim
        return _modes(rate, random, (1700.0, 420.0), (0.012, 0.03), 0.15)
    return np.asarray(drum + random.uniform(0.6, 1.3) * rattle)


def _tom(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    time_s = _time(rate, 0.9)
    hertz = 75.0 * 2 ** ((key - 41) / 11) / size
    skin = _swept(1.5 * hertz, hertz, 0.05, time_s) * np.exp(-time_s / (0.25 * length))
    stick = _noise(random, len(time_s), 400.0, 4000.0, rate) * np.exp(-time_s / 0.006)
    return np.asarray(skin + 0.3 * stick)


def _metal(rate: int, random: np.random.Generator, low_hz: float, fall_s: float) -> DoubleArray:
    """Inharmonic squares and noise: the sound of a struck plate."""
    time_s = _time(rate, min(6 * fall_s + 0.05, 4.0))
    ratios = np.array([1.0, 1.34, 1.78, 2.37, 3.11, 4.2]) * random.uniform(0.98, 1.02, 6)
    clang = np.sign(np.sin(2 * np.pi * np.outer(ratios * low_hz * 0.12, time_s))).sum(0)
    hiss = _noise(random, len(time_s), low_hz, 15000.0, rate) * 6
    wave = np.fft.rfft(0.4 * clang + hiss)
    hertz = np.maximum(np.fft.rfftfreq(len(time_s), 1 / rate), 1.0)
    sound = np.fft.irfft(wave / (1 + (low_hz / hertz) ** 4), len(time_s))
    return np.asarray(sound * np.exp(-time_s / fall_s))


def _hihat(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    return _metal(rate, random, 6000.0 / size, {46: 0.22, 44: 0.05}.get(key, 0.03) * length)


def _ride(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    wash = _metal(rate, random, 3500.0 / size, 0.6 * length)
    ping = _modes(rate, random, (2900.0 / size, 4300.0 / size, 6100.0 / size), (0.15, 0.1, 0.05), 0.5)
    wash[: len(ping)] += 1.5 * ping[: len(wash)] * np.abs(wash).max()
    return wash


def _crash(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    low_hz, fall_s = {55: (4500.0, 0.25), 52: (1800.0, 0.4)}.get(key, (2600.0, 0.7))
    return _metal(rate, random, low_hz / size, fall_s * length)


def _modes(
    rate: int,
    random: np.random.Generator,
    hertz: tuple[float, ...],
    fall_s: tuple[float, ...],
    length_s: float,
) -> DoubleArray:
    time_s = _time(rate, length_s)
    sound = np.zeros(len(time_s))
    for f, fall in zip(hertz, fall_s, strict=True):
        sound += np.sin(2 * np.pi * f * random.uniform(0.99, 1.01) * time_s) * np.exp(-time_s / fall)
    return sound


def _shaken(low_hz: float, high_hz: float, rise_s: float, fall_s: float) -> Callable[..., DoubleArray]:
    def make(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
        time_s = _time(rate, rise_s + 6 * fall_s)
        envelope = np.where(time_s < rise_s, time_s / rise_s, np.exp(-(time_s - rise_s) / (fall_s * length)))
        return np.asarray(_noise(random, len(time_s), low_hz / size, high_hz / size, rate) * envelope)

    return make


def _tambourine(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    jingle = _metal(rate, random, 7500.0 / size, 0.09 * length)
    return jingle * (1 + 0.6 * np.sign(np.sin(2 * np.pi * 28 * _time(rate, 9)[: len(jingle)])))


def _hand_drum(low_hz: float) -> Callable[..., DoubleArray]:
    def make(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
        hertz = low_hz * 2 ** (((key % 3) - 1) / 5) / size
        time_s = _time(rate, 0.4)
        skin = _swept(1.12 * hertz, hertz, 0.02, time_s) * np.exp(-time_s / (0.08 * length))
        over = np.sin(2 * np.pi * 2.2 * hertz * time_s) * np.exp(-time_s / 0.03)
        slap = _noise(random, len(time_s), 500.0, 4000.0, rate) * np.exp(-time_s / 0.008)
        return np.asarray(skin + 0.4 * over + 0.4 * slap)

    return make


def _struck(hertz: tuple[float, ...], fall_s: tuple[float, ...]) -> Callable[..., DoubleArray]:
    def make(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
        falls = tuple(f * length for f in fall_s)
        return _modes(rate, random, tuple(f / size for f in hertz), falls, 6 * max(falls) + 0.02)

    return make


def _claps(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    time_s = _time(rate, 0.35)
    envelope = np.exp(-np.maximum(time_s - 0.03, 0.0) / (0.07 * length)) * (time_s >= 0.03)
    for at_s in (0.0, 0.011, 0.021):
        envelope += np.where(time_s >= at_s, np.exp(-(time_s - at_s) / 0.004), 0.0)
    return np.asarray(_noise(random, len(time_s), 800.0 / size, 3500.0, rate) * envelope)


def _guiro(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    time_s = _time(rate, 0.35 if key == 74 else 0.12)
    scraped = (np.sin(2 * np.pi * 70 * time_s * (1 + time_s)) > 0.3).astype(np.float64)
    return _noise(random, len(time_s), 1500.0 / size, 6000.0, rate) * scraped


def _block(rate: int, random: np.random.Generator, key: int, size: float, length: float) -> DoubleArray:
    hertz = 700.0 * 2 ** ((key % 5) / 6) / size
    return _modes(rate, random, (hertz, 2.6 * hertz), (0.03, 0.015), 0.2)


PIECES: Final[Mapping[str, Callable[..., DoubleArray]]] = {
    "kick": _kick,
    "snare": _snare,
    "tom": _tom,
    "hihat": _hihat,
    "ride": _ride,
    "crash": _crash,
    "splash": _crash,
    "china": _crash,
    "shaker": _shaken(4500.0, 12000.0, 0.015, 0.03),
    "maracas": _shaken(5500.0, 14000.0, 0.006, 0.02),
    "tambourine": _tambourine,
    "conga": _hand_drum(210.0),
    "bongo": _hand_drum(380.0),
    "timbales": _hand_drum(300.0),
    "djembe": _hand_drum(120.0),
    "cowbell": _struck((560.0, 845.0, 2200.0), (0.12, 0.1, 0.03)),
    "clave": _struck((2500.0,), (0.03,)),
    "triangle": _struck((4800.0, 7300.0, 9900.0), (0.9, 0.6, 0.5)),
    "guiro": _guiro,
    "claps": _claps,
    "percussion": _block,
}
"""Word of the vocabulary -> how a hit of it is made."""


def pieces_of(notes: NoteArray) -> dict[str, NoteArray]:
    """The notes of each piece that is played, by the percussion map."""
    words = np.array([piece_of_key(int(key)) for key in notes["pitch"]])
    return {word: notes[words == word] for word in sorted(set(words.tolist()))}

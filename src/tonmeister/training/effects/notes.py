"""Made-up notes of plucked bass and guitar, and of keys and a voice as instruments that nobody learned from.

A string is a sum of partials, each falling by itself: amplitude sin(pi k p) / k^1.3 for a string plucked at the
fraction p of its length, frequency f k sqrt(1 + B k^2), the higher the faster gone (N. Fletcher and T. Rossing, "The
physics of musical instruments", 1998, chapters 2 and 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from tonmeister.units import DoubleArray

__all__ = ["INSTRUMENTS", "LEVELS_DB", "note", "noise_burst", "notes"]

LEVELS_DB: Final = (-40.0, 0.0)
"""Peak levels of the notes."""
_HIGHEST: Final = 0.45
"""Of the sample rate: no partial lies above."""
_PITCHES: Final = {"bass": (28, 55), "guitar": (40, 84), "keys": (36, 96), "voice": (48, 76)}
"""MIDI numbers: four strings, six strings, a piano's middle, a singer."""
_VOWELS_HZ: Final = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
"""First three formants of a man's vowels in "father", "heed", "who'd", "head" (Peterson and Barney, 1952)."""

Generator = np.random.Generator


def note(instrument: str, seconds: float, sample_rate: int, generator: Generator) -> DoubleArray:
    """One note, chord, slide, dead note or silence, at a peak level between -40 and 0 dBFS."""
    frames = round(seconds * sample_rate)
    sound = INSTRUMENTS[instrument](frames, sample_rate, generator)
    fade = max(round(0.005 * sample_rate), 1)
    sound[-fade:] *= np.linspace(1.0, 0.0, fade)
    peak = float(np.abs(sound).max(initial=0.0))
    level = 10.0 ** (generator.uniform(*LEVELS_DB) / 20.0)
    return sound * (level / peak) if peak > 0.0 else sound


def notes(
    instruments: Mapping[str, int], seconds: float, sample_rate: int, generator: Generator
) -> DoubleArray:
    """Many notes (notes, frames): so many of each instrument, in this order."""
    return np.stack(
        [
            note(name, seconds, sample_rate, generator)
            for name, count in instruments.items()
            for _ in range(count)
        ]
    )


def noise_burst(frames: int, generator: Generator) -> DoubleArray:
    """Noise of a random color, at a random level, for a random while: what no instrument plays."""
    white = np.fft.rfft(generator.standard_normal(frames))
    tilt = np.maximum(np.arange(len(white)), 1.0) ** -generator.uniform(0.0, 1.0)
    sound = np.fft.irfft(white * tilt, frames)
    begin, end = np.sort(generator.integers(0, frames + 1, 2))
    sound[:begin] = sound[end:] = 0.0
    peak = float(np.abs(sound).max(initial=0.0))
    return sound * (10.0 ** (generator.uniform(*LEVELS_DB) / 20.0) / peak) if peak > 0.0 else sound


def _string(lowest: int, highest: int, wound: float) -> Callable[[int, int, Generator], DoubleArray]:
    """A plucked instrument; `wound` is how inharmonic its strings are."""

    def play(frames: int, rate: int, generator: Generator) -> DoubleArray:
        kind = generator.random()
        if kind < 0.03:
            return np.zeros(frames)
        pitch = generator.uniform(lowest, highest)
        if kind < 0.1:
            return _plucked(frames, rate, np.full(frames, _hz(pitch)), wound, generator, dead=True)
        if kind < 0.2:
            slide = np.interp(
                np.arange(frames), [0, frames * 0.3, frames * 0.5], [0.0, 0.0, generator.uniform(-5, 5)]
            )
            return _plucked(frames, rate, _hz(pitch + slide), wound, generator)
        if kind < 0.35:
            chord = (0, 7, 12) if generator.random() < 0.5 else (0, 4, 7)
            parts = [
                _plucked(frames, rate, np.full(frames, _hz(pitch + up)), wound, generator) for up in chord
            ]
            return np.asarray(sum(parts))
        return _plucked(frames, rate, np.full(frames, _hz(pitch)), wound, generator)

    return play


def _hz(pitch: float | DoubleArray) -> DoubleArray:
    return np.asarray(440.0 * 2.0 ** ((np.asarray(pitch) - 69.0) / 12.0))


def _plucked(
    frames: int, rate: int, hz: DoubleArray, wound: float, generator: Generator, *, dead: bool = False
) -> DoubleArray:
    time = np.arange(frames) / rate
    turns = 2.0 * np.pi * np.cumsum(hz) / rate
    place, decay = generator.uniform(0.08, 0.4), generator.uniform(0.8, 3.0) + (30.0 if dead else 0.0)
    sound = np.zeros(frames)
    for k in range(1, 41):
        stretch = k * np.sqrt(1.0 + wound * k * k)
        if hz.max() * stretch > _HIGHEST * rate:
            break
        size = np.sin(np.pi * k * place) / k**1.3
        sound += size * np.exp(-time * decay * (1.0 + 0.05 * k * k / 4.0)) * np.sin(stretch * turns)
    attack = generator.standard_normal(frames) * np.exp(-time * 300.0) * 0.05
    return np.asarray(np.minimum(time * 500.0, 1.0) * sound + attack)


def _keys(frames: int, rate: int, generator: Generator) -> DoubleArray:
    """Two operators of frequency modulation, as an electric piano, one to four keys at once."""
    time, sound = np.arange(frames) / rate, np.zeros(frames)
    for _ in range(generator.integers(1, 5)):
        hz = float(_hz(generator.uniform(*_PITCHES["keys"])))
        depth = generator.uniform(0.2, 1.5) * np.exp(-time * 4.0)
        turn = 2.0 * np.pi * hz * time
        sound += np.exp(-time * generator.uniform(1.0, 3.0)) * np.sin(turn + depth * np.sin(turn))
    return np.asarray(sound * np.minimum(time * 400.0, 1.0))


def _voice(frames: int, rate: int, generator: Generator) -> DoubleArray:
    """Pulses with vibrato through the resonances of a vowel."""
    time = np.arange(frames) / rate
    bend = 0.3 * np.sin(2.0 * np.pi * generator.uniform(4.5, 6.5) * time) * np.minimum(time * 2.0, 1.0)
    hz = _hz(generator.uniform(*_PITCHES["voice"]) + bend)
    turns = 2.0 * np.pi * np.cumsum(hz) / rate
    formants = _VOWELS_HZ[generator.integers(len(_VOWELS_HZ))]
    sound = 0.01 * generator.standard_normal(frames)
    for k in range(1, int(_HIGHEST * rate / hz.max()) + 1):
        size = sum(1.0 / (1.0 + ((k * hz - f) / 80.0) ** 2) / (1 + n) for n, f in enumerate(formants))
        sound += size * np.sin(k * turns) / k
    swell = np.minimum(time * generator.uniform(5.0, 20.0), 1.0)
    return np.asarray(sound * swell * np.minimum((time[-1] - time) * 8.0, 1.0))


INSTRUMENTS: Final[Mapping[str, Callable[[int, int, Generator], DoubleArray]]] = {
    "bass": _string(*_PITCHES["bass"], 2e-4),
    "guitar": _string(*_PITCHES["guitar"], 5e-5),
    "keys": _keys,
    "voice": _voice,
}

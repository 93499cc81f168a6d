"""A synthetic singer: glottal pulses through the formants of changing vowels, with breath and consonants.

Source and filter, after Fant: a band-limited pulse train with a slope of -9 dB per octave, vibrato, glides between
notes and a little unrest of pitch; then five resonators in series per vowel, faded into one another from note to
note. It is no voice anybody would mistake for a person; it is a voice where there is none to record.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.training.synthesis.acoustics import apply_sections
from tonmeister.training.synthesis.songs import NoteArray
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["sing"]

_VOWELS: Final = {
    "ah": (730, 1090, 2440, 3400, 4500),
    "eh": (530, 1840, 2480, 3500, 4500),
    "ee": (290, 2200, 2900, 3500, 4500),
    "oh": (570, 840, 2410, 3300, 4500),
    "oo": (320, 870, 2240, 3200, 4500),
}
"""Formants of a man's vowels, hertz: Peterson & Barney, JASA 24 (1952), table II, the upper two ours."""
_WIDTHS_HZ: Final = (80.0, 90.0, 130.0, 180.0, 250.0)
_CONTROL_HZ: Final = 200
_TABLE: Final = 4096
_LEVEL: Final = 0.25
_BYPASS: Final = 0.03
"""Share of the source that passes the formants by: five resonators leave nothing above the highest."""


def sing(
    notes: NoteArray, *, frames: int, sample_rate: int, random: np.random.Generator, players: int = 1
) -> FloatArray:
    """The notes, sung by one person, or by `players` who share the voices of a chord: float32 (2, frames)."""
    out = np.zeros((2, frames), np.float32)
    lines = _lines(notes, most=max(players, 1))
    for number, line in enumerate(lines):
        place = (number + 0.5) / len(lines) * 1.4 - 0.7 if len(lines) > 1 else 0.0
        voice = _voice(line, frames, sample_rate, random)
        out += np.sqrt([[0.5 - 0.5 * place], [0.5 + 0.5 * place]]).astype(np.float32) * voice
    return out


def _lines(notes: NoteArray, most: int) -> list[NoteArray]:
    """The notes as melodies of one note at a time, highest first; what is left over is not sung."""
    lines: list[list[int]] = [[] for _ in range(most)]
    free = [0.0] * most
    order = np.lexsort((-notes["pitch"], notes["start_s"]))
    for index in order.tolist():
        start = float(notes["start_s"][index])
        line = next((i for i in range(most) if free[i] <= start + 0.03), None)
        if line is not None:
            lines[line].append(index)
            free[line] = start + 0.6 * float(notes["length_s"][index])
    return [_ended(notes[line]) for line in lines if line]


def _ended(notes: NoteArray) -> NoteArray:
    """Every note ends where the next begins."""
    notes = notes.copy()
    gap = np.diff(notes["start_s"])
    notes["length_s"][:-1] = np.minimum(notes["length_s"][:-1], gap)
    return notes


def _voice(notes: NoteArray, frames: int, sample_rate: int, random: np.random.Generator) -> FloatArray:
    woman = random.random() < 0.5
    size = float(random.uniform(1.1, 1.25) if woman else random.uniform(0.92, 1.05))
    pitch = _into_range(notes["pitch"], center=67 if woman else 56)
    hertz, loud = _controls(notes, pitch, frames, sample_rate, random)
    source = _pulses(hertz, random, sample_rate) + _breath(frames, random)
    sung = np.zeros(frames, np.float32)
    for vowel, weight in _vowels(notes, frames, sample_rate, random).items():
        formants = np.array(_VOWELS[vowel]) * size
        filtered = apply_sections(_resonators(formants, sample_rate), source[np.newaxis])[0]
        sung += filtered * weight
    sung = (sung + np.float32(_BYPASS) * source) * loud
    peak = float(np.abs(sung).max(initial=0.0))
    sung = sung * np.float32(_LEVEL / peak) if peak > 0 else sung
    return sung + _consonants(notes, frames, sample_rate, random)


def _into_range(pitch: DoubleArray, center: int) -> DoubleArray:
    """The melody moved by octaves to where the voice lies."""
    middle = float(np.median(pitch))
    return np.asarray(pitch + 12 * np.round((center - middle) / 12), np.float64)


def _controls(
    notes: NoteArray, pitch: DoubleArray, frames: int, sample_rate: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Pitch in hertz and loudness of every frame."""
    count = frames * _CONTROL_HZ // sample_rate + 2
    time_s = np.arange(count) / _CONTROL_HZ
    target, level = np.full(count, pitch[0]), np.zeros(count)
    for (start_s, length_s, _, velocity), note in zip(notes.tolist(), pitch.tolist(), strict=True):
        first, last = int(start_s * _CONTROL_HZ), int((start_s + length_s) * _CONTROL_HZ) + 1
        target[first:] = note
        level[first:last] = (velocity / 100) ** 1.2
    glide = _smooth(target, 0.03 + 0.05 * random.random())
    level = _smooth(level, 0.035)
    rate_hz, depth = random.uniform(4.8, 6.2), random.uniform(0.15, 0.55)
    settled = _smooth((np.abs(np.gradient(glide)) < 0.02).astype(float), 0.25)
    vibrato = depth * settled * np.sin(2 * np.pi * rate_hz * time_s + random.uniform(0, 6.28))
    unrest = _smooth(random.standard_normal(count), 0.05) * 0.12
    hertz = 440.0 * 2 ** ((glide + vibrato + unrest - 69) / 12)
    at = np.arange(frames) * (_CONTROL_HZ / sample_rate)
    grid = np.arange(count)
    return np.interp(at, grid, hertz).astype(np.float32), np.interp(at, grid, level).astype(np.float32)


def _smooth(values: DoubleArray, length_s: float) -> DoubleArray:
    half = max(1, round(length_s * _CONTROL_HZ))
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(values, half, mode="edge"), window / window.sum(), mode="valid")


def _pulses(hertz: FloatArray, random: np.random.Generator, sample_rate: int) -> FloatArray:
    """Band-limited pulses from a table that holds what the highest note allows."""
    most = max(4, min(int(0.45 * sample_rate / float(hertz.max())), _TABLE // 4))
    overtones = np.arange(1, most + 1)
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    spectrum[1 : most + 1] = overtones ** -(1.35 + 0.3 * random.random()) * (_TABLE / 2)
    table = np.fft.irfft(spectrum, _TABLE).astype(np.float32)
    phase = np.cumsum(hertz.astype(np.float64) * (_TABLE / sample_rate))
    return np.asarray(table[phase.astype(np.int64) & (_TABLE - 1)], np.float32)


def _breath(frames: int, random: np.random.Generator) -> FloatArray:
    level = np.float32(10 ** (random.uniform(-38, -26) / 20))
    noise = random.standard_normal(min(frames, 1 << 17), dtype=np.float32)
    return np.asarray(np.resize(noise, frames) * level, np.float32)


def _vowels(
    notes: NoteArray, frames: int, sample_rate: int, random: np.random.Generator
) -> dict[str, FloatArray]:
    """How much of each of three vowels is sung when; they add up to one."""
    names = [str(n) for n in random.choice(list(_VOWELS), 3, replace=False)]
    count = frames * _CONTROL_HZ // sample_rate + 2
    which = np.zeros(count, np.int64)
    for start_s in notes["start_s"].tolist():
        which[int(start_s * _CONTROL_HZ) :] = int(random.integers(3))
    at, grid = np.arange(frames) * (_CONTROL_HZ / sample_rate), np.arange(count)
    weights = {name: _smooth((which == i).astype(float), 0.03) for i, name in enumerate(names)}
    return {name: np.interp(at, grid, weight).astype(np.float32) for name, weight in weights.items()}


def _resonators(formants_hz: DoubleArray, sample_rate: int) -> DoubleArray:
    """Two-pole resonators with unity gain at 0 Hz: y = g x + 2 r cos(w) y1 - r^2 y2; shape (n, 5)."""
    rows = []
    for hertz, width_hz in zip(formants_hz.tolist(), _WIDTHS_HZ, strict=True):
        if hertz < 0.45 * sample_rate:
            r = np.exp(-np.pi * width_hz / sample_rate)
            a1, a2 = -2 * r * np.cos(2 * np.pi * hertz / sample_rate), r * r
            rows.append((1 + a1 + a2, 0.0, 0.0, a1, a2))
    return np.array(rows)


def _consonants(notes: NoteArray, frames: int, sample_rate: int, random: np.random.Generator) -> FloatArray:
    """A hiss or a burst before some of the notes."""
    out = np.zeros(frames, np.float32)
    for start_s in notes["start_s"].tolist():
        chance, length_s = random.random(), float(random.uniform(0.02, 0.11))
        low_hz, level = float(random.uniform(1500, 6000)), float(random.uniform(0.1, 0.5)) * _LEVEL
        if chance > 0.55:
            continue
        start = max(0, int((start_s - 0.6 * length_s) * sample_rate))
        count = min(int(length_s * sample_rate), frames - start)
        if count > 16:
            noise = np.diff(random.standard_normal(count + 1))
            spectrum = np.fft.rfft(noise * np.hanning(count))
            above = np.fft.rfftfreq(count, 1 / sample_rate) / low_hz
            hiss = np.fft.irfft(spectrum * above**2 / (1 + above**2), count)
            out[start : start + count] += (hiss * (level / max(np.abs(hiss).max(), 1e-9))).astype(np.float32)
    return out

"""A small song to try things on: synthesised tracks of a simple tune, every one as loud as it can be.

Four bars of C G Am F and a last C at 100 beats per minute: drums, bass, two guitars, keys, a lead voice made of
formants, backing voices; a click and a rough mix lie beside them, as in a real delivery. Every file peaks at
-1 dBFS, so the plain sum of the tracks is a bad mix. The numbers here describe a toy, not mixing practice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.audio import Audio
from tonmeister.audio_output import check_writable, write_audio
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray, db_to_gain

__all__ = ["SAMPLE_RATE", "demo_tracks", "write_demo_song"]

SAMPLE_RATE: Final = 44_100
TEMPO_BPM: Final = 100.0
BEAT_S: Final = 60.0 / TEMPO_BPM
BARS: Final = 5
BEATS: Final = 4 * BARS
PEAK_DB: Final = -1.0
CLICK: Final = "10_Click"
ROUGH_MIX: Final = "Rough Mix"

CHORDS: Final = ((0, 4, 7), (7, 11, 14), (9, 12, 16), (5, 9, 12), (0, 4, 7))
"""Semitones above C of each bar's triad."""
MELODY: Final = (
    (0.0, 1.5, 7), (1.5, 0.5, 9), (2.0, 1.5, 7), (4.0, 1.0, 11), (5.0, 1.0, 14), (6.0, 1.5, 11),
    (8.0, 1.5, 12), (9.5, 0.5, 14), (10.0, 1.5, 16), (12.0, 1.0, 14), (13.0, 1.0, 12), (14.0, 1.5, 9),
    (16.0, 3.0, 12),
)  # fmt: skip
"""(beat, length in beats, semitones above the C of the octave) of the lead voice."""
C3_HZ: Final = 130.8128
VOWELS: Final = (
    ((730, 90, 0), (1090, 110, -6), (2440, 120, -16), (3400, 150, -20)),
    ((570, 80, 0), (840, 90, -4), (2410, 120, -22), (3300, 150, -26)),
    ((530, 70, 0), (1840, 120, -12), (2480, 130, -18), (3500, 150, -22)),
)
"""Formants (hertz, bandwidth in hertz, decibels) of three sung vowels: ah, oh, eh."""


def write_demo_song(folder: Path, *, seed: int = 0, overwrite: bool = False) -> list[Path]:
    """Write the song's files into `folder`, which is made; raises `BadInputError` when they are there already."""
    folder = Path(folder)
    paths = [folder / f"{name}.wav" for name in (*_TRACKS, CLICK, ROUGH_MIX)]
    if not overwrite and (there := [path for path in paths if path.exists()]):
        raise BadInputError(f"{there[0]}: exists already: give another folder or --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BadInputError(f"{folder}: is a file: give a folder") from None
    check_writable(folder)
    for path, samples in zip(paths, demo_tracks(seed).values(), strict=True):
        audio = Audio(samples.astype(np.float32), SAMPLE_RATE)
        write_audio(path, audio, subtype="24", overwrite=overwrite)
    return paths


def demo_tracks(seed: int = 0) -> dict[str, DoubleArray]:
    """File name without its ending -> samples (channels, frames) at `SAMPLE_RATE`, peak at `PEAK_DB`."""
    random = np.random.default_rng(seed)
    made = {name: make(random) for name, make in _TRACKS.items()}
    peaked = {name: _peaked(np.atleast_2d(samples)) for name, samples in made.items()}
    sources = [np.broadcast_to(s, (2, s.shape[1])) for s in peaked.values()]
    return {**peaked, CLICK: _peaked(_click(random)), ROUGH_MIX: _peaked(np.sum(sources, axis=0))}


def _peaked(samples: DoubleArray) -> DoubleArray:
    return np.asarray(np.atleast_2d(samples) * (db_to_gain(PEAK_DB) / np.abs(samples).max()))


def _hertz(semitones: float) -> float:
    return float(C3_HZ * 2.0 ** (semitones / 12.0))


def _seconds(length_s: float) -> DoubleArray:
    return np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE


def _silence() -> DoubleArray:
    return np.zeros(round(BEATS * BEAT_S * SAMPLE_RATE))


def _placed(hits: Sequence[tuple[float, DoubleArray]]) -> DoubleArray:
    """Sounds at their beats, added up."""
    line = _silence()
    for beat, sound in hits:
        start = round(beat * BEAT_S * SAMPLE_RATE)
        length = min(len(sound), len(line) - start)
        line[start : start + length] += sound[:length]
    return line


def _swept(from_hz: float, to_hz: float, fall_s: float, time_s: DoubleArray) -> DoubleArray:
    """A sine whose frequency falls exponentially: phase is the integral of to + (from - to) e^(-t / fall)."""
    cycles = to_hz * time_s + (from_hz - to_hz) * fall_s * (1.0 - np.exp(-time_s / fall_s))
    return np.asarray(np.sin(2.0 * np.pi * cycles))


def _noise(random: np.random.Generator, count: int, low_hz: float, high_hz: float) -> DoubleArray:
    """Noise that falls by 6 dB per octave below `low_hz` and by 12 above `high_hz`."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1.0 / SAMPLE_RATE), 1.0)
    return np.fft.irfft(
        spectrum / np.sqrt(1.0 + (low_hz / hertz) ** 2) / (1.0 + (hertz / high_hz) ** 2), count
    )


def _kick(random: np.random.Generator) -> DoubleArray:
    time_s = _seconds(0.45)
    body = _swept(160.0, 52.0, 0.03, time_s) * np.exp(-time_s / 0.14)
    sound = body + 0.5 * _noise(random, len(time_s), 100.0, 4000.0) * np.exp(-time_s / 0.004)
    pattern = ((0.0, 1.0), (1.5, 0.8), (2.0, 1.0))
    return _placed([(4 * bar + beat, sound * level) for bar in range(BARS) for beat, level in pattern])


def _snare(random: np.random.Generator) -> DoubleArray:
    time_s = _seconds(0.35)
    hits = []
    for beat in range(1, BEATS, 2):
        rattle = _noise(random, len(time_s), 800.0, 5000.0) * np.exp(-time_s / 0.09)
        drum = _swept(260.0, 185.0, 0.02, time_s) * np.exp(-time_s / 0.07)
        hits.append((float(beat), (drum + 0.9 * rattle) * random.uniform(0.85, 1.0)))
    return _placed(hits)


def _hihat(random: np.random.Generator) -> DoubleArray:
    time_s = _seconds(0.2)
    hits = []
    for eighth in range(2 * BEATS):
        hiss = _noise(random, len(time_s), 7000.0, 9000.0)
        length_s = 0.08 if eighth % 8 == 7 else 0.025
        level = (1.0 if eighth % 2 == 0 else 0.6) * random.uniform(0.8, 1.0)
        hits.append((eighth / 2, level * hiss * np.exp(-time_s / length_s)))
    return _placed(hits)


def _bass(random: np.random.Generator) -> DoubleArray:
    time_s = _seconds(0.5 * BEAT_S)
    fade = np.minimum(1.0, (time_s[-1] - time_s) / 0.02) * np.minimum(1.0, time_s / 0.004)
    hits = []
    for eighth in range(2 * BEATS):
        hertz = _hertz(CHORDS[eighth // 8][0] - 12 - (12 if CHORDS[eighth // 8][0] > 4 else 0))
        tone = sum(
            np.sin(2 * np.pi * hertz * k * time_s) * np.exp(-time_s * (1.5 + 1.2 * k)) / k
            for k in range(1, 9)
        )
        hits.append((eighth / 2, np.asarray(tone) * fade * random.uniform(0.8, 1.0)))
    return _placed(hits)


def _string(hertz: float, length_s: float, random: np.random.Generator) -> DoubleArray:
    """A plucked string (Karplus & Strong 1983): each period is the last one averaged with itself a sample later."""
    period = round(SAMPLE_RATE / hertz)
    loop = random.uniform(-1.0, 1.0, period)
    loop = (loop + np.roll(loop, 1)) / 2
    periods = []
    for _ in range(round(length_s * SAMPLE_RATE) // period + 1):
        periods.append(loop)
        loop = 0.4985 * (loop + np.roll(loop, 1))
    return np.concatenate(periods)


def _guitar(random: np.random.Generator, pattern: Sequence[float], octave: int) -> DoubleArray:
    """Strummed triads."""
    hits = []
    for bar in range(BARS):
        for beat in pattern:
            for number, note in enumerate(CHORDS[bar]):
                late = 0.012 * number / BEAT_S + random.uniform(0.0, 0.01)
                hits.append(
                    (4 * bar + beat + late, _string(_hertz(note + 12 * octave), 0.9 * BEAT_S, random))
                )
    return _placed(hits)


def _keys(random: np.random.Generator) -> DoubleArray:
    """Whole-bar chords of a small electric piano (two-operator frequency modulation), in stereo."""
    time_s = _seconds(4 * BEAT_S * 0.98)
    fade = np.minimum(1.0, (time_s[-1] - time_s) / 0.05) * np.minimum(1.0, time_s / 0.005)
    sides, phase = [], random.uniform(0, 6.28)
    for detune in (0.9997, 1.0003):
        hits = []
        for bar, chord in enumerate(CHORDS):
            tones = [_bell(_hertz(12 + n) * detune, time_s, phase) for n in chord]
            hits.append((4.0 * bar, np.sum(tones, axis=0) * fade))
        sides.append(_placed(hits))
    return np.array(sides)


def _bell(hertz: float, time_s: DoubleArray, phase: float) -> DoubleArray:
    cycle = 2 * np.pi * hertz * time_s
    tine = 1.2 * np.exp(-time_s / 0.4) * np.sin(3 * cycle + phase)
    tremolo = 1.0 + 0.15 * np.sin(2 * np.pi * 4.5 * time_s + phase)
    return np.asarray(np.sin(cycle + tine) * np.exp(-time_s / 1.6) * tremolo)


def _sung(semitones: float, length_s: float, vowel: int, random: np.random.Generator) -> DoubleArray:
    """Harmonics under the resonances of a vowel: sum over k of A(k f0) sin(k phase), with vibrato and breath."""
    time_s = _seconds(length_s)
    depth = 0.006 * np.clip((time_s - 0.25) / 0.3, 0.0, 1.0)
    hertz = _hertz(semitones) * (1.0 + depth * np.sin(2 * np.pi * 5.3 * time_s + random.uniform(0, 6.28)))
    phase = 2.0 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    harmonics = np.arange(1, int(6000.0 / _hertz(semitones)))
    levels = _formant_gain(np.asarray(harmonics * _hertz(semitones), np.float64), vowel) / harmonics**0.7
    turning = np.exp(1j * phase)
    overtone, voice = np.ones_like(turning), np.zeros(len(phase))
    for level in levels:
        overtone *= turning
        voice += level * overtone.imag
    breath = 0.02 * _noise(random, len(time_s), 1000.0, 5000.0)
    rise = np.minimum(1.0, time_s / 0.05) * np.minimum(1.0, (time_s[-1] - time_s) / 0.08)
    return np.asarray((voice + breath) * rise)


def _formant_gain(frequency_hz: DoubleArray, vowel: int) -> DoubleArray:
    gains = [
        db_to_gain(level_db) / np.sqrt(1.0 + ((frequency_hz - hertz) / (width / 2.0)) ** 2)
        for hertz, width, level_db in VOWELS[vowel]
    ]
    return np.asarray(np.sum(gains, axis=0))


def _lead(random: np.random.Generator) -> DoubleArray:
    hits = []
    for number, (beat, beats, note) in enumerate(MELODY):
        loudness = random.uniform(0.35, 1.0)
        hits.append((beat, loudness * _sung(note + 12, beats * BEAT_S, number % len(VOWELS), random)))
    return _placed(hits)


def _backing(random: np.random.Generator) -> DoubleArray:
    """Two singers an "oh" on the third and the fifth of each chord, one on either side."""
    sides = []
    for voice in (1, 2):
        hits = []
        for bar in range(1, BARS):
            note = CHORDS[bar][voice] + 12
            hits.append((4.0 * bar, _sung(note, 3.5 * BEAT_S, 1, random)))
        sides.append(_placed(hits))
    near, far = sides
    return np.array([near + 0.3 * far, far + 0.3 * near])


def _click(random: np.random.Generator) -> DoubleArray:
    time_s = _seconds(0.03)
    beep = np.exp(-time_s / 0.008)
    return _placed(
        [
            (beat, np.sin(2 * np.pi * (2000.0 if beat % 4 == 0 else 1000.0) * time_s) * beep)
            for beat in range(BEATS)
        ]
    )


_TRACKS: Final[dict[str, Callable[[np.random.Generator], DoubleArray]]] = {
    "01_Kick": _kick,
    "02_Snare": _snare,
    "03_HiHat": _hihat,
    "04_Bass": _bass,
    "05_Rhythm Gtr L": lambda random: _guitar(random, (0, 1.5, 2, 3.5), 1),
    "06_Rhythm Gtr R": lambda random: _guitar(random, (0, 1, 2.5, 3), 1),
    "07_Keys": _keys,
    "08_Lead Vox": _lead,
    "09_Backing Vox": _backing,
}

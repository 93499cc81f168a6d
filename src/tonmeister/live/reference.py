"""What the score should sound like to the follower: a plain additive synthesis through the very same ears.

Each note is a sum of eight harmonics of amplitude h^-1.2 that die away (the higher the faster), with an attack of 5 ms
and a release of 100 ms. Passing it through `FollowingFeatures` puts the windows' smear and delay into the reference
as well, so that they cancel. Drums are short bursts of noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.live.following_features import FollowingFeatures
from tonmeister.live.scores import Score, ScoreNote
from tonmeister.units import DoubleArray

__all__ = ["Reference", "reference_of_recording", "reference_of_score"]

HARMONICS: Final = 8
HARMONIC_SLOPE: Final = 1.2
ATTACK_S: Final = 0.005
RELEASE_S: Final = 0.1
DECAY_PER_S: Final = 1.5
TAIL_S: Final = 1.0
_HIGHEST_HZ: Final = 5000.0
_CHUNK_S: Final = 10.0


@dataclass(frozen=True)
class Reference:
    """Rows of features, and the place in the score at the end of each."""

    rows: DoubleArray
    """(rows, DIMENSIONS); row 0 is the silence before the first note."""
    beats: DoubleArray
    """(rows,) the score position in beats at each row's time."""
    silent: NDArray[np.bool_]


def reference_of_score(score: Score, sample_rate: int) -> Reference:
    """The reference of a score at its written tempo."""
    features = FollowingFeatures(sample_rate)
    rows, silent = [], []
    duration_s = score.duration_s + TAIL_S
    for first in np.arange(0.0, duration_s, _CHUNK_S):
        sound = _sounding(score, float(first), min(_CHUNK_S, duration_s - float(first)), sample_rate)
        found, quiet = features.update(sound[None])
        rows.append(found)
        silent.append(quiet)
    times_s = (np.arange(sum(map(len, rows))) + 1) * features.hop / sample_rate
    return _with_silence(rows, silent, np.array([score.beats(float(t)) for t in times_s]))


def reference_of_recording(
    audio: NDArray[np.float32], sample_rate: int, beats_at_s: DoubleArray
) -> Reference:
    """The reference of a rehearsal: sound (channels, frames), and pairs (seconds, beat) that tie it to the score."""
    features = FollowingFeatures(sample_rate)
    rows, silent = features.update(audio)
    times_s = (np.arange(len(rows)) + 1) * features.hop / sample_rate
    return _with_silence([rows], [silent], np.interp(times_s, beats_at_s[:, 0], beats_at_s[:, 1]))


def _with_silence(rows: list[DoubleArray], silent: list[NDArray[np.bool_]], beats: DoubleArray) -> Reference:
    first = np.zeros((1, rows[0].shape[1]))
    start = beats[:1] - 2 * (beats[1:2] - beats[:1]) if len(beats) > 1 else beats[:1] - 1
    return Reference(
        np.concatenate([first, *rows]),
        np.concatenate((start, beats)),
        np.concatenate([np.ones(1, np.bool_), *silent]),
    )


def _sounding(score: Score, first_s: float, length_s: float, sample_rate: int) -> NDArray[np.float32]:
    """The score's sound from `first_s` on, float32 (frames,)."""
    frames = round((first_s + length_s) * sample_rate) - round(first_s * sample_rate)
    sound = np.zeros(frames)
    for note in score.notes:
        start_s = score.seconds(note.onset_beats) - first_s
        end_s = score.seconds(note.onset_beats + note.length_beats) - first_s + RELEASE_S
        if end_s > 0 and start_s < length_s:
            _add(sound, note, start_s, end_s, sample_rate)
    return sound.astype(np.float32)


def _add(sound: DoubleArray, note: ScoreNote, start_s: float, end_s: float, sample_rate: int) -> None:
    begin, end = max(round(start_s * sample_rate), 0), min(round(end_s * sample_rate), len(sound))
    if end <= begin:
        return
    times = np.arange(begin, end) / sample_rate - start_s
    envelope = np.clip(times / ATTACK_S, 0, 1) * np.clip((end_s - start_s - times) / RELEASE_S, 0, 1)
    loud = note.velocity / 64
    sound[begin:end] += (
        loud * envelope * (_noise(times) if note.is_drum else _harmonics(note.pitch, times, sample_rate))
    )


def _harmonics(pitch: int, times: DoubleArray, sample_rate: int) -> DoubleArray:
    base_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    made = np.zeros(len(times))
    for h in range(1, HARMONICS + 1):
        if h * base_hz < min(0.45 * sample_rate, _HIGHEST_HZ):
            decay = np.exp(-times * (DECAY_PER_S + 0.5 * h))
            made += h**-HARMONIC_SLOPE * decay * np.sin(2 * np.pi * h * base_hz * times + h * h)
    return made


def _noise(times: DoubleArray) -> DoubleArray:
    random = np.random.default_rng(0)
    return random.standard_normal(len(times)) * np.exp(-times * 30.0)

"""The soloist by its melody, with nothing learned: the predominant fundamental, its overtones, and the attacks.

1. Salience of a fundamental f, over H overtones of the compressed magnitudes c = sqrt|X|, less what lies between them::

       s(f) = sum_h 0.8^(h-1) ( c(h f) - c((h - 1/2) f) ),  c(g) the largest of three bins around g

2. The path through the fundamentals (an eighth of a tone apart) and one state of silence with the largest sum of
   salience, less a cost for every step and for leaving or entering silence (Viterbi).
3. Along the path a bin belongs to the soloist where it is within a quarter tone of an overtone h f sqrt(1 + B h^2), up
   to what its neighbor overtones lead to expect; where a tone begins, a share of what is new in the frame belongs to it.

After Cano, Schuller & Dittmar, EURASIP JASP 2014:23, reconstructed from its outline; no parameter is theirs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.separation.base import Framing, Spectrum
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["PitchInformed", "melody"]

_RATE: Final = 44_100
_FFT: Final = 4096
_LOWEST_HZ: Final = 130.0
_OCTAVES: Final = 4.0
_PER_OCTAVE: Final = 48
_OVERTONES: Final = 12
_DECAY: Final = 0.8
_STEPS: Final = 12
"""Farthest step of the path in one frame: a quarter of an octave; farther it goes by way of silence."""
_STEP_COST: Final = 0.02
"""Of each eighth of a tone, in units of the salience's typical size."""
_SWITCH_COST: Final = 0.5
_SILENCE: Final = 0.45
"""Salience of silence, in the same unit."""
_HALF_WIDTH: Final = 2.0 ** (0.5 / 12) - 1.0
"""A quarter tone, as a share of the frequency."""
_INHARMONICITY: Final = 1e-4
_MOST_OVER_NEIGHBORS: Final = 1.5
_ATTACK_SHARE: Final = 0.3
_TINY: Final = 1e-12


class PitchInformed:
    """Tracks ``solo`` and ``accompaniment``."""

    tracks = ("solo", "accompaniment")
    framing = Framing(_RATE, "hann", _FFT, _FFT, 1024)
    context_frames = 64

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """One pair of masks for all channels, from their middle."""
        magnitude = np.abs(spectrum.mean(axis=0))
        path = melody(magnitude)
        solo = np.zeros_like(magnitude)
        for frame, place in enumerate(path):
            if place >= 0:
                solo[:, frame] = _overtones(magnitude[:, frame], float(_candidates()[place]))
        solo = np.maximum(solo, _attacks(magnitude, path))
        return np.stack([solo, 1.0 - solo])[:, None].astype(np.float32)


@lru_cache(maxsize=1)
def _candidates() -> DoubleArray:
    """Fundamentals, Hz."""
    return _LOWEST_HZ * 2.0 ** (np.arange(round(_OCTAVES * _PER_OCTAVE)) / _PER_OCTAVE)


@lru_cache(maxsize=1)
def _bins() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bins of the overtones and of the gaps before them, (candidates, overtones); the last bin is beyond all."""
    number = np.arange(1, _OVERTONES + 1)
    hertz = _candidates()[:, None] * number
    most = _FFT // 2 - 1

    def nearest(values: DoubleArray) -> NDArray[np.int64]:
        return np.minimum(np.rint(values * _FFT / _RATE).astype(np.int64), most)

    return nearest(hertz), nearest(hertz - 0.5 * _candidates()[:, None])


def melody(magnitude: FloatArray) -> NDArray[np.int64]:
    """Number of the predominant fundamental in each frame of (bins, frames); -1 where there is none."""
    return _best_path(_salience(magnitude))


def _salience(magnitude: FloatArray) -> DoubleArray:
    """(candidates, frames), in units of its typical maximum."""
    compressed = np.sqrt(magnitude.astype(np.float64))
    padded = np.pad(compressed, ((1, 1), (0, 0)))
    peaks = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    tones, gaps = _bins()
    weights = _DECAY ** np.arange(_OVERTONES)
    salience = np.zeros((len(tones), magnitude.shape[1]))
    for h in range(_OVERTONES):
        salience += weights[h] * (peaks[tones[:, h]] - peaks[gaps[:, h]])
    level = compressed.mean(axis=0) * np.sqrt(
        len(compressed)
    )  # grows with the frame, not with its tones alone
    smooth = np.convolve(level, np.ones(9) / 9, mode="same") + _TINY
    return np.maximum(salience, 0.0) / smooth


def _best_path(salience: DoubleArray) -> NDArray[np.int64]:
    """Viterbi over (candidates, frames); the last state is silence."""
    places, frames = salience.shape
    typical = float(np.median(salience.max(axis=0))) + _TINY
    gain = salience / typical
    score = np.append(gain[:, 0], _SILENCE) if frames else np.zeros(places + 1)
    back = np.zeros((places + 1, frames), np.int64)
    shifts = np.arange(-_STEPS, _STEPS + 1)
    at = np.arange(places)[:, None] + shifts
    cost = np.where((at >= 0) & (at < places), _STEP_COST * np.abs(shifts), np.inf)
    at = np.clip(at, 0, places - 1)
    for frame in range(1, frames):
        moved = score[at] - cost
        best = moved.argmax(axis=1)
        from_tone = np.take_along_axis(moved, best[:, None], 1)[:, 0]
        from_silence = score[-1] - _SWITCH_COST
        entered = from_silence > from_tone
        back[:places, frame] = np.where(entered, places, np.take_along_axis(at, best[:, None], 1)[:, 0])
        loudest = int(score[:places].argmax())
        left = score[loudest] - _SWITCH_COST > score[-1]
        back[places, frame] = loudest if left else places
        silence = max(score[loudest] - _SWITCH_COST, score[-1]) + _SILENCE
        score = np.append(np.maximum(from_tone, from_silence) + gain[:, frame], silence)
    path = np.zeros(frames, np.int64)
    if frames:
        path[-1] = int(score.argmax())
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = back[path[frame], frame]
    silent = _is_silent(salience)
    return np.where((path == places) | silent, -1, path)


def _is_silent(salience: DoubleArray) -> NDArray[np.bool_]:
    """Frames in which nothing sounds."""
    return np.asarray(salience.max(axis=0) <= _TINY)


def _overtones(magnitude: FloatArray, hertz: float) -> FloatArray:
    """The mask of one frame: overtones of a fundamental, each limited by its neighbors."""
    number = np.arange(1, int(0.45 * _RATE / hertz) + 1)
    centers = number * hertz * np.sqrt(1.0 + _INHARMONICITY * number**2) * _FFT / _RATE
    half = np.maximum(centers * _HALF_WIDTH, 1.5)
    lows = np.maximum(np.ceil(centers - half).astype(np.int64), 0)
    highs = np.minimum(np.floor(centers + half).astype(np.int64) + 1, len(magnitude))
    inside = lows < highs
    lows, highs = lows[inside], highs[inside]
    peaks = np.array(
        [magnitude[a:b].max() for a, b in zip(lows.tolist(), highs.tolist(), strict=True)], np.float32
    )
    allowed = _MOST_OVER_NEIGHBORS * _neighbors(peaks)
    mask = np.zeros_like(magnitude)
    for a, b, peak, most in zip(lows, highs, peaks, allowed, strict=True):
        mask[a:b] = min(1.0, most / (peak + _TINY))
    return mask


def _neighbors(peaks: FloatArray) -> DoubleArray:
    """Mean of the overtones on either side."""
    padded = np.pad(peaks.astype(np.float64), 1, mode="edge")
    return np.asarray(0.5 * (padded[:-2] + padded[2:]))


def _attacks(magnitude: FloatArray, path: NDArray[np.int64]) -> FloatArray:
    """Where a tone begins: a share of what is new there, above its fundamental."""
    before = np.concatenate([[-1], path[:-1]])
    begins = (path >= 0) & ((before < 0) | (np.abs(path - before) > 2))
    mask = np.zeros_like(magnitude)
    for frame in np.flatnonzero(begins).tolist():
        earlier = magnitude[:, max(frame - 1, 0)]
        new = np.maximum(magnitude[:, frame] - earlier, 0.0) / (magnitude[:, frame] + np.float32(_TINY))
        lowest = round(float(_candidates()[path[frame]]) * _FFT / _RATE)
        mask[lowest:, frame] = _ATTACK_SHARE * new[lowest:]
    return mask

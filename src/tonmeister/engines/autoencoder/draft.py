"""A draft of the finished stem: one curve for the whole of it, and gains that move with its level.

    G[t, b] = curve[b] + sum_k m_k[t] B_k[b]    dB, 64 bands

The curve is said by a small convolution over the bands, which hears the mean spectrum, what of it stands out, and the
`hints`; the moves m_k by a convolution over time, which hears the levels behind the curve: now, against the loud moments,
and over 1.2 s. So a resonance is cut where it is and a loud phrase is held back, whatever its pitch. Its twin
`training.stems.drafting` learns. Nobody hears the draft: it is measured, and that is what a stem is to be brought to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from tonmeister.dsp.erb_bands import BANDS, band_gains_to_bins, centers_hz, frame_length
from tonmeister.effects.stem_model import BAND_HOP, FRAME, analysis_window, band_frames
from tonmeister.engines.autoencoder.hints import HINTS
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "ACTIVE_DB", "ARRAY_SHAPES", "BASIS", "CURVE_DILATIONS", "LOUD", "MOST_DB", "MOVE_DILATIONS", "REACH", "SCALE_DB",
    "Draft", "Seen", "octaves", "seen",
]  # fmt: skip

MAPS: Final = 10
"""What the curve is said from, per band."""
SCALARS: Final = HINTS + 8
WORDS: Final = 16
"""The hints in short, for both parts."""
CHANNELS: Final = 48
"""Of the convolution over bands."""
MOVERS: Final = 40
"""Of the convolution over time."""
BASIS: Final = 5
LEVELS: Final = 4 + BASIS - 1
"""What the moves are said from, per frame."""
TAPS: Final = 5
CURVE_DILATIONS: Final = (1, 1, 2, 4)
MOVE_DILATIONS: Final = (1, 2, 4, 8, 16, 32)
REACH: Final = 52
"""Frames to either side over which the phrase level is smoothed: 1.2 s in all."""
SCALE_DB: Final = 10.0
"""What the networks' numbers are counted in."""
MOST_DB: Final = (-30.0, 24.0)
ACTIVE_DB: Final = 30.0
"""A frame sounds that lies within so much of the loudest, as for `hints`."""
LOUD: Final = 0.95
"""The share of frames that are softer than a loud moment."""
_FLOOR: Final = 1e-9
_PER_OCTAVE: Final = (0.5, 1.0, 2.0)

ARRAY_SHAPES: Final[Mapping[str, tuple[int, ...]]] = {
    "scalars_mean": (SCALARS,), "scalars_scale": (SCALARS,),
    "words0.weight": (32, SCALARS), "words0.bias": (32,), "words1.weight": (WORDS, 32), "words1.bias": (WORDS,),
    **{f"curve{i}.weight": (CHANNELS, CHANNELS if i else MAPS + WORDS, TAPS) for i in range(len(CURVE_DILATIONS))},
    **{f"curve{i}.bias": (CHANNELS,) for i in range(len(CURVE_DILATIONS))},
    "curve.weight": (1, CHANNELS, 1), "curve.bias": (1,),
    "hear.weight": (MOVERS, LEVELS + WORDS, 1), "hear.bias": (MOVERS,),
    **{f"move{i}.weight": (MOVERS, MOVERS, TAPS) for i in range(len(MOVE_DILATIONS))},
    **{f"move{i}.bias": (MOVERS,) for i in range(len(MOVE_DILATIONS))},
    "move.weight": (BASIS, MOVERS, 1), "move.bias": (BASIS,), "basis": (BASIS, BANDS),
}  # fmt: skip
"""Everything that is learned."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network is told of a raw stem as a whole."""

    maps: FloatArray
    """(10, 64)"""
    scalars: FloatArray
    """Hints and percentiles of the level, (54,)."""


def seen(bands: FloatArray, hinted: DoubleArray) -> Seen:
    """Of band amplitudes (frames, 64) and the hints of the same sound."""
    power = bands.astype(np.float64) ** 2
    level = _db(power.sum(1))
    sounds = level > level.max() - ACTIVE_DB
    mean = power[sounds].mean(0)
    whole = _db(mean.sum())
    dense = _db(mean / np.gradient(centers_hz())) - whole
    maps = [
        (_db(mean) - whole) / 20, *((dense - near @ dense) / 5 for near in _around()), dense / 20,
        (_db(np.percentile(power[sounds], 95, axis=0)) - whole) / 20, (_db(power[sounds]).mean(0) - whole) / 20,
        octaves() / 3, np.cos(octaves()), np.sin(octaves()),
    ]  # fmt: skip
    percentiles = np.percentile(level[sounds], [5, 25, 50, 75, 90, 95, 99, 100]) - whole
    return Seen(np.array(maps, np.float32), np.concatenate([hinted, percentiles]).astype(np.float32))


@cache
def octaves() -> DoubleArray:
    """Of the bands from 1 kHz, shape (64,)."""
    return np.log2(centers_hz() / 1000.0)


@cache
def _around() -> tuple[DoubleArray, ...]:
    """Triangular means over half an octave, one and two to either side: (64, 64) each."""
    apart = np.abs(octaves()[:, None] - octaves())
    weights = [np.maximum(1 - apart / width, 0) for width in _PER_OCTAVE]
    return tuple(w / w.sum(1, keepdims=True) for w in weights)


@dataclass(frozen=True, eq=False)
class Draft:
    """The network of one group; `arrays` as in `ARRAY_SHAPES`."""

    arrays: Mapping[str, FloatArray]

    def gains_db(self, bands: FloatArray, hinted: DoubleArray) -> FloatArray:
        """G (frames, 64) for band amplitudes (frames, 64) at -23 LUFS."""
        told = seen(bands, hinted)
        words = self._words(told.scalars)
        curve = self._curve_db(told.maps, words)
        moves = self._moves(bands.astype(np.float64) ** 2 * 10 ** (curve / 10), words)
        return np.asarray(np.clip(curve + moves.T @ self.arrays["basis"], *MOST_DB), np.float32)

    def drafted(self, samples: FloatArray, sample_rate: int, hinted: DoubleArray) -> FloatArray:
        """A mono signal (frames,) as the finished stem might be, at a loudness of its own."""
        spectra, bands = band_frames(samples, sample_rate)
        length = frame_length(sample_rate)
        hop = length * BAND_HOP // FRAME
        gains_db = np.pad(self.gains_db(bands, hinted), ((0, len(spectra) - len(bands)), (0, 0)), mode="edge")
        gains = 10 ** (gains_db @ band_gains_to_bins(length, sample_rate).T / 20)
        pieces = np.fft.irfft(spectra * gains, length) * (0.5 * analysis_window(length))
        made = np.zeros(len(pieces) * hop + length, np.float32)
        for number, piece in enumerate(pieces):
            made[number * hop : number * hop + length] += piece
        return made[length - hop : length - hop + len(samples)]

    def _words(self, scalars: FloatArray) -> FloatArray:
        a = self.arrays
        scaled = np.clip((scalars - a["scalars_mean"]) / a["scalars_scale"], -4.0, 4.0)
        hidden = np.maximum(a["words0.weight"] @ scaled + a["words0.bias"], 0.0)
        return np.asarray(a["words1.weight"] @ hidden + a["words1.bias"], np.float32)

    def _curve_db(self, maps: FloatArray, words: FloatArray) -> FloatArray:
        x = np.concatenate([maps, np.repeat(words[:, None], BANDS, axis=1)])
        for number, dilation in enumerate(CURVE_DILATIONS):
            made = np.maximum(self._layer(f"curve{number}", x, dilation), 0.0)
            x = x + made if number else made
        return np.asarray(SCALE_DB * self._layer("curve", x)[0], np.float32)

    def _moves(self, power: DoubleArray, words: FloatArray) -> FloatArray:
        """m (5, frames) for the power behind the curve (frames, 64)."""
        levels = _db(power @ np.maximum(self.arrays["basis"], 0.0).T).T
        x = np.concatenate([_heard(levels), np.repeat(words[:, None], levels.shape[1], axis=1)])
        x = np.maximum(self._layer("hear", x), 0.0)
        for number, dilation in enumerate(MOVE_DILATIONS):
            x = x + np.maximum(self._layer(f"move{number}", x, dilation), 0.0)
        return np.asarray(SCALE_DB * self._layer("move", x), np.float32)

    def _layer(self, name: str, x: FloatArray, dilation: int = 1) -> FloatArray:
        """Convolution along the last axis, as long as its input: (in, n) -> (out, n)."""
        weight, bias = self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"]
        outputs, inputs, taps = weight.shape
        reach = dilation * (taps // 2)
        padded = np.pad(x, ((0, 0), (reach, reach)))
        shifted = [padded[:, k * dilation : k * dilation + x.shape[1]] for k in range(taps)]
        rows = np.stack(shifted, axis=1).reshape(inputs * taps, -1)
        return np.asarray(weight.reshape(outputs, -1) @ rows + bias[:, None], np.float32)


def _heard(levels: DoubleArray) -> FloatArray:
    """What the moves are said from, (8, frames), of the levels in the parts of the spectrum (5, frames), the whole first."""
    full = levels[0]
    sounds = full > full.max() - ACTIVE_DB
    against = _db(np.mean(10 ** (full[sounds] / 10)))
    level = full - against
    window = np.hanning(2 * REACH + 3)[1:-1]
    over, among = (
        np.convolve(np.pad(values, REACH), window, mode="valid")
        for values in (np.where(sounds, level, 0.0), sounds.astype(np.float64))
    )
    phrase = over / np.maximum(among, 1e-3)
    loud = np.quantile(level, LOUD)
    rows = [
        level / 10, (level - loud) / 10, (phrase - phrase[sounds].mean()) / 5, sounds,
        *((np.maximum(levels[1:] - against, -60.0)) / 15),
    ]  # fmt: skip
    return np.array(rows, np.float32)


def _db(power: DoubleArray | float) -> DoubleArray:
    return np.asarray(10 * np.log10(np.asarray(power) + _FLOOR))

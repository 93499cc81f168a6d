"""Peaks between the samples, by polyphase interpolation (ITU-R BS.1770-4, annex 2).

Annex 2 asks for an interpolator of at least four times the rate and gives one of 12 taps per phase. This
one has 32 taps per phase, a sinc in a Kaiser window: flat within 0.01 dB to 0.42 of the sample rate. Its
first phase is the samples themselves, so that a true peak is never below the sample peak.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from tonmeister.dsp.jit import kernel
from tonmeister.dsp.lanes import LANES, absolute, fma, larger, load, splat, store
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "DELAY_FRAMES",
    "TAPS",
    "every_meter",
    "interpolated_peaks",
    "interpolator_gain",
    "polyphase",
    "polyphase_4x",
    "true_peaks",
]

TAPS: Final = 32
DELAY_FRAMES: Final = TAPS // 2
"""Phase p of the output at frame n is the signal at the time n - 16 + p / phases, in frames."""

_KAISER_BETA: Final = 7.0
_CHUNK: Final = 64
_ANNEX_2: Final = np.array(
    [
        [
            0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
            0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
        ],
        [
            -0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
            0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
        ],
    ]
)  # fmt: skip
"""The first two phases of the table; the other two are these backwards."""
_BLOCK: Final = 16384


@lru_cache(maxsize=8)
def polyphase(phases: int) -> DoubleArray:
    """Coefficients (phases, 32), oldest sample last; every phase has unit gain at 0 Hz.

    c[p, k] = sinc(t) kaiser(t / 16), t = k - 16 + p / phases.
    """
    time = np.arange(TAPS)[None, :] - DELAY_FRAMES + np.arange(phases)[:, None] / phases
    inside = np.sqrt(np.clip(1.0 - (time / DELAY_FRAMES) ** 2, 0.0, None))
    coefficients = np.sinc(time) * np.i0(_KAISER_BETA * inside) / np.i0(_KAISER_BETA)
    coefficients[0] = time[0] == 0.0
    coefficients /= coefficients.sum(axis=1, keepdims=True)
    coefficients.flags.writeable = False
    return np.asarray(coefficients)


def polyphase_4x() -> DoubleArray:
    """The four-times interpolator of the true-peak meter; shape (4, 32)."""
    return polyphase(4)


@lru_cache(maxsize=1)
def every_meter() -> DoubleArray:
    """What any usual 4x meter would see, for a limiter that none of them may contradict; shape (11, 32).

    Near half the sample rate meters differ by tenths of a decibel. These are `polyphase_4x`, the table
    of BS.1770-4 annex 2, which looks at odd eighths of a frame, and the 49-tap sinc in a Hann window
    (sinc(t) (1 + cos(pi t / 6)) / 2) that open meters use.
    """
    quarters = np.arange(TAPS)[None, :] - DELAY_FRAMES + np.array([[0.25], [0.5], [0.75]])
    window = np.where(np.abs(quarters) < 6.0, 0.5 + 0.5 * np.cos(np.pi * quarters / 6.0), 0.0)
    table = np.zeros((4, TAPS))
    table[:2, DELAY_FRAMES - 6 : DELAY_FRAMES + 6] = _ANNEX_2
    table[2:, DELAY_FRAMES - 6 : DELAY_FRAMES + 6] = _ANNEX_2[::-1, ::-1]
    rows = np.concatenate((polyphase_4x(), np.sinc(quarters) * window, table))
    rows.flags.writeable = False
    return rows


def interpolator_gain(coefficients: DoubleArray) -> float:
    """The most an interpolated value may exceed the largest sample: max over phases of sum |c|."""
    return float(np.abs(coefficients).sum(axis=1).max()) * (1.0 + 1e-9)


@kernel
def interpolated_peaks(
    padded: FloatArray, coefficients: DoubleArray, gain: float, floor: float, peaks: DoubleArray
) -> None:
    """Largest magnitude of all phases per frame, where it may exceed `floor`; elsewhere 0.

    `padded` (channels, taps - 1 + frames) begins with the frames before the block; `peaks`
    (channels, frames) is written; `gain` is `interpolator_gain(coefficients)`. A stretch whose samples
    times `gain` stay below `floor` is not computed.
    """
    phases, taps = coefficients.shape
    channels, frames = peaks.shape
    waiting = np.zeros(_CHUNK + taps - 1 + LANES)
    found = np.empty(_CHUNK)
    for channel in range(channels):
        row = padded[channel]
        for start in range(0, frames, _CHUNK):
            count = min(_CHUNK, frames - start)
            out = peaks[channel, start : start + count]
            out[:] = 0.0
            largest = np.float32(0.0)
            for sample in row[start : start + count + taps - 1]:
                largest = max(largest, abs(sample))
            if largest * gain <= floor:
                continue
            for i in range(count + taps - 1):
                waiting[i] = row[start + i]
            found[:] = 0.0
            for phase in range(phases):
                _largest_of_phase(waiting, coefficients[phase], found)
            for i in range(count):
                out[i] = found[i]


@kernel
def _largest_of_phase(waiting: Any, weights: Any, found: Any) -> None:
    """Raise `found` to the magnitudes of one phase; a tap is taken up by 32 frames in registers."""
    taps = len(weights)
    for start in range(0, _CHUNK, 4 * LANES):
        a, b, c, d = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for tap in range(taps):
            if weights[tap] == 0.0:
                continue
            weight, first = splat(weights[tap]), start + taps - 1 - tap
            a = fma(weight, load(waiting, first), a)
            b = fma(weight, load(waiting, first + LANES), b)
            c = fma(weight, load(waiting, first + 2 * LANES), c)
            d = fma(weight, load(waiting, first + 3 * LANES), d)
        store(found, start, larger(load(found, start), absolute(a)))
        store(found, start + LANES, larger(load(found, start + LANES), absolute(b)))
        store(found, start + 2 * LANES, larger(load(found, start + 2 * LANES), absolute(c)))
        store(found, start + 3 * LANES, larger(load(found, start + 3 * LANES), absolute(d)))


def true_peaks(samples: FloatArray) -> DoubleArray:
    """True peak of each channel of (channels, frames), as an amplitude; shape (channels,)."""
    coefficients = polyphase_4x()
    gain = interpolator_gain(coefficients)
    channels, frames = samples.shape
    found = np.zeros(channels)
    edge = np.zeros((1, TAPS - 1), np.float32)
    for channel in range(channels):
        padded = np.concatenate((edge, samples[channel : channel + 1], edge), axis=1, dtype=np.float32)
        for start in range(0, frames + DELAY_FRAMES, _BLOCK):
            count = min(_BLOCK, frames + DELAY_FRAMES - start)
            peaks = np.empty((1, count))
            part = padded[:, start : start + count + TAPS - 1]
            interpolated_peaks(part, coefficients, gain, float(found[channel]), peaks)
            found[channel] = max(found[channel], peaks.max())
    return found

"""Gain staging, gate and faders of the low-level mixer (Mansbridge, Finn & Reiss, AES 132, 2012).

The published mixer meters the sound with an average that forgets over 3 s. Here that average runs over the
momentary loudness, one value each 100 ms. Both are linear in energy, so the only difference is a smear of
the 400 ms over which a momentary value looks, which is why it is taken to stand at the middle of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonmeister.engines.adaptive.numbers import bounds, number
from tonmeister.features import HOP_S, TrackFeatures
from tonmeister.units import SILENCE_DB, DoubleArray

__all__ = [
    "MOMENTARY_HOP_S",
    "Faders",
    "follow_loudness",
    "forgetting",
    "schmitt_gate",
    "smooth",
    "staging_gain_db",
    "stack_momentary",
]

BoolArray = NDArray[np.bool_]

MOMENTARY_HOP_S = 0.1
"""Hop of `TrackFeatures.momentary_lufs`."""

_MOMENTARY_MIDDLE_S = 0.2
"""Middle of the 400 ms that the first momentary value covers."""


def forgetting(window_s: float, rate_hz: float) -> float:
    """Weight of the past in an exponential average: alpha = exp(-1 / (window_s * rate_hz))."""
    return math.exp(-1.0 / (window_s * rate_hz))


def smooth(values: DoubleArray, running: BoolArray, alpha: float) -> DoubleArray:
    """Average exponentially along time while running, hold otherwise; before the first run, NaN.

    y[n] = (1 - alpha) x[n] + alpha y[n - 1] where running, y[n - 1] elsewhere; the first running value is
    taken as it is, so nothing fades in from zero. All arrays (tracks, frames).
    """
    result = np.full(values.shape, np.nan)
    state = np.full(values.shape[0], np.nan)
    for frame in range(values.shape[1]):
        now = values[:, frame]
        averaged = np.where(np.isnan(state), now, (1.0 - alpha) * now + alpha * state)
        state = np.where(running[:, frame], averaged, state)
        result[:, frame] = state
    return result


def schmitt_gate(loudness_lufs: DoubleArray) -> BoolArray:
    """Open above the upper threshold, shut below the lower, unchanged between them; shut at first.

    Shape (..., frames) in and out.
    """
    lower, upper = bounds("gate.thresholds_lufs")
    decided = (loudness_lufs > upper) | (loudness_lufs < lower)
    frames = np.arange(loudness_lufs.shape[-1])
    latest = np.maximum.accumulate(np.where(decided, frames, -1), axis=-1)
    opened = np.take_along_axis(loudness_lufs > upper, np.maximum(latest, 0), axis=-1)
    return np.asarray(opened & (latest >= 0))


def stack_momentary(tracks: Sequence[TrackFeatures]) -> DoubleArray:
    """Momentary loudness of all tracks, shorter ones padded with silence; shape (tracks, frames), LUFS."""
    frames = max((len(track.momentary_lufs) for track in tracks), default=0)
    stacked = np.full((len(tracks), frames), SILENCE_DB)
    for row, track in zip(stacked, tracks, strict=True):
        row[: len(track.momentary_lufs)] = track.momentary_lufs
    return stacked


def staging_gain_db(track: TrackFeatures) -> float:
    """One gain, in decibels, that brings the track's active loudness between -20 and -10 LUFS.

    The published mixer creeps there by half a percent per frame during the first 30 s of activity; knowing
    the whole track, we go at once. A track without a momentary value counts with its integrated loudness.
    """
    loudness = _active_loudness(track)
    lowest, highest = bounds("staging.range_lufs")
    if loudness is None:
        return 0.0
    return min(max(loudness, lowest), highest) - loudness


def _active_loudness(track: TrackFeatures) -> float | None:
    """Energy mean of the momentary loudness over the first 30 s of activity; None for a silent track."""
    momentary = np.asarray(track.momentary_lufs, dtype=np.float64)
    audible = momentary[_active_at_momentary(track) & (momentary > number("staging.floor_lufs"))]
    if not audible.size:
        return track.integrated_lufs
    first = audible[: round(number("staging.window_s") / MOMENTARY_HOP_S)]
    return 10.0 * math.log10(float(np.mean(10.0 ** (first / 10.0))))


def _active_at_momentary(track: TrackFeatures) -> BoolArray:
    """The activity gate at the middle of each momentary window; shape of `momentary_lufs`."""
    if not len(track.active):
        return np.zeros(len(track.momentary_lufs), dtype=np.bool_)
    middles_s = _middles_s(len(track.momentary_lufs))
    frames = np.minimum(np.round(middles_s / HOP_S).astype(np.intp), len(track.active) - 1)
    return np.asarray(track.active[frames], dtype=np.bool_)


def _middles_s(count: int) -> DoubleArray:
    """Middles of the first `count` momentary windows, seconds."""
    return np.asarray(MOMENTARY_HOP_S * np.arange(count) + _MOMENTARY_MIDDLE_S, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Faders:
    """What the faders do over time."""

    times_s: DoubleArray
    """Shape (frames,)."""
    gain_db: DoubleArray
    """Fader of each track, without lead boost; shape (tracks, frames), NaN where a track never opens."""
    open: BoolArray
    """Gate of each track; shape (tracks, frames)."""

    def mean_db(self, row: int) -> float:
        """Mean fader level of a track while its gate is open; 0 when it never opens."""
        return float(self.gain_db[row, self.open[row]].mean()) if self.open[row].any() else 0.0


def follow_loudness(momentary_lufs: DoubleArray) -> Faders:
    """Ride each track to the average loudness of all that play.

    L_m = -0.691 + 10 log10(smoothed energy) of track m, L = smoothed mean of L_m over open tracks,
    fader = smoothed 10^((L - L_m) / 20). A shut track keeps all its values. Input is staged momentary
    loudness, (tracks, frames). Before a track first opens its fader waits where it will begin.
    """
    rate_hz = 1.0 / MOMENTARY_HOP_S
    remember = forgetting(number("loudness.window_s"), rate_hz)
    gate = schmitt_gate(momentary_lufs)
    loudness = 10.0 * np.log10(smooth(10.0 ** (momentary_lufs / 10.0), gate, remember))
    average = _average_loudness(loudness, gate, remember)
    remember = forgetting(number("fader.window_s"), rate_hz)
    gains_db = 20.0 * np.log10(smooth(10.0 ** ((average - loudness) / 20.0), gate, remember))
    times_s = _middles_s(momentary_lufs.shape[1])
    return Faders(times_s, _hold_backwards(gains_db, gate), gate)


def _average_loudness(loudness: DoubleArray, gate: BoolArray, alpha: float) -> DoubleArray:
    """Smoothed mean loudness over the open tracks, held while none is open; shape (1, frames)."""
    playing = gate.sum(axis=0)
    mean = np.where(gate, loudness, 0.0).sum(axis=0) / np.maximum(playing, 1)
    return smooth(mean[np.newaxis], (playing > 0)[np.newaxis], alpha)


def _hold_backwards(values: DoubleArray, gate: BoolArray) -> DoubleArray:
    """Fill what lies before a track's first open frame with the value there."""
    result = values.copy()
    for row, opened in zip(result, gate, strict=True):
        if opened.any():
            first = int(np.argmax(opened))
            row[:first] = row[first]
    return result

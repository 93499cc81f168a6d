"""Two ways to read how loud a track is, behind one interface: BS.1770 and the equal-loudness contours of ISO 226.

Both weigh the power spectrum, so that linear effects change the reading in closed form::

    L = 10 log10 sum_f P(f) w(f) |H(f)|^2

Several tracks add their powers, each while it sounds; what they share (bleed, two copies) adds in amplitude, as the
cross-spectra S_ij tell::

    L = 10 log10 sum_f w(f) sum_ij a_i conj(a_j) S_ij(f),   a_i = gain, pan and H_i

The excerpts that S_ij come from give the difference between that and the plain sum of powers; the level of the plain
sum comes from the whole song.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.dsp.loudness import k_weighting_power
from tonmeister.dsp.panning import pan_gains
from tonmeister.effects.base import LinearEffect
from tonmeister.engines.instrument.numbers import contour_rows
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import CrossPower, TrackFeatures
from tonmeister.units import SILENCE_DB, DoubleArray, db_to_power, power_to_db

__all__ = ["Bs1770Meter", "Iso226Meter", "Meter", "Part", "contour_db", "weight_db"]

Weight = Callable[[DoubleArray, int], DoubleArray]
"""Power weights of frequencies in hertz at a sample rate."""

_POINTS: Final = 5
"""Frequencies per third octave."""
_WINDOW_CELLS: Final = 10
"""Cells of 10 ms in a window."""
_FRAME_GATE_DB: Final = -70.0
_FRAME_RANGE_DB: Final = 30.0
_PAUSE_RANGE_DB: Final = 40.0
_LOUD_PERCENTILE: Final = 95.0


@dataclass(frozen=True)
class Part:
    """A track on its way into a sum."""

    features: TrackFeatures
    gain_db: float = 0.0
    pan: float = 0.0
    effects: tuple[LinearEffect, ...] = ()


class Meter(Protocol):
    """Reads tracks, also behind linear effects, and sums of tracks."""

    name: str

    def track(self, features: TrackFeatures, effects: Sequence[LinearEffect] = ()) -> float | None:
        """Loudness of a track; None for silence."""

    def together(self, parts: Sequence[Part], cross_power: CrossPower | None) -> float:
        """Loudness of the sum of audible tracks."""


# ------------------------------------------------------------------ weights


def contour_db(phon: float) -> tuple[DoubleArray, DoubleArray]:
    """Frequencies in hertz and levels in dB that sound as loud as 1 kHz at `phon` dB.

    A_f = 4.47e-3 (10^(0.025 L_N) - 1.15) + (0.4 10^((T_f + L_U) / 10 - 9))^alpha;
    L_p = (10 / alpha) log10 A_f - L_U + 94. Source: ISO 226:2003.
    """
    hz, alpha, magnitude, threshold = contour_rows().T
    area = (
        4.47e-3 * (10.0 ** (0.025 * phon) - 1.15)
        + (0.4 * 10.0 ** ((threshold + magnitude) / 10.0 - 9.0)) ** alpha
    )
    return hz, 10.0 / alpha * np.log10(area) - magnitude + 94.0


def weight_db(frequency_hz: DoubleArray, phon: float) -> DoubleArray:
    """Minus the contour re 1 kHz, straight lines over log f; silence below 20 Hz, held above 12.5 kHz."""
    hz, level_db = contour_db(phon)
    at_1000 = float(level_db[np.argmin(np.abs(hz - 1000.0))])
    frequency = np.maximum(np.asarray(frequency_hz, dtype=np.float64), 1e-6)
    weights = np.interp(np.log(frequency), np.log(hz), at_1000 - level_db)
    return np.where(frequency < hz[0], SILENCE_DB, weights)


def _points_hz(sample_rate: int) -> DoubleArray:
    """Five frequencies within each third octave; shape (150,)."""
    offsets = 10.0 ** (np.arange(-2, 3) / _POINTS * 0.1)
    return np.asarray(np.minimum(np.outer(exact_centers_hz(3), offsets), 0.49 * sample_rate).reshape(-1))


def _response(
    effects: Sequence[LinearEffect], frequency_hz: DoubleArray, sample_rate: int
) -> NDArray[np.complex128]:
    response = np.ones(len(frequency_hz), dtype=np.complex128)
    for effect in effects:
        response = response * effect.response(frequency_hz, sample_rate)
    return response


def _weighted(
    third_octave_power: DoubleArray, weight: Weight, effects: Sequence[LinearEffect], sample_rate: int
) -> float:
    """sum_f P w |H|^2 with the power of each band spread evenly over its points."""
    hz = _points_hz(sample_rate)
    passed = weight(hz, sample_rate) * np.abs(_response(effects, hz, sample_rate)) ** 2
    return float(third_octave_power @ passed.reshape(-1, _POINTS).mean(axis=1))


# ------------------------------------------------------------------ what is shared


def shared_db(parts: Sequence[Part], cross_power: CrossPower | None, weight: Weight) -> float:
    """By how much the sum of tracks that hear one another is louder than the sum of their powers, dB."""
    known = _known(parts, cross_power)
    if cross_power is None or len(known) < 2:
        return 0.0
    rows = [cross_power.names.index(part.features.name) for part in known]
    centers = exact_centers_hz(3)
    sample_rate = known[0].features.sample_rate
    spectra = cross_power.third_octave[:, rows][:, :, rows] * weight(
        np.minimum(centers, 0.49 * sample_rate), sample_rate
    )
    gains = np.array([_side_gains(part, centers) for part in known])  # (parts, sides, bands)
    coherent = np.einsum("isb,jsb,sijb->", gains, gains.conj(), spectra).real
    apart = np.einsum("isb,siib->", np.abs(gains) ** 2, spectra).real
    return power_to_db(float(coherent)) - power_to_db(float(apart)) if min(coherent, apart) > 0 else 0.0


def _known(parts: Sequence[Part], cross_power: CrossPower | None) -> list[Part]:
    """The parts whose cross-spectra were measured."""
    names = cross_power.names if cross_power is not None else ()
    return [part for part in parts if part.features.name in names]


def _with_shared(all_db: float, known_db: float, change_db: float) -> float:
    """The level of a sum of which a part, at `known_db`, is by `change_db` louder than its powers say."""
    return power_to_db(max(db_to_power(all_db) + db_to_power(known_db) * (db_to_power(change_db) - 1.0), 0.0))


def _side_gains(part: Part, centers_hz: DoubleArray) -> NDArray[np.complex128]:
    rate = part.features.sample_rate
    response = _response(part.effects, np.minimum(centers_hz, 0.49 * rate), rate)
    return np.outer(pan_gains(part.pan), response * 10.0 ** (part.gain_db / 20.0))


# ------------------------------------------------------------------ BS.1770


class Bs1770Meter:
    """Gated loudness after ITU-R BS.1770-4."""

    name = "bs1770"

    def track(self, features: TrackFeatures, effects: Sequence[LinearEffect] = ()) -> float | None:
        if features.integrated_lufs is None:
            return None
        return features.integrated_lufs + self._change_db(features, effects)

    def together(self, parts: Sequence[Part], cross_power: CrossPower | None) -> float:
        apart = self._apart(parts)
        known = _known(parts, cross_power)
        if len(known) < 2:
            return apart
        return _with_shared(apart, self._apart(known), shared_db(known, cross_power, k_weighting_power))

    def _apart(self, parts: Sequence[Part]) -> float:
        """Loudness of tracks that have nothing in common."""
        gains_db = [part.gain_db + self._change_db(part.features, part.effects) for part in parts]
        loudness = predicted_lufs([part.features.momentary_lufs for part in parts], gains_db)
        if loudness is not None:
            return loudness
        levels = [part.features.integrated_lufs or SILENCE_DB for part in parts]
        return power_to_db(sum(db_to_power(v + g) for v, g in zip(levels, gains_db, strict=True)))

    def _change_db(self, features: TrackFeatures, effects: Sequence[LinearEffect]) -> float:
        if not effects:
            return 0.0
        powers = _powers(features.third_octave_db)
        after = _weighted(powers, k_weighting_power, effects, features.sample_rate)
        before = _weighted(powers, k_weighting_power, (), features.sample_rate)
        return power_to_db(after) - power_to_db(before) if before > 0 else 0.0


def _powers(level_db: NDArray[np.float32]) -> DoubleArray:
    level = np.asarray(level_db, dtype=np.float64)
    return np.where(level > SILENCE_DB, 10.0 ** (level / 10.0), 0.0)


# ------------------------------------------------------------------ ISO 226


class Iso226Meter:
    """Power under the equal-loudness contour of a loudness level, over the frames in which the track is loud."""

    name = "iso226"

    def __init__(self, phon: float) -> None:
        self.phon = phon

    def track(self, features: TrackFeatures, effects: Sequence[LinearEffect] = ()) -> float | None:
        if features.silent:
            return None
        loudness = self._apart([Part(features, effects=tuple(effects))])
        return loudness if loudness > SILENCE_DB else None

    def together(self, parts: Sequence[Part], cross_power: CrossPower | None) -> float:
        apart = self._apart(parts)
        known = _known(parts, cross_power)
        if len(known) < 2:
            return apart
        return _with_shared(apart, self._apart(known), shared_db(known, cross_power, self._weight))

    def _apart(self, parts: Sequence[Part]) -> float:
        """Loudness of tracks that have nothing in common, over the windows in which their sum is loud."""
        cells = max(len(part.features.level_db) for part in parts)
        powers = [_window_powers(part, cells) for part in parts]
        heard = _loud(np.sum(powers, axis=0))
        total = 0.0
        for part, windows in zip(parts, powers, strict=True):
            spectrum = _powers(_gated(part.features))
            shape = spectrum / max(float(spectrum.sum()), 1e-30)
            mean = float(windows[heard].mean())
            total += mean * _weighted(shape, self._weight, part.effects, part.features.sample_rate)
        return power_to_db(total)

    def _weight(self, frequency_hz: DoubleArray, sample_rate: int) -> DoubleArray:
        return np.asarray(10.0 ** (weight_db(frequency_hz, self.phon) / 10.0))


def _gated(features: TrackFeatures) -> NDArray[np.float32]:
    gated = features.gated_third_octave_db
    return features.third_octave_db if gated is None else gated


def _window_powers(part: Part, cells: int) -> DoubleArray:
    """Power of both sides together, with the fader, in Hann windows of 100 ms, half overlapped; shape (n,).

    From the levels of 10 ms, so that it is the same at every sample rate. `cells` is the length of the song.
    """
    powers = 2.0 * 10.0 ** ((np.asarray(part.features.level_db, dtype=np.float64) + part.gain_db) / 10.0)
    padded = np.pad(powers, (_WINDOW_CELLS, cells - len(powers) + _WINDOW_CELLS))
    weights = np.sin(np.pi * (np.arange(_WINDOW_CELLS) + 0.5) / _WINDOW_CELLS) ** 4
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_CELLS)[:: _WINDOW_CELLS // 2]
    return np.asarray(windows @ (weights / weights.sum()))


def _loud(powers: DoubleArray) -> NDArray[np.bool_]:
    """Frames within 30 dB of the loud ones; all of them in a sum that is never audible."""
    level_db = 10.0 * np.log10(np.maximum(powers / 2.0, 1e-20))
    audible = level_db[level_db > max(_FRAME_GATE_DB, float(level_db.max()) - _PAUSE_RANGE_DB)]
    if not len(audible):
        return np.ones(len(powers), dtype=np.bool_)
    lowest_db = float(np.percentile(audible, _LOUD_PERCENTILE)) - _FRAME_RANGE_DB
    return np.asarray(level_db > max(lowest_db, _FRAME_GATE_DB))

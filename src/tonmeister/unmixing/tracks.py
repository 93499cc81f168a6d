"""From the gains of all frames to what is told of each track: smoothed level and pan, confidence, whether it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.multitrack import Multitrack
from tonmeister.units import DoubleArray
from tonmeister.unmixing.readout import (
    BIAS_DB,
    Sides,
    confidences,
    level_db,
    pan_of,
    sd_db_of,
    span,
    together,
)
from tonmeister.unmixing.result import FLOOR_DB, FoundTrack
from tonmeister.unmixing.smoothing import smooth
from tonmeister.unmixing.solution import Solution

__all__ = ["found_tracks"]

MOVES_DB: Final = 0.5
PANS: Final = 0.1
"""Spans (of the middle 90 %) from which a fader or pan counts as moved,"""
CERTAINLY: Final = 3.0
"""and at least so many standard deviations,"""
BIASES: Final = 2.0
"""and so many times the mode's bias, which changes with what sounds together."""
PAN_PER_DB: Final = 2.0 / math.pi * math.log(10.0) / 20.0
"""What a decibel between left and right does to a centered pan."""
NOT_FOUND: Final = 0.5
"""Factor for a track that is not found: muted, or changed beyond recognition; the mix does not say which."""
UNRECOGNIZED: Final = 0.25
"""Factor on the confidence when the tracks are not recognized in the waveform."""


@dataclass(frozen=True, slots=True)
class _Readings:
    """Of all tracks; series (frames, tracks), the rest (tracks,)."""

    curve_db: DoubleArray
    pan_curve: DoubleArray
    sd_db: DoubleArray
    confidences: DoubleArray
    gain_db: DoubleArray
    pan: DoubleArray
    opposite: NDArray[np.bool_]


def found_tracks(
    song: Multitrack, solution: Solution, *, overlap: int, recognized: bool
) -> tuple[FoundTrack, ...]:
    """Every track of the song, in its order."""
    read = _readings(solution, overlap, 1.0 if recognized else UNRECOGNIZED)
    return tuple(
        _track(song, index, read, BIASES * BIAS_DB[solution.mode]) for index in range(len(song.tracks))
    )


def _readings(solution: Solution, overlap: int, trust: float) -> _Readings:
    gains = _smoothed(solution.sides, overlap)
    gain, variance = together(gains)
    windows = solution.windows
    sd_db = sd_db_of(gain, variance, windows.tracks.mean(axis=1), windows.sounding.mean(axis=1))
    explained = 1.0 - np.clip(np.nan_to_num(solution.residual), 0.0, 1.0)
    static = together(Sides(solution.static[None], np.zeros_like(solution.static)[None]))[0][0]
    return _Readings(
        curve_db=level_db(gain),
        pan_curve=pan_of(gains.gains),
        sd_db=sd_db,
        confidences=trust * confidences(sd_db, explained, solution.mode),
        gain_db=level_db(static),
        pan=pan_of(solution.static),
        opposite=solution.opposite,
    )


def _smoothed(sides: Sides, overlap: int) -> Sides:
    """Both sides of every track smoothed over time; what is missing stays missing."""
    shape = sides.gains.shape
    flat = sides.gains.reshape(len(sides.gains), -1), sides.variance.reshape(len(sides.gains), -1)
    gains, variance = (series.reshape(shape) for series in smooth(*flat, min(overlap, shape[0])))
    missing = np.isnan(sides.gains)
    return Sides(np.where(missing, np.nan, np.maximum(gains, 0.0)), np.where(missing, np.nan, variance))


def _track(song: Multitrack, index: int, read: _Readings, bias_db: float) -> FoundTrack:
    track, curve, sd = song.tracks[index], read.curve_db[:, index], read.sd_db[:, index]
    active = np.isfinite(curve)
    heard = bool(active.any())
    uncertain_db = max(CERTAINLY * float(np.median(sd[active])), bias_db) if heard else math.inf
    trust = NOT_FOUND if read.gain_db[index] <= FLOOR_DB else 1.0
    pan, pan_curve = float(read.pan[index]), read.pan_curve[:, index]
    return FoundTrack(
        name=track.name,
        file=track.file,
        gain_db=round(float(read.gain_db[index]), 4) if heard else None,
        pan=round(pan, 4) + 0.0 if heard and math.isfinite(pan) else None,
        inverted=bool(read.opposite[index]),
        confidence=trust * float(np.mean(read.confidences[active, index])) if heard else 0.0,
        moves=span(curve) > max(MOVES_DB, uncertain_db),
        pans=span(pan_curve) > max(PANS, uncertain_db * PAN_PER_DB),
        active=active,
        curve_db=curve,
        pan_curve=pan_curve,
        sd_db=sd,
        confidences=read.confidences[:, index],
    )

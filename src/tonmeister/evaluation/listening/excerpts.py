"""Which part of a song is heard, and that all versions of it are level and in step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.errors import BadInputError
from tonmeister.features import HOP_S, MultitrackFeatures
from tonmeister.units import SILENCE_DB, FloatArray, db_to_gain

__all__ = [
    "CEILING_DBTP",
    "EXCERPT_S",
    "Excerpt",
    "LOUDNESS_LUFS",
    "Loudness",
    "busiest_excerpt",
    "common_lufs",
    "faded",
    "lag_frames",
    "matched",
    "measured",
]

EXCERPT_S: Final = 28.0
"""Length of an excerpt that nobody chose, s: the listening tests on automatic mixes use 25 to 30
(Martínez Ramírez et al., ISMIR 2022; De Man & Reiss, AES 136, 2014)."""
LOUDNESS_LUFS: Final = -23.0
"""Where all versions are brought (EBU R128), unless peaks ask for less: nothing is ever limited."""
CEILING_DBTP: Final = -1.0
"""EBU R128 allows no more."""
MAX_LAG_S: Final = 1.0
_FADE_IN_S: Final = 0.05
_FADE_OUT_S: Final = 0.5
_STEP_S: Final = 0.1
_CLEAR_PEAK: Final = 8.0
"""A lag counts as found when its peak stands this many times above the mean magnitude of all lags."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a song, s."""

    start_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Loudness:
    """What an excerpt measures."""

    lufs: float
    true_peak_dbtp: float


def busiest_excerpt(features: MultitrackFeatures, *, seconds: float = EXCERPT_S, end_s: float) -> Excerpt:
    """The part before `end_s` in which most tracks play on average; the earliest of equals."""
    hops = max(len(track.active) for track in features.tracks.values())
    playing = np.zeros(hops)
    for track in features.tracks.values():
        playing[: len(track.active)] += track.active
    playing = playing[: max(round(end_s / HOP_S), 1)]
    length = round(min(seconds, end_s) / HOP_S)
    if len(playing) <= length:
        return Excerpt(0.0, min(seconds, end_s))
    sums = np.concatenate([[0.0], np.cumsum(playing)])
    means = sums[length:] - sums[:-length]
    step = round(_STEP_S / HOP_S)
    return Excerpt(float(int(np.argmax(means[::step])) * step * HOP_S), seconds)


def faded(samples: FloatArray, sample_rate: int) -> FloatArray:
    """Raised-cosine fades at both ends, the same for every version; shape (channels, frames)."""
    frames = samples.shape[1]
    window = np.ones(frames)
    for length_s, ends in ((_FADE_IN_S, slice(None)), (_FADE_OUT_S, slice(None, None, -1))):
        count = min(round(length_s * sample_rate), frames // 2)
        window[ends][:count] *= 0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(count, 1))
    return np.asarray(samples * window, np.float32)


def measured(samples: FloatArray, sample_rate: int, what: str) -> Loudness:
    """Integrated loudness and true peak; raises `BadInputError` for silence or less than 0.4 s."""
    meter = LoudnessMeter(sample_rate, samples.shape[0])
    meter.update(samples)
    lufs = meter.integrated_lufs
    if lufs is None:
        raise BadInputError(
            f"{what}: the excerpt is silent or shorter than 0.4 s, so it cannot be made as loud as the others: "
            "choose another with --excerpt"
        )
    peak = meter.true_peak_dbtp()
    return Loudness(lufs, SILENCE_DB if peak is None else peak)


def common_lufs(versions: list[Loudness]) -> float:
    """The loudness that all versions can have without any peak above the ceiling: -23 LUFS or less."""
    return min([LOUDNESS_LUFS, *(CEILING_DBTP - (v.true_peak_dbtp - v.lufs) for v in versions)])


def matched(samples: FloatArray, sample_rate: int, lufs: float, what: str) -> tuple[FloatArray, float]:
    """The samples at a loudness, and the gain in dB that took; the absolute gate makes a second look needed."""
    gain_db = lufs - measured(samples, sample_rate, what).lufs
    for _ in range(3):
        louder = np.asarray(samples * np.float32(db_to_gain(gain_db)), np.float32)
        error = measured(louder, sample_rate, what).lufs - lufs
        if abs(error) < 0.005:
            break
        gain_db -= error
    return louder, gain_db


def lag_frames(reference: FloatArray, other: FloatArray, sample_rate: int) -> int | None:
    """By how many frames `other` comes later than `reference`, up to ±1 s; None where nothing is clear.

    Cross-correlation with the magnitude of the cross spectrum reduced to its square root, so that neither the
    loudest tone nor the noise floor decides.
    """
    reach = round(MAX_LAG_S * sample_rate)
    size = 1 << int(reference.shape[1] + reach).bit_length()
    cross = np.conj(np.fft.rfft(reference.mean(axis=0), size)) * np.fft.rfft(other.mean(axis=0), size)
    magnitude = np.sqrt(np.abs(cross))
    lags = np.fft.irfft(cross / np.maximum(magnitude, 1e-12 * max(float(magnitude.max()), 1e-30)), size)
    around = np.abs(np.concatenate([lags[-reach:], lags[: reach + 1]]))
    best = int(np.argmax(around))
    return best - reach if around[best] > _CLEAR_PEAK * around.mean() else None

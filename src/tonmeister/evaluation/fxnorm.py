"""Audio features of a mix against those of a reference, as mean absolute percentage errors.

Both are first brought to a peak of -1 dBFS (not for the loudness group). Framewise values are smoothed by a
running mean of 40 frames; the error of a feature is mean_t |f_ref - f_est| / |f_ref|, that of a group the mean
over its features. 0 is perfect. Percentages of decibels depend on the zero point: compare them within this
recipe only. Frames of 4096 with hop 1024 (panning: 2048 and 1024), square root of the Hann window. Spectral
features are those of librosa 0.11 on magnitudes, per channel; 1 Hz is added to centroid, bandwidth and rolloff.

Martinez Ramirez et al., "Automatic music mixing with deep learning and out-of-domain data", ISMIR 2022;
panning: Tzanetakis, Jones & McNally, ISMIR 2007; dynamics: Ma et al., JAES 63(6), 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.audio import Audio
from tonmeister.errors import BadInputError
from tonmeister.evaluation.figures import Figure, Group, figure, mean_of
from tonmeister.evaluation.stft import frame_count, framed, magnitudes, root_hann, spectra
from tonmeister.units import SILENCE_DB, DoubleArray, FloatArray, db_to_gain

__all__ = ["FRAME", "HOP", "PANNING_FRAME", "SMOOTHED", "dynamic_features", "fxnorm_groups", "panning_features",
           "panning_spectrum", "spectral_features"]  # fmt: skip

FRAME: Final = 4096
HOP: Final = 1024
PANNING_FRAME: Final = 2048
SMOOTHED: Final = 40
PEAK_DB: Final = -1.0
OFFSET_HZ: Final = 1.0
ROLLOFF: Final = 0.85
CONTRAST_LOWEST_HZ: Final = 250.0
CONTRAST_BANDS: Final = 4
CONTRAST_QUANTILE: Final = 0.02
CONTRAST_RANGE_DB: Final = 80.0
FLOOR: Final = 1e-10
_METHODS: Final = {
    "loudness": "levels as they are",
    "spectral": "both at -1 dBFS peak, frames 4096/1024, root Hann, running mean of 40 frames, mean of the channels",
    "panning": "both at -1 dBFS peak, frames 2048/1024, root Hann, running mean of 40 frames; "
    "large where the reference is nearly in the center",
    "dynamic": "both at -1 dBFS peak, frames 4096/1024, running mean of 40 frames",
}


def minimum_frames() -> int:
    """The shortest signal that fills one running mean."""
    return FRAME + (SMOOTHED - 1) * HOP


def fxnorm_groups(reference: Audio, estimate: Audio) -> tuple[Group, ...]:
    """The four groups; stereo signals of one length and rate."""
    if reference.frames < minimum_frames():
        raise BadInputError(
            f"the mix has {reference.frames} frames: the audio features need at least {minimum_frames()}"
        )
    a, b = _at_peak(reference), _at_peak(estimate)
    rate = reference.sample_rate
    spectral = [
        _errors(spectral_features(one, rate), spectral_features(other, rate))
        for one, other in zip(a, b, strict=True)
    ]
    merged = {name: mean_of([errors[name] for errors in spectral]) for name in spectral[0]}
    return (
        _group("loudness", _loudness_errors(reference, estimate)),
        _group("spectral", merged),
        _group("panning", _panning_errors(a, b, rate)),
        _group("dynamic", _errors(dynamic_features(a), dynamic_features(b))),
    )


def _group(family: str, errors: Mapping[str, float | None]) -> Group:
    why = "" if None not in errors.values() else "no such signal in the reference"
    figures: list[Figure] = [figure(f"{family}_mean", mean_of(list(errors.values())), "ratio", "lower")]
    figures += [
        figure(name, value, "ratio", "lower", why if value is None else "") for name, value in errors.items()
    ]
    method = f"mean absolute percentage error (0.1 is 10 %); {_METHODS[family]}"
    return Group(f"fxnorm_{family}", f"Audio features: {family}", method, tuple(figures))


def _at_peak(audio: Audio) -> FloatArray:
    peak = float(np.abs(audio.samples).max())
    return np.asarray(audio.samples * np.float32(db_to_gain(PEAK_DB) / peak))


def _errors(
    reference: Mapping[str, DoubleArray], estimate: Mapping[str, DoubleArray]
) -> dict[str, float | None]:
    return {name: percentage_error(smooth(reference[name]), smooth(estimate[name])) for name in reference}


def smooth(values: DoubleArray) -> DoubleArray:
    """Running mean of `SMOOTHED` frames, only where all of them exist."""
    sums = np.cumsum(np.concatenate(([0.0], values)))
    return np.asarray((sums[SMOOTHED:] - sums[:-SMOOTHED]) / SMOOTHED)


def percentage_error(reference: DoubleArray, estimate: DoubleArray) -> float | None:
    """mean |ref - est| / |ref| over the values where the reference is not zero; None without any."""
    there = np.abs(reference) > FLOOR
    if not there.any():
        return None
    return float(np.mean(np.abs(reference[there] - estimate[there]) / np.abs(reference[there])))


def _loudness_errors(reference: Audio, estimate: Audio) -> dict[str, float | None]:
    levels = []
    for audio in (reference, estimate):
        meter = LoudnessMeter(audio.sample_rate, audio.channels)
        meter.update(audio.samples)
        levels.append((meter.integrated_lufs, meter.sample_peak_db))
    names = ("integrated_lufs", "sample_peak")
    return {name: _relative(*pair) for name, pair in zip(names, zip(*levels, strict=True), strict=True)}


def _relative(reference: float | None, estimate: float | None) -> float | None:
    if reference is None or estimate is None or reference == 0.0:
        return None
    return abs(reference - estimate) / abs(reference)


# --- spectral -----------------------------------------------------------------------------------


def spectral_features(signal: FloatArray, sample_rate: int) -> dict[str, DoubleArray]:
    """Centroid, bandwidth, contrast, rolloff and flatness of every frame of (frames,)."""
    frequency = np.arange(FRAME // 2 + 1) * sample_rate / FRAME
    bands = _contrast_bands(frequency)
    rows: list[DoubleArray] = []
    for magnitude in magnitudes(signal, FRAME, HOP, root_hann(FRAME)):
        rows.append(_spectral_rows(magnitude.astype(np.float64), frequency, bands))
    values = np.concatenate(rows)
    peaks, valleys = (_contrast_db(values[:, 4 + k :: 2]) for k in (0, 1))
    contrast = peaks - valleys
    return {
        "centroid": values[:, 0] + OFFSET_HZ,
        "bandwidth": values[:, 1] + OFFSET_HZ,
        "contrast_low": contrast[:, 0],
        "contrast_mid": contrast[:, 1:4].mean(1),
        "contrast_high": contrast[:, -1],
        "rolloff": values[:, 2] + OFFSET_HZ,
        "flatness": 1.0 - 10.0 * np.log10(values[:, 3]),
    }


Band = tuple[slice, int]


def _contrast_bands(frequency: DoubleArray) -> list[Band]:
    """Bins of each band, and how many of them are its peaks and valleys.

    Edges 0, 250, 500, 1000, 2000, 4000 Hz. A band begins one bin below its edge and ends before its last bin,
    but for the last band, which goes up to half the rate.
    """
    edges = np.concatenate(([0.0], CONTRAST_LOWEST_HZ * 2.0 ** np.arange(CONTRAST_BANDS + 1)))
    bands = []
    for k in range(CONTRAST_BANDS + 1):
        inside = np.flatnonzero((frequency >= edges[k]) & (frequency <= edges[k + 1]))
        first, end = int(inside[0]) - (k > 0), int(inside[-1]) + 1
        if k == CONTRAST_BANDS:
            end = len(frequency)
        counted = max(round(CONTRAST_QUANTILE * (end - first)), 1)
        bands.append((slice(first, end if k == CONTRAST_BANDS else end - 1), counted))
    return bands


def _spectral_rows(magnitude: DoubleArray, frequency: DoubleArray, bands: list[Band]) -> DoubleArray:
    """Columns: centroid, bandwidth, rolloff, flatness, then peak and valley of each contrast band."""
    total = magnitude.sum(1)
    share = magnitude / np.where(total > 0, total, 1.0)[:, None]
    centroid = share @ frequency
    bandwidth = np.sqrt(np.maximum(share @ frequency**2 - 2 * centroid**2 + share.sum(1) * centroid**2, 0.0))
    cumulative = np.cumsum(magnitude, axis=1)
    rolloff = frequency[np.argmax(cumulative >= ROLLOFF * cumulative[:, -1:], axis=1)]
    power = np.maximum(magnitude**2, FLOOR)
    flatness = np.exp(np.log(power).mean(1)) / power.mean(1)
    columns = [centroid, bandwidth, rolloff, flatness]
    for band, counted in bands:
        inside = np.sort(magnitude[:, band], axis=1)
        columns += [inside[:, -counted:].mean(1), inside[:, :counted].mean(1)]
    return np.stack(columns, axis=1)


def _contrast_db(values: DoubleArray) -> DoubleArray:
    """In dB, not more than 80 dB below the largest of all."""
    level = 10.0 * np.log10(np.maximum(values, FLOOR))
    return np.asarray(np.maximum(level, level.max() - CONTRAST_RANGE_DB))


# --- panning ------------------------------------------------------------------------------------


def panning_spectrum(left: NDArray[np.complex64], right: NDArray[np.complex64]) -> DoubleArray:
    """Stereo panning spectrum per bin: (1 - phi) * side, -1 all left to 1 all right.

    phi = 2 |L R*| / (|L|^2 + |R|^2); the side is the stronger channel. 0 where both are silent.
    """
    a, b = np.abs(left).astype(np.float64), np.abs(right).astype(np.float64)
    power = a**2 + b**2
    similarity = np.where(power > 0, 2 * a * b / np.where(power > 0, power, 1.0), 1.0)
    return np.asarray((1.0 - similarity) * np.sign(b - a))


def panning_bands(sample_rate: int) -> dict[str, slice]:
    """Bins of the four bands of the panning spectrum."""

    def at(frequency_hz: float) -> int:
        return int(frequency_hz * PANNING_FRAME / sample_rate)

    top = at(sample_rate / 2)
    edges = {"total": (0, top), "low": (0, at(250)), "mid": (at(250), at(2500)), "high": (at(2500), top)}
    return {f"panning_{name}": slice(*pair) for name, pair in edges.items()}


def panning_features(stereo: FloatArray, sample_rate: int) -> dict[str, DoubleArray]:
    """Root mean square of the panning spectrum over all bins, 0-250, 250-2500 and 2500 Hz up, per frame."""
    bands = panning_bands(sample_rate)
    rows: dict[str, list[DoubleArray]] = {name: [] for name in bands}
    for left, right in _both(stereo):
        spectrum = panning_spectrum(left, right)
        for name, bins in bands.items():
            rows[name].append(np.sqrt(np.mean(spectrum[:, bins] ** 2, axis=1)))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _both(stereo: FloatArray) -> Iterator[tuple[NDArray[np.complex64], NDArray[np.complex64]]]:
    left, right = (spectra(channel, PANNING_FRAME, HOP, root_hann(PANNING_FRAME)) for channel in stereo)
    yield from zip(left, right, strict=True)


def _panning_errors(reference: FloatArray, estimate: FloatArray, rate: int) -> dict[str, float | None]:
    """Frames without any panning in the reference are left out."""
    a, b = panning_features(reference, rate), panning_features(estimate, rate)
    there = a["panning_total"] > 0
    if there.sum() < SMOOTHED:
        return dict.fromkeys(a)
    return _errors({n: v[there] for n, v in a.items()}, {n: v[there] for n, v in b.items()})


# --- dynamic ------------------------------------------------------------------------------------


def dynamic_features(samples: FloatArray) -> dict[str, DoubleArray]:
    """1 - level, dynamic spread and crest ratio of every frame, mean over the channels.

    level = 20 log10 RMS; spread = mean |20 log10 |x| - level|; crest = peak in dB / level.
    """
    columns = [_dynamic_rows(channel) for channel in samples]
    values = np.mean(columns, axis=0)
    return {"level": 1.0 - values[:, 0], "spread": values[:, 1], "crest": values[:, 2]}


def _dynamic_rows(signal: FloatArray) -> DoubleArray:
    """Columns: level, spread, crest; a frame without sound has the floor, 0 and 1."""
    floor = np.float32(10 ** (SILENCE_DB / 20))
    level_of_sample = np.float32(20.0) * np.log10(np.maximum(np.abs(signal), floor))
    rows = np.empty((frame_count(len(signal), FRAME, HOP), 3))
    at = 0
    chunks = zip(framed(signal, FRAME, HOP), framed(level_of_sample, FRAME, HOP), strict=True)
    for windows, levels in chunks:
        part = rows[at : at + len(windows)]
        part[:, 0] = 10.0 * np.log10(
            np.maximum(np.mean(np.square(windows), axis=1, dtype=np.float64), float(floor) ** 2)
        )
        part[:, 1] = np.mean(np.abs(levels - part[:, :1].astype(np.float32)), axis=1)
        part[:, 2] = levels.max(1) / np.where(part[:, 0] == 0.0, -1e-9, part[:, 0])
        at += len(windows)
    return rows

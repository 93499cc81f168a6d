"""From the series of one pass to the features of a track.

Loudness and band powers are those on a stereo bus with the fader at unity: a mono track sounds from both
speakers and reads 3.01 LU more than its single channel, which makes mono and stereo tracks comparable.
Levels (RMS) are means over the channels for the same reason; peaks are maxima over the channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.analysis.activity import BoolArray, bridge, sounding_cells
from tonmeister.analysis.masking import masking_frames
from tonmeister.analysis.onsets import onset_strength_db, pick_onsets
from tonmeister.analysis.recording import Recording
from tonmeister.analysis.spectra import average
from tonmeister.dsp.loudness import (
    CELLS_PER_S,
    MOMENTARY_CELLS,
    SHORT_TERM_CELLS,
    STEP_CELLS,
    channel_weights,
    integrated_lufs,
    loudness_range_lu,
    lufs_of_power,
    window_powers,
)
from tonmeister.dsp.spectrum import BARK, LOW, OCTAVE, THIRD_OCTAVE, TOTAL, powers_to_db
from tonmeister.features import FRAME_HOP_S, FRAME_WINDOW_S, TrackFeatures
from tonmeister.units import DoubleArray, FloatArray, gain_to_db, power_to_db

__all__ = ["TrackResult", "band_frames", "loud_frames", "stereo_measures", "track_result"]

FRAME_GATE_DB: Final = -70.0
FRAME_RANGE_DB: Final = 30.0
PAUSE_RANGE_DB: Final = 40.0
LOUD_PERCENTILE: Final = 95.0
PEAK_PERCENTILE: Final = 99.9
WIDTH_LIMIT: Final = 1000.0
"""Width of a signal without any mid, which would be infinite."""


@dataclass(frozen=True)
class TrackResult:
    """Features of one track, and the series that the comparison of tracks needs."""

    features: TrackFeatures
    masking: tuple[FloatArray, FloatArray]
    excerpts: dict[int, FloatArray]
    moments: FloatArray | None
    """Samples of the moments kept for cross-spectra, (channels, frames); None unless asked for."""
    onset_strength_db: FloatArray


def track_result(name: str, recording: Recording) -> TrackResult:
    """All measures of a finished recording."""
    cells, frames = recording.cells.cells(), recording.cells.frames()
    weights = channel_weights(recording.channels, dual_mono=True)
    weighted = np.asarray((cells[:, :, 0] * weights).sum(1))
    sounding = sounding_cells(weighted, frames)
    active = bridge(sounding)
    strength = onset_strength_db(recording.bands.finish())
    onsets = pick_onsets(np.where(active, strength, 0.0))
    spectral, masking = _spectral(recording, cells, frames, sounding, active)
    features = TrackFeatures(
        name=name,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        frames=recording.cells.position,
        active=active,
        active_ratio=float(active.mean()) if len(active) else 0.0,
        onset_times_s=onsets,
        onset_rate_hz=_rate(onsets, active),
        **_loudness(*_at_least_one_block(weighted, frames, recording)),
        **_levels(recording, cells, frames, active),
        **spectral,
        **_stereo(cells, recording.cells.products(), active),
        **_faults(recording, cells),
    )
    return TrackResult(
        features, masking, dict(recording.excerpts()), recording.moments(), strength.astype(np.float32)
    )


def _rate(onsets: FloatArray, active: BoolArray) -> float:
    """Onsets per second of active time."""
    active_s = float(active.sum()) / CELLS_PER_S
    return len(onsets) / active_s if active_s > 0 else 0.0


def _at_least_one_block(
    weighted: DoubleArray, frames: NDArray[np.int64], recording: Recording
) -> tuple[DoubleArray, NDArray[np.int64], int]:
    """A clip shorter than a gating block is measured as if silence followed: it is audible all the same."""
    full, missing = recording.cells.full_cells(), MOMENTARY_CELLS - len(weighted)
    if full >= MOMENTARY_CELLS or not len(weighted):
        return weighted, frames, full
    cell_frames = np.full(MOMENTARY_CELLS, recording.sample_rate // CELLS_PER_S)
    return np.pad(weighted, (0, max(missing, 0))), cell_frames, MOMENTARY_CELLS


def _loudness(weighted: DoubleArray, frames: NDArray[np.int64], full: int) -> dict[str, Any]:
    def windows(cells: int, step: int) -> DoubleArray:
        return window_powers(weighted[:full], frames[:full], cells=cells, step=step)

    momentary = windows(MOMENTARY_CELLS, STEP_CELLS)
    return {
        "integrated_lufs": integrated_lufs(momentary),
        "loudness_range_lu": loudness_range_lu(windows(SHORT_TERM_CELLS, STEP_CELLS)),
        "max_momentary_lufs": _loudest(windows(MOMENTARY_CELLS, 1)),
        "max_short_term_lufs": _loudest(windows(SHORT_TERM_CELLS, 1)),
        "momentary_lufs": lufs_of_power(momentary).astype(np.float32),
    }


def _loudest(powers: DoubleArray) -> float | None:
    power = float(powers.max(initial=0.0))
    return float(lufs_of_power(power)) if power > 0 else None


def _levels(
    recording: Recording, cells: DoubleArray, frames: NDArray[np.int64], active: BoolArray
) -> dict[str, Any]:
    power = cells[:, :, 1].mean(1) / frames
    peaks = cells[:, :, 2].max(axis=1, initial=0.0)
    true_peak, sample_peak = recording.true_peak.finish(), float(peaks.max(initial=0.0))
    rms_db = power_to_db(mean_square(cells, frames, active)) if active.any() else None
    p999_db = gain_to_db(float(np.percentile(peaks[active], PEAK_PERCENTILE))) if active.any() else None
    return {
        "true_peak_dbtp": gain_to_db(true_peak) if true_peak > 0 else None,
        "sample_peak_db": gain_to_db(sample_peak) if sample_peak > 0 else None,
        "peak_p999_db": p999_db,
        "rms_db": rms_db,
        "crest_db": p999_db - rms_db if p999_db is not None and rms_db is not None else None,
        "level_db": powers_to_db(power),
        "peak_level_db": powers_to_db(peaks**2),
    }


def mean_square(cells: DoubleArray, frames: NDArray[np.int64], active: BoolArray) -> float:
    """Mean square of the active cells, mean over the channels."""
    count = int(frames[active].sum())
    return float(cells[active, :, 1].mean(1).sum()) / count if count else 0.0


def _spectral(
    recording: Recording,
    cells: DoubleArray,
    frames: NDArray[np.int64],
    sounding: BoolArray,
    active: BoolArray,
) -> tuple[dict[str, Any], tuple[FloatArray, FloatArray]]:
    """Bands and shape over the frames in which the track sounds, at the level of the active time."""
    bands, shapes = recording.spectrum.finish()
    weights = frame_weights(sounding, recording.spectrum.hop / recording.sample_rate, len(bands))
    powers = average(bands, weights)
    scale = 2.0 * mean_square(cells, frames, active) / powers[TOTAL] if powers[TOTAL] > 0 else 0.0
    audible = float(powers[THIRD_OCTAVE].sum())
    shape = [float(value) for value in average(shapes, weights)] if audible > 0 else [None] * shapes.shape[1]
    measures = {
        "octave_db": powers_to_db(powers[OCTAVE] * scale),
        "third_octave_db": powers_to_db(powers[THIRD_OCTAVE] * scale),
        "bark_db": powers_to_db(powers[BARK] * scale),
        "low_energy_ratio": min(float(powers[LOW]) / audible, 1.0) if audible > 0 else None,
        **dict(zip(("centroid_hz", "spread_hz", "flatness", "rolloff_hz", "flux"), shape, strict=True)),
        "band_frames": band_frames(bands[:, THIRD_OCTAVE], recording.spectrum.hop / recording.sample_rate),
        "gated_third_octave_db": powers_to_db(average(bands, loud_frames(bands[:, TOTAL]))[THIRD_OCTAVE]),
    }
    return measures, masking_frames(bands[:, BARK], weights)


def loud_frames(powers: FloatArray) -> DoubleArray:
    """1 for frames above -70 dBFS and within 30 dB of the loud ones, else 0; shape (n,).

    Loud is the 95th percentile of what lies within 40 dB of the loudest, so that long pauses do not count. `powers` are
    those of both channels together. Scott & Kim (2013) read tracks over such frames.
    """
    level_db = powers_to_db(np.asarray(powers, dtype=np.float64) / 2.0)
    audible = level_db[level_db > max(FRAME_GATE_DB, float(level_db.max(initial=-200.0)) - PAUSE_RANGE_DB)]
    if not len(audible):
        return np.zeros(len(level_db))
    lowest_db = max(float(np.percentile(audible, LOUD_PERCENTILE)) - FRAME_RANGE_DB, FRAME_GATE_DB)
    return np.asarray(level_db > lowest_db, dtype=np.float64)


def band_frames(powers: FloatArray, hop_s: float) -> FloatArray:
    """Mean powers over windows of `FRAME_WINDOW_S` every `FRAME_HOP_S`; shape (windows, bands).

    Window i covers [i hop, i hop + window); row k of `powers` stands at k `hop_s`. A shorter song has one window.
    """
    windows = max(1, int((len(powers) * hop_s - FRAME_WINDOW_S) / FRAME_HOP_S) + 1)
    starts_s = np.arange(windows) * FRAME_HOP_S
    first = np.minimum(np.ceil(starts_s / hop_s - 1e-9).astype(int), max(len(powers) - 1, 0))
    last = np.minimum(np.ceil((starts_s + FRAME_WINDOW_S) / hop_s - 1e-9).astype(int), len(powers))
    counts = np.maximum(last - first, 1)
    means = np.zeros((windows, powers.shape[1]), np.float32)
    for band, series in enumerate(powers.T):  # one by one: the float64 sums of an hour are large
        totals = np.concatenate(([0.0], np.cumsum(series, dtype=np.float64)))
        means[:, band] = np.maximum((totals[last] - totals[first]) / counts, 0.0)
    return means


def frame_weights(gate: BoolArray, hop_s: float, count: int) -> DoubleArray:
    """Which share of the hop around each spectral frame is gated open, 0 to 1; shape (count,)."""
    opened = np.concatenate(([0.0], np.cumsum(gate))) / CELLS_PER_S
    edges_s = (np.arange(count + 1) - 0.5) * hop_s
    passed = np.interp(edges_s, np.arange(len(opened)) / CELLS_PER_S, opened)
    return np.asarray(np.diff(passed) / hop_s)


def _stereo(cells: DoubleArray, products: DoubleArray, active: BoolArray) -> dict[str, Any]:
    if cells.shape[1] != 2:
        return dict.fromkeys(("width", "imbalance", "correlation"))
    left, right = cells[active, 0, 1].sum(), cells[active, 1, 1].sum()
    return stereo_measures(float(left), float(right), float(products[active].sum()))


def stereo_measures(left: float, right: float, product: float) -> dict[str, float | None]:
    """Width, imbalance and correlation from the energies and sum of left times right; None in silence."""
    total = left + right
    if total <= 0:
        return dict.fromkeys(("width", "imbalance", "correlation"))
    mid, side = max(total + 2 * product, 0.0), max(total - 2 * product, 0.0)
    both = math.sqrt(left * right)
    return {
        "width": min(side / mid, WIDTH_LIMIT) if mid > 0 else WIDTH_LIMIT,
        "imbalance": (right - left) / total,
        "correlation": min(max(product / both, -1.0), 1.0) if both > 0 else 0.0,
    }


def _faults(recording: Recording, cells: DoubleArray) -> dict[str, Any]:
    means = cells[:, :, 3].sum(0) / max(recording.cells.position, 1)
    return {
        "dc": float(means[int(np.argmax(np.abs(means)))]),
        "clipped_at_s": recording.faults.clipped_at_s(),
        "clipped_runs": recording.faults.clipped_runs,
        "checksum": recording.faults.checksum(),
    }

"""What a finished mix measures: the numbers of a delivery report.

Everything is taken over the whole signal, pauses included. A mono file counts as one channel, as any loudness
meter reads it. Crest is sample peak over RMS, PLR true peak over integrated loudness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.analysis.recording import BLOCK_FRAMES, Faults
from tonmeister.analysis.spectra import SpectrumMeter
from tonmeister.analysis.tracks import stereo_measures
from tonmeister.dsp.spectrum import THIRD_OCTAVE, TOTAL, powers_to_db
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray, FloatArray, power_to_db

__all__ = ["MixMeasurement", "MixMeter", "measure_mix"]


@dataclass(frozen=True, slots=True)
class MixMeasurement:
    """Measurements of one mix; None where silence or shortness leaves nothing to measure."""

    sample_rate: int
    channels: int
    frames: int
    duration_s: float
    integrated_lufs: float | None
    loudness_range_lu: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None
    true_peak_dbtp: float | None
    sample_peak_db: float | None
    rms_db: float | None
    """Mean over the channels."""
    crest_db: float | None
    plr_lu: float | None
    third_octave_db: tuple[float, ...]
    """Power per third-octave band (30), added over the channels."""
    width: float | None
    """Energy of side over energy of mid."""
    side_share: float | None
    """Energy of side over energy of mid and side together."""
    imbalance: float | None
    correlation: float | None
    dc: float
    clipped_runs: int
    clipped_at_s: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


class MixMeter:
    """Measures a mix block by block; `result` ends the signal and may be read again."""

    def __init__(self, sample_rate: int, channels: int, *, weights: DoubleArray | None = None) -> None:
        """`weights` of the channels in the loudness; None: those of their number."""
        self._meter = LoudnessMeter(sample_rate, channels, weights=weights)
        self._faults = Faults("the mix", sample_rate, channels, checksum=False)
        self._spectrum = SpectrumMeter(sample_rate, channels, dual_mono=False, shapes=False, series=False)
        self._result: MixMeasurement | None = None

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames) of float32."""
        if self._result is not None:
            raise BadInputError("the result was already read: measure the rest with a new MixMeter")
        for start in range(0, block.shape[1], BLOCK_FRAMES):
            part = np.ascontiguousarray(block[:, start : start + BLOCK_FRAMES], dtype=np.float32)
            for meter in (self._faults, self._meter, self._spectrum):
                meter.update(part)

    def result(self) -> MixMeasurement:
        """All measurements."""
        if self._result is None:
            self._result = _measurement(self._meter, self._faults, self._spectrum)
        return self._result


def measure_mix(blocks: Iterable[FloatArray], sample_rate: int, channels: int) -> MixMeasurement:
    """See `tonmeister.analysis.measure`."""
    meter = MixMeter(sample_rate, channels)
    for block in blocks:
        meter.update(block)
    return meter.result()


def _measurement(meter: LoudnessMeter, faults: Faults, spectrum: SpectrumMeter) -> MixMeasurement:
    frames, channels = meter.frames, meter.channels
    energy = meter.energies
    power = float(energy.mean()) / max(frames, 1)
    rms_db = power_to_db(power) if power > 0 else None
    true_peak_dbtp, integrated, peak_db = meter.true_peak_dbtp(), meter.integrated_lufs, meter.sample_peak_db
    stereo = _stereo(energy.tolist(), meter.product)
    means = meter.sums / max(frames, 1)
    return MixMeasurement(
        sample_rate=meter.sample_rate,
        channels=channels,
        frames=frames,
        duration_s=frames / meter.sample_rate,
        integrated_lufs=integrated,
        loudness_range_lu=meter.loudness_range_lu,
        max_momentary_lufs=meter.max_momentary_lufs,
        max_short_term_lufs=meter.max_short_term_lufs,
        true_peak_dbtp=true_peak_dbtp,
        sample_peak_db=peak_db,
        rms_db=rms_db,
        crest_db=_difference(peak_db, rms_db),
        plr_lu=_difference(true_peak_dbtp, integrated),
        third_octave_db=_third_octaves(spectrum, power * channels),
        **stereo,
        dc=float(means[int(np.argmax(np.abs(means)))]),
        clipped_runs=faults.clipped_runs,
        clipped_at_s=faults.clipped_at_s(),
    )


def _difference(one: float | None, other: float | None) -> float | None:
    return one - other if one is not None and other is not None else None


def _third_octaves(spectrum: SpectrumMeter, power: float) -> tuple[float, ...]:
    powers = spectrum.finish_mean()
    scale = power / powers[TOTAL] if powers[TOTAL] > 0 else 0.0
    return tuple(float(level) for level in powers_to_db(powers[THIRD_OCTAVE] * scale))


def _stereo(energy: list[float], product: float) -> dict[str, float | None]:
    names = ("width", "side_share", "imbalance", "correlation")
    if len(energy) != 2 or sum(energy) <= 0:
        return dict.fromkeys(names)
    left, right = energy
    measures = stereo_measures(left, right, product)
    return {**measures, "side_share": min(max(0.5 - product / (left + right), 0.0), 1.0)}

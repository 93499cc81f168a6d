"""The plain facts of a mix: loudness, peaks, crest, clipping, DC, silence at the ends, tonal balance."""

from __future__ import annotations

import numpy as np

from tonmeister.analysis.mix import MixMeasurement
from tonmeister.audio import Audio
from tonmeister.evaluation.figures import Group, figure
from tonmeister.evaluation.numbers import number
from tonmeister.tonal_balance import TonalBalance
from tonmeister.units import db_to_gain

__all__ = ["end_silence_s", "facts_group", "fact_warnings", "tonal_group"]


def facts_group(measured: MixMeasurement, audio: Audio) -> Group:
    """Loudness, level and faults."""
    before, after = end_silence_s(audio)
    mean, std = number("mixes", "lufs_mean"), number("mixes", "lufs_std")
    figures = (
        figure("integrated_lufs", measured.integrated_lufs, "LUFS", "neutral",
               f"mixes of a data set: {mean:g} (std {std:g})"),
        figure("loudness_range_lu", measured.loudness_range_lu, "LU", "neutral"),
        figure("max_momentary_lufs", measured.max_momentary_lufs, "LUFS", "neutral"),
        figure("max_short_term_lufs", measured.max_short_term_lufs, "LUFS", "neutral"),
        figure("true_peak_dbtp", measured.true_peak_dbtp, "dBTP", "lower", "services ask for -1 or less"),
        figure("sample_peak_db", measured.sample_peak_db, "dBFS", "lower"),
        figure("crest_db", measured.crest_db, "dB", "neutral", "sample peak over RMS"),
        figure("plr_lu", measured.plr_lu, "LU", "neutral", "true peak over integrated loudness"),
        figure("clipped_runs", float(measured.clipped_runs), "runs", "lower", "three samples or more at full scale"),
        figure("dc", measured.dc, "of full scale", "lower", "magnitude counts"),
        figure("silence_before_s", before, "s", "neutral", f"below {number('silence', 'level_db'):g} dBFS"),
        figure("silence_after_s", after, "s", "neutral", f"below {number('silence', 'level_db'):g} dBFS"),
        figure("duration_s", measured.duration_s, "s", "neutral"),
    )  # fmt: skip
    return Group("facts", "Loudness and level", "BS.1770-4, EBU Tech 3341/3342; true peak oversampled 4 times",
                 figures)  # fmt: skip


def end_silence_s(audio: Audio) -> tuple[float, float]:
    """Seconds before the first and after the last sample above the silence level; all of it when none is."""
    loud = np.flatnonzero(np.abs(audio.samples).max(axis=0) > db_to_gain(number("silence", "level_db")))
    if not len(loud):
        return audio.duration_s, audio.duration_s
    return float(loud[0]) / audio.sample_rate, float(audio.frames - 1 - loud[-1]) / audio.sample_rate


def tonal_group(balance: TonalBalance) -> Group:
    """Distance from the target curve, octave by octave."""
    known = [(d, a) for d, a in zip(balance.deviation_db, balance.tolerance_db, strict=True) if d is not None]
    mean = float(np.mean([abs(d) for d, _ in known])) if known else None
    figures = [
        figure("mean_deviation", mean, "dB", "lower", "a guide: single songs differ"),
        figure("octaves_outside", float(len(balance.outside)), "octaves", "lower", "outside their tolerance"),
    ]
    for hz, deviation, allowed in zip(
        balance.octave_hz, balance.deviation_db, balance.tolerance_db, strict=True
    ):
        note = "" if deviation is None or abs(deviation) <= allowed else "outside the tolerance"
        figures.append(
            figure(f"octave_{hz:g}_hz", deviation, "dB", "neutral", note or f"within ±{allowed:g} dB")
        )
    return Group("tonal_balance", "Tonal balance", "octave levels against the target curve of finished mixes",
                 tuple(figures))  # fmt: skip


def fact_warnings(measured: MixMeasurement) -> list[str]:
    """Faults worth a sentence."""
    said = []
    if measured.clipped_runs:
        said.append(f"clipped in {measured.clipped_runs} places, first at {measured.clipped_at_s[0]:.2f} s")
    if abs(measured.dc) > number("dc", "limit"):
        said.append(f"DC offset of {measured.dc:+.3f} of full scale")
    if measured.true_peak_dbtp is not None and measured.true_peak_dbtp > 0.0:
        said.append(f"true peak of {measured.true_peak_dbtp:+.1f} dBTP: will clip in converters and codecs")
    return said

"""Towards any reference: how wide the mix is, and how far it ranges between soft and loud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tonmeister.decisions import AddInsert, Decision
from tonmeister.dsp.dynamics import gain_curve_db, smooth_gain_db
from tonmeister.dsp.loudness import (
    MOMENTARY_CELLS,
    SHORT_TERM_CELLS,
    STEP_CELLS,
    loudness_range_lu,
    lufs_of_power,
)
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.width import Width
from tonmeister.features import MultitrackFeatures
from tonmeister.matching.balance import HEARD
from tonmeister.matching.desk import BY, Desk, reason
from tonmeister.matching.numbers import number, pair
from tonmeister.matching.reference import Reference
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER
from tonmeister.units import DoubleArray, power_to_db

__all__ = ["dynamics_moves", "predicted_series_lufs", "width_moves"]

WIDTH_SLOT: Final = "match width"
DYNAMICS_SLOT: Final = "match compressor"
_STEPS: Final = 30
_STEP_MS: Final = 10.0 * STEP_CELLS


def width_moves(desk: Desk, reference: Reference) -> Iterator[Decision]:
    """One width on the master; nothing where either has no side."""
    own_mid, own_side = (float(b[HEARD].sum()) for b in desk.heard.bands)
    mid, side = (float(b[HEARD].sum()) for b in desk.target)
    if (
        reference.mono
        or min(own_mid, own_side, mid, side) <= 0
        or not desk.free(MASTER, f"insert:{WIDTH_SLOT}")
    ):
        return
    own_db, wanted_db = power_to_db(own_side / own_mid), power_to_db(side / mid)
    if abs(wanted_db - own_db) < number("width.smallest"):
        return
    low, high = pair("width.range")
    factor = round(float(np.clip(10.0 ** ((wanted_db - own_db) / 20.0), low, high)), 2)
    text = f"The side of the reference lies {wanted_db:+.1f} dB from its middle, here {own_db:+.1f} dB."
    evidence = f"side against mid {own_db:+.1f} dB, target {wanted_db:+.1f} dB"
    yield AddInsert(MASTER, Width(factor), WIDTH_SLOT, reason=reason(text, "width", evidence, 0.6), by=BY)


def predicted_series_lufs(plan: MixPlan, features: MultitrackFeatures) -> DoubleArray:
    """Momentary loudness of the mix every 100 ms, from the tracks' own and their faders; inserts are left out."""
    longest = max((len(features[n].momentary_lufs) for n in features.audible), default=0)
    powers = np.zeros(longest)
    for name in features.audible:
        strip, series = plan[name], features[name].momentary_lufs.astype(np.float64)
        if not strip.muted:
            powers[: len(series)] += 10.0 ** ((series + _fader_db(plan, name, len(series))) / 10.0)
    return np.asarray(10.0 * np.log10(powers + 1e-20))


def _fader_db(plan: MixPlan, name: str, count: int) -> DoubleArray:
    """The fader over time, at the centers of the momentary windows."""
    curve = plan[name].automation.get("gain_db")
    if curve is None:
        return np.full(count, plan[name].gain_db)
    times = (np.arange(count) * STEP_CELLS + MOMENTARY_CELLS / 2) / 100.0
    return np.asarray(np.interp(times, curve.times_s, curve.values))


def _range_lu(series_lufs: DoubleArray) -> float | None:
    """Loudness range of a momentary series: means over 3 s, gated."""
    wide = SHORT_TERM_CELLS // STEP_CELLS
    if len(series_lufs) < wide:
        return None
    offset = float(lufs_of_power(1.0))
    sums = np.cumsum(np.concatenate([[0.0], 10.0 ** ((series_lufs - offset) / 10.0)]))
    return loudness_range_lu((sums[wide:] - sums[:-wide]) / wide)


def dynamics_moves(
    desk: Desk, features: MultitrackFeatures, reference: Reference, notes: list[str]
) -> Iterator[Decision]:
    """A slow compressor on the mix where it ranges farther than the reference; more range cannot be given back."""
    series = predicted_series_lufs(desk.plan, features)
    own, wanted = _range_lu(series), reference.measured.loudness_range_lu
    if own is None or wanted is None or abs(own - wanted) < number("dynamics.smallest"):
        return
    if wanted > own:
        notes.append(
            f"match: the loudness range is about {own:.1f} LU, that of the reference {wanted:.1f} LU: range that is not "
            "played cannot be given back, left alone"
        )
        return
    if not desk.free(MASTER, f"insert:{DYNAMICS_SLOT}"):
        return
    excess_db = _threshold_below_peak(series, wanted)
    level = _level_at_master(desk)
    compressor = Compressor(
        threshold_db=round(float(np.clip(level - excess_db, -80.0, 0.0)), 1), ratio=number("dynamics.ratio"),
        knee_db=6.0, attack_ms=pair("dynamics.times")[0], release_ms=pair("dynamics.times")[1],
    )  # fmt: skip
    text = (
        f"Between soft and loud the mix ranges over about {own:.1f} LU, the reference over {wanted:.1f} LU: "
        f"{compressor.ratio:g}:1 above {compressor.threshold_db:.1f} dB."
    )
    evidence = f"loudness range {own:.1f} LU, target {wanted:.1f} LU"
    yield AddInsert(MASTER, compressor, DYNAMICS_SLOT, reason=reason(text, "dynamics", evidence, 0.5), by=BY)


def _threshold_below_peak(series_lufs: DoubleArray, wanted_lu: float) -> float:
    """How far below the loud moments the threshold must lie for the range to become `wanted_lu`: by halving."""
    loud = float(np.percentile(series_lufs, 95.0))
    least, most = 0.0, number("dynamics.most") / (1.0 - 1.0 / number("dynamics.ratio"))
    for _ in range(_STEPS):
        middle = 0.5 * (least + most)
        found = _range_lu(_compressed(series_lufs, loud - middle))
        least, most = (least, middle) if found is not None and found < wanted_lu else (middle, most)
    return 0.5 * (least + most)


def _compressed(series_lufs: DoubleArray, threshold_lufs: float) -> DoubleArray:
    attack_ms, release_ms = pair("dynamics.times")
    wanted = gain_curve_db(series_lufs, threshold_lufs, number("dynamics.ratio"), 6.0)
    return np.asarray(series_lufs + smooth_gain_db(wanted, attack_ms / _STEP_MS, release_ms / _STEP_MS))


def _level_at_master(desk: Desk) -> float:
    """Level of the loud moments as the compressor's detector sees them: 95th percentile of 10 ms peaks, dB."""
    mix = desk.heard.mix
    step = 480
    whole = mix.shape[1] // step * step
    peaks = np.abs(mix[:, :whole]).max(0).reshape(-1, step).max(1)
    heard = peaks[peaks > 0]
    return float(20.0 * np.log10(np.percentile(heard, 95.0))) if len(heard) else 0.0

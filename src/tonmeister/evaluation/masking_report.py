"""Who hides what in a mix: masking between the tracks as they stand in it, behind fader, pan and bus.

Threshold model and frames are those of `analysis.masking`, but without bringing the tracks to equal loudness.
The hidden share of a track is the part of its power that lies below the threshold of another; the
masker-to-signal ratio compares the threshold of everything else with the track's power (Ronan, Ma, Mc Namara,
Gunes & Reiss, arXiv 1803.09960, 2018). Only the time in which a track sounds counts. Masking can always be
reduced by turning something off: read it beside the levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.analysis.activity import sounding_cells
from tonmeister.analysis.masking import masking_frames, masking_matrix
from tonmeister.analysis.meter import CellMeter
from tonmeister.analysis.spectra import SpectrumMeter
from tonmeister.analysis.tracks import frame_weights
from tonmeister.dsp.bands import BARK_EDGES_HZ
from tonmeister.dsp.loudness import channel_weights
from tonmeister.dsp.masking import hidden_shares, masking_thresholds
from tonmeister.dsp.spectrum import BARK
from tonmeister.evaluation.levels import PlanMeters, measured_levels
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.render import BLOCK_FRAMES, render_blocks
from tonmeister.units import DoubleArray, FloatArray, db_to_power, power_to_db
from tonmeister.vocabulary import is_a

__all__ = ["Masking", "MaskingRow", "masking_report"]

Progress = Callable[[float], None]
_REGIONS: Final = {"low": (20.0, 250.0), "mid": (250.0, 2500.0), "high": (2500.0, 20_000.0)}


@dataclass(frozen=True, slots=True)
class MaskingRow:
    """What happens to one track in the mix."""

    name: str
    instrument: str
    lufs: float | None
    """Loudness in the mix."""
    hidden: float | None
    """Share of its power below the threshold of everything else."""
    hidden_by_region: Mapping[str, float | None]
    masker_to_signal_db: float | None
    """Threshold of everything else over the track's power; lower is clearer."""
    hidden_by: Mapping[str, float]
    """Share that each other track hides by itself, the largest first."""


@dataclass(frozen=True, slots=True)
class Masking:
    """All tracks, voices first, then by how much of them is hidden."""

    rows: tuple[MaskingRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "better": "lower",
            "tracks": {
                r.name: {
                    "instrument": r.instrument,
                    "lufs": r.lufs,
                    "hidden": r.hidden,
                    "hidden_by_region": dict(r.hidden_by_region),
                    "masker_to_signal_db": r.masker_to_signal_db,
                    "hidden_by": dict(r.hidden_by),
                }
                for r in self.rows
            },
        }


class _Place:
    """Bark powers and sounding time of one signal."""

    def __init__(self, sample_rate: int) -> None:
        self._spectrum = SpectrumMeter(sample_rate, 2, shapes=False)
        self._cells = CellMeter(sample_rate, 2)
        self._rate = sample_rate

    def update(self, block: FloatArray) -> None:
        self._spectrum.update(block)
        self._cells.update(block)

    def frames(self, gain_db: float) -> tuple[FloatArray, FloatArray]:
        bands, _ = self._spectrum.finish()
        weighted = np.asarray((self._cells.cells()[:, :, 0] * channel_weights(2)).sum(1))
        sounding = sounding_cells(weighted, self._cells.frames())
        weights = frame_weights(sounding, self._spectrum.hop / self._rate, len(bands))
        return masking_frames(bands[:, BARK] * np.float32(db_to_power(gain_db)), weights)


def masking_report(
    multitrack: Multitrack, plan: MixPlan | None = None, *, progress: Progress | None = None
) -> Masking:
    """Masking of tracks as `plan` renders them, or as they are (stems whose sum is the mix) without one.

    What effects on a bus do to the spectrum of its tracks is left out; what it does to their level is in.
    """
    places = {t.name: _Place(multitrack.sample_rate) for t in multitrack.tracks}
    if plan is None:
        levels = _direct(multitrack, places, progress)
        gains = dict.fromkeys(places, 0.0)
    else:
        levels, gains = _rendered(multitrack, plan, places, progress)
    frames = {name: place.frames(gains[name]) for name, place in places.items()}
    return Masking(_ordered(multitrack, _rows(multitrack, frames, levels)))


def _direct(
    multitrack: Multitrack, places: Mapping[str, _Place], progress: Progress | None
) -> Mapping[str, float | None]:
    for number, track in enumerate(multitrack.tracks):
        for block in track.blocks(multitrack.sample_rate, BLOCK_FRAMES):
            places[track.name].update(block if block.shape[0] == 2 else np.repeat(block, 2, axis=0))
        if progress:
            progress((number + 1) / len(multitrack.tracks))
    return measured_levels(multitrack, {t.name: t.name for t in multitrack.tracks}).lufs


def _rendered(
    multitrack: Multitrack, plan: MixPlan, places: Mapping[str, _Place], progress: Progress | None
) -> tuple[Mapping[str, float | None], dict[str, float]]:
    meters = PlanMeters(plan)

    def tap(name: str, block: FloatArray) -> None:
        meters.take(name, block)
        if name in places:
            places[name].update(block)

    done = 0
    for block in render_blocks(multitrack, plan, taps=tap):
        done += block.shape[1]
        if progress:
            progress(done / multitrack.frames)
    in_the_mix, alone = meters.levels(multitrack.names).lufs, meters.strip_lufs(multitrack.names)
    gains = {name: _difference(in_the_mix[name], alone[name]) for name in places}
    return in_the_mix, gains


def _difference(one: float | None, other: float | None) -> float:
    return one - other if one is not None and other is not None else 0.0


def _rows(
    multitrack: Multitrack,
    frames: Mapping[str, tuple[FloatArray, FloatArray]],
    levels: Mapping[str, float | None],
) -> list[MaskingRow]:
    names = list(frames)
    with ThreadPoolExecutor() as pool:
        audible = {n: None if levels[n] is None else 0.0 for n in names}
        matrix = masking_matrix(frames, audible, pool)
    thresholds, powers = _thresholds(frames, levels)
    rows = []
    for i, name in enumerate(names):
        heard = levels[name] is not None
        rest = thresholds.total - thresholds.own[name] if heard else thresholds.total
        gated = frames[name][1]
        share = _hidden(gated, rest)
        rows.append(
            MaskingRow(
                name=name,
                instrument=multitrack[name].instrument,
                lufs=levels[name],
                hidden=_weighted(share, powers[name]) if heard else None,
                hidden_by_region={
                    region: _weighted(share, powers[name] * _inside(region)) if heard else None
                    for region in _REGIONS
                },
                masker_to_signal_db=_ratio_db(gated, frames[name][0], rest) if heard else None,
                hidden_by=_maskers(names, matrix[i], powers[name], i) if heard else {},
            )
        )
    return rows


@dataclass(frozen=True)
class _Thresholds:
    own: Mapping[str, FloatArray]
    total: FloatArray


def _thresholds(
    frames: Mapping[str, tuple[FloatArray, FloatArray]], levels: Mapping[str, float | None]
) -> tuple[_Thresholds, dict[str, DoubleArray]]:
    longest = max(len(f[0]) for f in frames.values())
    own = {
        name: masking_thresholds(np.pad(f[0], ((0, longest - len(f[0])), (0, 0))))
        for name, f in frames.items()
        if levels[name] is not None
    }
    total = np.sum(list(own.values()), axis=0) if own else np.zeros((longest, 24), np.float32)
    powers = {name: f[1].sum(0, dtype=np.float64) for name, f in frames.items()}
    return _Thresholds(own, np.asarray(total, np.float32)), powers


def _hidden(gated: FloatArray, rest: FloatArray) -> DoubleArray:
    shares = np.zeros((1, rest.shape[1]))
    padded = np.pad(gated, ((0, len(rest) - len(gated)), (0, 0)))
    hidden_shares(padded, np.maximum(rest, 0.0)[None], shares)
    return np.asarray(shares[0])


def _ratio_db(gated: FloatArray, powers: FloatArray, rest: FloatArray) -> float | None:
    """Threshold over power, both summed over the frames in which the track sounds."""
    sounding = gated.sum(1) > 0
    masker = float(rest[: len(gated)][sounding].sum(dtype=np.float64))
    signal = float(powers[sounding].sum(dtype=np.float64))
    return power_to_db(masker / signal) if signal > 0 and masker > 0 else None


def _weighted(share: DoubleArray, power: DoubleArray) -> float | None:
    total = float(power.sum())
    return float(share @ power) / total if total > 0 else None


def _inside(region: str) -> DoubleArray:
    low, high = _REGIONS[region]
    centers = (np.array(BARK_EDGES_HZ[:-1]) + np.array(BARK_EDGES_HZ[1:])) / 2
    return np.asarray((centers >= low) & (centers < high), dtype=np.float64)


def _maskers(names: Sequence[str], row: DoubleArray, power: DoubleArray, own: int) -> dict[str, float]:
    shares = {n: _weighted(row[j], power) or 0.0 for j, n in enumerate(names) if j != own}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _ordered(multitrack: Multitrack, rows: Sequence[MaskingRow]) -> tuple[MaskingRow, ...]:
    def place(row: MaskingRow) -> tuple[int, float]:
        lead = multitrack[row.name].instrument == "lead_voice"
        rank = 0 if lead else 1 if is_a(row.instrument, "voice") else 2
        return rank, -(row.hidden or 0.0)

    return tuple(sorted(rows, key=place))

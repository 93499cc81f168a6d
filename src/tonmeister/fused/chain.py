"""What of a strip runs in lanes: its chain of inserts as stages of filters and compressors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.dsp.dynamics import time_coefficient
from tonmeister.dsp.filter_design import butterworth
from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import Equalizer
from tonmeister.effects.filters import HighPass, LowPass
from tonmeister.effects.gain import Gain
from tonmeister.strip import Strip
from tonmeister.units import DoubleArray, db_to_gain

__all__ = ["Filters", "Stage", "Squeeze", "fused_chain", "split_inserts"]

_FUSED: Final = (HighPass, LowPass, Equalizer, Compressor, Gain)
_THROUGH: Final = np.array([[1.0, 0.0, 0.0, 0.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Filters:
    """Second-order sections in series; shape (n, 5)."""

    sections: DoubleArray


@dataclass(frozen=True, eq=False)
class Squeeze:
    """A compressor: its numbers as `dsp.lane_kernels` wants them, and the filter of its detector (n, 5)."""

    numbers: tuple[float, ...]
    sections: DoubleArray


Stage = Filters | Squeeze


def split_inserts(strip: Strip) -> tuple[list[Effect], list[Effect]]:
    """Effects that run as ordinary processors, and those behind them that run in lanes."""
    effects = [insert.effect for insert in strip.inserts]
    at = len(effects)
    while at and type(effects[at - 1]) in _FUSED:
        at -= 1
    return effects[:at], effects[at:]


def fused_chain(effects: list[Effect], sample_rate: int) -> list[Stage]:
    """Stages of effects of the fused set, filters and gains in a row joined."""
    stages: list[Stage] = []
    for effect in effects:
        if isinstance(effect, Compressor):
            stages.append(_squeeze(effect, sample_rate))
            continue
        sections = _sections(effect, sample_rate)
        if stages and isinstance(stages[-1], Filters):
            stages[-1] = Filters(np.concatenate([stages[-1].sections, sections]))
        elif len(sections):
            stages.append(Filters(sections))
    return [_with_fewer_gains(stage) for stage in stages]


def _sections(effect: Effect, sample_rate: int) -> DoubleArray:
    if isinstance(effect, Equalizer):
        return effect.coefficients(sample_rate)
    if isinstance(effect, (HighPass, LowPass)):
        return effect.sections(sample_rate)
    assert isinstance(effect, Gain)
    return _THROUGH * db_to_gain(effect.gain_db) if effect.gain_db else np.empty((0, 5))


def _with_fewer_gains(stage: Stage) -> Stage:
    """Gains go into a filter beside them."""
    if isinstance(stage, Squeeze):
        return stage
    plain = ~stage.sections[:, 1:].any(axis=1)
    gain = float(np.prod(stage.sections[plain, 0]))
    filters = stage.sections[~plain].copy()
    if not len(filters):
        return Filters(_THROUGH * gain)
    filters[-1, :3] *= gain
    return Filters(filters)


def _squeeze(effect: Compressor, sample_rate: int) -> Squeeze:
    per_ms = sample_rate / 1000.0
    cutoff_hz = effect.sidechain_high_pass_hz
    numbers = (
        effect.threshold_db,
        1.0 / effect.ratio - 1.0,
        0.5 * effect.knee_db,
        effect.knee_db,
        0.5 / effect.knee_db if effect.knee_db else 0.0,
        time_coefficient(effect.attack_ms * per_ms),
        time_coefficient(effect.release_ms * per_ms),
        db_to_gain(effect.makeup_db),
    )
    sections = (
        butterworth("high_pass", max(cutoff_hz, 10.0), 2, sample_rate) if cutoff_hz else np.empty((0, 5))
    )
    return Squeeze(numbers, sections)

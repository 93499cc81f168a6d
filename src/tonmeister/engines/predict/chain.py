"""A track's inserts, predicted or left by an earlier engine, and what they do to its loudness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tonmeister.decisions import AddInsert, Decision
from tonmeister.effects.base import Effect, LinearEffect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.gain import Gain
from tonmeister.engines.predict.outputs import EQ, Prediction, equalizer, number, numbers
from tonmeister.engines.prediction import compressor_change_db, filter_change_db
from tonmeister.features import TrackFeatures

__all__ = ["Chain", "chain_of", "standing"]

_THRESHOLD_DB: Final = Compressor.ranges()["threshold_db"]


@dataclass(frozen=True)
class Chain:
    """What a track runs through before its fader."""

    own: Mapping[str, Effect]
    """Predicted inserts by slot, in order."""
    change_db: float
    """By how much all inserts, earlier ones included, change its loudness."""
    left_out: tuple[str, ...] = ()
    """Moves that were wanted and too uncertain."""
    confidence: Mapping[str, float] = field(default_factory=dict)
    """Of the predicted inserts, by slot."""


def standing(earlier: Iterable[Decision], name: str) -> dict[str, Effect]:
    """The inserts that earlier engines put on a track, by slot."""
    slots: dict[str, Effect] = {}
    for decision in earlier:
        if isinstance(decision, AddInsert) and decision.strip == name:
            slots.pop(decision.slot, None)
            if decision.effect is not None:
                slots[decision.slot] = decision.effect
    return slots


def chain_of(
    name: str, said: Prediction, features: TrackFeatures, earlier: Mapping[str, Effect], least: float
) -> Chain:
    """The inserts of a track: those surer than `least`, over those that stand already."""
    gains, sure, left_out = _gains(name, said, least)
    own: dict[str, Effect] = {}
    confidence: dict[str, float] = {}
    if any(gains):
        own["equalizer"], confidence["equalizer"] = equalizer(gains), sure
    toned = {**earlier, **own}
    if said.probability("compressed") >= number("insert.probability"):
        sure = min(said.confidence("threshold_lu"), 2.0 * said.probability("compressed") - 1.0)
        if sure >= least:
            own["compressor"], confidence["compressor"] = _compressor(said, features, _tone(toned)), sure
        else:
            left_out.append(f"{name}: compressor")
    return Chain(own, _change_db({**earlier, **own}, features), tuple(left_out), confidence)


def _gains(name: str, said: Prediction, least: float) -> tuple[list[float], float, list[str]]:
    """Gains of the six bands, 0 where too small or too unsure; the least confidence; what was left out."""
    gains, sure, left_out = [], 1.0, []
    for band, hertz in zip(EQ, numbers("eq.frequency"), strict=True):
        gain_db = float(np.clip(said[band], -number("eq.largest"), number("eq.largest")))
        wanted = abs(gain_db) >= number("eq.smallest")
        if wanted and said.confidence(band) < least:
            left_out.append(f"{name}: {hertz:g} Hz")
        kept = wanted and said.confidence(band) >= least
        gains.append(round(gain_db, 1) if kept else 0.0)
        sure = min(sure, said.confidence(band)) if kept else sure
    return gains, sure, left_out


def _compressor(said: Prediction, features: TrackFeatures, tone: list[LinearEffect]) -> Compressor:
    """The threshold stands against the loudness that enters."""
    enters = (features.integrated_lufs or 0.0) + filter_change_db(
        features.third_octave_db, tone, features.sample_rate
    )
    low, high = numbers("compressor.ratio")
    return Compressor(
        threshold_db=round(_THRESHOLD_DB.clip(enters + said["threshold_lu"]), 1),
        ratio=round(float(np.clip(2.0 ** said["ratio_log2"], low, high)), 1),
        knee_db=number("compressor.knee"), attack_ms=number("compressor.attack"),
        release_ms=number("compressor.release"),
    )  # fmt: skip


def _tone(effects: Mapping[str, Effect]) -> list[LinearEffect]:
    return [effect for effect in effects.values() if isinstance(effect, LinearEffect)]


def _change_db(effects: Mapping[str, Effect], features: TrackFeatures) -> float:
    """Filters in closed form, then compressors on the measured levels; other effects count as neutral."""
    gains = sum(e.gain_db for e in effects.values() if isinstance(e, Gain))
    linear = [e for e in _tone(effects) if not isinstance(e, Gain)]
    toned = filter_change_db(features.third_octave_db, linear, features.sample_rate)
    plain = filter_change_db(features.third_octave_db, linear, features.sample_rate, weighted=False)
    change = toned + gains
    for effect in effects.values():
        if isinstance(effect, Compressor):
            change += compressor_change_db(
                effect, features.level_db, features.peak_level_db, gain_db=plain + gains,
                third_octave_db=features.third_octave_db, sample_rate=features.sample_rate,
            )  # fmt: skip
    return change

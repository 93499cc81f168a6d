"""Equalizer, compressor and rooms, from what the network says about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tonmeister.dsp.filter_design import Shape
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.reverb import Reverb
from tonmeister.engines.expert.numbers import number, numbers
from tonmeister.features import TrackFeatures

__all__ = ["EQ_NODES", "compressor", "equalizer", "room"]

EQ_NODES: Final[Mapping[str, Shape]] = {
    "EqLow": "low_shelf", "EqLowmid": "peak", "EqPresence": "peak", "EqAir": "high_shelf",
}  # fmt: skip
"""Node of a band -> shape of its section."""


def equalizer(bands_db: Mapping[str, float]) -> Equalizer | None:
    """A section for every band that is moved by enough; None when there is none."""
    sections = tuple(
        EqSection(
            shape=shape,
            frequency_hz=number(f"equalizer.{node[2:].lower()}"),
            gain_db=round(bands_db[node], 1),
        )
        for node, shape in EQ_NODES.items()
        if abs(bands_db.get(node, 0.0)) >= number("equalizer.least")
    )
    return Equalizer(sections) if sections else None


def compressor(ratio: float, track: TrackFeatures, gain_db: float = 0.0) -> Compressor | None:
    """A compressor of that ratio, a little above the track's level; None when it would do nothing."""
    if ratio < 1.5 or track.rms_db is None:
        return None
    attack_ms, release_ms = numbers("compressor.times")
    threshold_db = min(max(track.rms_db + gain_db + number("compressor.threshold"), -80.0), 0.0)
    return Compressor(
        threshold_db=round(threshold_db, 1), ratio=ratio, knee_db=number("compressor.knee"), attack_ms=attack_ms,
        release_ms=release_ms,
    )  # fmt: skip


def room(beats: float, tempo_bpm: float | None) -> Reverb:
    """A room whose decay lasts so many beats."""
    shortest, longest = numbers("room.decay")
    decay_s = beats * 60.0 / (tempo_bpm or number("room.tempo"))
    return Reverb(
        decay_s=round(min(max(decay_s, shortest), longest), 2), predelay_ms=number("room.predelay"),
        damping_hz=number("room.damping"), low_cut_hz=number("room.low_cut"), mix=1.0,
    )  # fmt: skip

"""An engineer who listens: what becomes of a raw stem follows from how it sounds, and a little from taste.

Low cut, resonances turned down where they are, tone towards what the instrument usually has, a compressor whose
threshold follows the crest factor, light saturation, a de-esser, and a hand that evens out the phrases. If the chain
did not depend on the content, one static curve would be the best answer and a network had nothing to learn
(`tests` hold it to that). The numbers are in ``stems.toml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.deesser import Deesser
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.effects.saturation import Saturation
from tonmeister.training.stems.numbers import stem_numbers
from tonmeister.training.synthesis.acoustics import apply_effect
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import DoubleArray, FloatArray, gain_to_db

__all__ = ["Listened", "engineered", "listened"]

_FRAME: Final = 4096
_HOP_S: Final = 0.1
_PHRASE_S: Final = 1.2
_PER_OCTAVE: Final = 6
_ACTIVE_DB: Final = -30.0
_FLOOR: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Listened:
    """What the engineer hears of a raw stem."""

    peak_db: float
    """95th percentile of the peaks of 50 ms in which it sounds."""
    crest_db: float
    power: DoubleArray
    """Mean power per bin of 4096 over the frames in which it sounds."""
    phrase_db: DoubleArray
    """Level every 0.1 s, NaN where it pauses."""


def engineered(raw: FloatArray, group: str, seeds: Seeds, sample_rate: int) -> FloatArray:
    """The stem that the engineer makes of a raw mono signal (frames,)."""
    sound = raw[np.newaxis]
    heard = listened(raw, sample_rate)
    if heard is None:
        return raw
    for effect in _filters(heard, group, seeds, sample_rate):
        sound = apply_effect(effect, sound, sample_rate)
    for step in (_compressor, _saturation, _deesser):
        heard = listened(sound[0], sample_rate) or heard
        wanted = step(heard, group, seeds, sample_rate)
        sound = sound if wanted is None else apply_effect(wanted, sound, sample_rate)
    heard = listened(sound[0], sample_rate) or heard
    return np.asarray(sound[0] * _ride(heard, group, seeds, len(raw), sample_rate), np.float32)


def listened(raw: FloatArray, sample_rate: int) -> Listened | None:
    """What is heard of a mono signal (frames,); None when nothing is."""
    step = sample_rate // 20
    whole = len(raw) // step * step
    blocks = np.abs(raw[:whole]).reshape(-1, step)
    peaks = blocks.max(1, initial=0.0)
    if not len(peaks) or peaks.max() <= 1e-6:
        return None
    sounding = peaks > peaks.max() * 10 ** (_ACTIVE_DB / 20)
    peak_db = gain_to_db(float(np.percentile(peaks[sounding], 95)))
    rms = float(np.sqrt(np.mean(blocks[sounding].astype(np.float64) ** 2)))
    hop = round(_HOP_S * sample_rate)
    count = max((len(raw) - _FRAME) // hop + 1, 0)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(raw, (0, _FRAME)), _FRAME)[
        : max(count, 1) * hop : hop
    ]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32))) ** 2
    level = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + _FLOOR)
    plays = level > level.max() + _ACTIVE_DB
    return Listened(peak_db, peak_db - gain_to_db(rms), power[plays].mean(0), np.where(plays, level, np.nan))


def _filters(heard: Listened, group: str, seeds: Seeds, sample_rate: int) -> Iterator[Effect]:
    low, high = stem_numbers("high_pass_hz")[group]
    cutoff_hz = float(seeds.generator("low cut").uniform(low, high))
    yield HighPass(cutoff_hz)
    sections = [*_resonances(heard, seeds, sample_rate), *_tone(heard, group, seeds, sample_rate)]
    if sections:
        yield Equalizer(tuple(sections))


def _resonances(heard: Listened, seeds: Seeds, sample_rate: int) -> Iterator[EqSection]:
    """Cuts at the two highest peaks over the smoothed spectrum, on a grid of sixths of an octave."""
    about, random = stem_numbers("resonance"), seeds.generator("resonances")
    low, high = about["hz"]
    count = int(np.log2(high / low) * _PER_OCTAVE)
    centers = low * 2 ** (np.arange(count) / _PER_OCTAVE)
    level = np.array([_band_db(heard, c * 2**-0.1, c * 2**0.1, sample_rate) for c in centers])
    smooth = _smoothed(level, _PER_OCTAVE)
    over = level - smooth
    for _ in range(2):
        at = int(np.argmax(over))
        share = float(np.clip(random.normal(about["share"], about["spread"]), 0.0, 1.0))
        cut_db = min(share * float(over[at]), about["most_db"])
        if over[at] < about["least_db"]:
            return
        yield EqSection("peak", float(centers[at]), -cut_db, 3.0)
        over[max(at - _PER_OCTAVE // 2, 0) : at + _PER_OCTAVE // 2 + 1] = 0.0


def _tone(heard: Listened, group: str, seeds: Seeds, sample_rate: int) -> Iterator[EqSection]:
    """Shelves and bells that bring a band nearer to the energy it usually has."""
    about, random = stem_numbers("tone"), seeds.generator("tone")
    total = 10 * np.log10(heard.power.sum() + _FLOOR)
    for entry in about["bands"][group]:
        share = float(np.clip(random.normal(about["share"], about["spread"]), 0.0, 1.2))
        low_hz, high_hz = entry["band"]
        lacking = entry["aim_db"] - (_band_db(heard, low_hz, high_hz, sample_rate, mean=False) - total)
        gain_db = float(np.clip(share * lacking, -about["most_db"], about["most_db"]))
        yield EqSection(entry["shape"], float(entry["hz"]), gain_db, 0.8)


def _band_db(heard: Listened, low_hz: float, high_hz: float, sample_rate: int, *, mean: bool = True) -> float:
    width = sample_rate / _FRAME
    first, last = int(low_hz / width), max(int(high_hz / width), int(low_hz / width) + 1)
    power = heard.power[first : last + 1]
    return float(10 * np.log10((power.mean() if mean else power.sum()) + _FLOOR))


def _smoothed(values: DoubleArray, half: int) -> DoubleArray:
    window = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(values, half, mode="edge"), window / window.sum(), mode="valid")


def _compressor(heard: Listened, group: str, seeds: Seeds, sample_rate: int) -> Effect | None:
    """At `reduce` above its threshold times (1 - 1 / ratio) the usual peak loses that much."""
    about, random = stem_numbers("compressor")[group], seeds.generator("compressor")
    ratio, attack_ms, release_ms = (
        float(random.uniform(*about[n])) for n in ("ratio", "attack_ms", "release_ms")
    )
    share = about["share"] * float(np.clip(random.normal(1.0, 0.25), 0.3, 1.6))
    reduce_db = float(np.clip(share * (heard.crest_db - about["crest_db"]) + 3.0, 1.0, 14.0))
    threshold_db = float(np.clip(heard.peak_db - reduce_db / (1 - 1 / ratio), -80.0, 0.0))
    return Compressor(threshold_db, ratio, 6.0, attack_ms, release_ms)


def _saturation(heard: Listened, group: str, seeds: Seeds, sample_rate: int) -> Effect | None:
    about, random = stem_numbers("saturation")[group], seeds.generator("saturation")
    chance, drive_db = random.random(), float(random.uniform(*about["drive_db"]))
    if chance >= about["chance"]:
        return None
    return Saturation(float(np.clip(drive_db - heard.peak_db, -24.0, 48.0)), 0.7)


def _deesser(heard: Listened, group: str, seeds: Seeds, sample_rate: int) -> Effect | None:
    about: Any = stem_numbers("deesser").get(group)
    if about is None:
        return None
    random = seeds.generator("deesser")
    hertz, above_db, ratio = (float(random.uniform(*about[n])) for n in ("frequency_hz", "above_db", "ratio"))
    rms_db = heard.peak_db - heard.crest_db
    treble_db = _band_db(heard, hertz, 16_000.0, sample_rate, mean=False)
    total_db = float(10 * np.log10(heard.power.sum() + _FLOOR))
    return Deesser(hertz, float(np.clip(rms_db + treble_db - total_db + 6.0 + above_db, -80.0, 0.0)), ratio)


def _ride(heard: Listened, group: str, seeds: Seeds, frames: int, sample_rate: int) -> FloatArray:
    """A slow gain against the distance of each phrase from the mean level."""
    about, random = stem_numbers("ride"), seeds.generator("ride")
    share = float(np.clip(random.normal(about[group]["share"], about[group]["spread"]), 0.0, 1.0))
    level = heard.phrase_db
    there = np.flatnonzero(np.isfinite(level))
    if len(there) < 2:
        return np.ones(frames, np.float32)
    bridged = np.interp(np.arange(len(level)), there, level[there])
    slow = _smoothed(bridged, round(_PHRASE_S / _HOP_S / 2))
    move_db = np.clip(-share * (slow - slow[there].mean()), -about["most_db"], about["most_db"])
    at = (np.arange(frames) - _FRAME / 2) / (_HOP_S * sample_rate)
    return np.asarray(10 ** (np.interp(at, np.arange(len(move_db)), move_db) / 20), np.float32)

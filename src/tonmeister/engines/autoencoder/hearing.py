"""What the engine hears of a stem: an excerpt, brought to one loudness, and what effects do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tonmeister.dsp.loudness import integrated_lufs, k_weighting_coefficients
from tonmeister.effects.base import Effect
from tonmeister.engines.autoencoder.domain import number
from tonmeister.engines.autoencoder.hints import hints
from tonmeister.engines.autoencoder.measures import measures
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["Excerpt", "excerpt_of", "loudness_lufs", "lost_db", "through"]


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The mid signal of the loudest part of a stem at -23 LUFS, and by how much it was moved there."""

    samples: FloatArray = field(repr=False)
    """(frames,)"""
    sample_rate: int
    raised_db: float
    values: DoubleArray = field(repr=False)
    """Its measures."""
    hinted: DoubleArray = field(repr=False)
    """Its hints."""


def excerpt_of(samples: FloatArray, sample_rate: int) -> Excerpt | None:
    """An excerpt (channels, frames) made ready; None when there is too little to hear."""
    mid = np.asarray(samples.mean(0), np.float32)
    heard = loudness_lufs(mid, sample_rate)
    if heard is None or len(mid) < sample_rate:
        return None
    raised_db = number("hearing.loudness_lufs") - heard
    leveled = mid * np.float32(db_to_gain(raised_db))
    return Excerpt(
        leveled, sample_rate, raised_db, measures(leveled, sample_rate), hints(leveled, sample_rate)
    )


def loudness_lufs(samples: FloatArray, sample_rate: int) -> float | None:
    """Integrated loudness of a mono signal (frames,) on both speakers; None in silence.

    BS.1770 on steps of 100 ms: gating blocks of 400 ms are four of them.
    """
    from tonmeister.dsp.biquad import filter_cascade

    sections = np.array(k_weighting_coefficients(sample_rate))
    weighted = np.array(samples[np.newaxis], np.float32, order="C")
    filter_cascade(weighted, weighted, sections, np.zeros((1, len(sections), 2)))
    step = sample_rate // 10
    steps = (weighted[0, : len(samples) // step * step].astype(np.float64) ** 2).reshape(-1, step).mean(1)
    if len(steps) < 4:
        return None
    powers = 2.0 * np.convolve(steps, np.full(4, 0.25), mode="valid")
    return integrated_lufs(powers)


def lost_db(samples: FloatArray, sample_rate: int) -> float:
    """What brings a mono signal (frames,) to the loudness at which stems are measured; 0 dB in silence."""
    heard = loudness_lufs(samples, sample_rate)
    return 0.0 if heard is None else number("hearing.loudness_lufs") - heard


def through(effects: Sequence[Effect], samples: FloatArray, sample_rate: int) -> FloatArray:
    """A mono signal (frames,) through effects in a row, latency removed."""
    sound = np.array(samples[np.newaxis], np.float32)
    for effect in effects:
        wide = np.repeat(sound, 2, axis=0) if effect.needs_stereo else sound
        processor = effect.processor()
        processor.prepare(sample_rate, len(wide), wide.shape[1])
        late = processor.latency_frames
        padded = np.pad(wide, ((0, 0), (0, late)))
        processor.prepare(sample_rate, len(wide), padded.shape[1])
        sound = np.ascontiguousarray(processor.process(padded)[:1, late:], np.float32)
    return np.asarray(sound[0])

"""The few stretches of a track that are worth listening to: the loudest of each part of the song.

The track is read once, in hops of half a patch, and never held as a whole: of each of eight equal parts the loudest
stretch stays. Stretches far under the loudest of all are left out, so that pauses and bleed do not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr

from tonmeister.identification.log_mel import HOP_FRAMES, PATCH_FRAMES, RATE_HZ
from tonmeister.multitrack import Track
from tonmeister.units import FloatArray, gain_to_db

__all__ = ["PARTS", "Patch", "loud_patches"]

PARTS: Final = 8
"""How many stretches are heard at most."""
LEFT_OUT_DB: Final = 25.0
"""A stretch this far under the loudest one is not heard."""
SILENT_DB: Final = -75.0
"""RMS of the loudest stretch under which a track counts as silent; dB re full scale."""
MAX_CHANNELS: Final = 2
_PATCH_S: Final = PATCH_FRAMES / RATE_HZ
_LARGEST: Final = 1e4


@dataclass(frozen=True, eq=False)
class Patch:
    """One stretch: ``samples`` (channels, <= PATCH_FRAMES) at `RATE_HZ`, and where it begins."""

    samples: FloatArray
    start_s: float
    level_db: float
    """RMS over the stretch, before resampling."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return int(self.samples.shape[1]) / RATE_HZ


@dataclass(frozen=True, eq=False)
class _Stretch:
    samples: FloatArray
    start_frames: int
    level_db: float


def loud_patches(track: Track) -> tuple[Patch, ...]:
    """At most `PARTS` loud stretches of the track, in time order; none when it is silent.

    Samples that are no numbers count as silence.
    """
    rate = track.native_rate
    total = track.frames_at(rate)
    loudest: dict[int, _Stretch] = {}
    parts = min(PARTS, max(1, math.ceil(total / rate / _PATCH_S)))
    for stretch in _stretches(track, rate):
        part = min(stretch.start_frames * parts // max(total, 1), parts - 1)
        if part not in loudest or stretch.level_db > loudest[part].level_db:
            loudest[part] = stretch
    top_db = max((s.level_db for s in loudest.values()), default=SILENT_DB)
    if top_db <= SILENT_DB:
        return ()
    heard = [loudest[part] for part in sorted(loudest) if loudest[part].level_db > top_db - LEFT_OUT_DB]
    return tuple(_patch(stretch, rate) for stretch in heard)


def _stretches(track: Track, rate: int) -> Iterator[_Stretch]:
    """Stretches of a patch's length, one every half patch; the last may be shorter."""
    half = math.ceil(PATCH_FRAMES * rate / RATE_HZ / 2)
    held: FloatArray | None = None
    start = 0
    for block in track.blocks(rate, half):
        block = _sane(block)
        if held is not None:
            yield _stretch(np.concatenate([held, block], axis=1), start)
            start += held.shape[1]
        held = block
    if held is not None and start == 0:
        yield _stretch(held, 0)


def _sane(block: FloatArray) -> FloatArray:
    """At most two channels of finite numbers."""
    block = block[:MAX_CHANNELS]
    largest = float(np.abs(block).max(initial=0.0))
    if largest <= _LARGEST:
        return block
    return np.where(np.abs(block) <= _LARGEST, block, np.float32(0.0))


def _stretch(samples: FloatArray, start: int) -> _Stretch:
    flat = samples.reshape(-1)
    rms = math.sqrt(float(np.dot(flat, flat)) / max(flat.size, 1))
    return _Stretch(samples, start, gain_to_db(rms))


def _patch(stretch: _Stretch, rate: int) -> Patch:
    samples = _begun_at_onset(stretch.samples, rate)
    if rate != RATE_HZ:
        samples = np.ascontiguousarray(soxr.resample(samples.T, rate, RATE_HZ, quality="MQ").T)
    return Patch(samples[:, :PATCH_FRAMES], stretch.start_frames / rate, stretch.level_db)


def _begun_at_onset(samples: FloatArray, rate: int) -> FloatArray:
    """Without the silence at the beginning: a patch of a single hit begins with the hit."""
    hop = max(1, HOP_FRAMES * rate // RATE_HZ)
    steps = samples.shape[1] // hop
    if steps < 2:
        return samples
    levels = np.abs(samples[:, : steps * hop]).max(axis=0).reshape(steps, hop).max(axis=1)
    first = int(np.argmax(levels > levels.max() * 1e-3))
    return samples[:, max(first - 1, 0) * hop :]

"""The master strip for more than two channels.

Filters and gains act on every channel alike. Compressors, gates and de-essers follow the stereo mix, and every channel gets
its gain: the loudspeakers wait 2^-24 below it while the level is found, which float32 undoes without a trace. The limiter
follows whatever is loudest, the stereo mix included, so that neither a channel nor the downmix exceeds its ceiling. Effects
that need left and right (a reverb, a saturation, a width) work on the stereo mix, and what they add to it or take from it
goes to the front loudspeakers. So the downmix stays the stereo mix throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.effects.base import Effect, Processor
from tonmeister.spatial.bus import STEREO_ROWS
from tonmeister.strip import MASTER, Strip
from tonmeister.strip_processor import DelayLine, StripProcessor, level_gain
from tonmeister.units import FloatArray

__all__ = ["SpatialMaster", "works_on_stereo"]

_ALIKE: Final = frozenset(("gain", "equalizer", "high_pass", "low_pass", "limiter"))
_FOLLOWING: Final = frozenset(("compressor", "gate", "deesser"))
_ASIDE: Final = np.float32(2.0**-24)
_FRONT: Final = slice(STEREO_ROWS, STEREO_ROWS + 2)


def works_on_stereo(effect: Effect) -> bool:
    """Whether an effect on the master reaches the front loudspeakers only."""
    return effect.kind not in _ALIKE | _FOLLOWING


class SpatialMaster:
    """Runs a stack (rows, frames) of the stereo mix and other channels through the master strip."""

    def __init__(self, strip: Strip, rows: int, sample_rate: int, max_frames: int) -> None:
        self._strip, self._rate = strip, sample_rate
        self._delay = DelayLine(rows, round(strip.delay_ms * sample_rate / 1000))
        self._steps = [_step(i.effect, rows, sample_rate, max_frames) for i in strip.inserts]
        curve = {name: c for name, c in strip.automation.items() if name == "pan"}
        panned = Strip(MASTER, kind="master", output="", pan=strip.pan, automation=curve)
        self._pan = StripProcessor(panned, 2, sample_rate, max_frames) if strip.pan or curve else None
        self.latency_frames = sum(step.latency_frames for step in self._steps)
        self._position = -self.latency_frames
        if self._pan is not None:
            self._pan.start(self._position)

    def start(self, position: int) -> None:
        """Set the song position, in frames, of the first frame that will arrive."""
        self._position = position - self.latency_frames
        if self._pan is not None:
            self._pan.start(self._position)

    def process(self, stack: FloatArray) -> FloatArray:
        """(rows, frames) to the same shape."""
        position, self._position = self._position, self._position + stack.shape[1]
        if self._strip.muted:
            return np.zeros_like(stack)
        stack = self._delay.process(stack)
        if self._strip.polarity_inverted:
            stack = -stack
        for step in self._steps:
            stack = step.process(np.ascontiguousarray(stack))
        stack = stack * level_gain(
            self._strip, "gain_db", self._strip.gain_db, position, stack.shape[1], self._rate
        )
        if self._pan is not None:
            stack = _with_change(stack, self._pan.process(stack[:STEREO_ROWS].copy()).output)
        return stack


class _Alike:
    """One processor for all rows; `aside` keeps the loudspeakers out of a detector's sight."""

    def __init__(self, processor: Processor, *, aside: bool) -> None:
        self._processor, self._aside = processor, aside
        self.latency_frames = processor.latency_frames

    def process(self, stack: FloatArray) -> FloatArray:
        if not self._aside:
            return self._processor.process(stack)
        stack[STEREO_ROWS:] *= _ASIDE
        out = self._processor.process(stack)
        out[STEREO_ROWS:] /= _ASIDE
        return out


class _OnStereo:
    """A processor for the stereo mix; the front loudspeakers get what it changes."""

    def __init__(self, processor: Processor, rows: int) -> None:
        self._processor = processor
        self.latency_frames = processor.latency_frames
        self._late = DelayLine(rows, processor.latency_frames)

    def process(self, stack: FloatArray) -> FloatArray:
        made = self._processor.process(stack[:STEREO_ROWS].copy())
        return _with_change(self._late.process(stack), made)


def _with_change(stack: FloatArray, stereo: FloatArray) -> FloatArray:
    stack = stack.copy()
    stack[_FRONT] += stereo - stack[:STEREO_ROWS]
    stack[:STEREO_ROWS] = stereo
    return stack


def _step(effect: Effect, rows: int, sample_rate: int, max_frames: int) -> _Alike | _OnStereo:
    processor = effect.processor()
    if works_on_stereo(effect):
        processor.prepare(sample_rate, STEREO_ROWS, max_frames)
        return _OnStereo(processor, rows)
    processor.prepare(sample_rate, rows, max_frames)
    return _Alike(processor, aside=effect.kind in _FOLLOWING)

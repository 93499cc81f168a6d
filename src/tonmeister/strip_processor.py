"""A strip with its state: the signal order of `tonmeister.strip`, one block at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tonmeister.effects.base import remarks
from tonmeister.strip import Curve, Strip, pan_gains
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["DelayLine", "StripProcessor", "level_gain"]

OFF_DB = -96.0
"""A fader or send at the bottom of its range is off."""


class DelayLine:
    """Delays by a whole number of frames."""

    def __init__(self, channels: int, frames: int) -> None:
        self._held = np.zeros((channels, frames), np.float32)

    def process(self, block: FloatArray) -> FloatArray:
        """The block as it was `frames` ago; (channels, frames) in and out."""
        if not self._held.shape[1]:
            return block
        joined = np.concatenate([self._held, block], axis=1)
        self._held = joined[:, block.shape[1] :]
        return joined[:, : block.shape[1]]


class StripProcessor:
    """Runs a strip: polarity, delay, inserts, fader, pan; fills its sends.

    A mono track stays mono up to the first insert that needs stereo, or up to the pan.
    """

    @dataclass(slots=True)
    class Outputs:
        """What leaves a strip in one block, each (2, frames)."""

        output: FloatArray
        sends: dict[str, FloatArray]

    def __init__(self, strip: Strip, channels: int, sample_rate: int, max_frames: int) -> None:
        self._strip = strip
        self._rate = sample_rate
        self._delay = DelayLine(channels, round(strip.delay_ms * sample_rate / 1000))
        self._inserts = []
        for insert in strip.inserts:
            widens = insert.effect.needs_stereo and channels == 1
            channels = 2 if widens else channels
            processor = insert.effect.processor()
            processor.prepare(sample_rate, channels, max_frames)
            self._inserts.append((widens, processor))
        self.latency_frames = sum(p.latency_frames for _, p in self._inserts)
        self._position = 0

    def notes(self) -> list[str]:
        """What its inserts have to say when they have played."""
        return [f"{self._strip.name}: {note}" for note in remarks(p for _, p in self._inserts)]

    def start(self, position: int) -> None:
        """Set the song position, in frames, of the first frame that will arrive."""
        self._position = position - self.latency_frames

    def process(self, block: FloatArray) -> Outputs:
        """Take (channels, frames) and return what leaves the strip; may write into `block`."""
        frames = block.shape[1]
        position, self._position = self._position, self._position + frames
        if self._strip.muted:
            silence = np.zeros((2, frames), np.float32)
            return self.Outputs(silence, {s.to: silence for s in self._strip.sends})
        block = self._delay.process(block)
        if self._strip.polarity_inverted:
            block = -block
        for widens, processor in self._inserts:
            block = processor.process(np.repeat(block, 2, axis=0) if widens else block)
        before_fader = _doubled(block)
        output = self._panned(
            before_fader
            * level_gain(self._strip, "gain_db", self._strip.gain_db, position, frames, self._rate),
            position,
        )
        sends = {}
        for send in self._strip.sends:
            source = before_fader if send.pre_fader else output
            sends[send.to] = source * level_gain(
                self._strip, f"send:{send.to}", send.gain_db, position, frames, self._rate
            )
        return self.Outputs(output, sends)

    def _panned(self, block: FloatArray, position: int) -> FloatArray:
        curve = self._strip.automation.get("pan")
        if curve is None:
            left, right = pan_gains(self._strip.pan)
            if (left, right) == (1.0, 1.0):
                return block
            return block * np.array([[left], [right]], np.float32)
        theta = (_curve_values(curve, position, block.shape[1], self._rate) + 1.0) * (math.pi / 4.0)
        gains = np.empty((2, len(theta)), np.float32)
        gains[0] = math.sqrt(2.0) * np.cos(theta)
        gains[1] = math.sqrt(2.0) * np.sin(theta)
        return block * gains


def level_gain(
    strip: Strip, parameter: str, static_db: float, position: int, frames: int, sample_rate: int
) -> FloatArray | np.float32:
    """Linear gain of a fader or send: one number, or one per frame where a curve moves it."""
    curve = strip.automation.get(parameter)
    if curve is None:
        return np.float32(db_to_gain(static_db) if static_db > OFF_DB else 0.0)
    level_db = _curve_values(curve, position, frames, sample_rate)
    gains = np.where(level_db > OFF_DB, np.power(10.0, level_db / 20.0), 0.0)
    return gains.astype(np.float32)


def _doubled(block: FloatArray) -> FloatArray:
    return np.repeat(block, 2, axis=0) if block.shape[0] == 1 else block


def _curve_values(curve: Curve, position: int, frames: int, sample_rate: int) -> DoubleArray:
    """Values of a curve at `frames` song positions from `position` on; straight lines between breakpoints.

    A curve that stands still gives one value for all of them.
    """
    if (held := curve.held) is not None:
        return np.array([held])
    times_s = np.arange(position, position + frames) / sample_rate
    return np.interp(times_s, curve.times_s, curve.values)

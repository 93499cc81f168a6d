"""Reverb: out = (1 - mix) x + mix (room of x); the room is the network of `dsp.reverb`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from tonmeister.dsp.filter_design import butterworth
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_stereo
from tonmeister.units import FloatArray, Range


@dataclass(frozen=True)
class Reverb(Parameters):
    """A room. The decay is the time to fall by 60 dB at 1 kHz; at `damping_hz` it is half of that.

    The room's impulse response has unit energy (from one input to both outputs, mean over the inputs,
    before the low cut): noise on two unrelated channels comes out of it with the power it went in with.
    """

    kind: ClassVar[str] = "reverb"
    needs_stereo: ClassVar[bool] = True
    decay_s: float = parameter(1.5, Range(0.1, 10.0, "s", "log"))
    predelay_ms: float = parameter(0.0, Range(0.0, 500.0, "ms"))
    damping_hz: float = parameter(6000.0, Range(2000.0, 20000.0, "Hz", "log"))
    size: float = parameter(0.5, Range(0.0, 1.0))
    """Length of the delays: 0 a quarter of those of 1."""
    low_cut_hz: float = parameter(0.0, Range(0.0, 1000.0, "Hz"))
    """Second-order high-pass before the room; 0 is off, below 10 Hz counts as 10 Hz."""
    diffusion: float = parameter(1.0, Range(0.0, 1.0))
    """How dense the beginning is."""
    mix: float = parameter(1.0, Range(0.0, 1.0))

    def processor(self) -> Processor:
        return ReverbProcessor(self)


@lru_cache(maxsize=128)
def _unit_gain(decay_s: float, damping_hz: float, size: float, diffusion: float, sample_rate: int) -> float:
    """Gain that gives the room's impulse response unit energy."""
    from tonmeister.dsp.reverb import design_room, impulse_energy

    design = design_room(
        decay_s=decay_s, damping_hz=damping_hz, size=size, diffusion=diffusion, sample_rate=sample_rate
    )
    return 1.0 / math.sqrt(impulse_energy(design, decay_s=decay_s, sample_rate=sample_rate))


class ReverbProcessor:
    """Pre-delay, low cut, room, mix."""

    latency_frames = 0

    def __init__(self, effect: Reverb) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp import reverb
        from tonmeister.dsp.biquad import filter_cascade
        from tonmeister.dsp.delay_lines import delay

        check_stereo("reverb", channels)
        effect = self._effect
        self._delay, self._filter, self._reverberate = delay, filter_cascade, reverb.reverberate
        self._design = reverb.design_room(
            decay_s=effect.decay_s, damping_hz=effect.damping_hz, size=effect.size,
            diffusion=effect.diffusion, sample_rate=sample_rate,
        )  # fmt: skip
        self.room = reverb.RoomState(self._design)
        unit = _unit_gain(effect.decay_s, effect.damping_hz, effect.size, effect.diffusion, sample_rate)
        self._wet, self._dry = np.float32(effect.mix * unit), np.float32(1.0 - effect.mix)
        self._ring = np.zeros((2, round(effect.predelay_ms * sample_rate / 1000.0)), np.float32)
        self._low_cut = butterworth("high_pass", max(effect.low_cut_hz, 10.0), 2, sample_rate)
        self._memory = np.zeros((2, 1, 2))
        self._position: int = 0
        self.reset()

    def process(self, block: FloatArray) -> FloatArray:
        wet = np.array(block, order="C")
        self._position = self._delay(wet, self._ring, self._position)
        if self._effect.low_cut_hz:
            self._filter(wet, wet, self._low_cut, self._memory)
        self._reverberate(wet, self._design, self.room)
        block *= self._dry
        wet *= self._wet
        block += wet
        return block

    def reset(self) -> None:
        self._ring.fill(0.0)
        self._memory.fill(0.0)
        self.room.reset()
        self._position = 0

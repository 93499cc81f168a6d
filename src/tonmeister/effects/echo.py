"""Echo: repeats that grow duller; see `dsp.delay_lines.echo`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tonmeister.dsp.filter_design import one_pole_coefficient
from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_flag, check_stereo
from tonmeister.units import FloatArray, Range


@dataclass(frozen=True)
class Echo(Parameters):
    """Repeats after `time_ms`, each `feedback` times the one before and low-passed once more.

    out = (1 - mix) x + mix (repeats). Ping-pong repeats the middle of the signal left first, then right.
    """

    kind: ClassVar[str] = "echo"
    needs_stereo: ClassVar[bool] = True
    time_ms: float = parameter(500.0, Range(1.0, 4000.0, "ms", "log"))
    feedback: float = parameter(0.0, Range(0.0, 0.95))
    damping_hz: float = parameter(20000.0, Range(200.0, 20000.0, "Hz", "log"))
    """Corner of the one-pole low-pass in the feedback; the first repeat is not filtered."""
    mix: float = parameter(1.0, Range(0.0, 1.0))
    ping_pong: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_flag("echo.ping_pong", self.ping_pong)

    def processor(self) -> Processor:
        return EchoProcessor(self)


class EchoProcessor:
    """One line per channel; without ping-pong any number of channels will do."""

    latency_frames = 0

    def __init__(self, effect: Echo) -> None:
        self._effect = effect

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.delay_lines import echo

        if self._effect.ping_pong:
            check_stereo("echo with ping_pong", channels)
        self._echo = echo
        frames = max(round(self._effect.time_ms * sample_rate / 1000.0), 1)
        self._damping = one_pole_coefficient(self._effect.damping_hz, sample_rate)
        self._ring = np.zeros((channels, frames))
        self.state = np.zeros(channels)
        self._position: int = 0
        self.reset()

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        effect, mix = self._effect, float(self._effect.mix)
        self._position = self._echo(
            block, float(effect.feedback), self._damping, 1.0 - mix, mix, effect.ping_pong,
            self._ring, self.state, self._position,
        )  # fmt: skip
        return block

    def reset(self) -> None:
        self._ring.fill(0.0)
        self.state.fill(0.0)
        self._position = 0

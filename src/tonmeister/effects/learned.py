"""Learned effect: y = (1 - mix) x + mix g_out d(g_in x), the device d from a model file.

Of a waveshaper, d = post * f(pre * x): the curve f runs at up to four times the rate, and a model that was learned at
another sample rate runs with its filters resampled. A network runs at its own rate (`network_player`). Without a model
the sound only passes through, late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.effects.checks import check_flag
from tonmeister.effects.waveshaper import AHEAD_FRAMES, Waveshaper
from tonmeister.errors import BadInputError
from tonmeister.units import FloatArray, Range, db_to_gain

if TYPE_CHECKING:
    from tonmeister.effects.learned_files import Device


@dataclass(frozen=True)
class Learned(Parameters):
    """The sound of a device, learned from a recording before and behind it (`tonmeister learn-effect`)."""

    kind: ClassVar[str] = "learned"
    model: str = ""
    """Path of the model file (.npz); none passes the sound through."""
    input_gain_db: float = parameter(0.0, Range(-48.0, 48.0, "dB"))
    """Level into the device: what it does depends on it."""
    output_gain_db: float = parameter(0.0, Range(-48.0, 48.0, "dB"))
    mix: float = parameter(1.0, Range(0.0, 1.0))
    guard: bool = True
    """Whether a network gives way to its waveshaper twin where it strays from it; costs an LSTM 2 ms of latency."""
    full_band: bool = True
    """Whether treble above what a network of a low rate knows passes beside it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.model, str):
            raise BadInputError(f"learned.model={self.model!r} must be the path of a model file")
        check_flag("learned.guard", self.guard)
        check_flag("learned.full_band", self.full_band)

    def processor(self) -> Processor:
        if not self.model:
            return WaveshaperProcessor(self, Waveshaper.identity())
        from tonmeister.effects.learned_files import load_device

        return device_processor(self, load_device(self.model)[0])


def device_processor(effect: Learned, device: Device) -> Processor:
    """What plays a device that is already loaded."""
    if device.network is None:
        assert device.waveshaper is not None
        return WaveshaperProcessor(effect, device.waveshaper)
    from tonmeister.effects.network_player import NetworkProcessor

    return NetworkProcessor(effect, device.network, device.guard, device.treble_gain)


class WaveshaperProcessor:
    """Histories of two filters and two resamplers; see `dsp.wiener_hammerstein`."""

    latency_frames = 0

    def __init__(self, effect: Learned, model: Waveshaper) -> None:
        self._model = model
        wet = effect.mix * db_to_gain(effect.output_gain_db)
        drive = model.input_scale * db_to_gain(effect.input_gain_db)
        self._gains = np.array([drive, 1.0 - effect.mix, wet])

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp import oversampling, saaf, wiener_hammerstein

        model, rate = self._model, self._model.sample_rate or sample_rate
        resampled = wiener_hammerstein.resampled_taps
        self._pre, before = resampled(model.pre, AHEAD_FRAMES, rate, sample_rate)
        self._post, behind = resampled(model.post, AHEAD_FRAMES, rate, sample_rate)
        over = model.oversampling > 1
        self._phases = np.array(oversampling.resampler(model.oversampling)) if over else np.ones((1, 1))
        self.latency_frames = before + behind + (oversampling.LATENCY_FRAMES if over else 0)
        self._run = wiener_hammerstein.run
        self._rows = saaf.table(model.shaper)
        factor, taps = self._phases.shape
        kept = max(len(self._pre) - 1, self.latency_frames)
        self._inputs = np.zeros((channels, kept + max_frames))
        self._filtered = np.zeros((channels, taps - 1 + max_frames))
        self._shaped = np.zeros((channels, factor, taps + max_frames))
        self._lowered = np.zeros((channels, len(self._post) - 1 + max_frames))
        self._total = np.zeros(max_frames)

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        self._run(
            block, self._gains, self._pre, self._rows, self._post, self._phases, self.latency_frames,
            self._inputs, self._filtered, self._shaped, self._lowered, self._total,
        )  # fmt: skip
        return block

    def reset(self) -> None:
        for state in (self._inputs, self._filtered, self._shaped, self._lowered):
            state.fill(0.0)

"""Stem network: Y[t, f] = X[t, f] 10^(g[t, f] / 20), g said by a network that was trained on finished stems.

M. A. Martínez Ramírez and J. D. Reiss, WIMP 2017. The network hears the mid signal at a fixed loudness, which
`input_gain_db` brings it to; every channel gets the same gains. One frame at a time, so blocks change nothing.
Without a model the sound passes through. See `stem_model` for the two profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.effects.base import Parameters, Processor, parameter
from tonmeister.errors import BadInputError
from tonmeister.units import DoubleArray, FloatArray, Range, db_to_gain

if TYPE_CHECKING:
    from tonmeister.effects.stem_model import StemModel

__all__ = ["StemNetwork", "predicted_gains"]

_STILL_DB: Final = 1e-4
_QUIET: Final = 10 ** (-70.0 / 20.0)
"""Below -70 dBFS, at the loudness the network hears, gains go back to 0 dB."""
_TINY: Final = 1e-8
_NEPER_PER_DB: Final = np.float32(np.log(10) / 20)


@dataclass(frozen=True)
class StemNetwork(Parameters):
    """What an engineer would have made of a raw stem, as a network learned it (`tonmeister train stem`)."""

    kind: ClassVar[str] = "stem"
    model: str = ""
    """Name of a shipped model or path of a model file (.onnx); none passes the sound through."""
    amount: float = parameter(1.0, Range(0.0, 1.0))
    """How much of the gains; of a faithful model, how much of its sound."""
    max_boost_db: float = parameter(6.0, Range(0.0, 18.0, "dB"))
    """No band grows by more."""
    max_cut_db: float = parameter(18.0, Range(0.0, 96.0, "dB"))
    """No band is turned down by more."""
    input_gain_db: float = parameter(0.0, Range(-60.0, 60.0, "dB"))
    """Brings the stem to -23 LUFS for the network's ears only."""
    output_gain_db: float = parameter(0.0, Range(-48.0, 48.0, "dB"))
    """Level behind it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.model, str):
            raise BadInputError(f"stem.model={self.model!r} must be the name or path of a model")

    def processor(self) -> Processor:
        return StemProcessor(self)


class StemProcessor:
    """The last frames of the input, what the network still waits to hear, and the overlapping output."""

    latency_frames = 0

    def __init__(self, effect: StemNetwork) -> None:
        self._effect = effect
        self.gains_db: list[FloatArray] | None = None
        """When a list, the gains of every frame are kept in it, per band (improved) or bin (faithful)."""

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        self._output_gain = np.float32(db_to_gain(self._effect.output_gain_db))
        self._network: _Improved | _Faithful | None = None
        if not self._effect.model:
            return
        from tonmeister.effects.stem_model import load_stem_model

        model = load_stem_model(self._effect.model)
        kind = _Improved if model.profile == "improved" else _Faithful
        self._network = network = kind(self._effect, model, sample_rate, channels)
        self._frame, self._hop = network.frame, network.hop
        self._input = np.zeros((channels, self._hop), np.float32)
        self._history = np.zeros((channels, self._frame), np.float32)
        self._sum = np.zeros((channels, self._frame), np.float32)
        self._ready = np.zeros((channels, self._hop), np.float32)
        self._at = 0
        self.latency_frames = self._frame - 1 + network.ahead * self._hop

    def process(self, block: FloatArray) -> FloatArray:
        if self._network is None:
            block *= self._output_gain
            return block
        done, frames = 0, block.shape[1]
        while done < frames:
            count = min(self._hop - self._at, frames - done)
            part = block[:, done : done + count]
            self._input[:, self._at : self._at + count] = part
            early = min(count, self._hop - 1 - self._at)
            part[:, :early] = self._ready[:, self._at + 1 : self._at + 1 + early]
            self._at += count
            if self._at == self._hop:
                self._step()
                part[:, -1] = self._ready[:, 0]
                self._at = 0
            done += count
        return block

    def reset(self) -> None:
        if self._network is None:
            return
        for state in (self._input, self._history, self._sum, self._ready):
            state.fill(0.0)
        self._network.reset()
        self._at = 0

    def _step(self) -> None:
        """One frame in, one hop out."""
        assert self._network is not None
        hop = self._hop
        self._history[:, :-hop] = self._history[:, hop:]
        self._history[:, -hop:] = self._input
        self._sum[:, :-hop] = self._sum[:, hop:]
        self._sum[:, -hop:] = 0.0
        self._sum += self._network.shaped(self._history)
        self._ready[:] = self._sum[:, :hop]
        self._ready *= self._output_gain
        if self.gains_db is not None:
            self.gains_db.append(self._network.latest_db.copy())


class _Improved:
    """Gains per band, two frames late because the network looks ahead."""

    def __init__(self, effect: StemNetwork, model: StemModel, sample_rate: int, channels: int) -> None:
        from tonmeister.dsp import band_shaping, erb_bands
        from tonmeister.effects import stem_model

        self._effect, self._ask, self._heard_as = effect, model.asked_often(), stem_model.heard_as
        self._kernels = band_shaping
        self.frame = erb_bands.frame_length(sample_rate)
        self.hop, self.ahead = self.frame // 4, stem_model.AROUND
        self._window = stem_model.analysis_window(self.frame)
        self._back = np.float32(0.5) * self._window
        self._to_bands = erb_bands.two_of_each_bin(erb_bands.band_weights(self.frame, sample_rate).T)
        self._to_bins = erb_bands.two_of_each_bin(erb_bands.band_gains_to_bins(self.frame, sample_rate))
        self._powers = np.zeros(erb_bands.BANDS, np.float32)
        self._gains = np.zeros(self.frame // 2 + 1, np.float32)
        self._scale = np.float32(stem_model.amplitude_scale(self.frame) * db_to_gain(effect.input_gain_db))
        self._keep = stem_model.smoothing(self.hop / sample_rate)
        span = 2 * self.ahead + 1
        self._heard = np.zeros((span, erb_bands.BANDS), np.float32)
        self._loud = [0.0] * (self.ahead + 1)
        nothing: NDArray[Any] = np.zeros((channels, self.frame // 2 + 1), np.complex64)
        self._spectra = [nothing] * (self.ahead + 1)
        self._nothing = np.zeros(erb_bands.BANDS, np.float32)
        self.latest_db = np.zeros(erb_bands.BANDS, np.float32)

    def shaped(self, history: FloatArray) -> FloatArray:
        """Take the newest frame, give the shaped one that lies `ahead` frames back, windowed: (channels, frame)."""
        spectra = np.fft.rfft(history * self._window)
        self._kernels.band_powers(spectra, *self._to_bands, self._powers)
        amplitudes = np.sqrt(self._powers) * self._scale
        self._heard[:-1] = self._heard[1:]
        self._heard[-1] = self._heard_as(amplitudes)
        self._loud = [*self._loud[1:], float(np.dot(amplitudes, amplitudes))]
        self._spectra = [*self._spectra[1:], spectra]
        effect = self._effect
        self._kernels.follow(
            self.latest_db, self._wanted_db(), effect.amount, -effect.max_cut_db, effect.max_boost_db, self._keep,
            _STILL_DB,
        )  # fmt: skip
        self._kernels.of_each_bin(_NEPER_PER_DB * self.latest_db, *self._to_bins, self._gains)
        np.exp(self._gains, out=self._gains)
        return np.asarray(np.fft.irfft(self._spectra[0] * self._gains, self.frame) * self._back, np.float32)

    def _wanted_db(self) -> FloatArray:
        """Of the frame in the middle of what is heard."""
        if self._loud[0] < _QUIET**2:
            return self._nothing
        return self._ask(self._heard.reshape(-1))

    def reset(self) -> None:
        self._heard.fill(0.0)
        self.latest_db.fill(0.0)
        self._loud = [0.0] * len(self._loud)
        self._spectra = [np.zeros_like(self._spectra[0])] * len(self._spectra)


class _Faithful:
    """A spectrum for a spectrum; its ratio to the mid signal's is the gain, so the phase is that of the input."""

    ahead = 0

    def __init__(self, effect: StemNetwork, model: StemModel, sample_rate: int, channels: int) -> None:
        from tonmeister.effects.stem_model import FRAME

        if sample_rate not in (44_100, 48_000):
            raise BadInputError(
                f"stem.model={effect.model!r}: sample_rate={sample_rate}: a faithful model runs at 44100 and 48000 Hz: "
                "convert the tracks, or take an improved model, which runs at any rate"
            )
        self._effect, self._model = effect, model
        self.frame, self.hop = FRAME, FRAME // 2
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / self.frame)
        squares: DoubleArray = window[: self.hop] ** 2 + window[self.hop :] ** 2
        self._window = window.astype(np.float32)
        self._back = (window / np.tile(squares, 2)).astype(np.float32)
        self._input_gain = np.float32(db_to_gain(effect.input_gain_db))
        self.latest_db = np.zeros(self.frame // 2 + 1, np.float32)

    def shaped(self, history: FloatArray) -> FloatArray:
        spectra = np.fft.rfft(history * self._window)
        heard = np.abs(spectra.mean(0)).astype(np.float32) * self._input_gain
        gains = np.ones_like(heard)
        if heard.max() > _QUIET:
            said = self._model.run(heard[np.newaxis])[0]
            gains = said if self._model.stage == "mask" else said / np.maximum(heard, _TINY)
        low, high = db_to_gain(-self._effect.max_cut_db), db_to_gain(self._effect.max_boost_db)
        amount = np.float32(self._effect.amount)
        gains = (1 - amount + amount * np.clip(gains, low, high)).astype(np.float32)
        self.latest_db = 20 * np.log10(np.maximum(gains, np.float32(_TINY)))
        return np.asarray(np.fft.irfft(spectra * gains, self.frame) * self._back, np.float32)

    def reset(self) -> None:
        self.latest_db.fill(0.0)


def predicted_gains(
    effect: StemNetwork, samples: FloatArray, sample_rate: int
) -> tuple[FloatArray, FloatArray]:
    """What the effect makes of a whole sound, latency removed, and its gains in dB per frame.

    (channels, frames) -> ((channels, frames), (steps, 64 bands or 1025 bins)).
    """
    processor = StemProcessor(effect)
    processor.prepare(sample_rate, len(samples), samples.shape[1])
    late = processor.latency_frames
    processor.gains_db = []
    made = processor.process(np.pad(samples, ((0, 0), (0, late))).astype(np.float32))[:, late:]
    gains = processor.gains_db or [np.zeros(64, np.float32)]
    return made, np.stack(gains)

"""The model of a stem network: which sound it hears, which it makes, and the file it is kept in.

M. A. Martínez Ramírez and J. D. Reiss, "Deep Learning and Intelligent Audio Mixing", WIMP 2017. Two profiles:

- ``improved``: 64 bands of frames t-2 ... t+2 -> gains in dB per band; it shapes what is there and nothing else;
- ``faithful``: a magnitude spectrum -> a magnitude spectrum, laid on the phase of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.erb_bands import BANDS, band_weights, frame_length
from tonmeister.errors import ModelError
from tonmeister.model_files.card import Port
from tonmeister.model_files.store import Model, load_model
from tonmeister.units import FloatArray

__all__ = [
    "AROUND",
    "BAND_HOP",
    "FRAME",
    "KIND",
    "MOST_DB",
    "PORTS",
    "StemModel",
    "amplitude_scale",
    "analysis_window",
    "band_frames",
    "heard_as",
    "load_stem_model",
    "smoothing",
]

KIND: Final = "stem_network"
FRAME: Final = 2048
"""At 44.1 and 48 kHz."""
BAND_HOP: Final = 512
AROUND: Final = 2
"""Frames before and after that the improved network sees."""
MOST_DB: Final = 18.0
HEARD_SCALE: Final = 1e4
"""The network hears log(1 + 10^4 a), a the amplitude of a band: 80 dB count."""
SMOOTH_S: Final = 0.025
"""Time constant of the gains."""
_MAX_BYTES: Final = 32 * 2**20
_BINS: Final = FRAME // 2 + 1
PORTS: Final[Mapping[str, tuple[Port, Port]]] = {
    "improved": (
        Port("frames", "float32", ("n", (2 * AROUND + 1) * BANDS)),
        Port("gains_db", "float32", ("n", BANDS)),
    ),
    "faithful": (
        Port("magnitudes", "float32", ("n", _BINS)),
        Port("stem", "float32", ("n", _BINS)),
    ),
}


@dataclass(frozen=True, eq=False)
class StemModel:
    """A checked model and what its card says of it."""

    profile: str
    group: str
    stage: str
    """``stem``, or ``mask`` where the faithful network says ratios."""
    model: Model

    def run(self, frames: FloatArray) -> FloatArray:
        """What the network makes of its input, shape (n, inputs) -> (n, outputs)."""
        given, made = PORTS[self.profile]
        return np.asarray(self.model.run({given.name: frames})[made.name], np.float32)

    def asked_often(self) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """The same for one frame, (inputs,) -> (outputs,), in memory that its next call overwrites."""
        network = self.model.network
        assert network is not None
        ask = network.asked_often(rows=1)
        return lambda frame: ask(frame)[0]

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.model.card.settings


def load_stem_model(name_or_path: str | Path) -> StemModel:
    """A shipped model by its name, or one from a file; raises `ModelError` for anything else."""
    model = load_model(name_or_path, kind=KIND, max_bytes=_MAX_BYTES)
    settings, card = model.card.settings, model.card
    profile, group, stage = (str(settings.get(k)) for k in ("profile", "group", "stage"))
    if profile not in PORTS or stage not in ("stem", "mask"):
        raise ModelError(f"{model.path}: profile={profile!r}, stage={stage!r} are not known: train it again")
    if settings.get("as_released"):
        raise ModelError(
            f"{model.path}: has the released code's layout, for study: train it without --as-released"
        )
    if (card.inputs, card.outputs) != ((PORTS[profile][0],), (PORTS[profile][1],)):
        raise ModelError(f"{model.path}: its ports are not those of a {profile} stem network: train it again")
    return StemModel(profile, group, stage, model)


@cache
def analysis_window(length: int) -> FloatArray:
    """Square root of a periodic Hann window: with itself it adds up to 2 at a hop of a quarter."""
    return np.sin(np.pi * np.arange(length) / length).astype(np.float32)


def amplitude_scale(length: int) -> float:
    """Makes a sine of amplitude 1 read about 1 in its band."""
    return float(2.0 / analysis_window(length).sum())


def band_frames(samples: FloatArray, sample_rate: int) -> tuple[NDArray[Any], FloatArray]:
    """What the improved network hears of a whole mono signal (frames,), a hop of a quarter frame apart.

    Returns spectra (steps + 3, bins), the last three of which only end the signal, and amplitudes of bands (steps, 64); a
    full-scale sine reads about 1.
    """
    length = frame_length(sample_rate)
    hop = length * BAND_HOP // FRAME
    steps, late = -(-len(samples) // hop), length // hop - 1
    padded = np.pad(samples, (length - hop, length))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][: steps + late]
    spectra = np.fft.rfft(frames * analysis_window(length))
    power = (spectra.real**2 + spectra.imag**2)[:steps] @ band_weights(length, sample_rate).T
    return spectra, np.asarray(np.sqrt(power) * amplitude_scale(length), np.float32)


def heard_as(amplitudes: FloatArray) -> FloatArray:
    """log(1 + 10^4 a): loud and soft both count."""
    return np.asarray(np.log1p(np.float32(HEARD_SCALE) * amplitudes), np.float32)


def smoothing(hop_s: float) -> float:
    """How much of the gain before stays: g_t = c g_(t-1) + (1 - c) wanted_t."""
    return float(np.exp(-hop_s / SMOOTH_S))

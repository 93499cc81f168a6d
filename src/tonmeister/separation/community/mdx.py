"""MDX networks as ONNX: the spectra of both channels, real and imaginary parts, to those of one track.

The network sees ``dim_f`` of the bins over ``dim_t`` frames; what it does not see stays out of the track. Settings stand
in a JSON beside it, under the names that Ultimate Vocal Remover gives them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.dsp.stft import Stft
from tonmeister.errors import ModelError
from tonmeister.model_files.card import Port
from tonmeister.model_files.network import Network
from tonmeister.model_files.onnx_reader import network_facts
from tonmeister.model_files.operators import check_operators
from tonmeister.model_files.store import MAX_MODEL_BYTES
from tonmeister.separation.community.foreign import ForeignFacts, track_names
from tonmeister.separation.community.plain_files import checked_size, plain_json, sha256_of, whole_number
from tonmeister.units import FloatArray

__all__ = ["MdxWaves", "is_mdx", "open_mdx"]

_RATE: Final = 44_100
_HOP: Final = 1024
_PARTS: Final = 4
_THREADS: Final = 2
_FFT: Final = "mdx_n_fft_scale_set"


def is_mdx(path: Path) -> bool:
    """Whether settings of an MDX network lie beside an ONNX file."""
    beside = path.with_suffix(".json")
    return path.suffix == ".onnx" and beside.is_file() and _FFT in plain_json(beside)


def open_mdx(path: Path) -> MdxWaves:
    """The network, its settings in the JSON of the same name."""
    beside = path.with_suffix(".json")
    settings = plain_json(beside)
    fft = whole_number(settings, _FFT, range(512, 32_769), beside)
    bins = whole_number(settings, "mdx_dim_f_set", range(16, fft // 2 + 2), beside)
    frames = 1 << whole_number(settings, "mdx_dim_t_set", range(3, 13), beside)
    track = track_names([str(settings.get("primary_stem", "vocals")).casefold()], beside)
    gain = settings.get("compensate", 1.0)
    if not isinstance(gain, (int, float)) or not 0.5 <= gain <= 2.0:
        raise ModelError(f"{beside}: compensate={gain!r} is not a gain between 0.5 and 2")
    if checked_size(path).stat().st_size > MAX_MODEL_BYTES:
        raise ModelError(f"{path}: is larger than {MAX_MODEL_BYTES >> 20} MiB: this is not an MDX network")
    data = path.read_bytes()
    try:
        check_operators(network_facts(data))
        shape = ("n", _PARTS, bins, frames)
        network = Network(
            data, (Port("input", "float32", shape),), (Port("output", "float32", shape),), threads=_THREADS
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    return MdxWaves(
        network, track, ForeignFacts("mdx", {path.name: sha256_of(path)}), fft, bins, frames, float(gain)
    )


class MdxWaves:
    """A `WaveEstimator` with the transform around the network."""

    sample_rate, channels = _RATE, 2

    def __init__(
        self, network: Network, tracks: tuple[str, ...], facts: ForeignFacts,
        fft_frames: int, bins: int, frames: int, gain: float,
    ) -> None:  # fmt: skip
        self.tracks, self.facts = tracks, facts
        self.segment_frames = _HOP * (frames - 1)
        self._network, self._bins, self._gain = network, bins, np.float32(gain)
        self._stft = Stft.of("hann", fft_frames, fft_frames, _HOP)

    def waves(self, segment: FloatArray) -> FloatArray:
        """(2, segment_frames) to (1, 2, segment_frames)."""
        spectra = self._stft.forward(segment)
        seen = spectra[:, : self._bins]
        parts = np.stack([seen.real, seen.imag], axis=1).reshape(1, _PARTS, self._bins, -1)
        answer: Any = self._network.run({"input": np.ascontiguousarray(parts, np.float32)})["output"]
        answer = answer.reshape(2, 2, self._bins, -1)
        made = np.zeros_like(spectra)
        made[:, : self._bins] = answer[:, 0] + 1j * answer[:, 1]
        return np.asarray(self._gain * self._stft.inverse(made, segment.shape[1])[None], np.float32)

"""The one pass over a track: all meters fed together, block by block, memory bounded by 10 ms series."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np

from tonmeister.analysis.cross_power import Moments
from tonmeister.analysis.meter import CellMeter, TruePeakMeter
from tonmeister.analysis.onsets import BandEnergies
from tonmeister.analysis.pairs import Excerpts
from tonmeister.analysis.spectra import SpectrumMeter
from tonmeister.dsp.cell_kernels import clipped_runs
from tonmeister.dsp.fingerprint import Fingerprint
from tonmeister.errors import AudioFileError
from tonmeister.units import FloatArray

__all__ = ["BLOCK_FRAMES", "Faults", "Recording"]

BLOCK_FRAMES: Final = 65536
CLIP_LIMIT: Final = 100


class Faults:
    """Full-scale runs and the checksum of a stream; not-a-number is an error."""

    def __init__(self, file: str, sample_rate: int, channels: int, *, checksum: bool = True) -> None:
        self._file = file
        self._sample_rate = sample_rate
        self._position = 0
        self._runs = np.zeros(channels, np.int64)
        self._starts = np.zeros(CLIP_LIMIT, np.int64)
        self._hashes = [Fingerprint() for _ in range(channels if checksum else 0)]
        self.clipped_runs = 0

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, frames); raise `AudioFileError` at the first sample that is no number."""
        if not np.isfinite(block).all():
            self._refuse(block)
        if float(np.abs(block).max(initial=0.0)) >= 0.99 or self._runs.any():
            state = (self._runs, self._starts, self.clipped_runs)
            self.clipped_runs = int(clipped_runs(block, self._position, *state))
        for channel, channel_hash in enumerate(self._hashes):
            channel_hash.update(block[channel])
        self._position += block.shape[1]

    def _refuse(self, block: FloatArray) -> None:
        bad = int(np.flatnonzero(~np.isfinite(block).all(axis=0))[0])
        at_s = (self._position + bad) / self._sample_rate
        raise AudioFileError(
            f"{self._file}: the sample at {at_s:.3f} s is not a finite number (NaN or infinite): "
            "export the track again, or leave it out"
        )

    def clipped_at_s(self) -> tuple[float, ...]:
        """Beginnings of the first hundred runs, seconds."""
        starts = self._starts[: min(self.clipped_runs, CLIP_LIMIT)]
        return tuple(float(start) / self._sample_rate for start in starts)

    def checksum(self) -> str:
        """Digest of the samples, channel by channel, whatever the blocks were."""
        digests = b"".join(channel_hash.digest() for channel_hash in self._hashes)
        return hashlib.blake2b(digests, digest_size=16).hexdigest()


class Recording:
    """Every meter of one track."""

    def __init__(
        self,
        file: str,
        sample_rate: int,
        channels: int,
        *,
        keep_excerpts: bool = False,
        moments: Moments | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.faults = Faults(file, sample_rate, channels)
        self.cells = CellMeter(sample_rate, channels)
        self.true_peak = TruePeakMeter(channels)
        self.spectrum = SpectrumMeter(sample_rate, channels)
        self.bands = BandEnergies(sample_rate, channels)
        self._excerpts = Excerpts(sample_rate) if keep_excerpts else None
        self._moments = moments

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        for start in range(0, block.shape[1], BLOCK_FRAMES):
            part = np.ascontiguousarray(block[:, start : start + BLOCK_FRAMES], dtype=np.float32)
            for meter in (self.faults, self.cells, self.true_peak, self.spectrum, self.bands):
                meter.update(part)
            if self._excerpts is not None:
                self._excerpts.update(part)
            if self._moments is not None:
                self._moments.update(part)

    def excerpts(self) -> Mapping[int, FloatArray]:
        """Stretches kept for comparison with other microphones; empty unless asked for."""
        return self._excerpts.finish() if self._excerpts is not None else {}

    def moments(self) -> FloatArray | None:
        """Samples kept for cross-spectra, (channels, frames); None unless asked for."""
        return self._moments.samples if self._moments is not None else None

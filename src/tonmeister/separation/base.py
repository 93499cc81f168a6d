"""The contracts of separation.

Who separates says how much of each bin of a spectrum belongs to which track (`MaskEstimator`), or gives waveforms
(`WaveEstimator`); `streaming` runs either over a recording of any length, in bounded memory, and forms the residual, so
that tracks and residual always add up to the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tonmeister.audio import Audio
from tonmeister.multitrack import Multitrack
from tonmeister.units import FloatArray

__all__ = [
    "RESIDUAL",
    "BlockMaskEstimator",
    "Framing",
    "MaskEstimator",
    "Separator",
    "Spectrum",
    "WaveEstimator",
]

RESIDUAL = "residual"
"""Name of the track with what belongs to no other."""

Spectrum = NDArray[np.complex64]
"""Short-time spectra, (channels, bins, frames)."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How sound is cut for a short-time transform; frame t is centered on sample ``t * hop_frames``."""

    sample_rate: int | None
    """The rate the estimator knows, Hz; other recordings are resampled for it. None: any."""
    window: str
    """``hann`` (periodic) or ``bartlett``."""
    window_frames: int
    fft_frames: int
    hop_frames: int

    @property
    def bins(self) -> int:
        """Bins of a spectrum, 0 Hz to half the rate."""
        return self.fft_frames // 2 + 1


@runtime_checkable
class MaskEstimator(Protocol):
    """Says of every bin how much of it belongs to each track.

    It hears one or two channels: of recordings with more, their stereo downmix.
    """

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks, in the order of the masks, without the residual."""

    @property
    def framing(self) -> Framing: ...

    @property
    def context_frames(self) -> int:
        """How many spectral frames on either side a frame's masks may depend on."""

    def masks(self, spectrum: Spectrum) -> FloatArray:
        """Gains of shape (tracks, channels or 1, bins, frames), finite, 0 to 1; may use every frame given."""


@runtime_checkable
class BlockMaskEstimator(MaskEstimator, Protocol):
    """A mask estimator that learns from all frames it is given: it gets blocks, and their masks are cross-faded."""

    @property
    def block_frames(self) -> int:
        """How many frames a block has; the next begins in its middle, and the last may be shorter."""


@runtime_checkable
class WaveEstimator(Protocol):
    """Gives the tracks' waveforms themselves, segment by segment."""

    @property
    def tracks(self) -> tuple[str, ...]: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def channels(self) -> int:
        """How many channels it wants, 1 or 2; other recordings are brought to that."""

    @property
    def segment_frames(self) -> int:
        """Length of the pieces it is given; neighbours overlap and are cross-faded."""

    def waves(self, segment: FloatArray) -> FloatArray:
        """(channels, segment_frames) to (tracks, channels, segment_frames)."""


@runtime_checkable
class Separator(Protocol):
    """A finished recording becomes a `Multitrack`."""

    def separate(self, audio: Audio) -> Multitrack:
        """Tracks and `RESIDUAL`, aligned, at the input's rate and channel count; their sum is the input."""

"""The remixer in a browser of Roma et al. (2016): one net per instrument, and the winner takes the bin [Roma2016web].

    m_k <- (m_k - min m_k) / (max m_k - min m_k) per frame, 0 where the range is below 1e-6
    a bin belongs to the instrument whose m_k is largest, if that is above the threshold, else to nobody
    mask = mean of the last 20 frames of ownership

The mean is linear: faders on the tracks that these masks cut give exactly the paper's smoothed gains. It also smears
the hits of drums, so that attack and release times may take its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.separation.base import Spectrum
from tonmeister.separation.network_model import NetworkEstimator, NetworkModel
from tonmeister.units import FloatArray

__all__ = ["AttackRelease", "WebRemix", "owned", "rescaled", "trailing_mean"]

_SMALLEST_RANGE: Final = 1e-6
_MEMORY: Final = math.log(10 ** (95 / 20))
"""Time constants until a smoothed gain has forgotten all but -95 dB."""


@dataclass(frozen=True, slots=True)
class AttackRelease:
    """Gains that rise and fall exponentially."""

    attack_ms: float = 30.0
    release_ms: float = 150.0

    def __post_init__(self) -> None:
        if not 0 < self.attack_ms <= 1000 or not 0 < self.release_ms <= 1000:
            raise BadInputError(f"{self}: give attack_ms and release_ms above 0 and up to 1000")

    def memory_frames(self, frame_ms: float) -> int:
        """Frames after which the past no longer matters."""
        return math.ceil(_MEMORY * max(self.attack_ms, self.release_ms) / frame_ms)

    def __call__(self, gains: FloatArray, frame_ms: float) -> FloatArray:
        """Smoothed (tracks, bins, frames)."""
        up, down = (np.float32(-math.expm1(-frame_ms / t)) for t in (self.attack_ms, self.release_ms))
        out, now = np.empty_like(gains), gains[..., 0]
        for t in range(gains.shape[-1]):
            target = gains[..., t]
            now = now + np.where(target > now, up, down) * (target - now)
            out[..., t] = now
        return out


def rescaled(shares: FloatArray, *, legacy: bool = False) -> FloatArray:
    """(frames, tracks, bins), each frame of each track from 0 to 1; `legacy` divides by the largest, as released."""
    high = shares.max(-1, keepdims=True)
    low = np.zeros_like(high) if legacy else shares.min(-1, keepdims=True)
    stretched = (shares - low) / np.maximum(high - low, np.float32(_SMALLEST_RANGE))
    return np.asarray(np.where(high - low < _SMALLEST_RANGE, 0, stretched), np.float32)


def owned(shares: FloatArray, threshold: float) -> FloatArray:
    """1 for the track (axis 1) with the largest share if that is above the threshold, else 0."""
    winner = np.expand_dims(shares.argmax(axis=1), 1)
    is_mine = np.arange(shares.shape[1])[:, None] == winner
    return np.asarray(is_mine & (shares > threshold), np.float32)


def trailing_mean(gains: FloatArray, count: int) -> FloatArray:
    """Mean of the last `count` frames (last axis), of fewer at the beginning."""
    total = np.cumsum(gains, axis=-1, dtype=np.float64)
    total[..., count:] = total[..., count:] - total[..., :-count].copy()
    return np.asarray(total / np.minimum(np.arange(1, gains.shape[-1] + 1), count), np.float32)


class WebRemix(NetworkEstimator):
    """A `MaskEstimator` with one track per net.

    `threshold` 0..1 decides how sure a net has to be; `smoothing` replaces the mean over 20 frames; `legacy_scale`
    divides each frame by its largest value instead of stretching its range.
    """

    def __init__(
        self,
        network: NetworkModel,
        *,
        threshold: float | None = None,
        smoothing: AttackRelease | None = None,
        legacy_scale: bool = False,
    ) -> None:
        super().__init__(network)
        self._smoothing, self._legacy = smoothing, legacy_scale
        self._threshold = float(network.settings.get("threshold", 0.2)) if threshold is None else threshold
        self._mean_frames = int(network.settings.get("smoothing_frames", 20))
        if not 0.0 <= self._threshold <= 1.0:
            raise BadInputError(f"threshold={self._threshold:g} is out of range: give 0 to 1")

    @property
    def context_frames(self) -> int:
        if self._smoothing is not None:
            return self._smoothing.memory_frames(self._frame_ms)
        return self._mean_frames - 1

    def masks(self, spectrum: Spectrum) -> FloatArray:
        power = self.network.front_end.power(spectrum)
        shares = rescaled(self.network(power[:, None]), legacy=self._legacy)
        mine = self.network.front_end.spread(np.swapaxes(owned(shares, self._threshold), 0, 1))
        if self._smoothing is not None:
            return self._smoothing(mine, self._frame_ms)[:, None]
        return trailing_mean(mine, self._mean_frames)[:, None]

    @property
    def _frame_ms(self) -> float:
        return 1000.0 * self.framing.hop_frames / (self.framing.sample_rate or 44_100)

"""What a network hears of a spectrum, in training and at run time alike: the powers of bands.

    E(b,t) = sum_k P(b,k) |X(k,t)|^2 / g^2

g is what a sine of full scale gives (half the sum of the window), so 0 is full scale and -10 is 100 dB below it. Of a
stereo recording the louder channel of each bin is heard, or the middle; masks hold for both channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from tonmeister.dsp.stft import Stft
from tonmeister.errors import BadInputError
from tonmeister.separation.bands import band_centers, pooling, unpooling
from tonmeister.separation.base import Framing, Spectrum
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["FLOOR", "FrontEnd", "scaled"]

FLOOR: Final = 1e-10
"""Powers below are silence: 100 dB below full scale."""
_FALLBACK_RATE: Final = 44_100


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Framing and bands; ``channels`` says what is heard of stereo, ``max`` or ``mid``."""

    framing: Framing
    bands: int
    channels: Literal["max", "mid"] = "max"

    def power(self, spectrum: Spectrum) -> FloatArray:
        """Band powers (frames, bands) of (channels, bins, frames)."""
        heard = spectrum.mean(axis=0) if self.channels == "mid" else spectrum
        squared = heard.real**2 + heard.imag**2
        squared = squared if self.channels == "mid" else squared.max(axis=0)
        scaled = squared.T * np.float32(self._full_scale**-2)
        return np.asarray(scaled if self._is_plain else scaled @ self._pooling.T, np.float32)

    def spread(self, masks: FloatArray) -> FloatArray:
        """Masks of bands (..., frames, bands) for bins: (..., bins, frames)."""
        wide = masks if self._is_plain else masks @ self._unpooling.T
        return np.ascontiguousarray(np.swapaxes(wide, -1, -2), np.float32)

    def settings(self) -> dict[str, Any]:
        """Plain data for a model's card."""
        framing = self.framing
        return {
            "sample_rate": framing.sample_rate,
            "window": framing.window,
            "window_frames": framing.window_frames,
            "fft_frames": framing.fft_frames,
            "hop_frames": framing.hop_frames,
            "bands": self.bands,
            "channels": self.channels,
        }

    @classmethod
    def of(cls, settings: dict[str, Any]) -> FrontEnd:
        """The front end that a card describes."""
        framing = Framing(
            sample_rate=int(settings["sample_rate"]),
            window=str(settings["window"]),
            window_frames=int(settings["window_frames"]),
            fft_frames=int(settings["fft_frames"]),
            hop_frames=int(settings["hop_frames"]),
        )
        if settings["channels"] not in ("max", "mid"):
            raise BadInputError(f"channels={settings['channels']!r}: give max or mid")
        return cls(framing, int(settings["bands"]), settings["channels"])

    @property
    def stft(self) -> Stft:
        """The transform."""
        framing = self.framing
        return Stft.of(framing.window, framing.window_frames, framing.fft_frames, framing.hop_frames)

    @property
    def centers(self) -> DoubleArray:
        """Of the bands, in bins."""
        bins = self.framing.bins
        return (
            np.arange(bins, dtype=np.float64)
            if self._is_plain
            else band_centers(self.bands, bins, self._rate)
        )

    @property
    def _full_scale(self) -> float:
        return float(self.stft.window.sum()) / 2

    @property
    def _is_plain(self) -> bool:
        return self.bands == self.framing.bins

    @property
    def _rate(self) -> int:
        return self.framing.sample_rate or _FALLBACK_RATE

    @property
    def _pooling(self) -> FloatArray:
        return pooling(self.bands, self.framing.bins, self._rate)

    @property
    def _unpooling(self) -> FloatArray:
        return unpooling(self.bands, self.framing.bins, self._rate)


def scaled(power: FloatArray, feature: str, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """What a network is shown of band powers (n, frames, bands), with numbers from its training, never from the song.

    ``log``: (log10 power - mean) / deviation, per band. ``magnitude``: magnitude / deviation. ``relative``: magnitude
    over the root mean square of the patch.
    """
    if feature == "log":
        return np.asarray((np.log10(np.maximum(power, np.float32(FLOOR))) - mean) / deviation, np.float32)
    if feature == "relative":
        deviation = np.sqrt(power.mean((1, 2), keepdims=True)) + np.float32(FLOOR)
    return np.asarray(np.sqrt(power) / deviation, np.float32)

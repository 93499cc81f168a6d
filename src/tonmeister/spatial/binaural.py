"""Loudspeakers heard through a model of the head: a rigid sphere with two ears.

With beta the angle between a loudspeaker and an ear's axis, a the radius and c the speed of sound, sound arrives at the ear
later than at the middle of the head by (Woodworth 1938)::

    t = -(a / c) cos(beta)            where the ear sees the loudspeaker (beta < 90 degrees)
    t = (a / c) (beta - pi / 2)       where it lies in the shadow

and is filtered by H = (1 + i alpha w / (2 w0)) / (1 + i w / (2 w0)), w0 = c / a, with
alpha = (1 + m / 2) + (1 - m / 2) cos(beta / theta_min pi) (Brown & Duda 1998, eq. 3): brighter on the near side, duller in
the shadow. All are divided by their mean power over the loudspeakers, so that the whole sounds neither duller nor louder
(diffuse-field equalization). The head has no pinnae, so it tells front from back only by what the loudspeakers carry.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.spatial.layouts import Layout
from tonmeister.spatial.numbers import number
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Binaural", "head_responses"]

_SOUND_M_PER_S: Final = 343.0
_MIDDLE_S: Final = 0.001
"""The middle of the head is this late, so that no ear is early; taken out again."""
_LENGTH_S: Final = 0.004


@lru_cache(maxsize=4)
def head_responses(layout: Layout, sample_rate: int) -> tuple[DoubleArray, int]:
    """Impulse responses (2 ears, channels, taps) and how late they are, in frames."""
    taps = int(2 ** np.ceil(np.log2(_LENGTH_S * sample_rate)))
    late = round(_MIDDLE_S * sample_rate)
    hz = np.fft.rfftfreq(taps, 1.0 / sample_rate)
    radius_m = number("head.radius_m")
    minimum, shadow_deg = number("head.shadow_minimum"), number("head.shadow_angle_deg")
    spectra = np.zeros((2, layout.channels, len(hz)), np.complex128)
    for channel, speaker in enumerate(layout.speakers):
        if speaker.lfe:
            continue
        for ear, side in enumerate((1.0, -1.0)):
            angle = float(np.arccos(np.clip(side * layout.directions[channel, 1], -1.0, 1.0)))
            ahead = -np.cos(angle) if angle < np.pi / 2 else angle - np.pi / 2
            delay_s = late / sample_rate + radius_m / _SOUND_M_PER_S * ahead
            alpha = (1 + minimum / 2) + (1 - minimum / 2) * np.cos(angle / np.deg2rad(shadow_deg) * np.pi)
            w = 1j * np.pi * hz * radius_m / _SOUND_M_PER_S
            shadow = (1.0 + alpha * w) / (1.0 + w)
            spectra[ear, channel] = shadow * np.exp(-2j * np.pi * hz * delay_s)
    power = (np.abs(spectra) ** 2).sum(axis=(0, 1)) / sum(not s.lfe for s in layout.speakers)
    return np.fft.irfft(spectra / np.sqrt(power), taps), late


class Binaural:
    """Blocks of a layout's channels to blocks for two ears, by overlap-add; late by `latency_frames`."""

    def __init__(self, layout: Layout, sample_rate: int) -> None:
        self._responses, self.latency_frames = head_responses(layout, sample_rate)
        self._tail = np.zeros((2, self._responses.shape[2] - 1))

    def process(self, block: FloatArray) -> FloatArray:
        """(channels, frames) to (2, frames)."""
        frames, rest = block.shape[1], self._tail.shape[1]
        if not frames:
            return np.zeros((2, 0), np.float32)
        length = int(2 ** np.ceil(np.log2(frames + rest)))
        spectra = np.fft.rfft(block, length, axis=1)
        ears = np.einsum("ecf,cf->ef", np.fft.rfft(self._responses, length, axis=2), spectra)
        out = np.fft.irfft(ears, length, axis=1)[:, : frames + rest]
        out[:, :rest] += self._tail
        self._tail = out[:, frames:].copy()
        return out[:, :frames].astype(np.float32)

"""A room and a microphone as impulse responses: the effects `Reverb` and `Equalizer`, applied in one convolution.

Both are linear and do not change with time, so their response says all about them. A room's response is computed at
its first use and kept; for a mono track, convolving with it costs less than half of running the effects.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.effects.base import Effect
from tonmeister.effects.reverb import Reverb
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["apply_effect", "apply_sections", "convolved", "recorded_through"]

_TAIL: Final = 1.2
"""A room is heard until it has fallen by 60 dB this many times over."""
_RESPONSE_FRAMES: Final = 8192
"""Longest response of filters at 20 Hz and above, at 44.1 kHz: the rest is below -100 dB."""


def apply_effect(effect: Effect, sound: FloatArray, sample_rate: int) -> FloatArray:
    """The whole sound through an effect at once, latency removed; channels kept."""
    channels = len(sound)
    if effect.needs_stereo and channels == 1:
        sound = np.repeat(sound, 2, axis=0)
    processor = effect.processor()
    processor.prepare(sample_rate, len(sound), sound.shape[1])
    late = processor.latency_frames
    padded = np.pad(sound, ((0, 0), (0, late))) if late else sound.copy()
    processor.prepare(sample_rate, len(sound), padded.shape[1])
    return np.asarray(processor.process(padded)[:channels, late:], np.float32)


def apply_sections(sections: DoubleArray, sound: FloatArray) -> FloatArray:
    """The sound through second-order sections (n, 5)."""
    from tonmeister.dsp.biquad import filter_cascade

    out = np.array(sound, np.float32, order="C")
    filter_cascade(out, out, np.ascontiguousarray(sections), np.zeros((len(out), len(sections), 2)))
    return out


def recorded_through(
    sound: FloatArray, room: Reverb | None, sections: DoubleArray | None, sample_rate: int
) -> FloatArray:
    """A sound (channels, frames) in a room, heard through second-order sections (n, 5); either may be missing.

    A mono sound stands in the middle of the room and is heard from the left, as by one microphone.
    """
    if room is not None and len(sound) == 1:
        response = _heard_in(room, sample_rate)
        if sections is not None:
            response = apply_sections(sections, np.pad(response, ((0, 0), (0, _RESPONSE_FRAMES))))
        return convolved(sound, response)
    heard = sound if room is None else apply_effect(room, sound, sample_rate)
    return heard if sections is None else apply_sections(sections, heard)


def _heard_in(room: Reverb, sample_rate: int) -> FloatArray:
    """(1 - mix) delta + mix room, the room behind its predelay: (1, frames)."""
    wet = _room_response(room.decay_s, room.damping_hz, room.size, sample_rate)
    late = round(room.predelay_ms * sample_rate / 1000)
    response = np.pad(wet * np.float32(room.mix), ((0, 0), (late, 0)))
    response[:, 0] += np.float32(1.0 - room.mix)
    return response


@lru_cache(maxsize=48)
def _room_response(decay_s: float, damping_hz: float, size: float, sample_rate: int) -> FloatArray:
    """What a room answers, on the left, to a click from the middle: (1, frames)."""
    effect = Reverb(decay_s=decay_s, damping_hz=damping_hz, size=size, mix=1.0)
    click = np.zeros((1, round(_TAIL * decay_s * sample_rate)), np.float32)
    click[0, 0] = 1.0
    return apply_effect(effect, click, sample_rate)


def convolved(sound: FloatArray, response: FloatArray) -> FloatArray:
    """y = x * h, by overlap and add: (1, frames) and (1, length) give (1, frames)."""
    frames, length = sound.shape[1], response.shape[1]
    size = 1 << max(14, (3 * length).bit_length())
    step = size - length + 1
    spectrum = np.fft.rfft(response, size)
    out = np.zeros((1, frames + size), np.float32)
    for start in range(0, frames, step):
        block = sound[:, start : start + step]
        if block.any():
            out[:, start : start + size] += np.fft.irfft(np.fft.rfft(block, size) * spectrum, size)
    return out[:, :frames]

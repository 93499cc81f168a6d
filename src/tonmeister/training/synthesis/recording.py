"""From the dry sound to the track a mixer gets: microphone, room, processing, noise, level and faults.

Every step draws from a generator of its own, so that switching one off leaves the others as they were. Ranges are
ours (grade R), after what delivered tracks look like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonmeister.effects.base import effect_to_dict
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.effects.filters import HighPass
from tonmeister.effects.reverb import Reverb
from tonmeister.training.synthesis.acoustics import apply_effect, recorded_through
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import DoubleArray, FloatArray, db_to_gain, gain_to_db
from tonmeister.vocabulary import family, is_a

__all__ = ["Recorded", "comes_by_cable", "record"]

_DIRECT: Final = (
    "synth",
    "synth_bass",
    "sub_bass",
    "electric_bass",
    "electric_piano",
    "clavinet",
    "drum_loop",
)
"""Instruments that usually come by cable."""
_PEAK_DB: Final = (-18.0, -0.5)
_ROOMS: Final = tuple(
    (decay_s, damping_hz, size)
    for decay_s, size in ((0.15, 0.1), (0.25, 0.2), (0.35, 0.3), (0.5, 0.4), (0.7, 0.5), (1.0, 0.6))
    for damping_hz in (2500.0, 4500.0, 8000.0)
)
"""Decay in seconds, damping in hertz, size: few, because a room's gain is computed at its first use."""
_CYCLE: Final = 1 << 14
"""Frames in the table of one cycle of the mains."""
_NOISE_S: Final = 4
"""Noise comes round again after this long, which nobody hears."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recorded track, float32 (channels, frames), and what was done to it, in plain data."""

    raw: FloatArray
    detail: Mapping[str, Any]


def record(
    sound: FloatArray,
    instrument: str,
    seeds: Seeds,
    *,
    sample_rate: int,
    faults: float,
    is_room: bool = False,
) -> Recorded:
    """What the recording makes of a sound (channels, frames); `faults` from 0 (clean) to 1 scales all of it."""
    direct = comes_by_cable(instrument)
    steps: Sequence[tuple[str, Callable[..., Any]]] = (
        ("processing", _processing),
        ("level", _level),
        ("noise", _noise),
        ("hum", _hum),
        ("clipping", _clipping),
        ("polarity", _polarity),
        ("offset", _offset),
    )
    about = _About(instrument, sample_rate, faults, direct, is_room)
    room = _room(about, seeds.generator("room"))
    sections, told = _microphone(about, seeds.generator("microphone"))
    heard = {"room": effect_to_dict(room) if room else None, "microphone": told}
    detail = {name: said for name, said in heard.items() if said}
    raw = np.array(recorded_through(sound, room, sections, sample_rate), np.float32)
    for name, step in steps:
        raw, said = step(raw, about, seeds.generator(name))
        if said:
            detail[name] = said
    return Recorded(np.asarray(raw, np.float32), detail)


def comes_by_cable(instrument: str) -> bool:
    """Whether an instrument is usually recorded without a microphone."""
    return any(is_a(instrument, word) for word in _DIRECT)


@dataclass(frozen=True, slots=True)
class _About:
    instrument: str
    sample_rate: int
    faults: float
    direct: bool
    is_room: bool

    def happens(self, random: np.random.Generator, chance: float) -> bool:
        """Whether a fault of this chance happens here; draws once in any case."""
        return bool(random.random() < chance * self.faults)


_Step = tuple[FloatArray, Any]


def _room(about: _About, random: np.random.Generator) -> Reverb | None:
    """The room it was played in: much of it in a room microphone, little in a close one, none by cable."""
    chance, wet = (1.0, (0.5, 0.8)) if about.is_room else (0.5, (0.03, 0.22))
    happens = random.random() < (1.0 if about.is_room else chance * about.faults)
    if about.direct or not happens:
        return None
    decay_s, damping_hz, size = _ROOMS[int(random.integers(len(_ROOMS)))]
    return Reverb(
        decay_s=decay_s * (2.0 if about.is_room else 1.0),
        predelay_ms=float(random.uniform(1.0, 12.0)),
        damping_hz=damping_hz,
        size=size,
        mix=float(random.uniform(*wet)),
    )


def _microphone(about: _About, random: np.random.Generator) -> tuple[DoubleArray | None, Any]:
    """A frequency response: low end, two resonances, presence or dullness at the top."""
    size_db = (2.0 if about.direct else 4.5) * about.faults
    if size_db == 0:
        return None, None
    draw = random.normal(0.0, 0.5, 4) * size_db
    top_hz = 0.4 * about.sample_rate
    sections = (
        EqSection("low_shelf", float(random.uniform(80, 250)), float(np.clip(draw[0], -12, 12)), 0.7),
        EqSection("peak", _log(random, 150, 900), float(np.clip(draw[1], -12, 12)), _log(random, 0.7, 4)),
        EqSection("peak", _log(random, 900, 6000), float(np.clip(draw[2], -12, 12)), _log(random, 0.7, 4)),
        EqSection(
            "high_shelf", min(_log(random, 4000, 11000), top_hz), float(np.clip(draw[3], -12, 12)), 0.7
        ),
    )
    effect, cut_hz = Equalizer(sections), float(random.uniform(20.0, 60.0))
    if about.direct or about.instrument == "kick" or family(about.instrument) == "bass":
        cut_hz = 20.0
    rate = about.sample_rate
    cascade = np.concatenate([effect.coefficients(rate), HighPass(cut_hz).sections(rate)])
    return cascade, {**effect_to_dict(effect), "cut_hz": round(cut_hz, 2)}


def _processing(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """Printed processing: now and then a compressor or saturation went onto the tape."""
    which = float(random.random())
    amount = float(random.random())
    peak_db = gain_to_db(float(np.abs(sound).max(initial=0.0)))
    if peak_db < -100 or which >= 0.3 * about.faults:
        return sound, None
    if which < 0.18 * about.faults:
        effect = Compressor(
            threshold_db=float(np.clip(peak_db - 6 - 14 * amount, -80, 0)), ratio=2.0 + 4.0 * amount,
            knee_db=6.0, attack_ms=_log(random, 1, 40), release_ms=_log(random, 50, 400),
        )  # fmt: skip
        return apply_effect(effect, sound, about.sample_rate), effect_to_dict(effect)
    drive = db_to_gain(-peak_db - 6 + 14 * amount)
    return np.tanh(sound * np.float32(drive)), {"kind": "tanh", "drive": round(drive, 4)}


def _level(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """The level it was delivered at: its peak somewhere between -18 and -0.5 dBFS."""
    peak = float(np.abs(sound).max(initial=0.0))
    target_db = float(random.uniform(*_PEAK_DB))
    if peak <= 0:
        return sound, None
    gain = db_to_gain(target_db) / peak
    return sound * np.float32(gain), {"gain_db": round(gain_to_db(gain), 3), "peak_db": round(target_db, 3)}


def _noise(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """Noise of microphone and preamplifier, between white and pink."""
    happens, level_db = about.happens(random, 0.8), float(random.uniform(-95, -58))
    if not happens:
        return sound, None
    count = min(sound.shape[1], _NOISE_S * about.sample_rate)
    white = random.standard_normal((len(sound), count), dtype=np.float32)
    color = np.float32(random.uniform(0.0, 0.95))
    white += color * np.roll(white, 1, axis=1)
    white *= np.float32(db_to_gain(level_db) / np.sqrt(1 + color * color))
    tinted = np.tile(white, -(-sound.shape[1] // count))[:, : sound.shape[1]]
    return sound + tinted, {"level_db": round(level_db, 2)}


def _hum(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """Mains hum: 50 or 60 Hz with overtones."""
    happens, level_db = about.happens(random, 0.12), float(random.uniform(-75, -45))
    mains_hz = float(random.choice([50.0, 60.0]))
    overtones = 10 ** (random.uniform(-30, 0, 6) / 20)
    if not happens:
        return sound, None
    cycle = np.arange(_CYCLE) / _CYCLE
    wave = sum(level * np.sin(2 * np.pi * (k + 1) * cycle) for k, level in enumerate(overtones.tolist()))
    wave *= db_to_gain(level_db) / np.sqrt((overtones**2).sum() / 2)
    place = (np.arange(sound.shape[1]) * (mains_hz / about.sample_rate * _CYCLE)).astype(np.int64) % _CYCLE
    wave = np.asarray(wave)[place]
    return sound + wave.astype(np.float32), {"mains_hz": mains_hz, "level_db": round(level_db, 2)}


def _clipping(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """Recorded too hot: cut off at full scale, then handed on a little lower or not."""
    happens = about.happens(random, 0.06)
    over_db, down_db = float(random.uniform(1.5, 9.0)), float(random.choice([0.0, 0.0, -6.0]))
    peak = float(np.abs(sound).max(initial=0.0))
    if not happens or peak <= 0:
        return sound, None
    hot = np.clip(sound * np.float32(db_to_gain(over_db) / peak), -1.0, 1.0)
    return hot * np.float32(db_to_gain(down_db)), {"over_db": round(over_db, 2), "down_db": down_db}


def _polarity(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """A cable soldered the wrong way round."""
    return (-sound, {"inverted": True}) if about.happens(random, 0.08) else (sound, None)


def _offset(sound: FloatArray, about: _About, random: np.random.Generator) -> _Step:
    """An offset of the converter."""
    happens, offset = about.happens(random, 0.03), float(random.normal(0.0, 0.01))
    return (sound + np.float32(offset), {"offset": round(offset, 5)}) if happens else (sound, None)


def _log(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))

"""The built-in synthesizer: overtones in four groups, or modes, each with its own envelope; see ``patches.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.training.synthesis.songs import NoteArray
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["Patch", "patch_names", "play_patch"]

_GROUPS: Final = ((1, 2), (2, 5), (5, 12), (12, 65))
"""First overtone of each group, and the first behind it."""
_TABLE: Final = 4096
"""Length of a wavetable, frames."""
_SPREAD: Final = 0.25
_LEVEL: Final = 0.15
_CENTER: Final = np.float32(np.sqrt(0.5))


@dataclass(frozen=True)
class Patch:
    """Numbers of one patch; see the head of ``patches.toml``."""

    kind: str = "harmonic"
    slope_db: float = -6.0
    odd: float = 0.0
    partials: tuple[int, ...] = ()
    formants_hz: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    levels_db: tuple[float, ...] = ()
    attack_ms: tuple[float, ...] = (2.0, 2.0, 2.0, 2.0)
    decay_s: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    sustain: float = 0.0
    release_ms: float = 60.0
    vibrato_cents: float = 0.0
    tremolo: float = 0.0
    breath_db: float | None = None
    strike_db: float | None = None
    voices: int = 1
    detune_cents: float = 0.0
    drive_db: float = 0.0


@lru_cache(maxsize=1)
def _patches() -> Mapping[str, Patch]:
    text = files("tonmeister.training.synthesis").joinpath("patches.toml").read_text("utf-8")
    return {name: Patch(**_frozen(entry)) for name, entry in tomllib.loads(text).items()}


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def patch_names() -> tuple[str, ...]:
    """Names of the patches."""
    return tuple(_patches())


def play_patch(
    name: str, notes: NoteArray, *, frames: int, sample_rate: int, random: np.random.Generator
) -> FloatArray:
    """The notes through a variation of a patch: float32 (2, frames)."""
    instrument = _Instrument(_varied(_patches()[name], random), sample_rate, random)
    out = np.zeros((2, frames), np.float32)
    for start_s, length_s, pitch, velocity in notes.tolist():
        start = round(start_s * sample_rate)
        sound = instrument.note(pitch, velocity, length_s)[:, : frames - start]
        out[:, start : start + sound.shape[1]] += sound
    drive = instrument.patch.drive_db
    return _driven(out, drive) if drive else out


def _driven(sound: FloatArray, drive_db: float) -> FloatArray:
    """The whole part through one tanh, as an amplifier hears it."""
    gain = np.float32(db_to_gain(drive_db) / _LEVEL)
    return np.asarray(np.tanh(sound * gain) * np.float32(_LEVEL * 2), np.float32)


def _varied(patch: Patch, random: np.random.Generator) -> Patch:
    """The same instrument by another maker."""

    def factors(count: int) -> DoubleArray:
        return np.exp(random.normal(0.0, _SPREAD, count))

    changes: dict[str, Any] = {
        "slope_db": patch.slope_db + random.normal(0.0, 1.0),
        "attack_ms": tuple(np.array(patch.attack_ms) * factors(1)[0]),
        "decay_s": tuple(np.array(patch.decay_s) * factors(1)[0] * factors(len(patch.decay_s)) ** 0.3),
        "release_ms": patch.release_ms * factors(1)[0],
        "vibrato_cents": patch.vibrato_cents * random.uniform(0.3, 1.4),
        "detune_cents": patch.detune_cents * factors(1)[0],
        "drive_db": patch.drive_db * random.uniform(0.3, 1.4),
        "sustain": min(1.0, patch.sustain * random.uniform(0.85, 1.1)),
        "formants_hz": tuple(np.array(patch.formants_hz) * factors(1)[0] ** 0.5),
    }
    if patch.levels_db:
        changes["levels_db"] = tuple(np.array(patch.levels_db) + random.normal(0, 2.0, len(patch.levels_db)))
    return Patch(**{**patch.__dict__, **changes})


class _Instrument:
    """One patch at one sample rate, its wavetables kept."""

    def __init__(self, patch: Patch, sample_rate: int, random: np.random.Generator) -> None:
        self.patch = patch
        self._rate = sample_rate
        self._random = random
        self._tables: dict[int, list[tuple[int, FloatArray]]] = {}
        self._noise = random.standard_normal(1 << 16).astype(np.float32)
        self._wobble_hz = float(random.uniform(4.5, 6.5))
        self._places = np.linspace(-0.7, 0.7, patch.voices) if patch.voices > 1 else np.zeros(1)

    def note(self, pitch: int, velocity: int, length_s: float) -> FloatArray:
        """One note with its release; float32 (2, frames)."""
        patch, rate = self.patch, self._rate
        release_s = patch.release_ms / 1000
        count = int((min(length_s, self._audible_s()) + release_s) * rate)
        time_s = np.arange(count, dtype=np.float32) / np.float32(rate)
        loudness = (velocity / 100.0) ** 1.5 * _LEVEL
        brightness = (velocity - 90) / 60.0
        hertz = 440.0 * 2.0 ** ((pitch - 69) / 12)
        out = self._tone(hertz, time_s, brightness)
        out *= np.float32(loudness / np.sqrt(len(self._places)))
        out += self._noises(time_s, loudness)
        end = np.minimum(1.0, (count / rate - time_s) / release_s, dtype=np.float32)
        return np.asarray(out * (end * end), np.float32)

    def _audible_s(self) -> float:
        """How long a note can be before it has died away."""
        return 1e9 if self.patch.sustain > 0.02 else 7.0 * max(self.patch.decay_s)

    def _tone(self, hertz: float, time_s: FloatArray, brightness: float) -> FloatArray:
        """All players in unison, each in its place; (2, frames)."""
        if self.patch.kind == "modal":
            return np.repeat(self._modes(hertz, time_s, brightness)[np.newaxis], 2, axis=0) * _CENTER
        detune_cents = self._random.normal(0.0, self.patch.detune_cents / 2, len(self._places))
        phases = [self._phase(hertz * 2 ** (cents / 1200), time_s) for cents in detune_cents.tolist()]
        out = np.zeros((2, len(time_s)), np.float32)
        for group, table in self._wavetables(hertz):
            voices = [table[index] for index in phases]
            envelope = self._envelope(group, time_s) * np.float32(db_to_gain(4.0 * brightness * group))
            out += self._spread(voices) * envelope
        return out * self._tremolo(time_s) if self.patch.tremolo else out

    def _spread(self, voices: list[FloatArray]) -> FloatArray:
        """Voices from left to right, constant power; (2, frames)."""
        if len(voices) == 1:
            return np.repeat(voices[0][np.newaxis], 2, axis=0) * _CENTER
        gains: DoubleArray = np.sqrt(np.array([0.5 - 0.5 * self._places, 0.5 + 0.5 * self._places]))
        return np.asarray(gains.astype(np.float32) @ np.array(voices), np.float32)

    def _phase(self, hertz: float, time_s: FloatArray) -> NDArray[np.int64]:
        """Place in the wavetable, with a vibrato that sets in late and starts anywhere in its cycle."""
        start = self._random.random()
        cycles = np.arange(len(time_s)) * (hertz / self._rate) + start
        if not self.patch.vibrato_cents:
            return np.asarray((cycles * _TABLE).astype(np.int64) & (_TABLE - 1))
        depth = hertz * (2 ** (self.patch.vibrato_cents / 1200) - 1)
        angle = 2 * np.pi * self._wobble_hz
        onset = np.clip((time_s - 0.15) / 0.3, 0.0, 1.0)
        swing = depth / angle * np.sin(angle * time_s + self._random.uniform(0, 6.28)) * onset
        return np.asarray(((cycles + swing) * _TABLE).astype(np.int64) & (_TABLE - 1))

    def _envelope(self, group: int, time_s: FloatArray) -> FloatArray:
        patch = self.patch
        rise: FloatArray = np.minimum(
            time_s / np.float32(patch.attack_ms[group] / 1000 + 1e-4), np.float32(1.0)
        )
        if patch.sustain >= 1.0:
            return rise
        fall = np.exp(time_s * np.float32(-1.0 / patch.decay_s[group]))
        held = np.float32(patch.sustain)
        return np.asarray(rise * (held + (1 - held) * fall), np.float32)

    def _modes(self, hertz: float, time_s: FloatArray, brightness: float) -> FloatArray:
        patch, out = self.patch, np.zeros_like(time_s)
        for number, (ratio, level_db, decay_s) in enumerate(
            zip(patch.ratios, patch.levels_db, patch.decay_s, strict=True)
        ):
            if ratio * hertz < 0.45 * self._rate:
                level = np.float32(db_to_gain(level_db + (6 * brightness if number else 0.0)))
                angle = np.float32(2 * np.pi * ratio * hertz)
                out += level * np.sin(angle * time_s) * np.exp(time_s * np.float32(-1 / decay_s))
        return out * self._tremolo(time_s) if patch.tremolo else out

    def _tremolo(self, time_s: FloatArray) -> FloatArray:
        angle = np.float32(2 * np.pi * self._wobble_hz)
        return np.asarray(1 + np.float32(self.patch.tremolo) * np.sin(angle * time_s), np.float32)

    def _noises(self, time_s: FloatArray, loudness: float) -> FloatArray:
        patch, count = self.patch, len(time_s)
        out = np.zeros(count, np.float32)
        if patch.breath_db is None and patch.strike_db is None:
            return out
        noise = np.resize(np.roll(self._noise, int(self._random.integers(1 << 16))), count)
        if patch.breath_db is not None:
            out += noise * np.float32(loudness * db_to_gain(patch.breath_db)) * self._envelope(0, time_s)
        if patch.strike_db is not None:
            fall = np.exp(time_s * np.float32(-1 / 0.006))
            out += noise * fall * np.float32(loudness * db_to_gain(patch.strike_db))
        return out

    def _wavetables(self, hertz: float) -> list[tuple[int, FloatArray]]:
        """One table per group of overtones that lies below 0.45 of the sample rate; kept for every half octave."""
        most = max(1, int(0.45 * self._rate / hertz))
        key = int(2 * np.log2(most)) if not self.patch.formants_hz else -int(6 * np.log2(hertz))
        if key not in self._tables:
            most = min(most, int(2 ** (key / 2))) if key >= 0 else most
            self._tables[key] = [
                (group, self._table(hertz, first, min(behind, most + 1)))
                for group, (first, behind) in enumerate(_GROUPS)
                if first <= most
            ]
        return self._tables[key]

    def _table(self, hertz: float, first: int, behind: int) -> FloatArray:
        patch = self.patch
        overtones = np.arange(first, max(behind, first + 1))
        level_db: DoubleArray = patch.slope_db * np.log2(overtones) + np.where(
            overtones % 2 == 0, patch.odd, 0.0
        )
        if patch.formants_hz:
            level_db = level_db + _formants_db(np.asarray(overtones * hertz, np.float64), patch.formants_hz)
        if patch.partials:
            level_db = np.where(np.isin(overtones, patch.partials), level_db, -80.0)
        spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
        angles = np.random.Generator(np.random.PCG64(first)).uniform(0, 2 * np.pi, len(overtones))
        spectrum[overtones] = 10 ** (level_db / 20) * np.exp(1j * angles) * (_TABLE / 2)
        return np.fft.irfft(spectrum, _TABLE).astype(np.float32)


def _formants_db(hertz: DoubleArray, formants_hz: tuple[float, ...]) -> DoubleArray:
    """Level of overtones under resonances of a quarter of their frequency in width."""
    peaks = [1 / (1 + ((hertz - f) / (0.12 * f)) ** 2) for f in formants_hz]
    return np.asarray(10 * np.log10(np.sum(peaks, axis=0) + 0.02))

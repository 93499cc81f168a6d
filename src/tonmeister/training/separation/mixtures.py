"""Endless, seeded mixtures of stems, no two alike, and what a front end hears of them.

Each example is some seconds of up to four stems. Half of them come from one song, the others from as many songs; every
stem has a gain of 0.25 to 1.25, may change channels and polarity (Uhlich et al., ICASSP 2017), and the voice, often a
recorded one, is set -12 to +12 dB against all else. Some examples have no voice, and some end at 16 kHz as coded
sound does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.separation.base import Spectrum
from tonmeister.separation.front_end import FrontEnd
from tonmeister.training.separation.stems import RATE_HZ, STEMS, StemSong, as_floats
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["Examples", "Heard", "hear", "mixtures"]

EXAMPLE_S: Final = 6.0
_ONE_SONG_SHARE: Final = 0.5
_NO_VOICE_SHARE: Final = 0.15
_MISSING_SHARE: Final = 0.1
_GAIN: Final = (0.25, 1.25)
_VOICE_DB: Final = 12.0
_LOUDNESS_DB: Final = (-30.0, -12.0)
_CODED_SHARE: Final = 0.2
_CODED_HZ: Final = 16_000
_MONO_SHARE: Final = 0.75
"""Examples of which one channel is heard: recordings may be mono, and it takes half the time."""
_QUIET: Final = 1e-4
_TRIES: Final = 12
_SMALLEST: Final = 1e-14


@dataclass(frozen=True, eq=False)
class Examples:
    """Songs to draw from, and groups of voices by themselves, (1, channels, frames), each drawn from as often as songs."""

    songs: Sequence[StemSong]
    voices: Sequence[Sequence[StemSong]] = ()

    def draw(self, rng: np.random.Generator, seconds: float) -> tuple[FloatArray, bool]:
        """Stems (4, 1 or 2, frames) of one example, and whether it is to sound like coded sound."""
        frames = round(seconds * RATE_HZ)
        together = self.songs[int(rng.integers(len(self.songs)))] if rng.random() < _ONE_SONG_SHARE else None
        at = float(rng.random())
        stems = np.stack([self._stem(k, together, at, frames, rng) for k in range(len(STEMS))])
        _balance(stems, rng)
        if rng.random() < _MONO_SHARE:
            stems = stems[:, :1]
        return stems, bool(rng.random() < _CODED_SHARE)

    def _stem(
        self, number: int, together: StemSong | None, at: float, frames: int, rng: np.random.Generator
    ) -> FloatArray:
        is_voice = STEMS[number] == "vocals"
        if rng.random() < (_NO_VOICE_SHARE if is_voice else _MISSING_SHARE):
            return np.zeros((2, frames), np.float32)
        alone = self._voices(rng) if is_voice else None
        stem = np.zeros((2, frames), np.float32)
        for attempt in range(_TRIES):
            pool = alone or self.songs
            own = together is None or alone is not None or (is_voice and attempt > 0)
            song = pool[int(rng.integers(len(pool)))] if own else together
            assert song is not None
            place = float(rng.random()) if own or attempt else at
            stem = _excerpt(song[0 if alone else number], place, frames)
            if float(np.abs(stem).max(initial=0.0)) > _QUIET:
                break
        return _varied(stem, rng)

    def _voices(self, rng: np.random.Generator) -> Sequence[StemSong] | None:
        """A group of voices by themselves, or None for the voices of songs."""
        group = int(rng.integers(len(self.voices) + 1))
        return self.voices[group] if group < len(self.voices) else None


def _excerpt(stem: NDArray[np.int16], place: float, frames: int) -> FloatArray:
    """`frames` samples from `place`, 0 to 1, of a stem on; behind its end it begins anew."""
    first = int(place * max(stem.shape[1] - frames, 1))
    pieces = [stem[:, first : first + frames]]
    while (left := frames - sum(piece.shape[1] for piece in pieces)) > 0:
        pieces.append(stem[:, :left])
    return as_floats(np.concatenate(pieces, axis=1))


def _varied(stem: FloatArray, rng: np.random.Generator) -> FloatArray:
    gain = float(rng.uniform(*_GAIN)) * float(rng.choice((-1.0, 1.0)))
    stem = stem[::-1] if rng.random() < 0.5 else stem
    return np.asarray(stem * np.float32(gain), np.float32)


def _balance(stems: FloatArray, rng: np.random.Generator) -> None:
    """Set the voice against the others, and all of it to some loudness, in place."""
    voice, rest = float(np.mean(stems[0] ** 2)), float(np.mean(stems[1:].sum(0) ** 2))
    ratio_db = float(rng.uniform(-_VOICE_DB, _VOICE_DB))
    if voice > _QUIET**2 and rest > _QUIET**2:
        stems[0] *= np.float32(np.sqrt(rest / voice) * db_to_gain(ratio_db))
    total = float(np.sqrt(np.mean(stems.sum(0) ** 2)))
    if total > _QUIET:
        stems *= np.float32(db_to_gain(float(rng.uniform(*_LOUDNESS_DB))) / total)


def mixtures(
    examples: Examples, seed: int, count: int, *, seconds: float = EXAMPLE_S
) -> Iterator[tuple[FloatArray, bool]]:
    """`count` examples of the stream of `seed`."""
    for number in range(count):
        yield examples.draw(np.random.default_rng([seed, number]), seconds)


@dataclass(frozen=True, eq=False)
class Heard:
    """What a front end hears: log10 of band powers, of the mixture and of each stem, frame by frame.

    An example is `length` frames long; float16, which is 0.1 dB at worst.
    """

    mixture: NDArray[np.float16]
    """(examples x length, bands)"""
    stems: NDArray[np.float16]
    """(stems, examples x length, bands)"""
    length: int

    @property
    def examples(self) -> int:
        return len(self.mixture) // self.length


def hear(front_ends: Sequence[FrontEnd], examples: Iterator[tuple[FloatArray, bool]]) -> list[Heard]:
    """Every example through every front end; front ends of one framing share the transform."""
    made: list[list[NDArray[np.float16]]] = [[] for _ in front_ends]
    for stems, coded in examples:
        spectra: dict[object, Spectrum] = {}
        for number, front_end in enumerate(front_ends):
            if front_end.framing not in spectra:
                spectra[front_end.framing] = _spectra(stems, front_end, coded=coded)
            made[number].append(_log(front_end, spectra[front_end.framing]))
    return [_joined(parts) for parts in made]


def _spectra(stems: FloatArray, front_end: FrontEnd, *, coded: bool) -> Spectrum:
    """Of the mixture and of each stem, (1 + stems, channels, bins, frames)."""
    spectra = front_end.stft.forward(stems)
    if coded:
        framing = front_end.framing
        spectra[..., round(_CODED_HZ / RATE_HZ * framing.fft_frames) :, :] = 0
    return np.concatenate([spectra.sum(0, keepdims=True), spectra])


def _log(front_end: FrontEnd, spectra: Spectrum) -> NDArray[np.float16]:
    powers = np.stack([front_end.power(spectrum) for spectrum in spectra])
    return np.log10(np.maximum(powers, np.float32(_SMALLEST))).astype(np.float16)


def _joined(parts: Sequence[NDArray[np.float16]]) -> Heard:
    length = parts[0].shape[1]
    return Heard(
        np.concatenate([part[0] for part in parts]), np.concatenate([part[1:] for part in parts], 1), length
    )

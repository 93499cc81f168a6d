"""Lessons of single notes: made up and sent through made-up devices, or from IDMT-SMT-Audio-Effects; split by note."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tonmeister.audio import read_audio
from tonmeister.errors import BadInputError, nearest
from tonmeister.learned_effects.learn import Lesson
from tonmeister.learned_effects.pair import Pair, aligned_pair
from tonmeister.training.effects.devices import DEVICES
from tonmeister.training.effects.idmt import NotePair, read_idmt, split_by_note
from tonmeister.training.effects.notes import noise_burst, notes
from tonmeister.units import DoubleArray

__all__ = ["lesson_of_device", "lesson_of_idmt"]

NOISE_SHARE = 0.15
"""Noise bursts among the notes that are learned from, so that the model knows more than notes."""
_SECONDS = 0.7


def lesson_of_device(
    device: str, *, sample_rate: int = 16000, learned: int = 80, held: int = 16, seed: int = 0
) -> Lesson:
    """Bass and guitar notes and noise bursts through a device; `held` other notes are kept to judge by."""
    if device not in DEVICES:
        raise BadInputError(f"device={device!r} is not known{nearest(device, list(DEVICES))}")
    generator = np.random.default_rng([seed, 0])
    played = [
        notes({"bass": n // 2, "guitar": n - n // 2}, _SECONDS, sample_rate, generator)
        for n in (learned, held)
    ]
    bursts = [noise_burst(played[0].shape[1], generator) for _ in range(round(NOISE_SHARE * learned))]
    first = np.concatenate([played[0], np.stack(bursts)]) if bursts else played[0]
    dry = np.concatenate([first[generator.permutation(len(first))].reshape(-1), played[1].reshape(-1)])[None]
    kept = slice(first.size, dry.shape[1])
    return Lesson(Pair(dry, DEVICES[device](dry, sample_rate), sample_rate), (kept,), seed, generator)


def lesson_of_idmt(folder: Path, effect: str, setting: str | None, *, seed: int = 0) -> Lesson:
    """Notes of the data set, aligned as one recording; a tenth of the notes is kept to judge by."""
    generator = np.random.default_rng([seed, 0])
    learned, stopped, kept = split_by_note(read_idmt(folder, effect, setting), generator)
    parts, rate = [], 0
    for group in (learned + stopped, kept):
        sounds = [_sound(pair) for pair in group]
        rates = {r for _, _, r in sounds}
        if len(rates | ({rate} if rate else set())) != 1:
            raise BadInputError(f"{folder}: notes of different sample rates: convert them to one")
        rate = rates.pop()
        parts.append([np.concatenate([s[i] for s in sounds])[None] for i in (0, 1)])
    dry, wet = (np.concatenate([part[i] for part in parts], axis=1) for i in (0, 1))
    held = slice(parts[0][0].shape[1], dry.shape[1])
    pair = _aligned(dry, wet, rate)
    held = slice(held.start, min(held.stop, pair.frames))
    return Lesson(pair, (held,), seed, generator)


def _aligned(dry: DoubleArray, wet: DoubleArray, rate: int) -> Pair:
    from tonmeister.audio import Audio

    return aligned_pair(*(Audio(np.asarray(a, np.float32), rate) for a in (dry, wet)))


def _sound(pair: NotePair) -> tuple[DoubleArray, DoubleArray, int]:
    """A note before and behind the effect, mono, of one length."""
    dry, wet = read_audio(pair.dry), read_audio(pair.wet)
    if dry.sample_rate != wet.sample_rate:
        raise BadInputError(f"{pair.wet}: has another sample rate than {pair.dry}: convert one of them")
    frames = min(dry.frames, wet.frames)
    first, second = (np.asarray(a.samples[:, :frames].mean(axis=0), np.float64) for a in (dry, wet))
    return first, second, dry.sample_rate

"""Recorded voices: their phrases, cut where they sound, laid where the song has a voice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.audio import AUDIO_SUFFIXES, read_audio
from tonmeister.errors import BadInputError
from tonmeister.naming import identify_name
from tonmeister.training.synthesis.songs import NoteArray
from tonmeister.units import FloatArray
from tonmeister.vocabulary import is_a

__all__ = ["Voice", "find_voices", "sung_spans"]

_STEP_S: Final = 0.05
_GATE_DB: Final = -35.0
"""A voice sounds where its level is at most this far below its loudest."""
_PAUSE_S: Final = 0.35
"""A gap this long ends a phrase."""
_SHORTEST_S: Final = 0.25
_EDGE_S: Final = 0.03
_LONGEST_PHRASE_S: Final = 12.0


@dataclass(frozen=True)
class Voice:
    """A recording of a voice and what its name says it is."""

    path: Path
    instrument: str

    def phrases(self, sample_rate: int) -> tuple[FloatArray, ...]:
        """What is sung, cut where it pauses: float32 (channels, frames) each, edges faded."""
        return _phrases(self.path, sample_rate)

    def lay(
        self,
        spans: Iterable[tuple[float, float]],
        *,
        frames: int,
        sample_rate: int,
        random: np.random.Generator,
    ) -> FloatArray:
        """Phrase after phrase wherever the song has a voice, from a random one on: (channels, frames)."""
        phrases = self.phrases(sample_rate)
        out = np.zeros((len(phrases[0]), frames), np.float32)
        number = int(random.integers(len(phrases)))
        for start_s, end_s in spans:
            at, end = int(start_s * sample_rate), min(int(end_s * sample_rate), frames)
            while end - at > _SHORTEST_S * sample_rate:
                phrase = _shortened(phrases[number % len(phrases)], frames - at, sample_rate)
                out[:, at : at + phrase.shape[1]] += phrase
                at += phrase.shape[1] + int(random.uniform(0.1, 1.2) * sample_rate)
                number += 1
        return out


def find_voices(sources: Iterable[Path]) -> tuple[Voice, ...]:
    """Recordings in folders (and below), and files; words in their names say lead, backing, choir or speech."""
    found: list[Voice] = []
    for source in map(Path, sources):
        if not source.exists():
            raise BadInputError(f"{source}: no such file or folder: give recordings of voices")
        paths = [source] if source.is_file() else sorted(p for p in source.rglob("*") if _is_audio(p))
        if not paths:
            raise BadInputError(f"{source}: holds no audio file: give a folder of recorded voices")
        found += [Voice(path, _word(path)) for path in paths]
    return tuple(found)


def sung_spans(notes: NoteArray, *, pause_s: float = 1.5) -> list[tuple[float, float]]:
    """(from, to) in seconds in which a melody goes on without a long pause."""
    spans: list[tuple[float, float]] = []
    for start_s, length_s in zip(notes["start_s"].tolist(), notes["length_s"].tolist(), strict=True):
        if spans and start_s - spans[-1][1] < pause_s:
            spans[-1] = (spans[-1][0], max(spans[-1][1], start_s + length_s))
        else:
            spans.append((start_s, start_s + length_s))
    return spans


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and not path.name.startswith(".")


def _word(path: Path) -> str:
    """The kind of voice that the file's name, or its folder's, says; a lead voice if they say nothing."""
    for name in (path.stem, path.parent.name):
        word = identify_name(name).instrument
        if is_a(word, "voice") and word != "voice":
            return word
    return "lead_voice"


@lru_cache(maxsize=12)
def _phrases(path: Path, sample_rate: int) -> tuple[FloatArray, ...]:
    samples = read_audio(path, sample_rate).samples
    step = max(1, round(_STEP_S * sample_rate))
    whole = samples.shape[1] // step * step
    peaks = np.abs(samples[:, :whole]).max(0).reshape(-1, step).max(1) if whole else np.zeros(0)
    loudest = float(peaks.max(initial=0.0))
    if loudest <= 1e-4:
        raise BadInputError(f"{path}: is silent: give recordings in which somebody sings")
    sounding = peaks > loudest * 10 ** (_GATE_DB / 20)
    cuts = [
        np.array(samples[:, first * step : last * step], np.float32)
        for first, last in _runs(sounding, pause=round(_PAUSE_S / _STEP_S))
        if (last - first) * _STEP_S >= _SHORTEST_S
    ]
    if not cuts:
        raise BadInputError(f"{path}: nobody sings for longer than {_SHORTEST_S} s: give longer recordings")
    return tuple(_faded(cut / np.float32(loudest) * np.float32(0.3), sample_rate) for cut in cuts)


def _runs(sounding: np.ndarray[tuple[int], np.dtype[np.bool_]], pause: int) -> list[tuple[int, int]]:
    """(first, behind the last) of stretches without a pause of `pause` steps."""
    runs: list[tuple[int, int]] = []
    for index in np.flatnonzero(sounding).tolist():
        if runs and index - runs[-1][1] < pause:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _shortened(phrase: FloatArray, most: int, sample_rate: int) -> FloatArray:
    most = min(most, int(_LONGEST_PHRASE_S * sample_rate))
    return phrase if phrase.shape[1] <= most else _faded(phrase[:, :most].copy(), sample_rate)


def _faded(cut: FloatArray, sample_rate: int) -> FloatArray:
    edge = min(int(_EDGE_S * sample_rate), cut.shape[1] // 2)
    ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)
    cut[:, :edge] *= ramp
    cut[:, cut.shape[1] - edge :] *= ramp[::-1]
    return cut

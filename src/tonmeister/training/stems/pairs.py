"""Pairs of a raw stem and what an engineer made of it: synthesized, from MedleyDB, or from two folders.

Both are mono, equally long and at 44.1 kHz, and split by song: pitch-shifted copies stay with their original. Seeds
from 900 000 on are reserved for tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.audio import AUDIO_SUFFIXES, read_audio
from tonmeister.engines.autoencoder.groups import GROUPS, group_of
from tonmeister.errors import BadInputError
from tonmeister.training.stems.engineer import engineered
from tonmeister.training.stems.raw import RATE, raw_stems
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.units import FloatArray, db_to_gain

__all__ = [
    "CLIP_S",
    "FIRST_TEST_SEED",
    "LOUDNESS_LUFS",
    "StemPair",
    "at_loudness",
    "folder_pairs",
    "loudness_of",
    "pitch_shifted",
    "synthesized_pairs",
]

CLIP_S: Final = 10.0
FIRST_TEST_SEED: Final = 900_000
LOUDNESS_LUFS: Final = -23.0
"""EBU R 128; the network hears everything at this loudness."""
_SHORTEST_S: Final = 1.0


@dataclass(frozen=True, eq=False)
class StemPair:
    """A raw stem and the finished one, both at -23 LUFS: float32 (frames,) at 44.1 kHz."""

    group: str
    song: str
    raw: FloatArray
    stem: FloatArray


def synthesized_pairs(
    seeds: Sequence[int],
    *,
    duration_s: float = CLIP_S,
    soundfonts: tuple[Path, ...] | None = None,
    cache: Path | None = None,
) -> Iterator[tuple[int, list[StemPair]]]:
    """(seed, its pairs) of one composed song after the other; what lies in `cache` is not made again."""
    for seed in seeds:
        kept = None if cache is None else cache / f"song-{seed}.npz"
        if kept is not None and kept.is_file():
            yield seed, _from_file(kept, str(seed))
            continue
        pairs = list(_song_pairs(seed, duration_s, soundfonts))
        if kept is not None:
            _to_file(kept, pairs)
        yield seed, pairs


def _song_pairs(seed: int, duration_s: float, soundfonts: tuple[Path, ...] | None) -> Iterator[StemPair]:
    for number, raw in enumerate(raw_stems(seed, duration_s=duration_s, soundfonts=soundfonts)):
        of_stem = Seeds.of(seed).child("stem engineer", number)
        finished = engineered(raw.samples, raw.group, of_stem, RATE)
        if pair := _leveled(raw.group, raw.song, raw.samples, finished):
            yield pair


def _from_file(path: Path, song: str) -> list[StemPair]:
    with np.load(path, allow_pickle=False) as data:
        return [StemPair(str(g), song, *data[f"pair{i}"]) for i, g in enumerate(data["groups"])]


def _to_file(path: Path, pairs: Sequence[StemPair]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".part-{path.name}")
    arrays = {f"pair{i}": np.stack([p.raw, p.stem]) for i, p in enumerate(pairs)}
    np.savez(partial, groups=np.array([p.group for p in pairs], dtype=str), **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def folder_pairs(path: Path, notes: list[str], groups: Sequence[str] = tuple(GROUPS)) -> Iterator[StemPair]:
    """Pairs of a person's work: ``raw/NAME.wav`` beside ``stem/NAME.wav``, or a MedleyDB folder.

    In a plain folder the group is the first word of the name (``bass - Song.wav``), or a folder of that name above
    ``raw``. What cannot be used is named in `notes`.
    """
    found = _plain(path, notes) if (path / "raw").is_dir() else _grouped(path, notes)
    for pair in found if found is not None else _medleydb(path, notes):
        if pair.group in groups:
            yield from _clips(pair)


def _grouped(path: Path, notes: list[str]) -> Iterator[StemPair] | None:
    folders = [path / g for g in GROUPS if (path / g / "raw").is_dir()]
    return (pair for f in folders for pair in _plain(f, notes, f.name)) if folders else None


def _plain(path: Path, notes: list[str], group: str | None = None) -> Iterator[StemPair]:
    files = sorted(p for p in (path / "raw").iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    if not files:
        raise BadInputError(f"{path / 'raw'}: holds no audio file: give raw/NAME.wav beside stem/NAME.wav")
    for raw in files:
        other = path / "stem" / raw.name
        word = raw.stem.split()[0].casefold()
        kind = group or (word if word in GROUPS else None)
        if not other.is_file():
            notes.append(f"{raw.name}: left out, there is no {other}")
        elif kind is None:
            notes.append(f"{raw.name}: left out, begin its name with one of {', '.join(GROUPS)}")
        elif pair := _checked(kind, raw.stem, _mono(raw), _mono(other), raw.name, notes):
            yield pair


def _medleydb(path: Path, notes: list[str]) -> Iterator[StemPair]:
    """The stems of MedleyDB's songs, each with the sum of the raw tracks its metadata lists."""
    from tonmeister.datasets.base import open_dataset

    for song in open_dataset(path).songs():
        if song.problem:
            notes.append(f"{song.title}: left out, {song.problem}")
            continue
        for stem in song.stems:
            group = group_of(stem.label.instrument)
            key = stem.name.split()[0]
            raws = [t for t in song.tracks if t.group == key]
            name = f"{song.title}, {stem.name}"
            if group is None:
                continue
            if not raws:
                notes.append(f"{name}: left out, it has no raw tracks")
                continue
            sounds = [_mono(t.file) for t in raws]
            if len({len(s) for s in sounds}) > 1:
                notes.append(f"{name}: left out, its raw tracks are not equally long")
            elif pair := _checked(group, song.title, np.sum(sounds, axis=0), _mono(stem.file), name, notes):
                yield pair


def _mono(path: Path) -> FloatArray:
    return np.asarray(read_audio(path, RATE).samples.mean(0), np.float32)


def _checked(
    group: str, song: str, raw: FloatArray, stem: FloatArray, name: str, notes: list[str]
) -> StemPair | None:
    """A pair, its stem turned the right way round; None, with a note, when raw and stem do not fit."""
    if abs(len(raw) - len(stem)) > 0.1 * RATE:
        notes.append(
            f"{name}: left out, raw is {len(raw) / RATE:.2f} s and stem {len(stem) / RATE:.2f} s long"
        )
        return None
    frames = min(len(raw), len(stem))
    raw, stem = raw[:frames], stem[:frames]
    if not (np.isfinite(raw).all() and np.isfinite(stem).all()):
        notes.append(f"{name}: left out, it holds numbers that are none")
        return None
    if float(np.dot(raw, stem)) < 0:
        notes.append(f"{name}: the stem has the opposite polarity and was turned")
        stem = -stem
    pair = _leveled(group, song, raw, stem)
    if pair is None:
        notes.append(f"{name}: left out, raw or stem is silent or shorter than {_SHORTEST_S:g} s")
    return pair


def _leveled(group: str, song: str, raw: FloatArray, stem: FloatArray) -> StemPair | None:
    a, b = at_loudness(raw), at_loudness(stem)
    if a is None or b is None or len(raw) < _SHORTEST_S * RATE:
        return None
    return StemPair(group, song, a, b)


def _clips(pair: StemPair) -> Iterator[StemPair]:
    """Cut to pieces of `CLIP_S`, each again at the loudness; the last one may be shorter."""
    step = round(CLIP_S * RATE)
    for start in range(0, len(pair.raw), step):
        raw, stem = (x[start : start + step] for x in (pair.raw, pair.stem))
        if clip := _leveled(pair.group, pair.song, raw, stem):
            yield clip


def loudness_of(samples: FloatArray, sample_rate: int = RATE) -> float | None:
    """Integrated loudness of a mono signal (frames,) on both speakers; None in silence."""
    from tonmeister.analysis.meter import LoudnessMeter

    meter = LoudnessMeter(sample_rate, 1, dual_mono=True, peaks=False)
    meter.update(samples[np.newaxis])
    return meter.integrated_lufs


def at_loudness(samples: FloatArray) -> FloatArray | None:
    """The signal at -23 LUFS; None in silence."""
    measured = loudness_of(samples)
    if measured is None:
        return None
    return np.asarray(samples * np.float32(db_to_gain(LOUDNESS_LUFS - measured)), np.float32)


def pitch_shifted(pair: StemPair, semitones: float) -> StemPair:
    """Raw and stem played faster or slower together, which moves the pitch: the song stays the same song."""
    rate = round(RATE * 2 ** (-semitones / 12))
    return replace(pair, raw=_played(pair.raw, rate), stem=_played(pair.stem, rate))


def _played(samples: FloatArray, rate: int) -> FloatArray:
    import soxr

    return np.asarray(soxr.resample(samples, RATE, rate), np.float32)

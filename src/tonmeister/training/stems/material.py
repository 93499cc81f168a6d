"""What the trainers learn from and test on: pairs of stems, heard once and kept as bands and measures.

Synthesized tests come from seeds that nothing is trained on; of a person's folders every fifth song is kept for testing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.engines.autoencoder.groups import GROUPS
from tonmeister.engines.autoencoder.hints import hints
from tonmeister.engines.autoencoder.measures import measures
from tonmeister.errors import BadInputError
from tonmeister.training.stems.drafting import DraftOptions
from tonmeister.training.stems.learning import BandClip, LearningOptions
from tonmeister.training.stems.pairs import (
    FIRST_TEST_SEED,
    StemPair,
    folder_pairs,
    pitch_shifted,
    synthesized_pairs,
)
from tonmeister.training.stems.raw import RATE
from tonmeister.training.stems.spectra import band_amplitudes
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["TEST", "Held", "Material", "Progress", "RecipeOptions", "gather"]

Progress = Callable[[str, float], None]
_TEST_EVERY: Final = 5
_HELD_EVERY: Final = 8
TEST: Final = "test "
"""Before the name of a song that is for testing."""
_SEMITONES: Final = tuple(float(s) for s in np.concatenate([np.arange(-4, 0, 0.5), np.arange(0.5, 4.5, 0.5)]))
"""The sixteen shifts of the original."""


@dataclass(frozen=True)
class RecipeOptions:
    """What is learned from and how."""

    groups: tuple[str, ...] = tuple(GROUPS)
    folders: tuple[Path, ...] = ()
    songs: int = 160
    test_songs: int = 40
    soundfonts: tuple[Path, ...] | None = None
    shifts: int = 0
    """Pitch-shifted copies of each pair, at most 16."""
    seed: int = 0
    seeds: int = 1
    """Of so many, from `seed` on, the median network is kept (improved preset)."""
    cache: Path | None = None
    keep_pairs: bool = False
    keep_held: bool = False
    """Keep the raw sound of every eighth song that is learned from, which a draft is judged by on the way."""
    learning: LearningOptions = field(default_factory=LearningOptions)
    drafting: DraftOptions = field(default_factory=DraftOptions)


@dataclass(frozen=True, eq=False)
class Held:
    """A training pair that nothing is fitted to."""

    place: int
    """In the list of training clips."""
    raw: FloatArray
    stem_measures: DoubleArray
    raw_measures: DoubleArray


@dataclass(eq=False)
class Material:
    """Pairs as the trainers take them, by group; training pairs are kept as bands and measures only."""

    train: dict[str, list[BandClip]]
    test: dict[str, list[StemPair]]
    raw_measures: dict[str, list[np.ndarray]]
    stem_measures: dict[str, list[np.ndarray]]
    measured_songs: dict[str, list[str]]
    pairs: dict[str, list[StemPair]]
    """The training pairs themselves, where they are kept."""
    held: dict[str, list[Held]]
    """Of every eighth training song, where `RecipeOptions.keep_held`."""
    notes: list[str]

    @classmethod
    def of(cls, groups: Sequence[str]) -> Material:
        """Nothing yet."""
        train, test, raw, stem, songs, pairs, held = ({g: [] for g in groups} for _ in range(7))  # type: ignore[var-annotated]
        return cls(train, test, raw, stem, songs, pairs, held, [])

    def raw_of(self, group: str, *, testing: bool) -> list[np.ndarray]:
        """Measures of the raw stems that are for testing, or of the others."""
        rows = zip(self.raw_measures[group], self.measured_songs[group], strict=True)
        return [row for row, song in rows if song.startswith(TEST) == testing]


def gather(options: RecipeOptions, progress: Progress) -> Material:
    """Make or read all pairs; those for testing are kept whole, the others where `options.keep_pairs`."""
    groups = options.groups
    material = Material.of(groups)
    for number, pairs, testing in _songs(options, material.notes, progress):
        for index, pair in enumerate(pairs):
            if pair.group in groups:
                _take(material, pair, (number, index), options, testing=testing)
    for group in groups:
        if not material.train[group] or not material.test[group]:
            raise BadInputError(
                f"group={group!r}: there are no pairs to train on and to test: give more songs"
            )
    return material


def _songs(
    options: RecipeOptions, notes: list[str], progress: Progress
) -> Iterator[tuple[int, list[StemPair], bool]]:
    """(number, pairs, whether they are for testing), song after song."""
    seeds = [options.seed * 100_000 % FIRST_TEST_SEED + i for i in range(options.songs)]
    seeds += [FIRST_TEST_SEED + i for i in range(options.test_songs if options.songs else 0)]
    made = synthesized_pairs(seeds, soundfonts=options.soundfonts, cache=options.cache)
    for number, (seed, pairs) in enumerate(made):
        progress("making pairs", (number + 1) / len(seeds))
        yield number, pairs, seed >= FIRST_TEST_SEED
    for folder in options.folders:
        known: dict[str, int] = {}
        for pair in folder_pairs(folder, notes, options.groups):
            number = known.setdefault(pair.song, len(known))
            yield number, [pair], number % _TEST_EVERY == _TEST_EVERY - 1


def _take(
    material: Material, pair: StemPair, place: tuple[int, int], options: RecipeOptions, *, testing: bool
) -> None:
    kept = options.cache if options.songs and not options.folders else None
    clip, raw, stem = _heard(pair, None if kept is None else kept / f"heard-{pair.song}-{place[1]}.npz")
    material.raw_measures[pair.group].append(raw)
    material.stem_measures[pair.group].append(stem)
    material.measured_songs[pair.group].append(TEST + pair.song if testing else pair.song)
    if testing:
        material.test[pair.group].append(pair)
        return
    if options.keep_held and place[0] % _HELD_EVERY == 0:
        material.held[pair.group].append(Held(len(material.train[pair.group]), pair.raw, stem, raw))
    material.train[pair.group].append(clip)
    material.pairs[pair.group] += [pair] if options.keep_pairs else []
    drawn = np.random.default_rng([options.seed, place[0]]).permutation(_SEMITONES)[: options.shifts]
    for copy in (pitch_shifted(pair, float(semitones)) for semitones in drawn):
        material.train[pair.group].append(_heard(copy, None)[0])
        material.pairs[pair.group] += [copy] if options.keep_pairs else []


def _heard(pair: StemPair, kept: Path | None) -> tuple[BandClip, DoubleArray, DoubleArray]:
    """The pair as bands, and the measures of raw and stem; from the file where it is there."""
    if kept is not None and kept.is_file():
        with np.load(kept, allow_pickle=False) as data:
            raw, stem = data["bands"]
            return BandClip(pair.song, raw, stem, hints(pair.raw, RATE)), *data["measures"]
    bands = [band_amplitudes(x) for x in (pair.raw, pair.stem)]
    values = [measures(x, RATE) for x in (pair.raw, pair.stem)]
    if kept is not None:
        partial = kept.with_name(f".part-{kept.name}")
        np.savez(partial, bands=np.stack(bands), measures=np.stack(values))
        partial.replace(kept)
    return BandClip(pair.song, bands[0], bands[1], hints(pair.raw, RATE)), values[0], values[1]

"""The pictures a run learns from and is checked with, made in chunks and kept if there is a place for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.identification.classifier import Classifier
from tonmeister.training.identifier.examples import draw
from tonmeister.training.identifier.fonts import RATE_HZ
from tonmeister.training.identifier.options import Progress, RecipeOptions, SoundFiles
from tonmeister.training.identifier.pictures import Pictures, as_bytes, as_floats, make_pictures, pictures_of
from tonmeister.training.identifier.song_pictures import make_song_pictures, song_options
from tonmeister.training.identifier.taught import CLASSES
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Held", "held_sounds", "training_pictures"]

_CHUNK: Final = 500
_SONG_CHUNK: Final = 50
_HELD_PATCHES: Final = 8
_MACHINES: Final = 3


def training_pictures(options: RecipeOptions, progress: Progress) -> Pictures:
    """Pictures of single sounds and of the tracks of songs."""
    sources = cache(lambda: options.sounds.open(machines=_MACHINES))
    single = _chunks(
        options,
        "train",
        (options.examples, _CHUNK),
        lambda numbers: make_pictures(sources(), numbers, options.seed),
        lambda done: progress("making sounds", done),
    )
    songs = song_options(options.sounds.fonts, options.sounds.kits, options.sounds.midi)
    played = _chunks(
        options,
        "songs",
        (options.songs, _SONG_CHUNK),
        lambda numbers: make_song_pictures(songs, numbers, options.seed),
        lambda done: progress("making songs", done),
    )
    return Pictures.joined([*single, *played])


def _chunks(
    options: RecipeOptions,
    name: str,
    many: tuple[int, int],
    make: Callable[[range], Pictures],
    told: Callable[[float], None],
) -> list[Pictures]:
    """Pictures in chunks, each kept in the cache when there is one; `many` is how many in all and at a time."""
    made = []
    for first in range(0, many[0], many[1]):
        kept = options.cache / f"{name}_{first:06d}.npz" if options.cache else None
        if kept is not None and kept.is_file():
            made.append(Pictures.load(kept))
        else:
            made.append(make(range(first, min(first + many[1], many[0]))))
            if kept is not None:
                made[-1].save(kept)
        told(min(1.0, (first + many[1]) / many[0]))
    return made


@dataclass(frozen=True, eq=False)
class Held:
    """Sounds nobody learned from: pictures of all of them, whose each is, and the class number of each sound."""

    images: NDArray[np.uint8]
    owners: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def pictures(self) -> Iterator[FloatArray]:
        """The pictures (n, bands, steps) of each sound."""
        for owner in range(len(self.numbers)):
            yield as_floats(self.images[self.owners == owner])

    def scores(self, classifier: Classifier) -> DoubleArray:
        """Mean scores (n, classes)."""
        return np.array([classifier.scores(p)[0].mean(axis=0) for p in self.pictures()])


def held_sounds(files: SoundFiles, options: RecipeOptions, seed: int, told: Callable[[float], None]) -> Held:
    """Sounds of every class in turn, as the classifier would hear them; kept in the cache when there is one."""
    kept = options.cache / f"held_{seed}.npz" if options.cache else None
    if kept is not None and kept.is_file():
        with np.load(kept, allow_pickle=False) as found:
            return Held(found["images"], found["owners"], found["numbers"])
    held = _made(files, options.held_examples, seed, told)
    if kept is not None:
        np.savez(kept, images=held.images, owners=held.owners, numbers=held.numbers)
    return held


def _made(files: SoundFiles, count: int, seed: int, told: Callable[[float], None]) -> Held:
    sources = files.open()
    owners: list[int] = []
    numbers: list[int] = []
    images: list[NDArray[np.uint8]] = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        example = draw(sources, rng, word=CLASSES[number % len(CLASSES)])
        if made := pictures_of(example.samples, RATE_HZ, most=_HELD_PATCHES):
            images += map(as_bytes, made)
            owners += [len(numbers)] * len(made)
            numbers.append(number % len(CLASSES))
        told((number + 1) / count)
    return Held(np.array(images), np.array(owners), np.array(numbers))

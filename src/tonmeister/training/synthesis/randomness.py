"""Named random streams: what one part of a song draws does not depend on what another part draws."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

__all__ = ["Seeds", "song_seed"]


@dataclass(frozen=True, slots=True)
class Seeds:
    """A place in a tree of names; every place has a generator of its own.

    The generator's entropy is the hash of the path, so that a new draw somewhere, or a new name, shifts no other.
    """

    path: tuple[str, ...]

    @classmethod
    def of(cls, seed: int) -> Seeds:
        """The root of a seed's tree."""
        return cls((str(int(seed)),))

    def child(self, *names: object) -> Seeds:
        """The place below this one with these names."""
        return Seeds((*self.path, *map(str, names)))

    def generator(self, *names: object) -> np.random.Generator:
        """The generator of this place, or of the place `names` below it; always at its beginning."""
        return np.random.default_rng(_digest((*self.path, *map(str, names)), 16))


def song_seed(seed: int, index: int) -> int:
    """The seed of song number `index` in the stream of `seed`; below 2^48."""
    return _digest((str(int(seed)), "song", str(int(index))), 6)


def _digest(path: tuple[str, ...], size: int) -> int:
    text = "\0".join(path).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=size).digest(), "little")

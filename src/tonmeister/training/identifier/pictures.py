"""Pictures of many examples, made once and kept in a file beside the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.audio import Audio
from tonmeister.identification.log_mel import BANDS, PATCH_STEPS, log_mel
from tonmeister.identification.patches import loud_patches
from tonmeister.multitrack import Track
from tonmeister.training.identifier.examples import Sources, draw
from tonmeister.training.identifier.fonts import RATE_HZ
from tonmeister.training.identifier.taught import CLASSES
from tonmeister.vocabulary import ROLES

__all__ = ["Pictures", "as_bytes", "as_floats", "make_pictures", "pictures_of"]

_PER_EXAMPLE: Final = 3
NO_ROLE: Final = -1


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the network learns from: pictures (n, bands, steps) as bytes, classes, roles, and which example each is of."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]
    roles: NDArray[np.int64]
    examples: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Keep for another run."""
        np.savez(path, images=self.images, classes=self.classes, roles=self.roles, examples=self.examples)

    @classmethod
    def joined(cls, parts: Sequence[Pictures]) -> Pictures:
        """All pictures of several."""
        names = ("images", "classes", "roles", "examples")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @classmethod
    def load(cls, path: Path) -> Pictures:
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["images"], kept["classes"], kept["roles"], kept["examples"])


def as_bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0 to 1 as 0 to 255: steps of 0.3 dB."""
    return np.asarray(np.rint(picture * 255), np.uint8)


def as_floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The inverse, to half a step."""
    return images.astype(np.float32) / np.float32(255)


def pictures_of(samples: NDArray[np.float32], sample_rate: int, *, most: int) -> list[NDArray[np.float32]]:
    """Pictures of the loud stretches of a sound, as the classifier would take them; the loudest `most`."""
    patches = loud_patches(Track("example", audio=Audio(samples, sample_rate)))
    loudest = sorted(patches, key=lambda patch: -patch.level_db)[:most]
    return [log_mel(patch.samples) for patch in loudest]


def make_pictures(
    sources: Sources, numbers: range, seed: int, *, progress: Callable[[float], None] | None = None
) -> Pictures:
    """Pictures of the examples with these numbers; each depends on the seed and on its number alone."""
    images, classes, roles, origins = [], [], [], []
    for done, number in enumerate(numbers):
        rng = np.random.default_rng([seed, number])
        example = draw(sources, rng)
        for picture in pictures_of(example.samples, RATE_HZ, most=_PER_EXAMPLE):
            images.append(as_bytes(picture))
            classes.append(CLASSES.index(example.word))
            roles.append(NO_ROLE if example.role is None else ROLES.index(example.role))
            origins.append(number)
        if progress is not None:
            progress((done + 1) / len(numbers))
    shape = (-1, BANDS, PATCH_STEPS)
    return Pictures(np.reshape(images, shape), np.array(classes), np.array(roles), np.array(origins))

"""The frames of a run, made in chunks of pieces and kept if there is a place for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tonmeister.errors import BadInputError
from tonmeister.training.jazz.frames import SoloFrames, solo_frames
from tonmeister.training.jazz.pieces import EVALUATION_SEED, PieceOptions

__all__ = ["evaluation_seeds", "piece_seeds", "training_frames"]

_CHUNK: Final = 20
_PER_SEED: Final = 1000
"""Pieces that belong to one seed of a run."""


def piece_seeds(seed: int, count: int) -> range:
    """Seeds of the pieces a run learns from; none is kept for evaluation."""
    first = _PER_SEED * seed
    if count > _PER_SEED or first + count > EVALUATION_SEED:
        limit = EVALUATION_SEED // _PER_SEED - 1
        raise BadInputError(
            f"seed={seed}, pieces={count}: give a seed to {limit} and up to {_PER_SEED} pieces"
        )
    return range(first, first + count)


def evaluation_seeds(count: int, start: int = 0) -> range:
    """Seeds that no run learns from."""
    return range(EVALUATION_SEED + start, EVALUATION_SEED + start + count)


def training_frames(
    seeds: range, options: PieceOptions, cache: Path | None, told: Callable[[float], None]
) -> SoloFrames:
    """Frames of the pieces of `seeds`; chunks that are in the cache already are not made again."""
    parts = []
    for first in range(seeds.start, seeds.stop, _CHUNK):
        chunk = range(first, min(first + _CHUNK, seeds.stop))
        kept = cache / f"jazz_{first:06d}.npz" if cache else None
        if kept is not None and kept.is_file():
            parts.append(SoloFrames.load(kept))
        else:
            parts.append(solo_frames(chunk, options, lambda done: None))
            if kept is not None:
                parts[-1].save(kept)
        told((chunk.stop - seeds.start) / len(seeds))
    return SoloFrames.joined(parts)

"""Synthesized songs as a torch dataset: endless, one share of the stream per worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tonmeister.errors import MissingExtraError
from tonmeister.training.synthesis.songs import SynthesisOptions, SynthesizedSong, songs

__all__ = ["song_dataset"]


def song_dataset(
    seed: int,
    options: SynthesisOptions | None = None,
    *,
    transform: Callable[[SynthesizedSong], Any] | None = None,
    start: int = 0,
) -> Any:
    """A `torch.utils.data.IterableDataset` over the stream of `seed` from song number `start` on.

    Worker w of W makes songs w, w + W, w + 2 W...: together, the same songs as one. `transform` turns a song into
    what is to be learned; a list (or any iterator) it returns is handed on item by item. Raises
    `MissingExtraError` without the extra ``train``.
    """
    try:
        from torch.utils.data import IterableDataset, get_worker_info
    except ImportError:
        raise MissingExtraError("a torch dataset", extra="train") from None

    class SongDataset(IterableDataset[Any]):  # type: ignore[misc,unused-ignore]
        def __iter__(self) -> Iterator[Any]:
            worker = get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            for song in songs(seed, options, start=start + first, step=step):
                made = song if transform is None else transform(song)
                if isinstance(made, (list, Iterator)):
                    yield from made
                else:
                    yield made

        def __reduce__(self) -> tuple[Any, ...]:
            return _again, (seed, options, transform, start)

    return SongDataset()


def _again(
    seed: int,
    options: SynthesisOptions | None,
    transform: Callable[[SynthesizedSong], Any] | None,
    start: int,
) -> Any:
    """The dataset made anew in a worker that was not forked."""
    return song_dataset(seed, options, transform=transform, start=start)

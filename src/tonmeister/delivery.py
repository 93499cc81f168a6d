"""What a render leaves on disk besides the mix: a scratch signal while it works, and stems."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from tonmeister.audio_output import AudioWriter, check_writable, partial_path
from tonmeister.errors import BadInputError, OutputError
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER
from tonmeister.units import FloatArray

__all__ = ["Aside", "Scratch", "StemWriters"]

BLOCK_FRAMES = 32768


class Aside:
    """Gives blocks to a taker on a thread of its own, in order, a few at a time; its errors come back here."""

    _WAITING = 4

    def __init__(self, take: Callable[[FloatArray], None]) -> None:
        self._take = take
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Aside:
        self._pool = ThreadPoolExecutor(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            while self._pending:
                self._pending.popleft().result()

    def __call__(self, block: FloatArray) -> None:
        """Hand over a block, which nobody may change afterwards."""
        if len(self._pending) >= self._WAITING:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(self._take, block))


class Scratch:
    """A float32 signal on disk beside the output, gone when left."""

    def __init__(self, output: Path, channels: int = 2) -> None:
        self._channels = channels
        self._path = partial_path(output).with_suffix(".scratch")
        self.frames = 0

    def __enter__(self) -> Scratch:
        self._file = self._path.open("w+b")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, block: FloatArray) -> None:
        """Append (channels, frames)."""
        try:
            self._file.write(np.ascontiguousarray(block.T).tobytes())
        except OSError as error:
            raise OutputError(
                f"{self._path.parent}: no room for the intermediate mix "
                f"({(error.strerror or str(error)).lower()}): free some space"
            ) from None
        self.frames += block.shape[1]

    def blocks(self) -> Iterator[FloatArray]:
        """The signal again from its start."""
        self._file.flush()
        with self._path.open("rb") as file:
            while data := file.read(BLOCK_FRAMES * 4 * self._channels):
                yield np.frombuffer(data, np.float32).reshape(-1, self._channels).T.copy()


class StemWriters:
    """One 32-bit float file for each strip that feeds the master; they add up to the pre-master bus."""

    def __init__(self, plan: MixPlan, folder: Path, overwrite: bool) -> None:
        self._plan = plan
        roles = {t.name: t.instrument for t in plan.tracks}
        feeding = [s for s in plan.strips if MASTER in (s.output, *(x.to for x in s.sends))]
        self._paths = {
            s.name: folder / f"{i:02d}_{roles.get(s.name, s.kind)}_{_file_name(s.name)}.wav"
            for i, s in enumerate(feeding, 1)
        }
        self._made = not folder.exists()
        self._folder = folder
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        check_writable(folder)
        for path in self._paths.values():
            if path.exists() and not overwrite:
                raise BadInputError(f"{path}: exists already: give another folder or --overwrite")
        self._overwrite = overwrite
        self._stack = ExitStack()

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self._paths.values())

    def __enter__(self) -> StemWriters:
        self._writers = {
            name: self._stack.enter_context(
                AudioWriter(
                    path, self._plan.sample_rate, 2, subtype="32f", overwrite=self._overwrite, title=name
                )
            )
            for name, path in self._paths.items()
        }
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._stack.__exit__(kind, error, None)
        if kind is not None and self._made:
            with suppress(OSError):
                self._folder.rmdir()

    def write(self, name: str, block: FloatArray) -> None:
        """Append to the stem of a strip."""
        self._writers[name].write(block)


def _file_name(name: str) -> str:
    """A strip's name without what file systems refuse."""
    return "".join("-" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in name).strip(". ") or "track"

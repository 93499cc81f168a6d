"""Lock-free ways between processes: a tape of sound, a journal of controls, a queue of orders; one writer, one reader.

Both count up forever in 64-bit integers, written last by their only owner. A reader never waits and a writer never
waits: a tape whose reader is too slow loses sound and says so, a full queue refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Arena", "Journal", "Order", "OrderQueue", "Tape"]

_ALIGNMENT: Final = 64
"""Bytes of a cache line: what two processes write should not share one."""


class Arena:
    """Hands out arrays of one buffer, one behind the other; without a buffer it only counts the bytes."""

    def __init__(self, buffer: Any = None) -> None:
        self._buffer = buffer
        self.size = 0

    def array(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """The next array; both processes must ask for the same ones in the same order."""
        shape = (shape,) if isinstance(shape, int) else shape
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        start, self.size = self.size, self.size + -(-size // _ALIGNMENT) * _ALIGNMENT
        if self._buffer is None:
            return np.empty(0, dtype)
        return np.ndarray(shape, dtype, self._buffer, start)


class Tape:
    """The last seconds of some rows of sound; the writer goes on whether anybody reads or not."""

    def __init__(self, arena: Arena, rows: int, frames: int) -> None:
        self._written = arena.array(1, np.int64)
        self._sound: FloatArray = arena.array((rows, frames), np.float32)
        self._frames = frames
        self._read = 0
        self.lost_frames = 0
        """What the reader was too late for; of the reader's side."""

    @property
    def written(self) -> int:
        """Frames written since the beginning."""
        return int(self._written[0])

    @property
    def waiting(self) -> int:
        """Frames written and not yet read."""
        return self.written - self._read

    def write(self, first: FloatArray, second: FloatArray) -> None:
        """Append blocks of equally many frames, one above the other."""
        frames, split = first.shape[1], first.shape[0]
        at = int(self._written[0]) % self._frames
        head = min(frames, self._frames - at)
        for row, block in ((slice(0, split), first), (slice(split, None), second)):
            self._sound[row, at : at + head] = block[:, :head]
            if head < frames:
                self._sound[row, : frames - head] = block[:, head:]
        self._written[0] += frames

    def read(self, frames: int) -> FloatArray:
        """A copy of the next `frames`, which must be waiting; what was overwritten meanwhile comes as silence."""
        late = self.written - self._frames - self._read
        start = self._read % self._frames
        columns = np.arange(start, start + frames) % self._frames
        block: FloatArray = self._sound[:, columns]
        lost = min(max(late, self.written - self._frames - self._read, 0), frames)
        block[:, :lost] = 0.0
        self.lost_frames += lost
        self._read += frames
        return block


class Journal:
    """A row of numbers per tick, from one process to another: where all controls stood at its end."""

    def __init__(self, arena: Arena, columns: int, capacity: int) -> None:
        self._written = arena.array(1, np.int64)
        self._rows: DoubleArray = arena.array((capacity, columns), np.float64)
        self._read = 0
        self.lost_rows = 0
        """What the reader was too late for; of the reader's side."""

    def write(self, row: DoubleArray) -> None:
        """Append a row."""
        self._rows[int(self._written[0]) % len(self._rows)] = row
        self._written[0] += 1

    def read(self) -> DoubleArray:
        """A copy of the rows written since, (rows, columns); those that were overwritten are left out."""
        written, capacity = int(self._written[0]), len(self._rows)
        first = max(self._read, written - capacity)
        rows: DoubleArray = self._rows[np.arange(first, written) % capacity]
        sure = max(int(self._written[0]) - capacity, first)
        self.lost_rows += sure - self._read
        self._read = written
        return rows[sure - first :]


@dataclass(frozen=True, slots=True)
class Order:
    """One message: what (`kind`, see who uses the queue), on which control, from which frame on."""

    kind: int
    index: int
    frame: int
    value: float = 0.0
    frames: int = 0


class OrderQueue:
    """Orders from one process to another.

    A record carries its number and a check word written last, so that a reader on a machine that reorders writes
    takes it only when it is whole.
    """

    WORDS: Final = 7

    def __init__(self, arena: Arena, capacity: int) -> None:
        self._words: NDArray[np.int64] = arena.array((capacity, self.WORDS), np.int64)
        self._taken = arena.array(1, np.int64)
        self._capacity = capacity
        self._put = 0
        self._next = 0

    def put(self, order: Order) -> bool:
        """Append; False when the queue is full and nothing was done."""
        if self._put - int(self._taken[0]) >= self._capacity:
            return False
        value = int(np.float64(order.value).view(np.int64))
        number = self._put + 1
        record = self._words[self._put % self._capacity]
        words = (number, order.kind, order.index, order.frame, value, order.frames)
        record[1:-1] = words[1:]
        record[0] = number
        record[-1] = _check(words)
        self._put += 1
        return True

    def take(self) -> Order | None:
        """The next order, or None."""
        record = self._words[self._next % self._capacity]
        if record[0] != self._next + 1:
            return None
        words = tuple(record.tolist())
        if words[-1] != _check(words[:-1]):
            return None
        self._next += 1
        self._taken[0] = self._next
        _, kind, index, frame, value, frames, _ = words
        return Order(kind, index, frame, float(np.int64(value).view(np.float64)), frames)


def _check(words: tuple[int, ...]) -> int:
    check = 0x5EED
    for word in words:
        check ^= word
    return check

"""Files in place of a sound card: the tracks of a multitrack as blocks of lanes."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import numpy as np

from tonmeister.fused.group import BlockReader
from tonmeister.multitrack import Multitrack
from tonmeister.units import FloatArray

__all__ = ["FileInputs", "MemoryInputs", "ReadAhead"]

_CHUNK_FRAMES: Final = 8192
_CHUNKS_AHEAD: Final = 3


class FileInputs:
    """Reads all tracks side by side; a shorter one is followed by silence. Use it in a ``with`` statement."""

    def __init__(self, multitrack: Multitrack) -> None:
        self._multitrack = multitrack
        self.frames = multitrack.frames
        self.position = 0
        self._stack = ExitStack()

    def __enter__(self) -> FileInputs:
        rate = self._multitrack.sample_rate
        self._readers: list[tuple[BlockReader, int]] = [
            (self._stack.enter_context(track.open(rate)), track.channels) for track in self._multitrack.tracks
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def lanes(self) -> int:
        """Channels of all tracks together."""
        return sum(track.channels for track in self._multitrack.tracks)

    def read_into(self, target: FloatArray) -> None:
        """The next frames of all tracks, (lanes, frames)."""
        lane = 0
        for reader, channels in self._readers:
            block = reader.read(target.shape[1])
            target[lane : lane + channels, : block.shape[1]] = block
            target[lane : lane + channels, block.shape[1] :] = 0.0
            lane += channels
        self.position += target.shape[1]


class MemoryInputs:
    """A sound in memory, (lanes, frames), in place of files."""

    def __init__(self, sound: FloatArray) -> None:
        self._sound = sound
        self.lanes, self.frames = sound.shape
        self.position = 0

    def __enter__(self) -> MemoryInputs:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def read_into(self, target: FloatArray) -> None:
        """The next frames, zeros behind the end."""
        part = self._sound[:, self.position : self.position + target.shape[1]]
        target[:, : part.shape[1]] = part
        target[:, part.shape[1] :] = 0.0
        self.position += target.shape[1]


class ReadAhead:
    """Files read by a thread some chunks before they are wanted, as no sound card makes anybody wait for a disk.

    Use it in a ``with`` statement.
    """

    def __init__(self, inputs: FileInputs) -> None:
        self._inputs = inputs
        self.lanes, self.frames = inputs.lanes, inputs.frames
        self.position = 0
        self._stack = ExitStack()

    def __enter__(self) -> ReadAhead:
        self._stack.enter_context(self._inputs)
        self._thread = self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="files"))
        self._coming = deque(self._thread.submit(self._chunk) for _ in range(_CHUNKS_AHEAD))
        self._here: FloatArray = np.zeros((self.lanes, 0), np.float32)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read_into(self, target: FloatArray) -> None:
        """The next frames of all tracks, (lanes, frames); waits only where files are slower than music."""
        done, wanted = 0, target.shape[1]
        while done < wanted:
            if not self._here.shape[1]:
                self._here = self._coming.popleft().result()
                self._coming.append(self._thread.submit(self._chunk))
            part = self._here[:, : wanted - done]
            target[:, done : done + part.shape[1]] = part
            self._here = self._here[:, part.shape[1] :]
            done += part.shape[1]
        self.position += wanted

    def _chunk(self) -> FloatArray:
        chunk: FloatArray = np.empty((self.lanes, _CHUNK_FRAMES), np.float32)
        self._inputs.read_into(chunk)
        return chunk

"""Files in place of a sound card: the tracks of a multitrack as blocks of lanes."""

from __future__ import annotations

from contextlib import ExitStack

from tonmeister.fused.group import BlockReader
from tonmeister.multitrack import Multitrack
from tonmeister.units import FloatArray

__all__ = ["FileInputs", "MemoryInputs"]


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

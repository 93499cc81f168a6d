"""The song before it is mixed: tracks with lazy audio, aligned, at one sample rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tonmeister.audio import Audio, AudioInfo, AudioReader, resampled_frames
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["Excluded", "Multitrack", "SourceFile", "Track", "TrackReader"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One audio stream on disk (stem files hold several)."""

    path: Path
    info: AudioInfo
    stream: int = 0
    picked: tuple[int, ...] = ()
    """The channels that belong to the track, counted from 0; empty: all of them."""

    @property
    def channels(self) -> int:
        return len(self.picked) or self.info.channels


@dataclass(frozen=True)
class Track:
    """One source of the song; its audio is read only when asked for.

    ``sources`` holds one file, two mono files (a left and right that belong together), or nothing when the
    audio is in memory (``audio``).
    """

    name: str
    """Unique in the multitrack: the name of its strip."""
    sources: tuple[SourceFile, ...] = ()
    audio: Audio | None = field(default=None, repr=False, compare=False)
    instrument: str = "other"
    role: str = "foreground"
    confidence: float = 0.0
    """How sure instrument and role are, 0 to 1."""
    evidence: str = "nothing known"
    """In words, for the reader: where instrument and role come from."""
    known_by: str = ""
    """Who says what it is: ``person``, ``name``, ``hint`` (a weak word in the name), ``sound``, or '' for nobody."""
    attributes: tuple[str, ...] = ()
    """What else the name says: mic, di, amp, in, out, top, bottom, double, left, right, room, print..."""
    group: str | None = None
    """Several microphones or takes of one source share a group."""
    kind: str = "source"
    input_gain_db: float = 0.0
    """Applied on reading: the gain knob in front of everything (evaluation scrambles with it)."""

    @property
    def file(self) -> str:
        """File name(s) for a reader; the track's name when the audio is in memory."""
        names = [s.path.name + (f"#{s.stream}" if s.stream else "") for s in self.sources]
        return " + ".join(names) if names else self.name

    @property
    def channels(self) -> int:
        if self.audio is not None:
            return self.audio.channels
        return 2 if len(self.sources) == 2 else self.sources[0].channels

    @property
    def native_rate(self) -> int:
        return self.audio.sample_rate if self.audio is not None else self.sources[0].info.sample_rate

    def frames_at(self, sample_rate: int) -> int:
        """Length in frames at `sample_rate`."""
        frames = self.audio.frames if self.audio is not None else max(s.info.frames for s in self.sources)
        return resampled_frames(frames, self.native_rate, sample_rate)

    def open(self, sample_rate: int) -> TrackReader:
        """A reader of this track's audio, resampled to `sample_rate`; use it in a ``with`` statement."""
        return TrackReader(self, sample_rate)

    def blocks(self, sample_rate: int, block_frames: int) -> Iterator[FloatArray]:
        """The track's audio in blocks of (channels, <= block_frames)."""
        with self.open(sample_rate) as reader:
            while (block := reader.read(block_frames)).shape[1]:
                yield block


class TrackReader:
    """Reads a track block by block, joining left and right files."""

    def __init__(self, track: Track, sample_rate: int) -> None:
        self.channels = track.channels
        self._gain = np.float32(db_to_gain(track.input_gain_db)) if track.input_gain_db else None
        self._picked: tuple[int, ...] = track.sources[0].picked if len(track.sources) == 1 else ()
        if track.audio is not None:
            self._readers = [AudioReader.from_memory(track.audio, sample_rate)]
        else:
            from tonmeister.dsp.pcm import open_quickly

            self._readers = [open_quickly(s.path, sample_rate, stream=s.stream) for s in track.sources]

    def __enter__(self) -> TrackReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers:
            reader.close()

    def read(self, frames: int) -> FloatArray:
        """The next (channels, <= frames); zero frames at the end."""
        block = _joined([reader.read(frames) for reader in self._readers])
        if self._picked:
            block = np.ascontiguousarray(block[list(self._picked)])
        return block if self._gain is None else block * self._gain

    def read_into(self, target: FloatArray) -> int:
        """Fill `target` (channels, frames), zeros behind the end; returns how many frames there were."""
        if self._picked:
            block = self.read(target.shape[1])
            target[:, : block.shape[1]], target[:, block.shape[1] :] = block, 0.0
            return int(block.shape[1])
        if len(self._readers) == 1:
            got = self._readers[0].read_into(target)
        else:
            got = max(r.read_into(target[i : i + 1]) for i, r in enumerate(self._readers))
        if self._gain is not None:
            target *= self._gain
        return got


def _joined(blocks: list[FloatArray]) -> FloatArray:
    """Mono blocks as the channels of one, the shorter padded."""
    if len(blocks) == 1:
        return blocks[0]
    length = max(b.shape[1] for b in blocks)
    return np.vstack([np.pad(b, ((0, 0), (0, length - b.shape[1]))) for b in blocks])


@dataclass(frozen=True, slots=True)
class Excluded:
    """A file that was found and left out, and why."""

    file: str
    why: str


@dataclass(frozen=True)
class Multitrack:
    """Tracks of one song, all starting together."""

    title: str
    tracks: tuple[Track, ...]
    sample_rate: int
    folder: Path | None = None
    references: tuple[Track, ...] = ()
    """Finished or rough mixes found beside the tracks; never summed."""
    excluded: tuple[Excluded, ...] = ()
    notes: tuple[str, ...] = ()
    """What was noticed and repaired on loading, in words."""
    tempo_bpm: float | None = None
    genre: str = ""
    locks: tuple[str, ...] = ()
    """Strips (or ``strip.target``) that engines leave alone, from the folder's tonmeister.toml."""

    @property
    def frames(self) -> int:
        """Length of the longest track, at the multitrack's rate."""
        return max((t.frames_at(self.sample_rate) for t in self.tracks), default=0)

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.tracks)

    def __getitem__(self, name: str) -> Track:
        return next(t for t in self.tracks if t.name == name)

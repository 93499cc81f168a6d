"""The tracks and the mix side by side, block by block, the mix moved to where the tracks are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.audio import Audio, AudioReader, open_audio
from tonmeister.errors import AudioFileError
from tonmeister.multitrack import Multitrack, Track, TrackReader
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Block", "MixSource", "ShiftedReader", "checked", "filled", "side_by_side"]

Block = tuple[DoubleArray, DoubleArray]
"""Tracks (1 or 2 sides, tracks, frames) and mix (sides, frames); one side of tracks serves both sides of the mix."""

_TAPS: Final = 32
"""Half length of the interpolator that moves the mix by a part of a frame."""
_PIECE_FRAMES: Final = 8192
_READ_BLOCKS: Final = 8
"""Blocks decoded at once."""


class MixSource:
    """A finished mix, in a file or in memory."""

    def __init__(self, mix: Path | Audio) -> None:
        self._audio = mix if isinstance(mix, Audio) else None
        self.path = None if isinstance(mix, Audio) else Path(mix)
        self.name = str(self.path) if self.path is not None else "the mix"
        self.title = self.path.name if self.path is not None else "the mix"
        with self.open(None) as reader:
            self.native_rate, self.channels = reader.sample_rate, reader.channels
        if self.channels > 2:
            raise AudioFileError(f"{self.name}: channels={self.channels}: give a mono or stereo mix")

    def open(self, sample_rate: int | None) -> AudioReader:
        """A reader at `sample_rate` (None: its own)."""
        if self._audio is not None:
            return AudioReader.from_memory(self._audio, sample_rate)
        assert self.path is not None
        return open_audio(self.path, sample_rate)

    def frames_at(self, sample_rate: int) -> int:
        """Length in frames at `sample_rate`."""
        with self.open(sample_rate) as reader:
            return reader.frames

    def blocks(self, sample_rate: int, frames: int, delay_frames: float = 0.0) -> Iterator[FloatArray]:
        """The mix from `delay_frames` on in blocks of (channels, frames), the last one filled up with silence."""
        with self.open(sample_rate) as reader:
            left = reader.frames - round(delay_frames)
            shifted = ShiftedReader(reader, self.name, delay_frames)
            while left > 0:
                yield shifted.read(frames)
                left -= frames


class ShiftedReader:
    """Reads a mix early by `delay_frames`, so that it lines up with its tracks; silence stands outside of it.

    The part of a frame is made up by a windowed sinc, out[n] = sum_j mix[n + whole + j] sinc(j - part).
    """

    def __init__(self, reader: AudioReader, name: str, delay_frames: float) -> None:
        whole = round(delay_frames)
        self._reader, self._name = reader, name
        self._kernel = _interpolator(delay_frames - whole)
        self._margin = len(self._kernel) // 2
        self._held = np.zeros((reader.channels, 0), np.float32)
        start = whole - self._margin
        if start >= 0:
            _skip(reader, start)
        else:
            self._held = np.zeros((reader.channels, -start), np.float32)

    def read(self, frames: int) -> FloatArray:
        """The next (channels, frames), always full."""
        wanted = frames + 2 * self._margin
        more = checked(self._name, filled(self._reader, max(wanted - self._held.shape[1], 0)))
        held = np.concatenate((self._held, more), axis=1)
        self._held = held[:, frames:]
        if not self._margin:
            return held[:, :frames]
        reversed_kernel = self._kernel[::-1]
        return np.stack([np.convolve(side[:wanted], reversed_kernel, "valid") for side in held])


def _interpolator(part: float) -> FloatArray:
    """Weights of frames -32 to 32 around the place that lies `part` of a frame late; one weight where part is 0."""
    if part == 0:
        return np.ones(1, np.float32)
    places = np.arange(-_TAPS, _TAPS + 1)
    weights = np.sinc(places - part) * np.kaiser(2 * _TAPS + 1, 8.0)
    return np.asarray(weights / weights.sum(), np.float32)


def _skip(reader: AudioReader, frames: int) -> None:
    while frames > 0 and (got := reader.read(min(frames, 1 << 16)).shape[1]):
        frames -= got


def checked(name: str, block: FloatArray) -> FloatArray:
    """The block, if all of its samples are numbers."""
    if not np.isfinite(block).all():
        raise AudioFileError(f"{name}: holds samples that are not numbers (NaN or infinite): export it again")
    return block


def side_by_side(
    multitrack: Multitrack, mix: MixSource, *, delay_frames: float, block_frames: int, threads: int
) -> Iterator[Block]:
    """Blocks of exactly `block_frames` from the start of the tracks to the end of the longest one."""
    rate, tracks = multitrack.sample_rate, multitrack.tracks
    sides = 2 if mix.channels == 2 and any(t.channels == 2 for t in tracks) else 1
    blocks = math.ceil(multitrack.frames / block_frames)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="unmix"))
        readers = [stack.enter_context(t.open(rate)) for t in tracks]
        shifted = ShiftedReader(stack.enter_context(mix.open(rate)), mix.name, delay_frames)
        for start in range(0, blocks, _READ_BLOCKS):
            count = min(_READ_BLOCKS, blocks - start)
            frames = count * block_frames
            jobs = [pool.submit(_sides_of, t, r, frames, sides) for t, r in zip(tracks, readers, strict=True)]
            heard = shifted.read(frames)
            read = [job.result() for job in jobs]
            for at in range(0, frames, block_frames):
                part = slice(at, at + block_frames)
                together = np.stack([track[:, part] for track in read], axis=1)
                yield together.astype(np.float64), heard[:, part].astype(np.float64)


def _sides_of(track: Track, reader: TrackReader, frames: int, sides: int) -> FloatArray:
    """The next (sides, frames) of a track: both sides, or their mean; silence behind its end."""
    block = checked(track.file, filled(reader, frames))
    return block.mean(axis=0, keepdims=True) if sides == 1 else np.broadcast_to(block, (2, frames))


def filled(reader: TrackReader | AudioReader, frames: int) -> FloatArray:
    """The next (channels, frames), read in small pieces (what takes long to decode comes in small packets)."""
    block = np.zeros((reader.channels, frames), np.float32)
    at = 0
    while at < frames and (piece := reader.read(min(_PIECE_FRAMES, frames - at))).shape[1]:
        block[:, at : at + piece.shape[1]] = piece
        at += piece.shape[1]
    return block

"""Running any estimator over a recording of any length, rate and layout, in bounded memory.

The estimator hears the recording at its own rate; the tracks come back to the recording's, and there the residual is
formed in the time domain, last of all::

    residual = x - sum of the tracks

so that tracks and residual add up to the input, whatever the estimator did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import soxr

from tonmeister.audio import Audio, AudioReader, probe
from tonmeister.audio_output import AudioWriter, check_output
from tonmeister.dsp.pcm import open_quickly
from tonmeister.errors import BadInputError
from tonmeister.multitrack import Multitrack, SourceFile, Track
from tonmeister.separation.base import RESIDUAL, MaskEstimator, WaveEstimator
from tonmeister.separation.masks import MaskRule, soft
from tonmeister.separation.processes import Process, process_for
from tonmeister.units import FloatArray

__all__ = ["BadSamples", "Estimator", "Progress", "StreamingSeparator", "separated_blocks", "track_files"]

Estimator = MaskEstimator | WaveEstimator
Progress = Callable[[float], None]
"""Told how much is done, 0 to 1."""
BadSamples = Literal["refuse", "zero"]
"""What happens to samples that are not numbers."""

_BLOCK_FRAMES: Final = 1 << 16
_KNOWN: Final = {
    "vocals": ("voice", "lead"),
    "drums": ("drums", "foreground"),
    "bass": ("bass", "foreground"),
    "guitar": ("electric_guitar", "foreground"),
    "piano": ("piano", "foreground"),
    RESIDUAL: ("other", "background"),
}
"""Instrument and role of separated tracks by their usual names; others are known by nothing."""


@dataclass(frozen=True)
class StreamingSeparator:
    """A `Separator` made of an estimator; `rule` says how its masks cut."""

    name: str
    estimator: Estimator
    rule: MaskRule = soft
    wiener_rounds: int = 0
    """Rounds of the multichannel Wiener filter behind the masks."""
    bad: BadSamples = "refuse"

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks without the residual."""
        return self.estimator.tracks

    def separate(self, audio: Audio, progress: Progress | None = None) -> Multitrack:
        """Tracks in memory; for what is long, `separate_file`."""
        with AudioReader.from_memory(audio) as reader:
            blocks = list(self.blocks(reader, "the recording", progress))
        whole = np.concatenate(blocks, axis=-1)
        tracks = [
            _track(name, audio=Audio(sound, audio.sample_rate))
            for name, sound in zip((*self.tracks, RESIDUAL), whole, strict=True)
        ]
        return Multitrack("", tuple(tracks), audio.sample_rate)

    def separate_file(
        self, path: Path, folder: Path, *, overwrite: bool = False, progress: Progress | None = None
    ) -> Multitrack:
        """Tracks as 32-bit float files NAME.wav in `folder`, which exists; all or none appear."""
        info = probe(path)
        names = (*self.tracks, RESIDUAL)
        files = track_files(names, folder, overwrite=overwrite)
        with ExitStack() as stack:
            reader = stack.enter_context(open_quickly(path))
            writers = [
                stack.enter_context(
                    AudioWriter(
                        file, info.sample_rate, info.channels, subtype="32f", frames=info.frames,
                        overwrite=overwrite, title=name, time_reference_frames=info.time_reference_frames,
                    )
                )
                for name, file in files.items()
            ]  # fmt: skip
            for block in self.blocks(reader, str(path), progress):
                for writer, sound in zip(writers, block, strict=True):
                    writer.write(sound)
        tracks = [_track(name, sources=(SourceFile(file, probe(file)),)) for name, file in files.items()]
        return Multitrack(info.title or path.stem, tuple(tracks), info.sample_rate)

    def blocks(
        self, reader: AudioReader, what: str, progress: Progress | None = None
    ) -> Iterator[FloatArray]:
        """Tracks and residual of what `reader` gives, as in `separated_blocks`; `what` it is called in errors."""
        told = progress or (lambda done: None)
        total = max(reader.frames, 1)
        sound = _checked(reader.blocks(_BLOCK_FRAMES), reader.sample_rate, what, self.bad)
        done = 0
        separated = separated_blocks(
            self.estimator, sound, reader.channels, reader.sample_rate, self.rule, self.wiener_rounds
        )
        for block in separated:
            yield block
            done += block.shape[-1]
            told(min(done / total, 1.0))
        if not done:
            raise BadInputError(f"{what}: holds no samples: export it again")


def track_files(names: Sequence[str], folder: Path, *, overwrite: bool) -> dict[str, Path]:
    """Where the tracks go, NAME.wav each; refuses what exists."""
    files = {name: folder / f"{name}.wav" for name in names}
    for file in files.values():
        check_output(file, overwrite=overwrite)
    return files


def separated_blocks(
    estimator: Estimator,
    blocks: Iterable[FloatArray],
    channels: int,
    sample_rate: int,
    rule: MaskRule = soft,
    wiener_rounds: int = 0,
) -> Iterator[FloatArray]:
    """(tracks + 1, channels, frames) of blocks (channels, frames); the last track is the residual."""
    known_rate = (
        estimator.framing.sample_rate if isinstance(estimator, MaskEstimator) else estimator.sample_rate
    )
    process = process_for(estimator, channels, rule, wiener_rounds)
    if known_rate not in (None, sample_rate):
        process = _AtItsRate(process, channels, len(estimator.tracks), sample_rate, int(known_rate or 0))
    held = _Queue(channels)
    for block in blocks:
        held.put(block)
        tracks = process.push(block)
        if tracks.shape[-1]:
            yield _with_residual(held.take(tracks.shape[-1]), tracks)
    if held.total:
        tracks = process.finish()
        yield _with_residual(held.take(held.frames), tracks)


def _with_residual(sound: FloatArray, tracks: FloatArray) -> FloatArray:
    residual = sound - tracks.sum(axis=0, dtype=np.float64)
    return np.concatenate([tracks, residual[None].astype(np.float32)])


class _Queue:
    """Blocks waiting to be taken in other lengths."""

    def __init__(self, channels: int) -> None:
        self._blocks = np.zeros((channels, 0), np.float32)
        self.total = 0

    @property
    def frames(self) -> int:
        return int(self._blocks.shape[1])

    def put(self, block: FloatArray) -> None:
        self._blocks = np.concatenate([self._blocks, block], axis=1)
        self.total += block.shape[1]

    def take(self, frames: int) -> FloatArray:
        block, self._blocks = self._blocks[:, :frames], self._blocks[:, frames:]
        return block


class _AtItsRate:
    """A process at another rate than the recording's; as many frames come out as go in."""

    def __init__(
        self, process: Process, channels: int, tracks: int, sample_rate: int, known_rate: int
    ) -> None:
        self._process = process
        self._shape = (tracks, channels)
        self._there = _resampler(sample_rate, known_rate, channels)
        self._back = _resampler(known_rate, sample_rate, tracks * channels)
        self._left = self._heard = 0
        self._nothing = np.zeros((channels, 0), np.float32)

    def push(self, block: FloatArray) -> FloatArray:
        self._left += block.shape[1]
        return self._returned(self._push(block))

    def finish(self) -> FloatArray:
        rest, left = self._push(self._nothing, last=True), self._left
        if self._heard:
            rest = np.concatenate([rest, self._process.finish()], axis=-1)
        out = self._returned(rest, last=True)
        return np.pad(out, ((0, 0), (0, 0), (0, left - out.shape[-1])))

    def _push(self, block: FloatArray, *, last: bool = False) -> FloatArray:
        heard = _resampled(self._there, block, last=last)
        self._heard += heard.shape[1]
        return self._process.push(heard)

    def _returned(self, tracks: FloatArray, *, last: bool = False) -> FloatArray:
        flat = _resampled(self._back, np.concatenate(list(tracks)), last=last)
        out = flat.reshape(*self._shape, flat.shape[-1])[..., : self._left]
        self._left -= out.shape[-1]
        return out


def _resampler(from_rate: int, to_rate: int, channels: int) -> Any:
    """soxr's linear-phase converter, as in `AudioReader`."""
    return soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")


def _resampled(stream: Any, block: FloatArray, *, last: bool = False) -> FloatArray:
    return np.ascontiguousarray(stream.resample_chunk(np.ascontiguousarray(block.T), last=last).T)


def _checked(
    blocks: Iterable[FloatArray], sample_rate: int, what: str, bad: BadSamples
) -> Iterator[FloatArray]:
    """The blocks; samples that are not numbers are refused, the first one named, or made silent."""
    start = 0
    for block in blocks:
        finite = np.isfinite(block)
        if not finite.all():
            if bad == "refuse":
                frame = int(np.argmin(finite.all(axis=0)))
                channel = int(np.argmin(finite[:, frame]))
                raise BadInputError(
                    f"{what}: sample {start + frame} of channel {channel + 1} "
                    f"({(start + frame) / sample_rate:.3f} s) is not a number: export it again, or let such "
                    "samples be silent with --bad-samples zero"
                )
            block = np.where(finite, block, np.float32(0.0))
        yield block
        start += block.shape[1]


def _track(name: str, *, sources: tuple[SourceFile, ...] = (), audio: Audio | None = None) -> Track:
    instrument, role = _KNOWN.get(name, ("other", "foreground"))
    known = name in _KNOWN
    return Track(
        name,
        sources,
        audio,
        instrument=instrument,
        role=role,
        confidence=1.0 if known else 0.0,
        evidence=f"separated as {name}",
        known_by="name" if known else "",
    )

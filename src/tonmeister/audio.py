"""Audio in memory and on disk: the only place where files are opened, resampled, dithered and written.

Everything inside tonmeister is float32 of shape (channels, frames); files are transposed here and nowhere else.
WAV, RF64, W64, FLAC, AIFF, CAF, MP3, OGG and Opus are read by libsndfile; MP4, M4A/AAC, WebM and Matroska need
the extra ``formats``.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import soundfile
import soxr

from tonmeister.errors import AudioFileError, BadInputError, MissingExtraError
from tonmeister.riff import wav_facts
from tonmeister.units import FloatArray

__all__ = [
    "AUDIO_SUFFIXES",
    "CONTAINER_SUFFIXES",
    "Audio",
    "AudioInfo",
    "AudioReader",
    "Decoder",
    "open_audio",
    "probe",
    "read_audio",
    "resampled_frames",
]

_SNDFILE_SUFFIXES: Final = frozenset(
    ".wav .wave .rf64 .w64 .bwf .flac .aiff .aif .aifc .caf .mp3 .ogg .oga .opus".split()
)
CONTAINER_SUFFIXES: Final = frozenset(".m4a .mp4 .aac .webm .mka .mkv .mov".split())
"""Those that need the extra ``formats``."""
AUDIO_SUFFIXES: Final = _SNDFILE_SUFFIXES | CONTAINER_SUFFIXES
"""File endings that are taken for audio, lower case."""

_EXACT: Final = frozenset(("WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "CAF"))
"""Containers whose header states the length exactly, so that less is a fault."""

_PLAIN_MOGG: Final = 0x0A
_LARGEST_MOGG_BYTES: Final = 1 << 30

_RATES: Final = range(4000, 768_001)


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory: ``samples`` float32 (channels, frames) at ``sample_rate`` hertz."""

    samples: FloatArray
    sample_rate: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.ndim != 2:
            raise BadInputError(f"samples.ndim={samples.ndim}: audio has shape (channels, frames)")
        object.__setattr__(self, "samples", np.ascontiguousarray(samples, dtype=np.float32))

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def frames(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header of a file says about one of its streams."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    """Exact for lossless files; compressed ones state a duration that may be a few frames off."""
    container: str
    subtype: str
    streams: int = 1
    title: str = ""
    time_reference_frames: int = 0
    """Where the file begins on its session's time line (BWF), at its own rate."""
    stream_titles: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate


class Decoder(Protocol):
    """Delivers (channels, <= frames) float32 at the file's own rate; an empty block is the end."""

    def read(self, frames: int) -> FloatArray: ...
    def close(self) -> None: ...


def probe(path: Path, *, stream: int = 0) -> AudioInfo:
    """Read a file's header.

    Raises `AudioFileError` when it is not audio that can be read, in one line.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioFileError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise AudioFileError(f"{path}: the file is empty (0 bytes): export it again or take it out")
    info = _probe_container(path, stream) if _is_container(path) else _probe_sndfile(path)
    if info.sample_rate not in _RATES:
        raise AudioFileError(f"{path}: sample_rate={info.sample_rate} Hz is not one that music comes in")
    return info


def open_audio(path: Path, sample_rate: int | None = None, *, stream: int = 0) -> AudioReader:
    """A block reader of a file at `sample_rate` (None: its own); use it in a ``with`` statement."""
    info = probe(path, stream=stream)
    decoder: Decoder = _ContainerDecoder(info, stream) if _is_container(path) else _SndfileDecoder(info)
    return AudioReader(decoder, info.sample_rate, info.channels, info.frames, sample_rate or info.sample_rate)


def read_audio(path: Path, sample_rate: int | None = None, *, stream: int = 0) -> Audio:
    """The whole file in memory, resampled to `sample_rate` when that is given."""
    with open_audio(path, sample_rate, stream=stream) as reader:
        blocks = list(reader.blocks(1 << 16))
    samples = np.concatenate(blocks, axis=1) if blocks else np.zeros((reader.channels, 0), np.float32)
    return Audio(samples, reader.sample_rate)


def resampled_frames(frames: int, native_rate: int, sample_rate: int) -> int:
    """How many frames a file has at another rate: frames * to / from, rounded half up as soxr does."""
    return (2 * frames * sample_rate + native_rate) // (2 * native_rate)


class AudioReader:
    """Delivers blocks at a chosen rate from a decoder that has its own.

    Resampling is soxr's HQ linear-phase converter, compensated for its delay.
    """

    def __init__(
        self, decoder: Decoder, native_rate: int, channels: int, frames: int, sample_rate: int
    ) -> None:
        self.channels = channels
        self.sample_rate = sample_rate
        self.frames = resampled_frames(frames, native_rate, sample_rate)
        self._decoder = decoder
        self._ratio = native_rate / sample_rate
        self._resampler = (
            soxr.ResampleStream(native_rate, sample_rate, channels, dtype="float32", quality="HQ")
            if native_rate != sample_rate
            else None
        )
        self._pending = np.zeros((channels, 0), np.float32)
        self._ended = False

    @classmethod
    def from_memory(cls, audio: Audio, sample_rate: int | None = None) -> AudioReader:
        """A reader of sound that is already in memory."""
        rate = sample_rate or audio.sample_rate
        return cls(_MemoryDecoder(audio.samples), audio.sample_rate, audio.channels, audio.frames, rate)

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def blocks(self, frames: int) -> Iterator[FloatArray]:
        """Blocks of (channels, frames) until the end; the last may be shorter."""
        while (block := self.read(frames)).shape[1]:
            yield block

    def read(self, frames: int) -> FloatArray:
        """The next (channels, <= frames), always full until the end of the file."""
        pieces, held = [self._pending], self._pending.shape[1]
        while held < frames and not self._ended:
            pieces.append(self._next(frames - held))
            held += pieces[-1].shape[1]
        joined = pieces[-1] if held == pieces[-1].shape[1] else np.concatenate(pieces, axis=1)
        self._pending = joined[:, frames:]
        return np.ascontiguousarray(joined[:, :frames])

    def read_into(self, target: FloatArray) -> int:
        """Fill `target` (channels, frames), what is behind the end with zeros; how many frames there were."""
        straight = getattr(self._decoder, "read_into", None)
        if straight is not None and self._resampler is None and not self._pending.size:
            got = int(straight(target))
        else:
            block = self.read(target.shape[1])
            got = block.shape[1]
            target[:, :got] = block
        target[:, got:] = 0.0
        return got

    def _next(self, wanted: int) -> FloatArray:
        if self._resampler is None:
            block = self._decoder.read(wanted)
            self._ended = block.shape[1] == 0
            return block
        block = self._decoder.read(max(256, math.ceil(wanted * self._ratio)))
        self._ended = block.shape[1] == 0
        out: FloatArray = self._resampler.resample_chunk(np.ascontiguousarray(block.T), last=self._ended)
        return np.ascontiguousarray(out.T)


class _MemoryDecoder:
    def __init__(self, samples: FloatArray) -> None:
        self._samples = samples
        self._at = 0

    def read(self, frames: int) -> FloatArray:
        block = self._samples[:, self._at : self._at + frames]
        self._at += block.shape[1]
        return block.copy()

    def close(self) -> None:
        """Nothing is open."""


def _probe_sndfile(path: Path) -> AudioInfo:
    try:
        with _sound_file(path) as file:
            facts = wav_facts(path) if file.format in ("WAV", "WAVEX", "RF64") else None
            if facts is not None and facts.missing_bytes > 0:
                raise AudioFileError(
                    f"{path}: the file is cut off, {facts.missing_bytes} bytes of audio are missing: "
                    "copy or export it again"
                )
            return AudioInfo(
                path=path,
                sample_rate=file.samplerate,
                channels=file.channels,
                frames=max(file.frames, 0),
                container=file.format,
                subtype=file.subtype,
                title=file.title or "",
                time_reference_frames=facts.time_reference_frames if facts is not None else 0,
            )
    except (soundfile.LibsndfileError, OSError, ValueError) as error:
        raise AudioFileError(
            f"{path}: not readable as audio ({_reason(error)}): export it again or take it out"
        ) from None


def _sound_file(path: Path) -> soundfile.SoundFile:
    """The file for libsndfile; of a .mogg, the Ogg stream behind its table of seek points."""
    if path.suffix.casefold() != ".mogg":
        return soundfile.SoundFile(str(path))
    size = path.stat().st_size
    with path.open("rb") as file:
        version, start = struct.unpack("<II", file.read(8).ljust(8, b"\0"))
        if version != _PLAIN_MOGG or not 8 <= start < size <= _LARGEST_MOGG_BYTES:
            raise AudioFileError(
                f"{path}: version={version:#x}: only .mogg files that are not encrypted (0xa) can be read: "
                "export the song as separate files"
            )
        file.seek(start)
        return soundfile.SoundFile(io.BytesIO(file.read()))


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error)
    return str(text).strip().rstrip(".").lower()


class _SndfileDecoder:
    def __init__(self, info: AudioInfo) -> None:
        self._info = info
        self._file = _sound_file(info.path)
        self._read = 0

    def read(self, frames: int) -> FloatArray:
        try:
            block = self._file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioFileError(
                f"{self._info.path}: damaged at {self._read / self._info.sample_rate:.2f} s ({_reason(error)}): "
                "copy or export it again"
            ) from None
        self._read += len(block)
        if len(block) == 0 and self._read < self._info.frames and self._info.container in _EXACT:
            raise AudioFileError(
                f"{self._info.path}: the file is cut off at {self._read / self._info.sample_rate:.2f} s "
                f"of {self._info.duration_s:.2f} s: copy or export it again"
            )
        return np.ascontiguousarray(block.T)

    def close(self) -> None:
        self._file.close()


def _is_container(path: Path) -> bool:
    return path.suffix.casefold() in CONTAINER_SUFFIXES


def _av(path: Path) -> Any:
    try:
        import av
    except ImportError:
        raise MissingExtraError(f"{path}: reading {path.suffix} files", extra="formats") from None
    return av


def _probe_container(path: Path, stream: int) -> AudioInfo:
    av = _av(path)
    try:
        with av.open(str(path)) as container:
            streams = container.streams.audio
            if stream >= len(streams):
                raise AudioFileError(f"{path}: the file holds {len(streams)} audio streams, not {stream + 1}")
            chosen = streams[stream]
            return AudioInfo(
                path=path,
                sample_rate=chosen.codec_context.sample_rate,
                channels=chosen.codec_context.channels,
                frames=_container_frames(container, chosen),
                container=container.format.name,
                subtype=chosen.codec_context.name,
                streams=len(streams),
                title=str(container.metadata.get("title", "")),
                stream_titles=tuple(_stream_title(s) for s in streams),
            )
    except av.FFmpegError as error:
        raise AudioFileError(
            f"{path}: not readable as audio ({_reason(error)}): export it again or take it out"
        ) from None


def _stream_title(stream: Any) -> str:
    return str(stream.metadata.get("title") or stream.metadata.get("handler_name") or "")


def _container_frames(container: Any, stream: Any) -> int:
    """Length from the stream's duration less the encoder's delay (its start time), else from the container's."""
    rate: int = stream.codec_context.sample_rate
    if stream.duration is not None:
        return round(float((stream.duration - (stream.start_time or 0)) * stream.time_base) * rate)
    return round((container.duration or 0) / 1_000_000 * rate)


class _ContainerDecoder:
    """One audio stream of an MP4, WebM or Matroska file, through FFmpeg's libraries."""

    def __init__(self, info: AudioInfo, stream: int) -> None:
        self._av = _av(info.path)
        self._info = info
        self._container = self._av.open(str(info.path))
        chosen = self._container.streams.audio[stream]
        layout = chosen.codec_context.layout.name
        self._convert = self._av.AudioResampler(format="fltp", layout=layout, rate=info.sample_rate)
        self._frames = self._container.decode(chosen)
        self._pending: list[FloatArray] = []

    def read(self, frames: int) -> FloatArray:
        """The next decoded packet, whatever its length: the reader collects them."""
        try:
            for frame in self._frames:
                blocks = [converted.to_ndarray() for converted in self._convert.resample(frame)]
                if blocks:
                    return np.ascontiguousarray(np.concatenate(blocks, axis=1), dtype=np.float32)
        except self._av.FFmpegError as error:
            raise AudioFileError(
                f"{self._info.path}: damaged ({_reason(error)}): copy or export it again"
            ) from None
        return np.zeros((self._info.channels, 0), np.float32)

    def close(self) -> None:
        self._container.close()

"""Writing audio: format by file ending, dither once, a temporary name until complete."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from tonmeister.audio import Audio
from tonmeister.errors import BadInputError, OutputError
from tonmeister.riff import append_bext, set_channel_mask
from tonmeister.units import FloatArray

__all__ = [
    "AudioWriter",
    "OUTPUT_SUFFIXES",
    "SUBTYPES",
    "check_output",
    "made_folder",
    "partial_path",
    "write_audio",
]


@dataclass(frozen=True, slots=True)
class _Format:
    container: str
    default: str
    subtypes: tuple[str, ...]


_PCM: Final = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")
_FORMATS: Final = {
    ".wav": _Format("WAV", "PCM_24", _PCM),
    ".rf64": _Format("RF64", "PCM_24", _PCM),
    ".flac": _Format("FLAC", "PCM_24", ("PCM_16", "PCM_24")),
    ".aiff": _Format("AIFF", "PCM_24", _PCM),
    ".aif": _Format("AIFF", "PCM_24", _PCM),
    ".ogg": _Format("OGG", "VORBIS", ("VORBIS",)),
    ".opus": _Format("OGG", "OPUS", ("OPUS",)),
    ".mp3": _Format("MP3", "MPEG_LAYER_III", ("MPEG_LAYER_III",)),
}
OUTPUT_SUFFIXES: Final = tuple(_FORMATS)
"""File endings that can be written."""
SUBTYPES: Final = {"16": "PCM_16", "24": "PCM_24", "32": "PCM_32", "32f": "FLOAT"}
"""Words for bit depths on the command line."""

_BITS: Final = {"PCM_16": 16, "PCM_24": 24}
_WAV_LIMIT_BYTES: Final = 4 * 2**30 - 2**20


def check_output(path: Path, *, overwrite: bool, subtype: str | None = None) -> None:
    """Refuse an output that exists, has an unknown ending, or cannot be written, before any work is done."""
    path = Path(path)
    _subtype(path, subtype)
    if path.is_dir():
        raise BadInputError(f"{path}: is a folder: give a file name such as {path / 'mix.wav'}")
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    check_writable(path.parent)


def check_writable(folder: Path) -> None:
    """Refuse a folder that does not exist or does not take files."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder: create it first")
    probe = folder / f".tonmeister-{uuid.uuid4().hex}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot write here ({(error.strerror or str(error)).lower()}): choose another folder"
        ) from None


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """A folder for what is written within; one that was not there before and stays empty is gone when left."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if new:
            with suppress(OSError):
                folder.rmdir()


def partial_path(path: Path) -> Path:
    """A hidden name beside `path` for the time it is not complete."""
    return path.with_name(f".{path.stem[:80]}.part-{uuid.uuid4().hex[:8]}{path.suffix}")


def _format(path: Path) -> _Format:
    suffix = path.suffix.casefold()
    if suffix not in _FORMATS:
        raise BadInputError(
            f"{path}: unknown audio format {suffix!r}: end the name in one of {' '.join(_FORMATS)}"
        )
    return _FORMATS[suffix]


def _subtype(path: Path, subtype: str | None) -> str:
    """The sample format asked for in words of `SUBTYPES` or of soundfile, else the usual one of the file type."""
    form = _format(path)
    wanted = SUBTYPES.get(subtype or "", subtype) or form.default
    if wanted not in form.subtypes:
        words = [next((w for w, s in SUBTYPES.items() if s == held), held) for held in form.subtypes]
        raise BadInputError(
            f"{path}: {form.container} does not hold {subtype!r}: give one of {' '.join(words)}"
        )
    return wanted


def write_audio(path: Path, audio: Audio, *, subtype: str | None = None, overwrite: bool = False) -> None:
    """Write sound in memory to a file; see `AudioWriter`."""
    with AudioWriter(
        path, audio.sample_rate, audio.channels, subtype=subtype, frames=audio.frames, overwrite=overwrite
    ) as writer:
        writer.write(audio.samples)


class AudioWriter:
    """Writes blocks of (channels, frames) to a file that appears under its name only when complete.

    Integers get triangular (TPDF) dither of two least significant bits peak to peak, from `dither_seed`:
    y = round(x * 2^(bits - 1) + u1 - u2), u uniform in [0, 1) and a function of the seed and the sample's place
    (see `dsp.dither`), so that blocks of any size give the same file. Floats are written as they are. Left by an
    exception, nothing remains.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        channels: int,
        *,
        subtype: str | None = None,
        frames: int | None = None,
        overwrite: bool = False,
        title: str = "",
        time_reference_frames: int = 0,
        dither_seed: int = 0,
        channel_mask: int | None = None,
    ) -> None:
        """`channel_mask` says which loudspeakers the channels of a WAV file are for."""
        self.path = Path(path)
        self._overwrite = overwrite
        form = _format(self.path)
        self._subtype = _subtype(self.path, subtype)
        self._partial = partial_path(self.path)
        self._time_reference_frames = time_reference_frames
        self._title = title
        self._bits = _BITS.get(self._subtype)
        self._dither_seed = dither_seed
        self._written = 0
        container = (
            "RF64"
            if form.container == "WAV" and _too_long(frames, channels, self._subtype)
            else form.container
        )
        self._channel_mask = channel_mask
        if container == "WAV" and channel_mask is not None:
            container = "WAVEX"
        self._container = container
        try:
            self._file = soundfile.SoundFile(
                str(self._partial), "w", sample_rate, channels, self._subtype, format=container
            )
            if title:
                self._file.title = title
        except (soundfile.LibsndfileError, OSError) as error:
            self._discard()
            if self.path.parent.is_dir() and os.access(self.path.parent, os.W_OK):
                raise BadInputError(
                    f"{path}: {form.container} cannot hold {channels} channels at {sample_rate} Hz as {self._subtype}: "
                    "choose another format, for example .wav"
                ) from None
            raise OutputError(f"{path}: cannot be written ({error})") from None

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()
        elif not self._file.closed:
            self.commit()

    def write(self, block: FloatArray) -> None:
        """Append (channels, frames)."""
        try:
            self._file.write(self._quantized(block))
        except (soundfile.LibsndfileError, OSError, AssertionError) as error:
            self.discard()
            raise self._failure(error) from None

    def commit(self) -> None:
        """Finish the file and give it its name."""
        try:
            self._file.close()
            if self._channel_mask is not None and self._container in ("WAVEX", "RF64"):
                set_channel_mask(self._partial, self._channel_mask)
            if self._container in ("WAV", "WAVEX", "RF64"):
                append_bext(
                    self._partial, time_reference_frames=self._time_reference_frames, description=self._title
                )
            if self.path.exists() and not self._overwrite:
                raise BadInputError(f"{self.path}: exists already: give another name or --overwrite")
            os.replace(self._partial, self.path)
        except (soundfile.LibsndfileError, OSError) as error:
            self._discard()
            raise self._failure(error) from None
        except BadInputError:
            self._discard()
            raise

    def discard(self) -> None:
        """Close and remove what was written so far; leaving the ``with`` block then commits nothing."""
        with suppress(Exception):
            self._file.close()
        self._discard()

    def _discard(self) -> None:
        with suppress(OSError):
            self._partial.unlink()

    def _failure(self, error: Exception) -> OutputError:
        with suppress(OSError):
            if shutil.disk_usage(self.path.parent).free < 2**20:
                return OutputError(f"{self.path}: the disk is full: free some space or write elsewhere")
        reason = str(error).strip() or "no space, or the file grew too large"
        return OutputError(f"{self.path}: writing failed ({reason}): free some space or write elsewhere")

    def _quantized(self, samples: FloatArray) -> NDArray[Any]:
        """Frames (frames, channels) of the type that goes into the file, from (channels, frames)."""
        if self._bits is None:
            return np.ascontiguousarray(samples.T)
        from tonmeister.dsp.dither import dithered

        integers = np.empty(samples.shape[::-1], np.int32)
        block = np.ascontiguousarray(samples, np.float32)
        dithered(block, self._dither_seed, self._written, self._bits, integers)
        self._written += samples.shape[1]
        return integers.astype(np.int16) if self._bits == 16 else integers


def _too_long(frames: int | None, channels: int, subtype: str) -> bool:
    """Whether a plain WAV's 32-bit sizes would overflow."""
    width = 4 if subtype in ("FLOAT", "PCM_32") else _BITS[subtype] // 8
    return (frames or 0) * channels * width > _WAV_LIMIT_BYTES

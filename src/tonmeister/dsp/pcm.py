"""Decoding plain WAV files without a library: the bytes go straight to float32 rows.

A general library takes longer to decode 24-bit samples than a whole mix takes to compute. Here the header must
be plain and agree with what libsndfile says of the file; otherwise libsndfile reads it. The values are the same
bits either way: x = integer / 2^(bits - 1), floats as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.audio import AudioInfo, AudioReader, open_audio, probe
from tonmeister.dsp.jit import kernel
from tonmeister.errors import AudioFileError
from tonmeister.riff import PcmLayout, pcm_layout
from tonmeister.units import FloatArray

__all__ = ["PcmDecoder", "open_quickly"]

_SUBTYPES: Final = {"16": "PCM_16", "24": "PCM_24", "32": "PCM_32", "32f": "FLOAT"}
_TYPES: Final = {"16": np.int16, "32": np.int32, "32f": np.float32}
_SCALES: Final = {"16": np.float32(2.0**-15), "32": np.float32(2.0**-31)}
_SCALE_24: Final = np.float32(2.0**-23)


def open_quickly(path: Path, sample_rate: int | None = None, *, stream: int = 0) -> AudioReader:
    """As `audio.open_audio`, by our own decoding where the file is a plain WAV."""
    info = probe(path, stream=stream)
    layout = _understood(info)
    if layout is None:
        return open_audio(path, sample_rate, stream=stream)
    return AudioReader(
        PcmDecoder(info, layout),
        info.sample_rate,
        info.channels,
        info.frames,
        sample_rate or info.sample_rate,
    )


def _understood(info: AudioInfo) -> PcmLayout | None:
    """Our reading of the header, if libsndfile reads the same in it."""
    if info.container not in ("WAV", "WAVEX", "RF64"):
        return None
    layout = pcm_layout(info.path)
    if layout is None or _SUBTYPES[layout.kind] != info.subtype:
        return None
    ours = (layout.frames, layout.channels, layout.sample_rate)
    return layout if ours == (info.frames, info.channels, info.sample_rate) else None


class PcmDecoder:
    """Reads samples that lie one after the other in a file."""

    def __init__(self, info: AudioInfo, layout: PcmLayout) -> None:
        self._info, self._layout = info, layout
        self._frame_bytes = layout.channels * (4 if layout.kind == "32f" else int(layout.kind) // 8)
        self._file = info.path.open("rb", buffering=0)
        self._file.seek(layout.start)
        self._left = layout.frames
        self._bytes = bytearray()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, frames: int) -> FloatArray:
        """The next (channels, <= frames); an empty block at the end."""
        block = np.empty((self._layout.channels, min(frames, self._left)), np.float32)
        self.read_into(block)
        return block

    def read_into(self, target: FloatArray) -> int:
        """Fill the beginning of `target` (channels, frames); returns how many frames there were."""
        frames = min(int(target.shape[1]), self._left)
        size = frames * self._frame_bytes
        if len(self._bytes) < size:
            self._bytes = bytearray(size)
        self._take(memoryview(self._bytes)[:size])
        self._left -= frames
        _decode(self._layout.kind, self._bytes, size, target[:, :frames])
        return frames

    def _take(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            try:
                got = self._file.readinto(view[done:])
            except OSError as error:
                raise AudioFileError(f"{self._info.path}: not readable ({error.strerror or error})") from None
            if not got:
                at_s = (self._layout.frames - self._left) / self._info.sample_rate
                raise AudioFileError(
                    f"{self._info.path}: the file is cut off at {at_s:.2f} s of {self._info.duration_s:.2f} s: "
                    "copy or export it again"
                )
            done += got


def _decode(kind: str, data: bytearray, size: int, target: FloatArray) -> None:
    if kind == "24":
        codes = np.frombuffer(data, np.uint8, size)
        for channel, row in enumerate(target):
            _decode_24(codes, len(target), channel, row)
        return
    words = np.frombuffer(data, _TYPES[kind], size // np.dtype(_TYPES[kind]).itemsize)
    interleaved = words.reshape(-1, len(target)).T
    if kind == "32f":
        target[:] = interleaved
    else:
        np.multiply(interleaved, _SCALES[kind], out=target, dtype=np.float32, casting="unsafe")


@kernel
def _float_of_24(data: NDArray[np.uint8], at: int) -> np.float32:
    word = (np.int32(data[at]) << 8) | (np.int32(data[at + 1]) << 16) | (np.int32(data[at + 2]) << 24)
    return np.float32(np.int32(word) >> 8) * _SCALE_24


@kernel
def _decode_24(data: NDArray[np.uint8], channels: int, channel: int, row: FloatArray) -> None:
    """One channel of little-endian 24-bit frames."""
    if channels == 1:  # a stride the compiler knows is worth five times the speed
        for i in range(len(row)):
            row[i] = _float_of_24(data, 3 * i)
    elif channels == 2:
        for i in range(len(row)):
            row[i] = _float_of_24(data, 6 * i + 3 * channel)
    else:
        for i in range(len(row)):
            row[i] = _float_of_24(data, 3 * (i * channels + channel))

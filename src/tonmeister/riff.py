"""The few facts of a WAV file that libsndfile does not tell or write: cut-off data, BWF time reference.

Chunk layout: RIFF/WAVE (Microsoft), RF64 (EBU Tech 3306), ``bext`` (EBU Tech 3285).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

__all__ = [
    "PcmLayout",
    "WavFacts",
    "append_bext",
    "channel_mask",
    "chunks",
    "pcm_layout",
    "set_channel_mask",
    "wav_facts",
]

_UNKNOWN: Final = (0, 0xFFFFFFFF)
"""Sizes that a program writes while it does not know the length yet."""
_MAX_CHUNKS: Final = 256
_BEXT: Final = struct.Struct("<256s32s32s10s8sQH")
_FORMAT: Final = struct.Struct("<HHIIHH")
_PCM: Final = 1
_FLOAT: Final = 3
_EXTENSIBLE: Final = 0xFFFE
_GUID_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format tag in the identifier of an extensible format."""


@dataclass(frozen=True, slots=True)
class WavFacts:
    """Missing bytes of the data chunk (0 when complete) and the time reference in frames."""

    missing_bytes: int = 0
    time_reference_frames: int = 0


@dataclass(frozen=True, slots=True)
class PcmLayout:
    """Where the samples of a plain file lie, and of which kind: ``16 24 32`` or ``32f``."""

    start: int
    frames: int
    channels: int
    sample_rate: int
    kind: str


def pcm_layout(path: Path) -> PcmLayout | None:
    """The layout of a file whose header is plain and complete; None at the least doubt."""
    size = path.stat().st_size
    with path.open("rb") as file:
        found = chunks(file, size)
        forms = [c for c in found if c[0] == b"fmt "]
        datas = [c for c in found if c[0] == b"data"]
        if len(forms) != 1 or len(datas) != 1 or forms[0][1] > datas[0][1]:
            return None
        file.seek(forms[0][1])
        form = file.read(forms[0][2])
    _, start, length = datas[0]
    kind, channels, sample_rate, width = _plain_format(form)
    if not kind or length in _UNKNOWN or start + length > size or length % (channels * width):
        return None
    return PcmLayout(start, length // (channels * width), channels, sample_rate, kind)


def _plain_format(form: bytes) -> tuple[str, int, int, int]:
    """Kind, channels, rate and bytes per sample of a format chunk; no kind when anything in it is unusual."""
    nothing = "", 1, 0, 1
    if len(form) < _FORMAT.size:
        return nothing
    tag, channels, sample_rate, bytes_per_s, frame_bytes, bits = _FORMAT.unpack(form[: _FORMAT.size])
    if tag == _EXTENSIBLE:
        if len(form) != 40 or form[26:] != _GUID_TAIL or struct.unpack("<H", form[18:20])[0] != bits:
            return nothing
        tag = struct.unpack("<H", form[24:26])[0]
    kind = {(_PCM, 16): "16", (_PCM, 24): "24", (_PCM, 32): "32", (_FLOAT, 32): "32f"}.get((tag, bits), "")
    width = bits // 8
    if not channels or frame_bytes != channels * width or bytes_per_s != sample_rate * frame_bytes:
        return nothing
    return kind, channels, sample_rate, width


def wav_facts(path: Path) -> WavFacts:
    """Walk the chunks of a WAV or RF64 file; nothing is raised for what is not understood."""
    size = path.stat().st_size
    missing, reference = 0, 0
    with path.open("rb") as file:
        for name, start, length in chunks(file, size):
            if name == b"data" and length not in _UNKNOWN:
                missing = max(start + length - size, 0)
            if name == b"bext" and length >= _BEXT.size:
                file.seek(start)
                reference = _BEXT.unpack(file.read(_BEXT.size))[5]
    return WavFacts(missing, reference)


def chunks(file: BinaryIO, size: int) -> list[tuple[bytes, int, int]]:
    """(name, start, length) of each chunk; an RF64 data length comes from its ds64 chunk."""
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return []
    found: list[tuple[bytes, int, int]] = []
    at, long_data = 12, None
    while at + 8 <= size and len(found) < _MAX_CHUNKS:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"ds64" and length >= 24:
            long_data = struct.unpack("<Q", file.read(16)[8:])[0]
        if name == b"data" and length == 0xFFFFFFFF and long_data is not None:
            length = long_data
        found.append((name, at + 8, length))
        if name == b"data" and length in _UNKNOWN:
            break
        at += 8 + length + (length & 1)
    return found


def channel_mask(path: Path) -> int | None:
    """The loudspeakers a WAV file's channels are for (dwChannelMask); None where its format does not say."""
    with path.open("rb") as file:
        start = _mask_position(file, path.stat().st_size)
        if start is None:
            return None
        file.seek(start)
        return int(struct.unpack("<I", file.read(4))[0])


def set_channel_mask(path: Path, mask: int) -> None:
    """Say which loudspeakers the channels of a finished WAV or RF64 file of extensible format are for."""
    with path.open("r+b") as file:
        start = _mask_position(file, path.stat().st_size)
        if start is not None:
            file.seek(start)
            file.write(struct.pack("<I", mask))


def _mask_position(file: BinaryIO, size: int) -> int | None:
    for name, start, length in chunks(file, size):
        if name == b"fmt " and length >= 40:
            file.seek(start)
            return start + 20 if struct.unpack("<H", file.read(2))[0] == _EXTENSIBLE else None
    return None


def append_bext(path: Path, *, time_reference_frames: int, description: str) -> None:
    """Add a ``bext`` chunk with the time reference behind the audio of a finished WAV or RF64 file."""
    body = _BEXT.pack(
        description.encode("ascii", "replace")[:256], b"tonmeister", b"", b"", b"", time_reference_frames, 0
    )
    body = body.ljust(602, b"\0")
    with path.open("r+b") as file:
        head = file.read(4)
        file.seek(0, 2)
        if file.tell() & 1:
            file.write(b"\0")
        file.write(struct.pack("<4sI", b"bext", len(body)) + body)
        total = file.tell() - 8
        if head == b"RF64":
            file.seek(20)
            file.write(struct.pack("<Q", total))
        else:
            file.seek(4)
            file.write(struct.pack("<I", total))

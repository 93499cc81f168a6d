"""ADM BWF (ITU-R BS.2076): a bed of loudspeaker channels and objects with directions, in one file of 48 kHz and 24 bits.

The file is RIFF/WAVE, or BW64 (ITU-R BS.2088) where 32-bit sizes do not suffice, in this order::

    JUNK or ds64      room for 64-bit sizes
    fmt               PCM
    chna              which track of the file carries which channel of which pack
    axml              the model: programme, contents, objects, packs, channels, tracks
    data              samples, interleaved

The bed uses the common definitions (BS.2094), so a reader knows its loudspeakers by their identifiers. Every strip is an
object of two channels, its left and right, each with one direction for the whole song. This is a plain ADM file; the
narrower profiles of film and streaming masters ask for more.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np

from tonmeister.audio_output import partial_path
from tonmeister.dsp.dither import dithered
from tonmeister.errors import BadInputError, OutputError
from tonmeister.spatial.layouts import Layout
from tonmeister.units import FloatArray

__all__ = ["ADM_RATE", "AdmWriter", "BEDS", "Program", "axml", "chna"]

ADM_RATE: Final = 48_000
_WIDTH: Final = 3
_LARGEST: Final = 2**32 - 2**16

BEDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "stereo": ("0002", ("0001", "0002")),
    "5.1": ("0003", ("0001", "0002", "0003", "0004", "0005", "0006")),
    "7.1": ("000f", ("0001", "0002", "0003", "0004", "000a", "000b", "001c", "001d")),
    "5.1.4": ("0005", ("0001", "0002", "0003", "0004", "0005", "0006", "000d", "000f", "0010", "0012")),
    "7.1.4": (
        "0017",
        ("0001", "0002", "0003", "0004", "000a", "000b", "001c", "001d", "0022", "0023", "001e", "001f"),
    ),
}
"""Pack and channels of each layout in the common definitions (BS.2094), the end of their identifiers."""

_Directions = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Program:
    """What a file holds: a bed, then the objects, two tracks each."""

    title: str
    layout: Layout
    objects: Mapping[str, _Directions]
    """Name -> (azimuth, elevation) of the left and of the right channel, degrees, azimuth positive to the left."""
    frames: int

    @property
    def channels(self) -> int:
        return self.layout.channels + 2 * len(self.objects)

    def tracks(self) -> Iterator[tuple[str, str, str]]:
        """(track, format of the track, pack) of every track of the file, as identifiers."""
        pack, channels = BEDS[self.layout.name]
        for index, channel in enumerate(channels):
            yield _uid(index), f"AT_0001{channel}_01", f"AP_0001{pack}"
        for index in range(2 * len(self.objects)):
            own = _own(index)
            yield _uid(len(channels) + index), f"AT_0003{own}_01", f"AP_0003{_own(index // 2)}"


def _uid(index: int) -> str:
    return f"ATU_{index + 1:08x}"


def _own(index: int) -> str:
    """Identifiers that a file defines itself begin at 1001."""
    return f"{0x1001 + index:04x}"


def chna(program: Program) -> bytes:
    """The ``chna`` chunk's body: 40 bytes a track."""
    tracks = list(program.tracks())
    rows = [
        struct.pack("<H12s14s11sx", number, *(text.encode("ascii") for text in track))
        for number, track in enumerate(tracks, 1)
    ]
    return struct.pack("<HH", len(tracks), len(tracks)) + b"".join(rows)


def axml(program: Program) -> bytes:
    """The ``axml`` chunk's body."""
    root = ElementTree.Element("ebuCoreMain", xmlns="urn:ebu:metadata-schema:ebuCore_2015")
    whole = root
    for name in ("coreMetadata", "format", "audioFormatExtended"):
        whole = ElementTree.SubElement(whole, name)
    tracks = list(program.tracks())
    beds = len(BEDS[program.layout.name][1])
    parts = [(program.layout.name, tracks[:beds])]
    parts += [(name, tracks[beds + 2 * i : beds + 2 * i + 2]) for i, name in enumerate(program.objects)]
    programme = _element(whole, "audioProgramme", "APR_1001", program.title, start=_time(0))
    programme.set("end", _time(program.frames))
    for index in range(len(parts)):
        _reference(programme, "audioContent", f"ACO_{_own(index)}")
    for index, (name, own) in enumerate(parts):
        content = _element(whole, "audioContent", f"ACO_{_own(index)}", name)
        _reference(content, "audioObject", f"AO_{_own(index)}")
        made = _element(whole, "audioObject", f"AO_{_own(index)}", name)
        made.set("start", _time(0))
        made.set("duration", _time(program.frames))
        _reference(made, "audioPackFormat", own[0][2])
        for uid, _, _ in own:
            _reference(made, "audioTrackUID", uid)
    for index, (name, directions) in enumerate(program.objects.items()):
        _object_format(whole, index, name, directions)
    for uid, track, pack in tracks:
        made = ElementTree.SubElement(
            whole, "audioTrackUID", UID=uid, sampleRate=str(ADM_RATE), bitDepth=str(8 * _WIDTH)
        )
        _reference(made, "audioTrackFormat", track)
        _reference(made, "audioPackFormat", pack)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _object_format(whole: ElementTree.Element, index: int, name: str, directions: _Directions) -> None:
    """Pack, channels, streams and tracks of an object."""
    pack = _element(whole, "audioPackFormat", f"AP_0003{_own(index)}", name, **_OBJECTS)
    for side, (word, (azimuth_deg, elevation_deg)) in enumerate(
        zip(("left", "right"), directions, strict=True)
    ):
        own, title = _own(2 * index + side), f"{name} {word}"
        _reference(pack, "audioChannelFormat", f"AC_0003{own}")
        channel = _element(whole, "audioChannelFormat", f"AC_0003{own}", title, **_OBJECTS)
        block = ElementTree.SubElement(
            channel, "audioBlockFormat", audioBlockFormatID=f"AB_0003{own}_00000001"
        )
        for coordinate, value in (("azimuth", azimuth_deg), ("elevation", elevation_deg), ("distance", 1.0)):
            ElementTree.SubElement(block, "position", coordinate=coordinate).text = f"{value:.6f}"
        stream = _element(whole, "audioStreamFormat", f"AS_0003{own}", title, **_PCM)
        _reference(stream, "audioChannelFormat", f"AC_0003{own}")
        _reference(stream, "audioTrackFormat", f"AT_0003{own}_01")
        track = _element(whole, "audioTrackFormat", f"AT_0003{own}_01", title, **_PCM)
        _reference(track, "audioStreamFormat", f"AS_0003{own}")


_OBJECTS: Final = {"typeLabel": "0003", "typeDefinition": "Objects"}
_PCM: Final = {"formatLabel": "0001", "formatDefinition": "PCM"}


def _element(
    parent: ElementTree.Element, kind: str, identifier: str, name: str, **more: str
) -> ElementTree.Element:
    named = {f"{kind}ID": identifier, f"{kind}Name": _printable(name), **more}
    return ElementTree.SubElement(parent, kind, named)


def _reference(parent: ElementTree.Element, kind: str, identifier: str) -> None:
    name = f"{kind}Ref" if kind == "audioTrackUID" else f"{kind}IDRef"
    ElementTree.SubElement(parent, name).text = identifier


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "?" for c in text) or "untitled"


def _time(frames: int) -> str:
    seconds, rest = divmod(frames, ADM_RATE)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{rest * 100_000 // ADM_RATE:05d}"


class AdmWriter:
    """Writes blocks (channels, frames) to a file that appears under its name only when complete; dithered once."""

    def __init__(
        self, path: Path, program: Program, *, overwrite: bool = False, dither_seed: int = 0
    ) -> None:
        self.path = Path(path)
        self._partial = partial_path(self.path)
        self._program, self._overwrite, self._seed = program, overwrite, dither_seed
        self._written = 0
        self._size = program.frames * program.channels * _WIDTH
        try:
            self._file = self._partial.open("wb")
            self._file.write(self._head())
        except OSError as error:
            self.discard()
            raise self._failure(error) from None

    def _head(self) -> bytes:
        """All that comes before the samples; sizes are known from the start."""
        channels = self._program.channels
        frame_bytes = channels * _WIDTH
        form = struct.pack("<HHIIHH", 1, channels, ADM_RATE, ADM_RATE * frame_bytes, frame_bytes, 8 * _WIDTH)
        described = b"".join(
            _chunk(name, body)
            for name, body in (
                (b"fmt ", form),
                (b"chna", chna(self._program)),
                (b"axml", axml(self._program)),
            )
        )
        total = 4 + 36 + len(described) + 8 + self._size + (self._size & 1)
        if total < _LARGEST:
            start = struct.pack("<4sI4s", b"RIFF", total, b"WAVE") + _chunk(b"JUNK", bytes(28))
            return start + described + struct.pack("<4sI", b"data", self._size)
        sizes = struct.pack("<QQQI", total, self._size, 0, 0)
        start = struct.pack("<4sI4s", b"BW64", 0xFFFFFFFF, b"WAVE") + _chunk(b"ds64", sizes)
        return start + described + struct.pack("<4sI", b"data", 0xFFFFFFFF)

    def __enter__(self) -> AdmWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.discard()
        elif not self._file.closed:
            self.commit()

    def write(self, block: FloatArray) -> None:
        """Append (channels, frames): the bed, then the objects."""
        integers = np.empty(block.shape[::-1], np.int32)
        dithered(np.ascontiguousarray(block, np.float32), self._seed, self._written, 8 * _WIDTH, integers)
        self._written += block.shape[1]
        try:
            self._file.write(integers.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes())
        except OSError as error:
            self.discard()
            raise self._failure(error) from None

    def commit(self) -> None:
        """Finish the file and give it its name."""
        try:
            self._file.write(b"\0" * (self._size & 1))
            self._file.close()
            if self.path.exists() and not self._overwrite:
                self.discard()
                raise BadInputError(f"{self.path}: exists already: give another name or --overwrite")
            os.replace(self._partial, self.path)
        except OSError as error:
            self.discard()
            raise self._failure(error) from None

    def discard(self) -> None:
        """Remove what was written so far."""
        with suppress(Exception):
            self._file.close()
        with suppress(OSError):
            self._partial.unlink()

    def _failure(self, error: OSError) -> OutputError:
        reason = (error.strerror or str(error)).lower()
        return OutputError(f"{self.path}: writing failed ({reason}): free some space or write elsewhere")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) & 1)

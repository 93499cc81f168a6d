"""A recorded stream of OSC messages from a console, as an operation log.

Three kinds of files: packets each preceded by its size (the stream form of OSC 1.0), whose bundles carry the time; the
same with a time in seconds before each size (``TOSC1`` in front, what a recording script can write in three lines); and
a capture of network traffic (pcap) with OSC in UDP. Addresses are read by the table `ADDRESSES`; a packet that is not OSC
is an error, an address that is no fader is passed over and counted.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonmeister.engines.expert.files import read_bytes
from tonmeister.engines.expert.oplog import CONTROLS, Move, OperationLog, made_log
from tonmeister.errors import BadInputError

__all__ = ["ADDRESSES", "OscMessage", "load_osc", "oplog_of_osc", "packet_messages", "x32_fader_db"]

_MOST_BYTES: Final = 256 * 2**20
_MOST_DEPTH: Final = 8
_TIMED: Final = b"TOSC1\0\0\0"
_PCAP: Final[Mapping[bytes, tuple[str, float]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9), b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}  # fmt: skip
_IMMEDIATELY: Final = 1


@dataclass(frozen=True, slots=True)
class OscMessage:
    """One message: when (seconds, None where nothing says), where to, and its arguments."""

    time_s: float | None
    address: str
    arguments: tuple[float | str | bool | None, ...]


def x32_fader_db(position: float) -> float:
    """The law of the X32's faders, 0 to 1 in four straight lines; below -90 dB is off."""
    x = min(max(position, 0.0), 1.0)
    if x >= 0.5:
        return 40.0 * x - 30.0
    if x >= 0.25:
        return 80.0 * x - 50.0
    if x >= 0.0625:
        return 160.0 * x - 70.0
    return 480.0 * x - 90.0 if x > 0.0 else CONTROLS["fader_db"].minimum


def _from_unit(value: float) -> float:
    """A knob from 0 (left) to 1 (right) as a pan."""
    return 2.0 * value - 1.0


ADDRESSES: Final[Sequence[tuple[re.Pattern[str], str, Callable[[float], float]]]] = (
    (re.compile(r"/ch/(\d+)/mix/fader\Z"), "fader_db", x32_fader_db),
    (re.compile(r"/ch/(\d+)/mix/pan\Z"), "pan", _from_unit),
    (re.compile(r"/ch/(\d+)/mix/on\Z"), "mute", lambda v: float(v < 0.5)),
    (re.compile(r"/track/(\d+)/volume/db\Z"), "fader_db", float),
    (re.compile(r"/track/(\d+)/pan\Z"), "pan", _from_unit),
    (re.compile(r"/track/(\d+)/mute\Z"), "mute", float),
    (re.compile(r"/strip/(\d+)/fader_db\Z"), "fader_db", float),
    (re.compile(r"/strip/(\d+)/pan\Z"), "pan", float),
    (re.compile(r"/strip/(\d+)/mute\Z"), "mute", float),
)
"""Address with the strip's number -> control and how its value is read: X32 and its family, REAPER, ours."""


# Binary


def packet_messages(packet: bytes, time_s: float | None = None, depth: int = 0) -> Iterator[OscMessage]:
    """The messages of one packet; those in a bundle have its time."""
    if depth > _MOST_DEPTH:
        raise BadInputError("OSC: bundles are nested too deep")
    if len(packet) % 4 or not packet:
        raise BadInputError(f"OSC: a packet of {len(packet)} bytes: sizes are multiples of four")
    if packet[:8] != b"#bundle\0":
        yield _message(packet, time_s)
        return
    if len(packet) < 16:
        raise BadInputError("OSC: a bundle without a time")
    (tag,) = struct.unpack(">Q", packet[8:16])
    inner_s = time_s if tag == _IMMEDIATELY else tag / 2**32
    at = 16
    while at < len(packet):
        size, at = _size(packet, at)
        yield from packet_messages(packet[at : at + size], inner_s, depth + 1)
        at += size


def _size(data: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(data):
        raise BadInputError("OSC: the data end in the middle of a size")
    (size,) = struct.unpack(">i", data[at : at + 4])
    if size < 0 or at + 4 + size > len(data):
        raise BadInputError(f"OSC: an element of {size} bytes does not fit")
    return size, at + 4


def _message(packet: bytes, time_s: float | None) -> OscMessage:
    address, at = _string(packet, 0)
    if not address.startswith("/"):
        raise BadInputError("OSC: a packet that is neither a message nor a bundle")
    if at >= len(packet):
        return OscMessage(time_s, address, ())
    tags, at = _string(packet, at)
    if not tags.startswith(","):
        raise BadInputError(f"OSC: {address}: no type tags")
    arguments: list[float | str | bool | None] = []
    for tag in tags[1:]:
        value, at = _argument(packet, at, tag, address)
        arguments.append(value)
    return OscMessage(time_s, address, tuple(arguments))


_NUMBERS: Final[Mapping[str, str]] = {"i": ">i", "f": ">f", "h": ">q", "d": ">d", "t": ">Q"}
_WORDS: Final[Mapping[str, bool | float | None]] = {"T": True, "F": False, "N": None, "I": math.inf}


def _argument(packet: bytes, at: int, tag: str, address: str) -> tuple[float | str | bool | None, int]:
    if tag in _WORDS:
        return _WORDS[tag], at
    if tag in ("s", "S"):
        return _string(packet, at)
    if tag == "b":
        size, at = _size(packet, at)
        return None, at + (size + 3) // 4 * 4
    if tag in ("c", "r", "m"):
        return None, at + 4
    if tag not in _NUMBERS:
        raise BadInputError(f"OSC: {address}: type {tag!r} is not known")
    length = struct.calcsize(_NUMBERS[tag])
    if at + length > len(packet):
        raise BadInputError(f"OSC: {address}: the arguments end too soon")
    return float(struct.unpack(_NUMBERS[tag], packet[at : at + length])[0]), at + length


def _string(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    if end < 0:
        raise BadInputError("OSC: a text without an end")
    try:
        return packet[at:end].decode("ascii"), (end // 4 + 1) * 4
    except UnicodeDecodeError:
        raise BadInputError("OSC: a text that is not ASCII") from None


# Files


def load_osc(path: Path, strips: Sequence[str] = ()) -> OperationLog:
    """The moves in a recorded file; `strips` are the names of the console's channels, from 1."""
    return oplog_of_osc(read_bytes(path, _MOST_BYTES), strips, path.name)


def oplog_of_osc(data: bytes, strips: Sequence[str] = (), name: str = "osc") -> OperationLog:
    """The same for bytes; the first packet's time is 0."""
    messages = list(_messages(data, name))
    times = [m.time_s for m in messages if m.time_s is not None]
    if not times:
        raise BadInputError(
            f"{name}: no packet says when it was sent: record bundles with times, or use pcap"
        )
    start_s = min(times)
    moves = [m for message in messages if (m := _move(message, start_s, strips)) is not None]
    numbers = sorted({int(m.strip) for m in moves})
    names = {str(n): strips[n - 1] if n <= len(strips) else f"channel {n}" for n in numbers}
    renamed = [Move(m.t_s, names[m.strip], m.control, m.value) for m in moves]
    return made_log(dict.fromkeys(names.values()), renamed, name)


def _messages(data: bytes, name: str) -> Iterator[OscMessage]:
    try:
        if data[:4] in _PCAP:
            yield from _captured(data)
        else:
            yield from _streamed(data)
    except (struct.error, IndexError) as error:
        raise BadInputError(f"{name}: is damaged ({error})") from None
    except BadInputError as error:
        raise BadInputError(f"{name}: {error}") from None


def _streamed(data: bytes) -> Iterator[OscMessage]:
    timed = data[: len(_TIMED)] == _TIMED
    at = len(_TIMED) if timed else 0
    while at < len(data):
        time_s: float | None = None
        if timed:
            (time_s,) = struct.unpack(">d", data[at : at + 8])
            if time_s is None or not math.isfinite(time_s):
                raise BadInputError("OSC: a time that is no number")
            at += 8
        size, at = _size(data, at)
        yield from packet_messages(data[at : at + size], time_s)
        at += size


def _captured(data: bytes) -> Iterator[OscMessage]:
    """UDP over IPv4 in Ethernet frames (or raw, or loopback); other traffic is passed over."""
    order, unit = _PCAP[data[:4]]
    (link,) = struct.unpack(order + "I", data[20:24])
    skip = {1: 14, 101: 0, 12: 0, 0: 4, 113: 16}.get(link)
    if skip is None:
        raise BadInputError(f"pcap: link type {link} is not known: capture from Ethernet or loopback")
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, size, _ = struct.unpack(order + "IIII", data[at : at + 16])
        frame = data[at + 16 + skip : at + 16 + size]
        at += 16 + size
        if len(frame) < 28 or frame[0] >> 4 != 4 or frame[9] != 17:
            continue
        payload = frame[(frame[0] & 15) * 4 + 8 :]
        if payload[:1] == b"/" or payload[:8] == b"#bundle\0":
            yield from packet_messages(payload[: len(payload) // 4 * 4], seconds + fraction * unit)


def _move(message: OscMessage, start_s: float, strips: Sequence[str]) -> Move | None:
    """A message as a move of a numbered strip; None for what is no control."""
    if message.time_s is None:
        return None
    for pattern, control, read in ADDRESSES:
        match = pattern.match(message.address)
        if match is None or not message.arguments:
            continue
        value = message.arguments[0]
        if isinstance(value, str) or value is None or not math.isfinite(value):
            raise BadInputError(f"{message.address}: {value!r} is not a number")
        if int(match[1]) < 1 or int(match[1]) > 4096:
            raise BadInputError(f"{message.address}: there is no such channel")
        return Move(
            message.time_s - start_s, str(int(match[1])), control, CONTROLS[control].clip(read(float(value)))
        )
    return None

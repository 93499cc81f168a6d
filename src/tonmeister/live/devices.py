"""Where the sound comes in and goes out: a sound card through PortAudio, or files paced by a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event as Signal
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np

from tonmeister.errors import BadInputError, MissingExtraError, TonmeisterError, nearest
from tonmeister.live.clock import Clock
from tonmeister.live.link import Gauges
from tonmeister.units import FloatArray

__all__ = [
    "AudioDevice",
    "CardSettings",
    "DeviceInfo",
    "DeviceLostError",
    "FileDevice",
    "Process",
    "SoundCard",
    "chosen_devices",
    "list_devices",
    "sounddevice_module",
]

Process = Callable[[FloatArray, FloatArray], None]
"""Takes inputs (lanes, frames), fills the output (2, frames)."""

_SILENT_S: Final = 1.0
"""A card that has not asked for sound for so long is gone."""


class DeviceLostError(TonmeisterError):
    """The sound card does not answer any more."""


class AudioDevice(Protocol):
    """Plays until it is asked to stop, or its sound is over; raises `DeviceLostError`."""

    def run(self, process: Process, gauges: Gauges) -> None: ...


# ------------------------------------------------------------------ files


class FileInputsLike(Protocol):
    """See `simulate.Inputs`."""

    @property
    def lanes(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def position(self) -> int: ...
    def read_into(self, target: FloatArray) -> None: ...


class FileDevice:
    """Files in the rhythm of a sound card: block k is there after k + 1 blocks, and wanted one block later.

    `more_frames` of silence follow, for what the desk still holds. `fails_at` (a frame) pulls the plug there, once.
    """

    def __init__(
        self,
        inputs: FileInputsLike,
        block_frames: int,
        sample_rate: int,
        clock: Clock,
        *,
        more_frames: int = 0,
        fails_at: int | None = None,
    ) -> None:
        self._inputs, self._frames, self._rate, self._clock = inputs, block_frames, sample_rate, clock
        self._end = inputs.frames + more_frames
        self._fails_at = fails_at

    def run(self, process: Process, gauges: Gauges) -> None:
        block: FloatArray = np.zeros((self._inputs.lanes, self._frames), np.float32)
        output: FloatArray = np.zeros((2, self._frames), np.float32)
        length_s = self._frames / self._rate
        begin_s, done = self._clock.now_s(), 0
        while self._inputs.position < self._end and not gauges.stopping:
            if self._fails_at is not None and self._inputs.position >= self._fails_at:
                self._fails_at = None
                raise DeviceLostError("the device was unplugged")
            self._inputs.read_into(block)
            done += 1
            due_s = begin_s + (done + 1) * length_s
            self._clock.wait_until(due_s - length_s)
            process(block, output)
            if self._clock.now_s() > due_s:
                gauges.count_miss()
                begin_s += self._clock.now_s() - due_s  # the card goes on from here; one delay is one miss


# ------------------------------------------------------------------ sound cards


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A sound card as the system lists it."""

    index: int
    name: str
    host: str
    inputs: int
    outputs: int
    sample_rate: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class CardSettings:
    """Which card and which of its channels, counted from 1."""

    input_device: int
    output_device: int
    input_channels: tuple[int, ...]
    """One for each lane."""
    output_channels: tuple[int, int]
    sample_rate: int
    block_frames: int


def sounddevice_module() -> ModuleType:
    """The library for sound cards; says what is missing."""
    try:
        import sounddevice
    except ImportError:
        raise MissingExtraError("a sound card", extra="live") from None
    except OSError:
        raise BadInputError(
            "the PortAudio library is not on this machine: install it (Debian and Ubuntu: apt install libportaudio2), "
            "or play files with --simulate"
        ) from None
    module: ModuleType = sounddevice
    return module


def list_devices(library: Any = None) -> list[DeviceInfo]:
    """All sound cards; `library` is the sounddevice module or something like it."""
    library = library or sounddevice_module()
    hosts = [host["name"] for host in library.query_hostapis()]
    defaults = set(_default_pair(library))
    return [
        DeviceInfo(
            index, d["name"], hosts[d["hostapi"]], d["max_input_channels"], d["max_output_channels"],
            round(d["default_samplerate"]), index in defaults,
        )
        for index, d in enumerate(library.query_devices())
    ]  # fmt: skip


def _default_pair(library: Any) -> tuple[int, int]:
    first, second = library.default.device
    return int(first), int(second)


def chosen_devices(
    wanted_input: str | None, wanted_output: str | None, inputs: int, outputs: int, library: Any = None
) -> tuple[DeviceInfo, DeviceInfo]:
    """The cards asked for, by number or part of a name; else the system's own; with enough channels."""
    library = library or sounddevice_module()
    devices = list_devices(library)
    if not devices:
        raise BadInputError(
            "there is no audio device on this machine: plug one in, or play files with --simulate"
        )
    default_in, default_out = _default_pair(library)
    source = _chosen(devices, wanted_input, default_in, "inputs")
    sink = _chosen(devices, wanted_output, default_out, "outputs")
    for device, there, wanted, what in (
        (source, source.inputs, inputs, "inputs"),
        (sink, sink.outputs, outputs, "outputs"),
    ):
        if there < wanted:
            raise BadInputError(
                f"{device.name!r} has {there} {what} and channel {wanted} is wanted: choose another device "
                "(--devices lists them) or other channels"
            )
    return source, sink


def _chosen(devices: Sequence[DeviceInfo], wanted: str | None, default: int, what: str) -> DeviceInfo:
    able = [d for d in devices if getattr(d, what)]
    if not able:
        raise BadInputError(
            f"there is no audio device with {what} on this machine: plug one in, or play files with --simulate"
        )
    if wanted is None:
        return next((d for d in able if d.index == default), able[0])
    found = [d for d in able if wanted == str(d.index)] or [
        d for d in able if wanted.casefold() in d.name.casefold()
    ]
    if not found:
        raise BadInputError(
            f"there is no audio device {wanted!r} with {what}{nearest(wanted, [d.name for d in able])}: "
            "--devices lists them"
        )
    exact = [d for d in found if d.name == wanted]
    if len(exact or found) > 1 and wanted != str(found[0].index):
        names = ", ".join(f"{d.index} {d.name!r} ({d.host})" for d in found)
        raise BadInputError(f"device {wanted!r} may be any of {names}: give its number")
    return (exact or found)[0]


class SoundCard:
    """A full-duplex stream; the desk runs in its callback."""

    def __init__(self, settings: CardSettings, library: Any = None) -> None:
        self._settings = settings
        self._library = library or sounddevice_module()
        self._failure: Exception | None = None

    def run(self, process: Process, gauges: Gauges) -> None:
        over = Signal()
        try:
            stream = self._stream(process, gauges, over)
            with stream:
                self._watch(stream, gauges, over)
        except self._library.PortAudioError as error:
            raise DeviceLostError(f"the audio device does not play ({error})") from None
        if self._failure is not None:
            raise self._failure

    def _stream(self, process: Process, gauges: Gauges, over: Signal) -> Any:
        s = self._settings
        lanes: FloatArray = np.zeros((len(s.input_channels), s.block_frames), np.float32)
        output: FloatArray = np.zeros((2, s.block_frames), np.float32)
        source = np.array(s.input_channels) - 1
        left, right = (channel - 1 for channel in s.output_channels)

        def callback(indata: FloatArray, outdata: FloatArray, frames: int, when: Any, status: Any) -> None:
            try:
                if status:
                    gauges.count_dropout()
                np.take(indata.T, source, axis=0, out=lanes)
                process(lanes, output)
                outdata.fill(0.0)
                outdata[:, left], outdata[:, right] = output
            except Exception as error:
                self._failure = error
                raise self._library.CallbackAbort from error

        return self._library.Stream(
            samplerate=s.sample_rate, blocksize=s.block_frames, dtype="float32", latency="low",
            device=(s.input_device, s.output_device),
            channels=(max(s.input_channels), max(s.output_channels)),
            callback=callback, finished_callback=over.set,
        )  # fmt: skip

    def _watch(self, stream: Any, gauges: Gauges, over: Signal) -> None:
        """Return when asked to stop; a card that falls silent is lost (some just stop calling when unplugged)."""
        gauges.device_latency_ms = 1000.0 * sum(stream.latency)
        for position in _every(_SILENT_S, gauges, over):
            if over.is_set() and self._failure is None:
                raise DeviceLostError("the audio device stopped")
            if over.is_set():
                return
            if gauges.position == position:
                raise DeviceLostError("the audio device has not asked for sound for a second")


def _every(seconds: float, gauges: Gauges, over: Signal) -> Iterator[int]:
    """Yields the position of `seconds` ago, again and again until the desk is asked to stop."""
    while not gauges.stopping:
        position, until = gauges.position, time.monotonic() + seconds
        while time.monotonic() < until and not over.wait(0.05) and not gauges.stopping:
            pass
        if not gauges.stopping:
            yield position

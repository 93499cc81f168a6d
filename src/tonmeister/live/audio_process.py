"""The process that plays: nothing else runs in it, and nothing in it waits for anybody.

Its kernels are compiled and its memory is touched before the first block; the collector of garbage is off.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import TonmeisterError
from tonmeister.live.clock import Clock, WallClock
from tonmeister.live.core import LiveCore
from tonmeister.live.devices import AudioDevice, CardSettings, DeviceLostError, FileDevice, SoundCard
from tonmeister.live.inputs import file_multitrack
from tonmeister.live.link import Gauges, Link, State
from tonmeister.live.precedence import take_precedence
from tonmeister.live.show import Show
from tonmeister.live.sources import FileInputs, ReadAhead
from tonmeister.units import FloatArray

__all__ = ["audio_main", "play", "warm_up"]

Say = Callable[[str], None]

_AGAIN_S: Final = 1.0
_WARM_UP_BLOCKS: Final = 64
_SWITCH_S: Final = 1e-4
"""After so long a thread that reads files lets the one that plays go on; Python's own 5 ms are two blocks."""


def warm_up(show: Show) -> None:
    """Run a desk of the same make on noise and silence, so that everything is compiled and nothing is new later."""
    core = LiveCore(show, show.link(bytearray(show.link_bytes)))
    random = np.random.default_rng(0)
    output: FloatArray = np.zeros((2, show.block_frames), np.float32)
    for k in range(_WARM_UP_BLOCKS):
        loud = np.float32(0.3 if k % 2 else 0.0)
        noise = random.standard_normal((show.lanes, show.block_frames), np.float32) * loud
        core.process(noise, output)


def play(
    process: Callable[[FloatArray, FloatArray], None],
    open_device: Callable[[], AudioDevice],
    gauges: Gauges,
    clock: Clock,
    say: Say,
) -> None:
    """Play until the end; a device that is lost is waited for, and the desk stays as it is meanwhile."""
    lost = False
    while not gauges.stopping:
        try:
            device = open_device()
            gauges.state = State.RUNNING
            if lost:
                say("the audio device is back")
            device.run(process, gauges)
            break
        except DeviceLostError as error:
            gauges.state = State.DEVICE_LOST
            if not lost:
                say(f"{error}: the desk keeps its state and tries again every second")
            lost = True
            clock.wait_until(clock.now_s() + _AGAIN_S)
    gauges.state = State.ENDED


def timed(core: LiveCore, gauges: Gauges) -> Callable[[FloatArray, FloatArray], None]:
    """`core.process` with its processor time counted."""

    def process(inputs: FloatArray, output: FloatArray) -> None:
        begin = time.thread_time_ns()
        core.process(inputs, output)
        gauges.count_time((time.thread_time_ns() - begin) / 1000.0)

    return process


def audio_main(show_data: Mapping[str, Any], device: Mapping[str, Any], memory_name: str, words: Any) -> None:
    """The whole life of the process; `words` is a queue for what it has to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the control side ends us, after the last block
    memory = shared_memory.SharedMemory(memory_name)
    show = Show.from_dict(show_data)
    link = show.link(memory.buf)
    try:
        _run(show, link, device, words.put)
    except Exception as error:
        kind = "" if isinstance(error, TonmeisterError) else f"{type(error).__name__}: "
        words.put(f"{kind}{error}")
        link.gauges.state = State.FAILED
    finally:
        del link
        gc.collect()
        with suppress(BufferError):
            memory.close()


def _run(show: Show, link: Link, device: Mapping[str, Any], say: Say) -> None:
    warm_up(show)
    core = LiveCore(show, link)
    with ExitStack() as stack:
        open_device = _opener(show, core, device, stack)
        gc.collect()
        gc.freeze()
        gc.disable()
        stack.callback(gc.enable)
        sys.setswitchinterval(_SWITCH_S)
        link.gauges.has_precedence = take_precedence()
        play(timed(core, link.gauges), open_device, link.gauges, WallClock(), say)


def _opener(
    show: Show, core: LiveCore, device: Mapping[str, Any], stack: ExitStack
) -> Callable[[], AudioDevice]:
    """Makes the device anew each time it is opened; files go on where they were."""
    if device["kind"] == "files":
        song = file_multitrack([Path(p) for p in device["paths"]], recursive=device["recursive"])
        inputs = stack.enter_context(ReadAhead(FileInputs(song)))
        files = FileDevice(
            inputs, show.block_frames, show.sample_rate, WallClock(),
            more_frames=core.latency_frames, fails_at=device.get("fails_at"),
        )  # fmt: skip
        return lambda: files
    settings = CardSettings(
        device["input_device"], device["output_device"], tuple(device["input_channels"]),
        tuple(device["output_channels"]), show.sample_rate, show.block_frames,
    )  # fmt: skip
    return lambda: SoundCard(settings)

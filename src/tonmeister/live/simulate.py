"""The offline twin: files played through the very same desk, faster than real time, with the same result each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tonmeister.console import dropped
from tonmeister.engines.base import CausalMixer
from tonmeister.live.controller import Controller, ScoreFollower, Told
from tonmeister.live.core import LiveCore
from tonmeister.live.link import Gauges
from tonmeister.live.operations import OperationLog
from tonmeister.live.recorder import Recorder, Tracks, recorded_plan
from tonmeister.live.show import Show
from tonmeister.plan import MixPlan
from tonmeister.units import FloatArray

__all__ = ["Inputs", "Performance", "simulate"]

Take = Callable[[FloatArray], None]


class Inputs(Protocol):
    """Where the sound comes from in a simulation."""

    @property
    def lanes(self) -> int: ...
    @property
    def frames(self) -> int: ...
    def read_into(self, target: FloatArray) -> None: ...


@dataclass(frozen=True)
class Performance:
    """What came of it."""

    plan: MixPlan
    """Repeats the performance."""
    gauges: Gauges
    frames: int
    latency_frames: int
    moves: int


def simulate(
    show: Show,
    inputs: Inputs,
    mixer: CausalMixer | None = None,
    *,
    follower: ScoreFollower | None = None,
    guard: bool = True,
    take: Take | None = None,
    recorder: Recorder | None = None,
    told: Told | None = None,
    progress: Callable[[float], None] | None = None,
    engine: str = "",
    clock_ns: Callable[[], int] | None = None,
    act: Callable[[Controller], None] | None = None,
) -> Performance:
    """Play `inputs` through the desk as fast as it goes; `take` gets the mix (2, frames), aligned with the inputs.

    Nothing but the sound and the show decides what happens, whatever the size of the blocks. `clock_ns` may measure
    the blocks (processor time); it changes nothing else. `act` is called before each hop, for a person's hands.
    """
    run = _Run(show, inputs, take, recorder, clock_ns)
    log = recorder.log if recorder is not None else OperationLog(None, ())
    controller = Controller(
        show, run.link, mixer, follower=follower, guard=guard, log=log, told=told, engine=engine
    )
    stopped: KeyboardInterrupt | None = None
    try:
        while run.left > 0:
            run.block()
            run.control(controller, act)
            if progress is not None:
                progress(1.0 - run.left / inputs.frames)
    except KeyboardInterrupt as interrupt:
        stopped = interrupt
    plan = recorded_plan(show.plan, run.tracks, engine=engine) if show.moves else show.plan
    if recorder is not None:
        recorder.write(run.link.tape.read(run.link.tape.waiting))
        recorder.finish(plan)
    if stopped is not None:
        raise stopped
    return Performance(plan, run.link.gauges, inputs.frames, run.core.latency_frames, controller.moves)


class _Run:
    """The desk between the inputs and whoever takes the mix."""

    def __init__(
        self,
        show: Show,
        inputs: Inputs,
        take: Take | None,
        recorder: Recorder | None,
        clock_ns: Callable[[], int] | None,
    ) -> None:
        self.link = show.link(bytearray(show.link_bytes))
        self.core = LiveCore(show, self.link)
        self.tracks = Tracks(show)
        self.left = inputs.frames
        self._inputs, self._take, self._recorder, self._clock_ns = inputs, take, recorder, clock_ns
        self._late = self.core.latency_frames
        self._block: FloatArray = np.zeros((show.lanes, show.block_frames), np.float32)
        self._output: FloatArray = np.zeros((2, show.block_frames), np.float32)

    def block(self) -> None:
        """Play one block."""
        self._inputs.read_into(self._block)
        begin = self._clock_ns() if self._clock_ns is not None else 0
        self.core.process(self._block, self._output)
        if self._clock_ns is not None:
            self.link.gauges.count_time((self._clock_ns() - begin) / 1000.0)
        self._late, mix = dropped(self._late, self._output)
        mix = mix[:, : self.left]
        self.left -= mix.shape[1]
        if self._take is not None and mix.shape[1]:
            self._take(mix.copy())

    def control(self, controller: Controller, act: Callable[[Controller], None] | None) -> None:
        """Let the controller hear every hop that is complete."""
        while self.link.tape.waiting >= controller.hop_frames:
            heard = self.link.tape.read(controller.hop_frames)
            if self._recorder is not None:
                self._recorder.write(heard)
            if act is not None:
                act(controller)
            controller.hear(heard)
        controller.listen()
        self.tracks.update(self.link.journal)

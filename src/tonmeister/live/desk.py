"""The live desk: the audio process on one side, ears and engine here, and shared memory between them."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import shared_memory
from typing import Any, Final

from tonmeister.engines.base import CausalMixer
from tonmeister.errors import TonmeisterError
from tonmeister.live.audio_process import audio_main
from tonmeister.live.clock import Clock, WallClock
from tonmeister.live.controller import Controller, ScoreFollower, Told
from tonmeister.live.link import Gauges, State
from tonmeister.live.operations import OperationLog
from tonmeister.live.recorder import Recorder, Tracks, recorded_plan
from tonmeister.live.show import Show
from tonmeister.plan import MixPlan

__all__ = ["Desk"]

_POLL_S: Final = 0.01
_PATIENCE_S: Final = 5.0


class Desk:
    """A running performance; use it in a ``with`` statement and call `step` again and again while it `runs`.

    `act` is called before each hop that is heard, for a hand that is written down.
    """

    def __init__(
        self,
        show: Show,
        device: Mapping[str, Any],
        mixer: CausalMixer | None = None,
        *,
        follower: ScoreFollower | None = None,
        guard: bool = True,
        recorder: Recorder | None = None,
        told: Told | None = None,
        engine: str = "",
        clock: Clock | None = None,
        act: Callable[[Controller], None] | None = None,
    ) -> None:
        self.show, self._device = show, device
        self._told: Told = told or (lambda text: None)
        self._clock = clock or WallClock()
        self._act = act
        self._recorder = recorder
        self._engine, self._last_words = engine, ""
        self._memory = shared_memory.SharedMemory(create=True, size=show.link_bytes)
        self._link = show.link(self._memory.buf)
        log = recorder.log if recorder is not None else OperationLog(None, ())
        self.controller = Controller(
            show, self._link, mixer, follower=follower, guard=guard, log=log, told=self._told, engine=engine
        )
        self._tracks = Tracks(show)
        context = multiprocessing.get_context("spawn")
        self._words = context.SimpleQueue()
        self._process = context.Process(
            target=audio_main,
            args=(show.to_dict(), dict(device), self._memory.name, self._words),
            daemon=True,
            name="tonmeister-audio",
        )

    def __enter__(self) -> Desk:
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._words.close()
        del self._link, self.controller
        gc.collect()
        with suppress(BufferError):
            self._memory.close()
        self._memory.unlink()

    @property
    def gauges(self) -> Gauges:
        """Counters and meters of the audio side."""
        return self._link.gauges

    @property
    def runs(self) -> bool:
        """Whether there is more to come."""
        return self.gauges.state not in (State.ENDED, State.FAILED) and self._process.is_alive()

    def stop(self) -> None:
        """Ask for the end; `step` on until it no longer `runs`."""
        self._link.gauges.stop()

    def step(self) -> None:
        """Hear what has been played since, act on it, and wait a moment."""
        self._hear()
        self._clock.wait_until(self._clock.now_s() + _POLL_S)

    def _hear(self) -> None:
        while not self._words.empty():
            self._last_words = self._words.get()
            self._told(self._last_words)
        tape, hop = self._link.tape, self.controller.hop_frames
        while tape.waiting >= hop:
            block = tape.read(hop)
            if self._recorder is not None:
                self._recorder.write(block)
            if self._act is not None:
                self._act(self.controller)
            self.controller.hear(block)
            self._tracks.update(self._link.journal)
        self.controller.listen()

    def finish(self) -> MixPlan:
        """After the end: the plan that repeats the performance; a recording is completed with it."""
        self._hear()
        if self.gauges.state != State.ENDED:
            raise TonmeisterError(
                f"the audio process failed: {self._last_words or 'it ended without a word'}"
            )
        rest = self._link.tape.read(self._link.tape.waiting)
        self._tracks.update(self._link.journal)
        plan = recorded_plan(self.show.plan, self._tracks, engine=self._engine)
        if not self.show.moves:
            plan = self.show.plan
        if self._recorder is not None:
            self._recorder.write(rest)
            self._recorder.finish(plan)
        if self._link.tape.lost_frames or not self._tracks.exact:
            lost_s = self._link.tape.lost_frames / self.show.sample_rate
            self._told(f"the control side was too slow: {lost_s:.2f} s of sound are missing in what it heard")
        return plan

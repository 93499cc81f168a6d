"""What the audio process and the control process share: tape, journal, orders, events, gauges."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.live.faders import tick_frames
from tonmeister.live.limits import limit
from tonmeister.live.ring import Arena, Journal, OrderQueue, Tape
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Do", "Event", "Gauges", "Link", "State"]

_ORDERS: Final = 4096
_EVENTS: Final = 256
_BINS: Final = 5000
_BIN_US: Final = 10.0


class Do(IntEnum):
    """Orders to the audio side; `index` is a control, `value` in its unit or 0/1."""

    MOVE = 1
    HAND = 2
    """As MOVE, by a person."""
    MUTE = 3
    DUCK = 4
    HOLD = 5
    """Nothing moves any more until it is let go."""
    PANIC = 6
    """The master is shut within 50 ms."""
    BYPASS = 7
    """All controls go back to where they stood at the start; the engine's moves wait."""


class Event(IntEnum):
    """What the audio side has to say; `index` is a track."""

    BAD_INPUT = 1
    INPUT_BACK = 2
    BAD_OUTPUT = 3


class State(IntEnum):
    """What the audio side is doing."""

    STARTING = 0
    RUNNING = 1
    DEVICE_LOST = 2
    ENDED = 3
    FAILED = 4


class Gauges:
    """Counters and meters, written by the audio side only (but `stop`)."""

    def __init__(self, arena: Arena, tracks: int, controls: int) -> None:
        self._counts: NDArray[np.int64] = arena.array(8, np.int64)
        self.block_times: NDArray[np.int64] = arena.array(_BINS, np.int64)
        """How many blocks took how long, in bins of 10 microseconds of processor time; the last one and longer."""
        self.peaks: FloatArray = arena.array(tracks, np.float32)
        """Largest magnitude of each input in the last block."""
        self.mix_peaks: FloatArray = arena.array(2, np.float32)
        self.levels: DoubleArray = arena.array(controls, np.float64)
        """Where each control stands."""
        self._latency_ms: DoubleArray = arena.array(1, np.float64)
        self._stop = arena.array(1, np.int64)

    @property
    def state(self) -> State:
        return State(int(self._counts[0]))

    @state.setter
    def state(self, state: State) -> None:
        self._counts[0] = int(state)

    @property
    def position(self) -> int:
        """Frames played since the beginning."""
        return int(self._counts[1])

    @property
    def blocks(self) -> int:
        return int(self._counts[2])

    @property
    def misses(self) -> int:
        """Blocks that were late: their time was over before they were done."""
        return int(self._counts[3])

    @property
    def dropouts(self) -> int:
        """Times that the device says sound was lost on its way in or out."""
        return int(self._counts[4])

    @property
    def cpu_us(self) -> int:
        """Processor time of all blocks."""
        return int(self._counts[5])

    @property
    def longest_us(self) -> int:
        """Processor time of the longest block."""
        return int(self._counts[6])

    @property
    def has_precedence(self) -> bool:
        """Whether the system lets the audio side run before all other work."""
        return bool(self._counts[7])

    @has_precedence.setter
    def has_precedence(self, granted: bool) -> None:
        self._counts[7] = int(granted)

    @property
    def device_latency_ms(self) -> float:
        """Of the sound card, in and out together; 0 for files."""
        return float(self._latency_ms[0])

    @device_latency_ms.setter
    def device_latency_ms(self, latency_ms: float) -> None:
        self._latency_ms[0] = latency_ms

    @property
    def stopping(self) -> bool:
        return bool(self._stop[0])

    def stop(self) -> None:
        """Ask the audio side to end; the control side's word."""
        self._stop[0] = 1

    def count_block(self, position: int) -> None:
        """One more block is done, up to `position`."""
        self._counts[1] = position
        self._counts[2] += 1

    def count_miss(self) -> None:
        self._counts[3] += 1

    def count_dropout(self) -> None:
        self._counts[4] += 1

    def count_time(self, us: float) -> None:
        """Add the processor time of a block, microseconds."""
        whole = int(us)
        self._counts[5] += whole
        self._counts[6] = max(int(self._counts[6]), whole)
        self.block_times[min(int(us / _BIN_US), _BINS - 1)] += 1

    def over(self, us: float) -> int:
        """How many blocks took longer, to 10 microseconds."""
        return int(self.block_times[min(int(us / _BIN_US), _BINS - 1) :].sum())

    def percentile_us(self, share: float) -> float:
        """Processor time that this share (0 to 1) of the blocks stays within, to 10 microseconds."""
        total = self.block_times.cumsum()
        if not total[-1]:
            return 0.0
        return _BIN_US * (1 + int(np.searchsorted(total, share * total[-1])))


@dataclass
class Link:
    """All of it over one buffer, laid out alike on both sides."""

    tape: Tape
    journal: Journal
    orders: OrderQueue
    events: OrderQueue
    gauges: Gauges

    @classmethod
    def over(cls, buffer: Any, *, lanes: int, tracks: int, controls: int, sample_rate: int) -> Link:
        """The link over a buffer of at least `size` bytes, all zeros at first."""
        return cls._on(Arena(buffer), lanes, tracks, controls, sample_rate)

    @classmethod
    def size(cls, *, lanes: int, tracks: int, controls: int, sample_rate: int) -> int:
        """Bytes that it takes."""
        arena = Arena()
        cls._on(arena, lanes, tracks, controls, sample_rate)
        return arena.size

    @classmethod
    def _on(cls, arena: Arena, lanes: int, tracks: int, controls: int, sample_rate: int) -> Link:
        frames = round(limit("clock", "tape_s") * sample_rate)
        ticks = frames // tick_frames(sample_rate)
        return cls(
            Tape(arena, lanes + 2, frames),
            Journal(arena, controls, ticks),
            OrderQueue(arena, _ORDERS),
            OrderQueue(arena, _EVENTS),
            Gauges(arena, tracks, controls),
        )

"""All tracks of a song through the lanes, some chunks ahead of the buses.

Groups of lanes run on threads; while the buses, the master and the file take chunk k, the lanes are at chunk
k + 1. Each group's chunks follow one another and partial sums are added in the order of the groups, so that
threads change nothing.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.fused.group import BlockReader, Edge, LaneGroup, Member, Output, Slot, grouped
from tonmeister.strip import Strip
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Fed", "LaneFeed"]

_AHEAD: Final = 2
"""Chunks in the making at once."""
_OFF_DB: Final = -96.0


@dataclass(slots=True)
class Fed:
    """One chunk of all tracks."""

    buses: dict[str, DoubleArray]
    """What the tracks add to each bus, aligned; (2, frames)."""
    raw: FloatArray | None
    """The plain sum of the tracks, if it was asked for; (2, frames)."""
    kept: dict[tuple[str, str | None], FloatArray]
    """What left each strip by its output (None) and its sends, not yet aligned; if it was asked for."""


class _Delay:
    """A whole number of frames between the lanes and a bus, in float64."""

    def __init__(self, frames: int) -> None:
        self._held: DoubleArray = np.zeros((2, frames))

    def process(self, block: DoubleArray) -> DoubleArray:
        if not self._held.shape[1]:
            return block
        joined = np.concatenate([self._held, block], axis=1)
        self._held = joined[:, block.shape[1] :]
        return joined[:, : block.shape[1]]


class LaneFeed:
    """The tracks of a console, in lanes."""

    def __init__(
        self, strips: Sequence[Strip], channels: Mapping[str, int], sample_rate: int, chunk_frames: int
    ) -> None:
        self._rate, self._frames = sample_rate, chunk_frames
        unmuted = (_silenced(s) if s.muted else s for s in sorted(strips, key=lambda s: s.name))
        self._members = [Member(s, channels[s.name], sample_rate, chunk_frames) for s in unmuted]
        self.latencies = {m.strip.name: m.latency_frames for m in self._members}
        self._groups: list[LaneGroup] = []
        self._ahead: deque[list[Future[Output]]] = deque()
        self._submitted = 0

    @property
    def groups(self) -> Sequence[LaneGroup]:
        """The lanes, after `connect`."""
        return self._groups

    def notes(self) -> list[str]:
        """What the inserts of the tracks have to say when they have played."""
        return [note for member in self._members for note in member.notes()]

    def connect(self, position: int, delays: Mapping[tuple[str, str | None], tuple[str, int]]) -> None:
        """Say where the song begins, and for each way out of a strip its bus and the delay that aligns it."""
        rows = sorted(set(delays.values()))
        self._rows = [(target, _Delay(delay)) for target, delay in rows]
        edges = {
            m.strip.name: [
                Edge(rows.index(delays[m.strip.name, send]), send)
                for send in (None, *(s.to for s in m.strip.sends))
            ]
            for m in self._members
        }
        for members in grouped(self._members):
            group = LaneGroup(members, edges, self._rate, self._frames)
            group.start(position)
            self._groups.append(group)
        slots = range(_AHEAD)
        self._slots = [[Slot(len(rows), self._frames) for _ in slots] for _ in self._groups]

    def run(
        self,
        pool: ThreadPoolExecutor | None,
        readers: dict[str, BlockReader],
        chunks: int,
        *,
        keep: bool,
        plain_sum: bool,
    ) -> None:
        """Begin; `next` then gives `chunks` chunks."""
        self._pool, self._readers, self._chunks = pool, readers, chunks
        self._keep, self._plain_sum = keep, plain_sum
        if pool is not None:
            for _ in range(min(_AHEAD, chunks)):
                self._submit(pool)

    def next(self) -> Fed:
        """The next chunk; blocks until it is there."""
        if self._pool is None:
            return self._together([self._work(i, 0, None) for i in range(len(self._groups))])
        fed = self._together([job.result() for job in self._ahead.popleft()])
        if self._submitted < self._chunks:
            self._submit(self._pool)
        return fed

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        last = self._ahead[-1] if self._ahead else [None] * len(self._groups)
        slot = self._submitted % _AHEAD
        self._ahead.append([pool.submit(self._work, i, slot, job) for i, job in enumerate(last)])
        self._submitted += 1

    def _work(self, index: int, slot: int, before: Future[Output] | None) -> Output:
        if before is not None:
            before.result()
        return self._groups[index].process(
            self._readers, self._slots[index][slot], keep=self._keep, plain_sum=self._plain_sum
        )

    def _together(self, outputs: Sequence[Output]) -> Fed:
        """Partial sums added in the order of the groups."""
        buses: dict[str, DoubleArray] = {}
        for row, (target, delay) in enumerate(self._rows):
            total = np.zeros((2, self._frames))
            for output in outputs:
                total += output.buses[row]
            aligned = delay.process(total)
            buses[target] = buses[target] + aligned if target in buses else aligned
        kept = {name: block for o in outputs for name, block in zip(o.names, o.kept, strict=False)}
        return Fed(buses, self._sum(outputs), kept)

    def _sum(self, outputs: Sequence[Output]) -> FloatArray | None:
        if not self._plain_sum:
            return None
        raw = np.zeros((2, self._frames))
        for output in outputs:
            raw += output.raw
        return raw.astype(np.float32)


def _silenced(strip: Strip) -> Strip:
    """A muted strip passes nothing, whatever its settings."""
    sends = tuple(dataclasses.replace(s, gain_db=_OFF_DB) for s in strip.sends)
    return Strip(strip.name, kind=strip.kind, gain_db=_OFF_DB, sends=sends, output=strip.output)

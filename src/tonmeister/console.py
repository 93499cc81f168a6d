"""A plan's strips connected, with their state: what turns chunks of the tracks into chunks of the mix.

The tracks come in through a feed: the fast one (`fused.feed`) or the plain one below, which runs each strip by
itself and is what the fast one is checked against. Buses, returns and the master are run here, one after the
other in the order of flow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tonmeister.fused.feed import Fed, LaneFeed
from tonmeister.fused.group import BlockReader, LaneGroup
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, Strip
from tonmeister.strip_processor import DelayLine, StripProcessor
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["BlockReader", "Console", "OpenTrack", "Section", "Sink", "dropped"]

Sink = Callable[[str, FloatArray], None]
"""Takes blocks (2, frames) of a strip by its name."""

OpenTrack = Callable[[Track], AbstractContextManager[BlockReader]]

_Way = tuple[str, str | None]
"""A way out of a strip: its name, and the send (None: the output)."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the song, in frames; effects are warmed up on what comes before."""

    start: int = 0
    frames: int | None = None

    WARM_UP_S = 2.0


def dropped(late: int, block: FloatArray) -> tuple[int, FloatArray]:
    """The block without its first `late` frames, and how many are still to be dropped."""
    gone = min(late, block.shape[1])
    return late - gone, block[:, gone:]


@dataclass(slots=True)
class _Edge:
    """A connection from a strip to a bus: its output or one of its sends."""

    source: str
    target: str
    send: str | None
    delay: DelayLine
    delay_frames: int = 0


class Feed(Protocol):
    """All tracks, chunk by chunk."""

    @property
    def latencies(self) -> Mapping[str, int]: ...
    def notes(self) -> list[str]: ...
    def connect(self, position: int, delays: Mapping[_Way, tuple[str, int]]) -> None: ...
    def run(
        self,
        pool: ThreadPoolExecutor | None,
        readers: dict[str, BlockReader],
        chunks: int,
        *,
        keep: bool,
        plain_sum: bool,
    ) -> None: ...
    def next(self) -> Fed: ...


class PlainFeed:
    """Every track through its own `StripProcessor`."""

    def __init__(
        self, strips: Sequence[Strip], channels: Mapping[str, int], sample_rate: int, chunk_frames: int
    ) -> None:
        self._frames = chunk_frames
        self._strips = {
            s.name: StripProcessor(s, channels[s.name], sample_rate, chunk_frames)
            for s in sorted(strips, key=lambda s: s.name)
        }
        self.latencies = {name: strip.latency_frames for name, strip in self._strips.items()}

    def notes(self) -> list[str]:
        return [note for strip in self._strips.values() for note in strip.notes()]

    def connect(self, position: int, delays: Mapping[_Way, tuple[str, int]]) -> None:
        self._delays = {way: (target, DelayLine(2, delay)) for way, (target, delay) in delays.items()}
        for strip in self._strips.values():
            strip.start(position)

    def run(
        self,
        pool: ThreadPoolExecutor | None,
        readers: dict[str, BlockReader],
        chunks: int,
        *,
        keep: bool,
        plain_sum: bool,
    ) -> None:
        self._pool, self._readers, self._plain_sum = pool, readers, plain_sum

    def next(self) -> Fed:
        results = (self._pool.map if self._pool else map)(self._track, self._strips)
        buses: dict[str, DoubleArray] = {}
        kept: dict[_Way, FloatArray] = {}
        raw = np.zeros((2, self._frames))
        for name, (block, output) in zip(self._strips, results, strict=True):
            if self._plain_sum:
                raw += block
            kept[name, None] = output.output
            kept |= {(name, to): sent for to, sent in output.sends.items()}
        for way, (target, delay) in sorted(
            self._delays.items(), key=lambda item: (item[0][0], item[0][1] or "")
        ):
            bus = buses.setdefault(target, np.zeros((2, self._frames)))
            bus += delay.process(kept[way])
        return Fed(buses, raw.astype(np.float32) if self._plain_sum else None, kept)

    def _track(self, name: str) -> tuple[FloatArray, StripProcessor.Outputs]:
        block = self._readers[name].read(self._frames)
        missing = self._frames - block.shape[1]
        if missing:
            block = np.pad(block, ((0, 0), (0, missing)))
        raw = block.copy() if self._plain_sum else block
        return raw, self._strips[name].process(block)


class Console:
    """All strips of a plan, connected, with their state; use it in a ``with`` statement."""

    def __init__(
        self,
        multitrack: Multitrack,
        plan: MixPlan,
        threads: int | None,
        block_frames: int,
        section: Section,
        open_track: OpenTrack | None,
        *,
        fused: bool,
        frames: int | None = None,
    ) -> None:
        """See `render.render_blocks`; `frames` is for a song whose tracks do not know how long they will be."""
        self._open = open_track or (lambda track: track.open(multitrack.sample_rate))
        self._multitrack = multitrack
        self._plan = plan
        self._block_frames = block_frames
        rate = multitrack.sample_rate
        warm_up = min(section.start, round(Section.WARM_UP_S * rate))
        self._position = section.start - warm_up
        self._skip = warm_up
        self._rendered = 0
        remaining = max((multitrack.frames if frames is None else frames) - section.start, 0)
        self._frames = min(remaining, section.frames) if section.frames is not None else remaining
        self._strips = {
            s.name: StripProcessor(s, 2, rate, block_frames) for s in plan.strips if s.kind != "track"
        }
        self._tracks = [s for s in plan.order if s.kind == "track"]
        channels = {t.name: t.channels for t in multitrack.tracks}
        kind = LaneFeed if fused else PlainFeed
        self._feed: Feed = kind(self._tracks, channels, rate, block_frames)
        self._latency = dict(self._feed.latencies) | {n: s.latency_frames for n, s in self._strips.items()}
        self._edges, self._arrival = self._connect()
        self._into = {s.name: [e for e in self._edges if e.target == s.name] for s in plan.strips}
        self._between = {
            name: [e for e in edges if e.source in self._strips] for name, edges in self._into.items()
        }
        self._threads = threads or min(len(multitrack.tracks), os.cpu_count() or 1) or 1
        self._readers: dict[str, BlockReader] = {}
        self._stack = ExitStack()

    def _connect(self) -> tuple[list[_Edge], dict[str, int]]:
        """Edges with the delays that align them, and when each strip's input arrives, in frames."""
        edges: list[_Edge] = []
        arrival = {s.name: 0 for s in self._plan.strips}
        for strip in self._plan.order:
            incoming = [e for e in edges if e.target == strip.name]
            arrival[strip.name] = max((self._out_time(e, arrival) for e in incoming), default=0)
            for edge in incoming:
                edge.delay_frames = arrival[strip.name] - self._out_time(edge, arrival)
                edge.delay = DelayLine(2, edge.delay_frames)
            if strip.kind != "track":
                self._strips[strip.name].start(self._position - arrival[strip.name])
            edges += [_Edge(strip.name, send.to, send.to, DelayLine(2, 0)) for send in strip.sends]
            if strip.output:
                edges.append(_Edge(strip.name, strip.output, None, DelayLine(2, 0)))
        names = {s.name for s in self._tracks}
        ways = {(e.source, e.send): (e.target, e.delay_frames) for e in edges if e.source in names}
        self._feed.connect(self._position, ways)
        return sorted(edges, key=lambda e: e.source), arrival

    def _out_time(self, edge: _Edge, arrival: Mapping[str, int]) -> int:
        return arrival[edge.source] + self._latency[edge.source]

    def __enter__(self) -> Console:
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        try:
            for track in self._multitrack.tracks:
                self._readers[track.name] = self._stack.enter_context(self._open(track))
            list((self._pool.map if self._pool else map)(self._seek, self._readers.values()))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def _seek(self, reader: BlockReader) -> None:
        """Read past everything before the section."""
        left = self._position
        while left > 0 and (got := reader.read(min(left, 1 << 18)).shape[1]):
            left -= got

    def run(self, *, stems: Sink | None, taps: Sink | None, plain_sum: Sink | None) -> Iterator[FloatArray]:
        """The mix, block by block; sinks as in `render.render_blocks`."""
        stem_sinks = self._stem_sinks(stems) if stems else {}
        tap_sinks = self._tap_sinks(taps) if taps else {}
        sum_sink = self._sink(plain_sum, "sum", 0) if plain_sum else None
        late = self.latency_frames
        out = _Trimmed(self._skip + late, self._frames)
        chunks = -(-(self._skip + late + self._frames) // self._block_frames) if self._frames else 0
        keep = bool(stem_sinks or tap_sinks)
        self._feed.run(self._pool, self._readers, chunks, keep=keep, plain_sum=plain_sum is not None)
        for _ in range(chunks):
            fed = self._feed.next()
            if sum_sink is not None and fed.raw is not None:
                sum_sink(fed.raw)
            block = out(self._mix(fed, stem_sinks, tap_sinks))
            if block.shape[1]:
                yield block

    def notes(self) -> list[str]:
        """What inserts have to say when they have played."""
        return [*self._feed.notes(), *(note for strip in self._strips.values() for note in strip.notes())]

    @property
    def latency_frames(self) -> int:
        """By how much the master's output lags the tracks."""
        return self._arrival[MASTER] + self._latency[MASTER]

    @property
    def lane_groups(self) -> Sequence[LaneGroup]:
        """The tracks as they run in lanes; empty unless fused."""
        return self._feed.groups if isinstance(self._feed, LaneFeed) else ()

    def begin(self) -> None:
        """Get ready for `step`, instead of `run` in a ``with`` statement: the caller fills the rows of `lane_groups`."""
        self._feed.run(None, {}, 0, keep=False, plain_sum=False)

    def step(self) -> FloatArray:
        """The next block of the master as it comes, late by `latency_frames`: what a live desk plays."""
        return self._mix(self._feed.next(), {}, {})

    def _stem_sinks(self, stems: Sink) -> dict[int, Callable[[FloatArray], None]]:
        to_master = [e for e in self._edges if e.target == MASTER]
        return {id(e): self._sink(stems, e.source, self._arrival[MASTER]) for e in to_master}

    def _tap_sinks(self, taps: Sink) -> dict[str, Callable[[FloatArray], None]]:
        return {n: self._sink(taps, n, self._arrival[n] + late) for n, late in self._latency.items()}

    def _sink(self, sink: Sink, name: str, latency: int) -> Callable[[FloatArray], None]:
        trim = _Trimmed(self._skip + latency, self._frames)

        def take(block: FloatArray) -> None:
            kept = trim(block)
            if kept.shape[1]:
                sink(name, kept)

        return take

    def _mix(
        self,
        fed: Fed,
        stem_sinks: Mapping[int, Callable[[FloatArray], None]],
        tap_sinks: Mapping[str, Callable[[FloatArray], None]],
    ) -> FloatArray:
        """Sum the buses in order of flow and return the master's output."""
        left = dict(fed.kept)
        for strip in self._plan.order:
            if strip.kind != "track":
                bus = self._bus(strip, fed, left, stem_sinks)
                outputs = self._strips[strip.name].process(bus)
                left[strip.name, None] = outputs.output
                left |= {(strip.name, to): sent for to, sent in outputs.sends.items()}
            if strip.name in tap_sinks:
                tap_sinks[strip.name](left[strip.name, None])
        return left[MASTER, None]

    def _bus(
        self,
        strip: Strip,
        fed: Fed,
        left: Mapping[_Way, FloatArray],
        stem_sinks: Mapping[int, Callable[[FloatArray], None]],
    ) -> FloatArray:
        """What arrives at a bus: the tracks, then other buses in the order of their names, in float64."""
        total = fed.buses.get(strip.name)
        total = np.zeros((2, self._block_frames)) if total is None else total
        for edge in (self._into if stem_sinks else self._between)[strip.name]:
            from_track = edge.source not in self._strips
            if from_track and id(edge) not in stem_sinks:
                continue
            block = edge.delay.process(left[edge.source, edge.send])
            if id(edge) in stem_sinks:
                stem_sinks[id(edge)](block)
            if not from_track:
                total += block
        bus = total.astype(np.float32)
        if strip.kind == "master":
            self._silence_outside(bus)
        return bus

    def _silence_outside(self, bus: FloatArray) -> None:
        """Nothing enters the master before the first frame of the song and behind the last.

        Effects with latency ring before their time and behind the end; cut off here, a master rendered in one
        piece equals one rendered in two (`split_master`).
        """
        first = self._arrival[MASTER] - self._rendered
        last = first + self._skip + self._frames
        bus[:, : max(first, 0)] = 0.0
        bus[:, max(last, 0) :] = 0.0
        self._rendered += bus.shape[1]


class _Trimmed:
    """Drops the first `skip` frames of a stream and everything after `frames` more."""

    def __init__(self, skip: int, frames: int) -> None:
        self._skip = skip
        self._left = frames

    def __call__(self, block: FloatArray) -> FloatArray:
        self._skip, block = dropped(self._skip, block)
        block = block[:, : self._left]
        self._left -= block.shape[1]
        return block

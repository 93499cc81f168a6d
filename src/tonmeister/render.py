"""The renderer: a plan and its tracks become sound, block by block, in bounded memory.

Laws. The output does not depend on block size, number of threads or order of tracks; a unity plan is the plain
sum; stems sum to the pre-master bus; parallel paths are aligned for the latency of their effects; the output has
the length of the longest track and starts where the tracks start.

Blocks are float32 (channels, frames). Buses add up in float64, in an order fixed by strip names, and hand on
float32.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tonmeister.audio import Audio
from tonmeister.errors import PlanError
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import LOUDNESS_SLOT, MixPlan
from tonmeister.strip import MASTER, Strip
from tonmeister.strip_processor import DelayLine, StripProcessor
from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "BLOCK_FRAMES",
    "BlockReader",
    "OpenTrack",
    "Section",
    "Sink",
    "process_strip",
    "render",
    "render_blocks",
    "split_master",
]

BLOCK_FRAMES = 16384

Sink = Callable[[str, FloatArray], None]
"""Takes blocks (2, frames) of a strip by its name."""


class BlockReader(Protocol):
    """Where a track's audio comes from: blocks of (channels, <= frames), an empty one at the end."""

    def read(self, frames: int) -> FloatArray: ...


OpenTrack = Callable[[Track], AbstractContextManager[BlockReader]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the song, in frames; effects are warmed up on what comes before."""

    start: int = 0
    frames: int | None = None

    WARM_UP_S = 2.0


def render(
    multitrack: Multitrack, plan: MixPlan, *, threads: int | None = None, layout: str = "stereo"
) -> Audio:
    """The whole mix in memory: stereo float32 (2, frames) at the multitrack's rate."""
    if layout != "stereo":
        raise PlanError(f"layout={layout!r} is not known: give 'stereo'")
    blocks = list(render_blocks(multitrack, plan, threads=threads))
    samples = np.concatenate(blocks, axis=1) if blocks else np.zeros((2, 0), np.float32)
    return Audio(samples, multitrack.sample_rate)


def render_blocks(
    multitrack: Multitrack,
    plan: MixPlan,
    *,
    threads: int | None = None,
    block_frames: int = BLOCK_FRAMES,
    section: Section | None = None,
    stems: Sink | None = None,
    taps: Sink | None = None,
    plain_sum: Sink | None = None,
    open_track: OpenTrack | None = None,
) -> Generator[FloatArray, None, None]:
    """The mix in blocks (2, <= block_frames).

    `stems` gets what each strip feeds the master, `taps` the output of every strip behind its fader and pan,
    `plain_sum` the tracks as they are, added up; all aligned with the mix. `open_track` may supply the audio
    from elsewhere than the tracks' own files.
    Raises `PlanError` when the plan is not for these tracks.
    """
    check_belongs(multitrack, plan)
    if plan.sample_rate != multitrack.sample_rate:
        raise PlanError(
            f"the plan is for {plan.sample_rate} Hz and the tracks are at {multitrack.sample_rate} Hz: decide again"
        )
    console = _Console(multitrack, plan, threads, block_frames, section or Section(), open_track)
    with console:
        yield from console.run(stems=stems, taps=taps, plain_sum=plain_sum)


def check_belongs(multitrack: Multitrack, plan: MixPlan) -> None:
    """Raise `PlanError` when plan and folder do not hold the same tracks."""
    wanted, there = {t.name for t in plan.tracks}, set(multitrack.names)
    if missing := sorted(wanted - there):
        raise PlanError(
            f"the plan is for other tracks: {_some(missing)} not in the folder: give the folder it was made for, "
            "or decide again"
        )
    if extra := sorted(there - wanted):
        raise PlanError(
            f"the plan does not know {_some(extra)}: decide again, or take the file out of the folder"
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def split_master(plan: MixPlan) -> tuple[MixPlan, Strip]:
    """The plan up to the loudness stage of its master, and the rest of the master as a strip of its own.

    Rendering the first and then `process_strip` with the second equals rendering the whole plan, so a loudness
    target can be searched without rendering the tracks again.
    """
    master = plan[MASTER]
    slots = [i.slot for i in master.inserts]
    at = slots.index(LOUDNESS_SLOT) if LOUDNESS_SLOT in slots else len(slots)
    head = Strip(MASTER, kind="master", output="", inserts=master.inserts[:at])
    rest = dataclasses.replace(master, inserts=master.inserts[at:])
    strips = tuple(head if s.kind == "master" else s for s in plan.strips)
    return dataclasses.replace(plan, strips=strips), rest


def process_strip(
    strip: Strip, blocks: Iterable[FloatArray], sample_rate: int, *, block_frames: int = BLOCK_FRAMES
) -> Iterator[FloatArray]:
    """Run a stereo signal through one strip, its latency removed, its length kept."""
    processor = StripProcessor(strip, 2, sample_rate, block_frames)
    late, owed = processor.latency_frames, 0
    for block in blocks:
        owed += block.shape[1]
        out = processor.process(block).output
        late, out = _drop(late, out)
        owed -= out.shape[1]
        if out.shape[1]:
            yield out
    while owed > 0:
        out = processor.process(np.zeros((2, min(owed + late, block_frames)), np.float32)).output
        late, out = _drop(late, out)
        owed -= out.shape[1]
        yield out


def _drop(late: int, block: FloatArray) -> tuple[int, FloatArray]:
    dropped = min(late, block.shape[1])
    return late - dropped, block[:, dropped:]


@dataclass(slots=True)
class _Edge:
    """A connection from a strip to a bus: its output or one of its sends."""

    source: str
    target: str
    send: str | None
    delay: DelayLine


class _Console:
    """All strips of a plan, connected, with their state."""

    def __init__(
        self,
        multitrack: Multitrack,
        plan: MixPlan,
        threads: int | None,
        block_frames: int,
        section: Section,
        open_track: OpenTrack | None,
    ) -> None:
        self._open = open_track or (lambda track: track.open(multitrack.sample_rate))
        self._multitrack = multitrack
        self._plan = plan
        self._rate = multitrack.sample_rate
        self._block_frames = block_frames
        self._section = section
        warm_up = min(section.start, round(Section.WARM_UP_S * self._rate))
        self._position = section.start - warm_up
        self._skip = warm_up
        self._rendered = 0
        remaining = max(multitrack.frames - section.start, 0)
        self._frames = min(remaining, section.frames) if section.frames is not None else remaining
        self._strips = {s.name: self._processor(s) for s in plan.strips}
        self._edges, self._arrival = self._connect()
        self._threads = threads or min(len(multitrack.tracks), os.cpu_count() or 1) or 1
        self._readers: dict[str, BlockReader] = {}
        self._stack = ExitStack()

    def _processor(self, strip: Strip) -> StripProcessor:
        channels = self._multitrack[strip.name].channels if strip.kind == "track" else 2
        return StripProcessor(strip, channels, self._rate, self._block_frames)

    def _connect(self) -> tuple[list[_Edge], dict[str, int]]:
        """Edges with the delays that align them, and when each strip's input arrives, in frames."""
        edges: list[_Edge] = []
        arrival = dict.fromkeys(self._strips, 0)
        for strip in self._plan.order:
            incoming = [e for e in edges if e.target == strip.name]
            arrival[strip.name] = max((self._out_time(e, arrival) for e in incoming), default=0)
            for edge in incoming:
                edge.delay = DelayLine(2, arrival[strip.name] - self._out_time(edge, arrival))
            self._strips[strip.name].start(self._position - arrival[strip.name])
            edges += [_Edge(strip.name, send.to, send.to, DelayLine(2, 0)) for send in strip.sends]
            if strip.output:
                edges.append(_Edge(strip.name, strip.output, None, DelayLine(2, 0)))
        return sorted(edges, key=lambda e: e.source), arrival

    def _out_time(self, edge: _Edge, arrival: Mapping[str, int]) -> int:
        return arrival[edge.source] + self._strips[edge.source].latency_frames

    def __enter__(self) -> _Console:
        self._pool = self._stack.enter_context(ThreadPoolExecutor(self._threads))
        for track in self._multitrack.tracks:
            self._readers[track.name] = self._stack.enter_context(self._open(track))
        list(self._pool.map(self._seek, self._readers.values()))
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def _seek(self, reader: BlockReader) -> None:
        """Read past everything before the section."""
        left = self._position
        while left > 0 and (got := reader.read(min(left, 1 << 18)).shape[1]):
            left -= got

    def run(self, *, stems: Sink | None, taps: Sink | None, plain_sum: Sink | None) -> Iterator[FloatArray]:
        to_master = [e for e in self._edges if e.target == MASTER]
        stem_sinks = (
            {id(e): self._sink(stems, e.source, self._arrival[MASTER]) for e in to_master} if stems else {}
        )
        tap_sinks = (
            {
                name: self._sink(taps, name, self._arrival[name] + s.latency_frames)
                for name, s in self._strips.items()
            }
            if taps
            else {}
        )
        sum_sink = self._sink(plain_sum, "sum", 0) if plain_sum else None
        late = self._arrival[MASTER] + self._strips[MASTER].latency_frames
        out = _Trimmed(self._skip + late, self._frames)
        while not out.done:
            sources = self._sources(wanted_sum=sum_sink is not None)
            if sum_sink is not None:
                sum_sink(self._added([s.raw for s in sources.values()]))
            mix = self._mix({n: s.processed for n, s in sources.items()}, stem_sinks, tap_sinks)
            block = out(mix)
            if block.shape[1]:
                yield block

    def _sink(self, sink: Sink, name: str, latency: int) -> Callable[[FloatArray], None]:
        trim = _Trimmed(self._skip + latency, self._frames)

        def take(block: FloatArray) -> None:
            kept = trim(block)
            if kept.shape[1]:
                sink(name, kept)

        return take

    def _sources(self, *, wanted_sum: bool) -> dict[str, _Source]:
        """Read and process every track's next block, in parallel."""
        names = [s.name for s in self._plan.order if s.kind == "track"]
        return dict(zip(names, self._pool.map(lambda n: self._source(n, wanted_sum), names), strict=True))

    def _source(self, name: str, wanted_sum: bool) -> _Source:
        block = self._readers[name].read(self._block_frames)
        missing = self._block_frames - block.shape[1]
        if missing:
            block = np.pad(block, ((0, 0), (0, missing)))
        raw = block.copy() if wanted_sum else block
        return _Source(raw, self._strips[name].process(block))

    def _mix(
        self,
        outputs: dict[str, StripProcessor.Outputs],
        stem_sinks: Mapping[int, Callable[[FloatArray], None]],
        tap_sinks: Mapping[str, Callable[[FloatArray], None]],
    ) -> FloatArray:
        """Sum the buses in order of flow and return the master's output."""
        for strip in self._plan.order:
            if strip.kind != "track":
                arriving = [self._carried(e, outputs) for e in self._edges if e.target == strip.name]
                if strip.kind == "master":
                    for edge, block in zip(
                        (e for e in self._edges if e.target == MASTER), arriving, strict=True
                    ):
                        if id(edge) in stem_sinks:
                            stem_sinks[id(edge)](block)
                bus = self._added(arriving)
                if strip.kind == "master":
                    self._silence_outside(bus)
                outputs[strip.name] = self._strips[strip.name].process(bus)
            if strip.name in tap_sinks:
                tap_sinks[strip.name](outputs[strip.name].output)
        return outputs[MASTER].output

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

    def _carried(self, edge: _Edge, outputs: Mapping[str, StripProcessor.Outputs]) -> FloatArray:
        out = outputs[edge.source]
        return edge.delay.process(out.output if edge.send is None else out.sends[edge.send])

    def _added(self, blocks: list[FloatArray]) -> FloatArray:
        """Sum in float64 in the order given, rounded once."""
        total: DoubleArray = np.zeros((2, self._block_frames))
        for block in blocks:
            total += block
        return total.astype(np.float32)


@dataclass(slots=True)
class _Source:
    raw: FloatArray
    processed: StripProcessor.Outputs


class _Trimmed:
    """Drops the first `skip` frames of a stream and everything after `frames` more."""

    def __init__(self, skip: int, frames: int) -> None:
        self._skip = skip
        self._left = frames

    @property
    def done(self) -> bool:
        return self._left <= 0

    def __call__(self, block: FloatArray) -> FloatArray:
        self._skip, block = _drop(self._skip, block)
        block = block[:, : self._left]
        self._left -= block.shape[1]
        return block

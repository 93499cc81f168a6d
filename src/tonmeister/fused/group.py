"""Eight lanes: strips whose chains have the same shape, with their files, state and way to the buses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.lane_kernels import COMPRESSOR, COMPRESSOR_NUMBERS, FILTERS, add_raw, mix_lanes, run_lanes
from tonmeister.dsp.lanes import LANES
from tonmeister.effects.base import Processor, remarks
from tonmeister.fused.chain import Filters, Stage, fused_chain, split_inserts
from tonmeister.strip import Curve, Strip, pan_gains
from tonmeister.strip_processor import DelayLine
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["BlockReader", "Edge", "LaneGroup", "Member", "Output", "Slot", "grouped"]

_OFF_DB: Final = -96.0
_UNITY: Final = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""A compressor that does nothing, for lanes without one."""


class BlockReader(Protocol):
    """Where a track's audio comes from: blocks of (channels, <= frames), an empty one at the end."""

    def read(self, frames: int) -> FloatArray: ...


@dataclass(frozen=True, slots=True)
class Edge:
    """A way out of a strip: the bus row it is added to, and the send (None: the output)."""

    bus: int
    send: str | None


class Member:
    """One strip with what it needs before the lanes: delay and ordinary inserts."""

    def __init__(self, strip: Strip, channels: int, sample_rate: int, max_frames: int) -> None:
        self.strip = strip
        self.file_channels = channels
        self._delay = DelayLine(channels, round(strip.delay_ms * sample_rate / 1000))
        self._is_delayed = round(strip.delay_ms * sample_rate / 1000) > 0
        self._inserts: list[tuple[bool, Processor]] = []
        before, behind = split_inserts(strip)
        for effect in before:
            widens = effect.needs_stereo and channels == 1
            channels = 2 if widens else channels
            processor = effect.processor()
            processor.prepare(sample_rate, channels, max_frames)
            self._inserts.append((widens, processor))
        self.channels = channels
        self.latency_frames = sum(p.latency_frames for _, p in self._inserts)
        self.stages = fused_chain(behind, sample_rate)
        self.inverted_first = strip.polarity_inverted and bool(self._inserts)
        self.sign = -1.0 if strip.polarity_inverted and not self._inserts else 1.0
        self.shape = tuple(
            FILTERS if isinstance(s, Filters) else COMPRESSOR + len(s.sections) for s in self.stages
        )
        self.sections = tuple(len(s.sections) for s in self.stages)

    @property
    def prepares(self) -> bool:
        """Whether anything happens before the lanes."""
        return self._is_delayed or bool(self._inserts)

    def notes(self) -> list[str]:
        """What its inserts have to say when they have played."""
        return [f"{self.strip.name}: {note}" for note in remarks(p for _, p in self._inserts)]

    def prepared(self, block: FloatArray) -> FloatArray:
        """Delay and ordinary inserts, polarity first where an insert might hear it."""
        block = self._delay.process(block)
        if self.inverted_first:
            block = -block
        for widens, processor in self._inserts:
            block = processor.process(np.repeat(block, 2, axis=0) if widens else np.ascontiguousarray(block))
        return block


def grouped(members: Sequence[Member]) -> list[list[Member]]:
    """Members in groups of at most eight lanes; the same shape together, the order fixed by shapes and names.

    A group that is not full takes in members with a shorter chain, whose missing stages then do nothing.
    """
    groups: list[list[Member]] = []
    for shape in sorted({m.shape for m in members}, key=lambda s: (-len(s), s)):
        alike = [m for m in members if m.shape == shape]
        alike.sort(key=lambda m: (-m.channels, m.sections, m.strip.name))
        room = [g for g in groups if _fits(shape, g[0].shape) and _lanes(g) < LANES]
        for group in room:
            while alike and _lanes(group) + alike[-1].channels <= LANES and _starts_even(group, alike[-1]):
                group.append(alike.pop())
        while alike:
            taken: list[Member] = []
            while alike and _lanes(taken) + alike[0].channels <= LANES:
                taken.append(alike.pop(0))
            groups.append(taken)
    return groups


def _lanes(group: Sequence[Member]) -> int:
    return sum(m.channels for m in group)


def _starts_even(group: Sequence[Member], member: Member) -> bool:
    """A stereo strip takes a pair of lanes."""
    return member.channels == 1 or _lanes(group) % 2 == 0


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Whether the stages are found in this order among the others."""
    others = iter(into)
    return all(kind in others for kind in shape)


@dataclass(slots=True)
class Output:
    """What a group gives for a chunk: what it adds to each bus, the plain sum, what each edge carries."""

    buses: DoubleArray
    raw: DoubleArray
    kept: FloatArray
    names: list[tuple[str, str | None]] = field(default_factory=list)
    """Of the edges in `kept`: strip and send."""


def _padded(frames: int) -> int:
    """The next multiple of eight: kernels write whole vectors."""
    return -(-frames // LANES) * LANES


class Slot:
    """Buffers for one chunk of one group; used again when the chunk has left the console."""

    def __init__(self, buses: int, frames: int) -> None:
        self.buses: DoubleArray = np.zeros((buses, 2, _padded(frames)))
        self.raw: DoubleArray = np.zeros((2, _padded(frames)))


class LaneGroup:
    """Runs its members' next chunk; calls must follow one another.

    `rows` (eight, frames) takes the members' inputs, each from its place in `first_rows` on. `curve_times` and
    `curve_values` hold the breakpoints of `curves`, one curve behind the other; a live desk writes new ones there
    between two chunks.
    """

    def __init__(
        self, members: Sequence[Member], edges: dict[str, list[Edge]], sample_rate: int, frames: int
    ) -> None:
        self.members = list(members)
        self._rate = sample_rate
        self._frames = frames
        self.rows: FloatArray = np.zeros((LANES, _padded(frames)), np.float32)
        self.first_rows = [_lanes(self.members[:i]) for i in range(len(self.members))]
        self._positions = np.zeros(len(members), np.int64)
        self._signs = np.ones(LANES)
        self._stages, self._numbers, self._memory = self._program()
        self._strips, self._raw_strips = self._tables(edges)
        self._levels = np.array([_levels(m.strip) for m in members])
        flat = [(m.strip, e) for m in members for e in edges[m.strip.name]]
        self._edges, self._edge_gains = self._edge_tables(flat)
        self._names = [(strip.name, edge.send) for strip, edge in flat]
        self._runs = bool(len(self._stages)) or bool((self._signs < 0).any())

    def start(self, position: int) -> None:
        """Set the song position, in frames, of the first frame that will arrive."""
        self._positions[:] = [position - m.latency_frames for m in self.members]

    def process(self, readers: dict[str, BlockReader], slot: Slot, *, keep: bool, plain_sum: bool) -> Output:
        """Read, run and mix the next frames; without readers the caller has filled `rows`."""
        rows, stride = self.rows, self.rows.shape[1]
        frames, flat = self._frames, self.rows.reshape(-1)
        for member, first in zip(self.members, self.first_rows, strict=True) if readers else ():
            _read(readers[member.strip.name], rows[first : first + member.file_channels, :frames])
        if plain_sum:
            slot.raw.fill(0.0)
            add_raw(flat, stride, frames, self._raw_strips, slot.raw.reshape(-1))
        for member, first in zip(self.members, self.first_rows, strict=True):
            if member.prepares:
                block = member.prepared(rows[first : first + member.file_channels, :frames].copy())
                rows[first : first + member.channels, :frames] = block
        if self._runs:
            run_lanes(flat, stride, frames, self._signs, self._stages, self._numbers, self._memory)
        slot.buses.fill(0.0)
        kept = np.empty((len(self._names) if keep else 0, 2, stride), np.float32)
        mix_lanes(
            flat, stride, frames, self._positions, self._strips, self._levels, self._edges,
            self._edge_gains, self._curve_starts, self.curve_times, self.curve_values, self._rate,
            slot.buses.reshape(-1), kept.reshape(-1),
        )  # fmt: skip
        self._positions += frames
        return Output(slot.buses[:, :, :frames], slot.raw[:, :frames], kept[:, :, :frames], self._names)

    def _program(self) -> tuple[NDArray[np.int64], DoubleArray, DoubleArray]:
        """Stages, coefficients and state of all lanes; what a member lacks does nothing."""
        stages: list[tuple[int, int, int, int]] = []
        numbers: list[DoubleArray] = []
        held = 0
        placed = [_placed(m.stages, m.shape, self.members[0].shape) for m in self.members]
        lanes = [m for m in range(len(self.members)) for _ in range(self.members[m].channels)]
        for lane, index in enumerate(lanes):
            self._signs[lane] = self.members[index].sign
        for k, kind in enumerate(self.members[0].shape):
            chosen = [placed[index][k] for index in lanes]
            sections = max((len(s.sections) for s in chosen if s is not None), default=0)
            block = np.zeros((5 * sections, LANES))
            block[0::5] = 1.0
            for lane, stage in enumerate(chosen):
                if stage is not None and len(stage.sections):
                    signed = stage.sections * (1.0, 1.0, 1.0, -1.0, -1.0)
                    block[: 5 * len(signed), lane] = signed.reshape(-1)
            at = sum(len(n) for n in numbers) * LANES
            if kind != FILTERS:
                block = np.concatenate([self._squeezes(chosen, lanes), block])
            numbers.append(block)
            stages.append((min(kind, COMPRESSOR), sections, at, held))
            held += LANES * (2 * sections + (kind != FILTERS))
        table = np.array(stages, np.int64).reshape(-1, 4)
        return table, np.concatenate([np.zeros((0, LANES)), *numbers]).reshape(-1), np.zeros(held)

    def _squeezes(self, chosen: Sequence[Stage | None], lanes: Sequence[int]) -> DoubleArray:
        block = np.zeros((COMPRESSOR_NUMBERS, LANES))
        block[: len(_UNITY)] = np.array(_UNITY)[:, None]
        for lane, stage in enumerate(chosen):
            if stage is not None and not isinstance(stage, Filters):
                block[: len(_UNITY), lane] = stage.numbers
            block[len(_UNITY), lane] = float(self.members[lanes[lane]].channels == 2)
        return block

    def _tables(self, edges: dict[str, list[Edge]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        curves = _Curves()
        strips, raw, at = [], [], 0
        self._send_curves: list[int] = []
        for member, first in zip(self.members, self.first_rows, strict=True):
            moves = member.strip.automation
            ways = edges[member.strip.name]
            fader, pan = curves.index(moves.get("gain_db")), curves.index(moves.get("pan"))
            strips.append((first, first + member.channels - 1, fader, pan, at, at + len(ways)))
            raw.append((first, first + member.file_channels - 1))
            self._send_curves += [curves.index(moves.get(f"send:{e.send}") if e.send else None) for e in ways]
            at += len(ways)
        self._curve_starts, self.curve_times, self.curve_values = curves.arrays()
        self.curves = curves.curves
        return np.array(strips, np.int64), np.array(raw, np.int64)

    def _edge_tables(self, flat: Sequence[tuple[Strip, Edge]]) -> tuple[NDArray[np.int64], DoubleArray]:
        rows, gains = [], []
        for (strip, edge), curve in zip(flat, self._send_curves, strict=True):
            send = next((s for s in strip.sends if s.to == edge.send), None)
            rows.append((edge.bus, int(send is not None and send.pre_fader), curve))
            gains.append(_gain(send.gain_db) if send is not None else 1.0)
        return np.array(rows, np.int64).reshape(-1, 3), np.array(gains)


def _read(reader: BlockReader, target: FloatArray) -> None:
    """Fill the rows; zeros behind the end."""
    into = getattr(reader, "read_into", None)
    if into is not None:
        into(target)
        return
    block = reader.read(target.shape[1])
    target[:, : block.shape[1]] = block
    target[:, block.shape[1] :] = 0.0


def _placed(stages: Sequence[Stage], shape: tuple[int, ...], into: tuple[int, ...]) -> list[Stage | None]:
    """The stages at their places among those of the group."""
    waiting = list(zip(shape, stages, strict=True))
    return [waiting.pop(0)[1] if waiting and waiting[0][0] == kind else None for kind in into]


def _levels(strip: Strip) -> tuple[float, float, float]:
    return (_gain(strip.gain_db), *pan_gains(strip.pan))


def _gain(level_db: float) -> float:
    return db_to_gain(level_db) if level_db > _OFF_DB else 0.0


class _Curves:
    """All curves of a group, one behind the other."""

    def __init__(self) -> None:
        self.curves: list[Curve] = []

    def index(self, curve: Curve | None) -> int:
        if curve is None:
            return -1
        self.curves.append(curve)
        return len(self.curves) - 1

    def arrays(self) -> tuple[NDArray[np.int64], DoubleArray, DoubleArray]:
        """First breakpoint of each curve and the end of the last, times and values."""
        starts = np.cumsum([0, *(len(c.times_s) for c in self.curves)]).astype(np.int64)
        times = [t for c in self.curves for t in c.times_s]
        values = [v for c in self.curves for v in c.values]
        return starts, np.array(times, np.float64), np.array(values, np.float64)

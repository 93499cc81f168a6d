"""Levels and positions of tracks as they stand in a mix, measured behind faders, pans and buses."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass

import numpy as np

from tonmeister.analysis.meter import LoudnessMeter
from tonmeister.multitrack import Multitrack, Track, TrackReader
from tonmeister.plan import MixPlan
from tonmeister.render import BLOCK_FRAMES, BlockReader, render_blocks
from tonmeister.strip import MASTER
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Levels", "PlanMeters", "engine_levels", "measured_levels"]


@dataclass(frozen=True)
class Levels:
    """Measured levels and positions of tracks in a mix; None where a track is silent."""

    lufs: Mapping[str, float | None]
    pan: Mapping[str, float | None]


def measured_levels(multitrack: Multitrack, names: Mapping[str, str]) -> Levels:
    """Levels of tracks as they are, each as it sounds on a stereo bus."""

    def one(name: str) -> tuple[float | None, float | None]:
        meter = PlaceMeter(multitrack.sample_rate)
        for block in multitrack[name].blocks(multitrack.sample_rate, BLOCK_FRAMES):
            meter.update(block if block.shape[0] == 2 else np.repeat(block, 2, axis=0))
        return meter.lufs, meter.pan

    with ThreadPoolExecutor() as pool:
        found = dict(zip(names, pool.map(one, names.values()), strict=True))
    return Levels({n: v[0] for n, v in found.items()}, {n: v[1] for n, v in found.items()})


class PlaceMeter:
    """Loudness and left-right position of a stereo signal."""

    def __init__(self, sample_rate: int) -> None:
        self._loudness = LoudnessMeter(sample_rate, 2, peaks=False)

    def update(self, block: FloatArray) -> None:
        self._loudness.update(block)

    @property
    def lufs(self) -> float | None:
        return self._loudness.integrated_lufs

    @property
    def pan(self) -> float | None:
        left, right = self._loudness.energies
        total = left + right
        return float(2 / math.pi * np.arcsin(np.clip((right - left) / total, -1, 1))) if total > 0 else None


def engine_levels(
    multitrack: Multitrack, plans: Mapping[str, MixPlan], *, progress: Callable[[float], None] | None = None
) -> dict[str, Levels]:
    """What each plan makes of each track's level and position; the audio is read once for all plans.

    A track on a bus gets the bus's change of loudness (fader, effects) added to its own.
    """
    meters = {name: PlanMeters(plan) for name, plan in plans.items()}
    with ExitStack() as stack:
        shared = {
            t.name: stack.enter_context(_Shared(t, multitrack.sample_rate, len(plans)))
            for t in multitrack.tracks
        }
        renders = [
            stack.enter_context(
                closing(
                    render_blocks(multitrack, plan, taps=meters[name].take, open_track=_opener(shared, index))
                )
            )
            for index, (name, plan) in enumerate(plans.items())
        ]
        done = 0
        for blocks in zip(*renders, strict=True):
            done += blocks[0].shape[1]
            if progress:
                progress(done / multitrack.frames)
    return {name: meter.levels(multitrack.names) for name, meter in meters.items()}


def _opener(
    shared: Mapping[str, _Shared], index: int
) -> Callable[[Track], AbstractContextManager[BlockReader]]:
    @contextmanager
    def open_track(track: Track) -> Iterator[BlockReader]:
        yield _View(shared[track.name], index)

    return open_track


class _Shared:
    """One reader for several renders that advance about together: each block is decoded once.

    Renders read ahead on threads of their own, all in blocks of one length; a block is kept until the last of
    them has taken it.
    """

    def __init__(self, track: Track, sample_rate: int, readers: int) -> None:
        self._reader: TrackReader = track.open(sample_rate)
        self._next = [0] * readers
        self._decoded = 0
        self._blocks: dict[int, FloatArray] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> _Shared:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._reader.close()

    def read(self, index: int, frames: int) -> FloatArray:
        with self._lock:
            number = self._next[index]
            self._next[index] += 1
            if number == self._decoded:
                self._blocks[number] = self._reader.read(frames)
                self._decoded += 1
            block = self._blocks[number]
            if number < min(self._next):
                del self._blocks[number]
        return block.copy()


@dataclass(frozen=True, slots=True)
class _View:
    shared: _Shared
    index: int

    def read(self, frames: int) -> FloatArray:
        return self.shared.read(self.index, frames)


class PlanMeters:
    """Meters behind every strip of a plan, and on what enters every bus."""

    def __init__(self, plan: MixPlan) -> None:
        self._plan = plan
        self._out = {s.name: PlaceMeter(plan.sample_rate) for s in plan.strips if s.name != MASTER}
        self._fed = {s.output for s in plan.strips if s.output not in ("", MASTER)}
        self._in = {name: PlaceMeter(plan.sample_rate) for name in self._fed}
        self._sums: dict[str, DoubleArray] = {}

    def take(self, name: str, block: FloatArray) -> None:
        if name == MASTER:
            return
        self._out[name].update(block)
        if name in self._sums:
            self._in[name].update(self._sums.pop(name).astype(np.float32))
        bus = self._plan[name].output
        if bus in self._fed:
            held = self._sums.get(bus)
            if held is None or held.shape != block.shape:
                held = np.zeros(block.shape)
            self._sums[bus] = held + block

    def levels(self, tracks: Sequence[str]) -> Levels:
        lufs = {name: self._in_the_mix(name) for name in tracks}
        return Levels(lufs, {name: self._out[name].pan for name in tracks})

    def strip_lufs(self, tracks: Sequence[str]) -> dict[str, float | None]:
        """Loudness behind each track's own strip, before its bus."""
        return {name: self._out[name].lufs for name in tracks}

    def _in_the_mix(self, name: str) -> float | None:
        level = self._out[name].lufs
        bus = self._plan[name].output
        while level is not None and bus in self._fed:
            entering, leaving = self._in[bus].lufs, self._out[bus].lufs
            if entering is None or leaving is None:
                return None
            level += leaving - entering
            bus = self._plan[bus].output
        return level

"""One block of inputs in, one block of stereo out: all that runs in the audio callback.

It is the offline renderer's console, fed block by block, with curves that are written while it plays. Nothing here
waits, opens a file or decides; what it has to say goes into the link.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonmeister.console import Console, Section
from tonmeister.errors import PlanError
from tonmeister.fused.group import LaneGroup
from tonmeister.live.faders import WINDOW, Faders
from tonmeister.live.limits import limit
from tonmeister.live.link import Do, Event, Link
from tonmeister.live.ring import Order
from tonmeister.live.show import Show
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER
from tonmeister.units import FloatArray

__all__ = ["LiveCore"]


class LiveCore:
    """The desk's sound; `process` must be called block after block."""

    def __init__(self, show: Show, link: Link) -> None:
        self._show, self._link = show, link
        self._frames = show.block_frames
        self.position = self._complaint_due = 0
        self._rows: FloatArray = np.zeros((show.lanes, show.block_frames), np.float32)
        self._faders = show.faders()
        plan = _with_live_curves(show.plan, self._faders) if show.moves else show.plan
        self._console = Console(
            show.multitrack, plan, 1, show.block_frames, Section(), None, fused=True, frames=show.frames
        )
        self.latency_frames = self._console.latency_frames
        """By how much the output lags the inputs, without the device."""
        self._console.begin()
        self._feeds = [_GroupRows(g, show) for g in self._console.lane_groups]
        self._groups = [_GroupCurves(g, self._faders) for g in self._console.lane_groups if show.moves]
        self._check_window()
        self._waiting: list[Order] = []
        self._inputs = _Inputs(show, link, self._rows)
        if show.moves:
            self._refresh()
            link.gauges.levels[:] = self._faders.values[:, -1]

    def _check_window(self) -> None:
        remembered = (WINDOW - 3) * self._faders.tick_frames
        if self._show.moves and self.latency_frames > remembered:
            late_ms = 1000.0 * self.latency_frames / self._show.sample_rate
            raise PlanError(
                f"the plan's effects are late by {late_ms:.0f} ms, too much for a live desk: take out those "
                "that look ahead"
            )

    def process(self, inputs: FloatArray, output: FloatArray) -> None:
        """Take (lanes, block_frames) and fill `output` (2, block_frames), later by `latency_frames`."""
        np.copyto(self._rows, inputs)
        gauges = self._link.gauges
        with np.errstate(all="ignore"):
            self._inputs.check(self.position)
            if self._show.moves:
                self._decide_lines(self.position + self._frames)
            for feed in self._feeds:
                feed.write(self._rows)
            output[:] = self._console.step()
            np.abs(output).max(axis=1, out=gauges.mix_peaks)
            if not gauges.mix_peaks.max() < np.inf:
                output.fill(0.0)
                self._complain()
        self._link.tape.write(self._rows, output)
        self.position += self._frames
        gauges.count_block(self.position)

    def _complain(self) -> None:
        """Say once a second that the mix is no number."""
        if self.position >= self._complaint_due:
            self._complaint_due = self.position + self._show.sample_rate
            self._link.events.put(Order(Event.BAD_OUTPUT, 0, self.position))

    def _decide_lines(self, until: int) -> None:
        """Give every control its lines up to a frame, minding the orders that are due."""
        if self._faders.end >= until:
            return
        while (order := self._link.orders.take()) is not None:
            self._waiting.append(order)
        while self._faders.end < until:
            self._obey(self._faders.end)
            self._faders.tick()
            self._link.journal.write(self._faders.values[:, -1])
        self._refresh()
        self._link.gauges.levels[:] = self._faders.values[:, -1]

    def _obey(self, frame: int) -> None:
        if not self._waiting:
            return
        due = [order for order in self._waiting if order.frame <= frame]
        self._waiting = [order for order in self._waiting if order.frame > frame]
        for order in sorted(due, key=lambda o: o.frame):
            self._carry_out(order)

    def _carry_out(self, order: Order) -> None:
        faders, on = self._faders, bool(order.value)
        match order.kind:
            case Do.MOVE | Do.HAND:
                faders.move(order.index, order.value, order.frames, by_hand=order.kind == Do.HAND)
            case Do.MUTE:
                faders.mute(order.index, on)
            case Do.DUCK:
                faders.duck(order.index, order.value)
            case Do.HOLD:
                faders.held = on
            case Do.PANIC:
                fader = faders.index(MASTER, "gain_db")
                assert fader is not None
                faders.mute(fader, on, fade_s=limit("mute", "panic_fade_s" if on else "fade_s"))
            case Do.BYPASS:
                faders.bypassed = on

    def _refresh(self) -> None:
        self._faders.note_still()
        for group in self._groups:
            group.write(self._faders)


def _with_live_curves(plan: MixPlan, faders: Faders) -> MixPlan:
    """The plan with every control on a curve of the faders; mutes are among those."""
    strips = []
    for strip in plan.strips:
        mine = {
            c.parameter: curve
            for c, curve in zip(faders.controls, faders.curves, strict=True)
            if c.strip == strip.name
        }
        strips.append(dataclasses.replace(strip, muted=False, automation=mine))
    return dataclasses.replace(plan, strips=tuple(strips))


class _GroupRows:
    """The inputs of a lane group, and where they lie among the lanes of the desk."""

    def __init__(self, group: LaneGroup, show: Show) -> None:
        pairs = [
            (first + k, show.first_lane[member.strip.name] + k)
            for member, first in zip(group.members, group.first_rows, strict=True)
            for k in range(member.file_channels)
        ]
        self._to = np.array([to for to, _ in pairs])
        self._lanes = np.array([lane for _, lane in pairs])
        self._rows = group.rows[:, : show.block_frames]

    def write(self, rows: FloatArray) -> None:
        """Hand over a block (lanes, frames)."""
        self._rows[self._to] = rows[self._lanes]


@dataclass(frozen=True, slots=True, init=False)
class _GroupCurves:
    """The curves of a lane group, and which controls they are."""

    group: LaneGroup
    rows: NDArray[np.int64]

    def __init__(self, group: LaneGroup, faders: Faders) -> None:
        numbers = {id(curve): i for i, curve in enumerate(faders.curves)}
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "rows", np.array([numbers[id(c)] for c in group.curves], np.int64))

    def write(self, faders: Faders) -> None:
        count = len(self.rows)
        self.group.curve_values.reshape(count, WINDOW)[:] = faders.values[self.rows]
        self.group.curve_times.reshape(count, WINDOW)[:] = faders.times_s


class _Inputs:
    """Watches what comes in: an input with an impossible sample is shut until it has been well for a while."""

    def __init__(self, show: Show, link: Link, rows: FloatArray) -> None:
        self._link, self._rows = link, rows
        self._quiet_frames = round(limit("bad_input", "quiet_s") * show.sample_rate)
        self._largest = limit("bad_input", "largest")
        self._tracks: Sequence[slice] = [
            slice(show.first_lane[name], show.first_lane[name] + count)
            for name, count in show.channels.items()
        ]
        self._starts = np.array([s.start for s in self._tracks])
        self._shut: dict[int, int] = {}
        self._fade_in: FloatArray = np.linspace(0.0, 1.0, show.block_frames, dtype=np.float32)

    def check(self, position: int) -> None:
        """Silence what cannot be; the tracks beside it play on."""
        lanes = np.abs(self._rows).max(axis=1)
        peaks = np.maximum.reduceat(lanes, self._starts, out=self._link.gauges.peaks)
        if not peaks.max() < self._largest:
            for index in np.flatnonzero(~(peaks < self._largest)).tolist():
                self._rows[self._tracks[index]] = 0.0
                self._shut_for_a_while(index, position)
        for index, until in tuple(self._shut.items()):
            back = position >= until
            self._rows[self._tracks[index]] *= self._fade_in if back else np.float32(0.0)
            if back:
                del self._shut[index]
                self._link.events.put(Order(Event.INPUT_BACK, index, position))

    def _shut_for_a_while(self, index: int, position: int) -> None:
        if index not in self._shut:
            self._link.events.put(Order(Event.BAD_INPUT, index, position))
        self._shut[index] = position + self._quiet_frames

"""From stereo strips to the channels of a layout: every strip at its place, all rooms spread, low effects apart.

A strip's signal is cut into direct sound and room (`splitting`). The direct sound goes to its loudspeakers by gains
(`placing`); the rooms of all strips meet on one bus, which is spread over the surrounds (`decorrelation`); low effects are a
filtered sum. In ``exact`` mode the downmix of all this is the stereo mix, whatever the strips sound like.

Blocks run through as a stack of rows, (rows, frames): the stereo mix itself, the loudspeakers in the layout's order, and,
where strips are to stay objects, two channels of each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tonmeister.dsp.biquad import filter_cascade
from tonmeister.dsp.filter_design import butterworth
from tonmeister.errors import AudioFileError, BadInputError
from tonmeister.spatial.decorrelation import RoomFeeds
from tonmeister.spatial.layouts import DOWNMIX_GAIN, Layout
from tonmeister.spatial.numbers import number
from tonmeister.spatial.placing import Mode, center_share, placement
from tonmeister.spatial.splitting import AmbienceSplit
from tonmeister.strip import PLACE, Strip
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["STEREO_ROWS", "SpatialBus", "check_places"]

STEREO_ROWS = 2
"""Rows of the stereo mix, before those of the loudspeakers."""

_MIX = ""


def check_places(strips: Sequence[Strip], mode: Mode) -> None:
    """Refuse what a mode cannot do."""
    for strip in strips:
        if mode == "exact" and strip.place.azimuth_deg:
            raise BadInputError(
                f"{strip.name}.azimuth_deg={strip.place.azimuth_deg:g}: in exact mode a strip stands where its pan puts "
                "it in stereo: move its pan or spread_deg, or give --mode free"
            )


class _Gathered:
    """Rows that several sources add to, each at its own pace; what all have reached can be taken."""

    def __init__(self, rows: int, sources: Collection[str]) -> None:
        self._sums: DoubleArray = np.zeros((rows, 0))
        self._reached = dict.fromkeys(sources, 0)

    def add(self, source: str, *parts: tuple[slice, DoubleArray | FloatArray]) -> None:
        """Add blocks of one length, each to its rows, behind what the source added before."""
        frames = parts[0][1].shape[1]
        start = self._reached[source]
        self._reached[source] = start + frames
        missing = start + frames - self._sums.shape[1]
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, missing)))
        for rows, block in parts:
            self._sums[rows, start : start + frames] += block

    def take(self) -> DoubleArray:
        """Remove what is complete; (rows, n)."""
        count = min(self._reached.values())
        taken, self._sums = self._sums[:, :count], self._sums[:, count:]
        self._reached = {source: reached - count for source, reached in self._reached.items()}
        return taken


class SpatialBus:
    """Takes what strips feed the master and the stereo mix, block by block, and gives the stack."""

    def __init__(
        self,
        strips: Sequence[Strip],
        layout: Layout,
        mode: Mode,
        sample_rate: int,
        *,
        mono: Collection[str] = (),
        objects: bool = False,
    ) -> None:
        """`mono` names strips whose channels are the same; with `objects` direct sound stays apart, strip by strip."""
        check_places(strips, mode)
        self._layout = layout
        self.rows = STEREO_ROWS + layout.channels + (2 * len(strips) if objects else 0)
        self._speakers = slice(STEREO_ROWS, STEREO_ROWS + layout.channels)
        self._room, self._low = slice(self.rows, self.rows + 2), slice(self.rows + 2, self.rows + 3)
        # strips add in the order of their names, so that a sum does not depend on that of the tracks
        self._strips = {s.name: s for s in sorted(strips, key=lambda s: s.name)}
        self._gathered = _Gathered(self.rows + 3, (_MIX, *self._strips))
        self._gains = self._all_gains(mode, objects)
        surrounds = len(layout.surrounds(1))
        self._splits = {
            s.name: AmbienceSplit(sample_rate, amount=s.place.ambience, mono=s.name in mono)
            for s in strips
            if s.place.ambience > 0.0 and surrounds
        }
        self._feeds = RoomFeeds(surrounds, sample_rate, front=mode == "exact") if self._splits else None
        self._held: FloatArray = np.zeros((self.rows, 0), np.float32)
        self._low_pass = butterworth(
            "low_pass", number("lfe.cutoff_hz"), int(number("lfe.order")), sample_rate
        )
        self._low_state = np.zeros((1, len(self._low_pass), 2))

    def _all_gains(self, mode: Mode, objects: bool) -> Mapping[str, DoubleArray]:
        """Gains (rows behind the stereo mix, 2) of each strip's direct sound."""
        gains = {}
        for index, (name, strip) in enumerate(self._strips.items()):
            matrix = np.zeros((self.rows - STEREO_ROWS, 2))
            speakers = self._layout.channels
            if objects:
                own = self._layout.channels + 2 * index
                matrix[own : own + 2] = np.eye(2)
                at = self._layout.index("M+000")
                center = None if at is None else np.eye(len(matrix))[at]
                matrix = center_share(matrix, center, strip.place.center)
            else:
                matrix[:speakers] = placement(strip.place, self._layout, mode)
            gains[name] = matrix
        return gains

    @property
    def objects(self) -> Sequence[str]:
        """Names of the strips whose channels follow the loudspeakers, two each, in order."""
        return tuple(self._strips)

    def take(self, name: str, block: FloatArray) -> None:
        """What a strip feeds the master, (2, frames)."""
        if name not in self._strips:
            return
        if not np.isfinite(block).all():
            raise AudioFileError(f"{name}: holds values that are no finite numbers: export it again")
        split = self._splits.get(name)
        if split is None:
            self._add(name, None, block)
        else:
            self._add(name, *split.push(block))

    def mix(self, block: FloatArray) -> FloatArray:
        """The stereo mix, after all strips of the same stretch; gives the rows (rows, n) that are complete."""
        self._gathered.add(_MIX, (slice(0, STEREO_ROWS), block))
        return self._complete(self._gathered.take())

    def finish(self) -> FloatArray:
        """The rest: as many frames have now been given as were taken."""
        for name, split in self._splits.items():
            self._add(name, *split.finish())
        stack = self._complete(self._gathered.take())
        if self._feeds is None:
            return stack
        return np.concatenate([stack, self._with_room(self._feeds.finish())], axis=1)

    def _add(self, name: str, room: FloatArray | None, direct: FloatArray) -> None:
        place = self._strips[name].place
        parts: list[tuple[slice, DoubleArray | FloatArray]] = [
            (slice(STEREO_ROWS, self.rows), self._gains[name] @ direct)
        ]
        whole = direct
        if room is not None:
            parts.append((self._room, room))
            whole = direct + room
        if place.lfe_db > PLACE["lfe_db"].minimum:
            parts.append((self._low, db_to_gain(place.lfe_db) * whole.mean(axis=0, keepdims=True)))
        self._gathered.add(name, *parts)

    def _complete(self, sums: DoubleArray) -> FloatArray:
        stack = sums[: self.rows].astype(np.float32)
        lfe = self._layout.index("LFE1")
        if lfe is not None:
            low = np.ascontiguousarray(sums[self._low], np.float32)
            filter_cascade(low, low, self._low_pass, self._low_state)
            stack[STEREO_ROWS + lfe] += low[0]
        if self._feeds is None:
            return stack
        self._held = np.concatenate([self._held, stack], axis=1)
        return self._with_room(self._feeds.push(np.ascontiguousarray(sums[self._room], np.float32)))

    def _with_room(self, feeds: FloatArray) -> FloatArray:
        """The waiting rows with the room on its loudspeakers: the front as it is, surrounds up by what a downmix takes."""
        count = feeds.shape[1]
        stack, self._held = self._held[:, :count].copy(), self._held[:, count:]
        for side, sign in enumerate((1, -1)):
            surrounds = self._layout.surrounds(sign)
            front, *others = feeds[side * (1 + len(surrounds)) : (side + 1) * (1 + len(surrounds))]
            stack[STEREO_ROWS + side] += front
            for channel, feed in zip(surrounds, others, strict=True):
                stack[STEREO_ROWS + channel] += feed / np.float32(DOWNMIX_GAIN)
        return stack

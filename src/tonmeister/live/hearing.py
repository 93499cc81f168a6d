"""What a controller has heard so far: loudness by the hop, measurements over the last seconds, nothing later."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from tonmeister.analysis import analyze
from tonmeister.audio import Audio
from tonmeister.dsp.cell_kernels import CELL_VALUES, weighted_cells
from tonmeister.dsp.loudness import (
    CELLS_PER_S,
    MOMENTARY_CELLS,
    channel_weights,
    k_weighting_coefficients,
    lufs_of_power,
)
from tonmeister.engines.base import ScorePosition
from tonmeister.features import MultitrackFeatures
from tonmeister.live.limits import limit
from tonmeister.live.show import Show
from tonmeister.units import SILENCE_DB, DoubleArray, FloatArray

__all__ = ["Hearing"]


class _Momentary:
    """K-weighted loudness of one track over the last 400 ms, as it sounds from both speakers."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate, self._position = sample_rate, 0
        self._sections = np.array(k_weighting_coefficients(sample_rate))
        self._carried = np.zeros((channels, 4)), np.zeros((channels, CELL_VALUES)), np.zeros(1)
        self._weights = channel_weights(channels, dual_mono=True)
        self._energy: DoubleArray = np.zeros(MOMENTARY_CELLS)

    def update(self, block: FloatArray) -> float | None:
        """Take the next (channels, frames); the loudness at its end, LUFS, None in silence."""
        room = block.shape[1] * CELLS_PER_S // self._rate + 2
        cells, products = np.zeros((room, block.shape[0], CELL_VALUES)), np.zeros(room)
        count = weighted_cells(
            block, self._rate, self._position, self._sections, *self._carried, cells, products
        )
        self._position += block.shape[1]
        newest = (cells[:count, :, 0] * self._weights).sum(1)
        self._energy = np.concatenate([self._energy, newest])[-MOMENTARY_CELLS:]
        power = float(self._energy.sum()) * CELLS_PER_S / (MOMENTARY_CELLS * self._rate)
        loudness = float(lufs_of_power(power))
        return loudness if loudness > SILENCE_DB else None


class Hearing:
    """The ear of a performance; see `engines.base.Heard`."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._meters = {name: _Momentary(show.sample_rate, n) for name, n in show.channels.items()}
        self._memory: FloatArray | None = None
        self._memory_frames = round(limit("clock", "memory_s") * show.sample_rate)
        self._measured: dict[float, MultitrackFeatures] = {}
        self.frames = 0
        self.position: ScorePosition | None = None
        self.momentary_lufs: Mapping[str, float | None] = dict.fromkeys(show.channels)

    @property
    def time_s(self) -> float:
        """Seconds heard so far."""
        return self.frames / self._show.sample_rate

    def update(self, block: FloatArray) -> None:
        """Take the next (lanes, frames)."""
        if self._memory is None:
            self._memory = np.zeros((block.shape[0], self._memory_frames), np.float32)
        at = self.frames % self._memory_frames
        head = min(block.shape[1], self._memory_frames - at)
        self._memory[:, at : at + head] = block[:, :head]
        self._memory[:, : block.shape[1] - head] = block[:, head:]
        self.frames += block.shape[1]
        self._measured.clear()
        self.momentary_lufs = {
            name: meter.update(np.ascontiguousarray(block[first : first + self._show.channels[name]]))
            for (name, first), meter in zip(self._show.first_lane.items(), self._meters.values(), strict=True)
        }

    def recent(self, seconds: float) -> MultitrackFeatures:
        """Measurements over the last `seconds`, at most as far as memory goes."""
        if seconds not in self._measured:
            self._measured[seconds] = self._measure(seconds)
        return self._measured[seconds]

    def _measure(self, seconds: float) -> MultitrackFeatures:
        frames = min(round(seconds * self._show.sample_rate), self.frames, self._memory_frames)
        assert self._memory is not None
        end = self.frames % self._memory_frames
        begin = end - frames
        sound = self._memory[:, max(begin, 0) : end]
        if begin < 0:
            sound = np.concatenate([self._memory[:, begin:], sound], axis=1)
        song = self._show.multitrack
        tracks = []
        for track in song.tracks:
            first = self._show.first_lane[track.name]
            mine = sound[first : first + track.channels]
            tracks.append(dataclasses.replace(track, audio=Audio(mine, song.sample_rate)))
        return analyze(dataclasses.replace(song, tracks=tuple(tracks)), threads=1)

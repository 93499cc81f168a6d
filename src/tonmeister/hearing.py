"""What engines may hear of a song's tracks: short excerpts, read when they are asked for."""

from __future__ import annotations

from typing import Final

import numpy as np

from tonmeister.analysis.recording import BLOCK_FRAMES, Recording
from tonmeister.analysis.tracks import track_result
from tonmeister.audio import Audio
from tonmeister.features import HOP_S, MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.units import FloatArray

__all__ = ["TrackEar"]

_CHUNK: Final = 1 << 16


class TrackEar:
    """The ear (`engines.base.Ear`) on a measured multitrack."""

    def __init__(self, multitrack: Multitrack, features: MultitrackFeatures) -> None:
        self._multitrack = multitrack
        self._features = features
        self._heard: dict[tuple[str, float], Audio] = {}

    def excerpt(self, track: str, duration_s: float) -> Audio:
        """The loudest part of `track`, at most `duration_s` long; kept, so asking again costs nothing."""
        key = track, duration_s
        if key not in self._heard:
            self._heard[key] = self._read(track, duration_s)
        return self._heard[key]

    def _read(self, name: str, duration_s: float) -> Audio:
        track, rate = self._multitrack[name], self._multitrack.sample_rate
        measured = self._features[name]
        if measured.silent:
            return Audio(np.zeros((track.channels, 0), np.float32), rate)
        cells = max(round(duration_s / HOP_S), 1)
        start = round(_loudest(measured.level_db, cells) * HOP_S * rate)
        with track.open(rate) as reader:
            for left in range(start, 0, -_CHUNK):
                reader.read(min(left, _CHUNK))
            return Audio(reader.read(round(duration_s * rate)), rate)

    def measure(self, audio: Audio) -> TrackFeatures:
        """What `audio` measures."""
        recording = Recording("excerpt", audio.sample_rate, audio.channels, keep_excerpts=False)
        for start in range(0, audio.frames, BLOCK_FRAMES):
            recording.update(audio.samples[:, start : start + BLOCK_FRAMES])
        return track_result("excerpt", recording).features


def _loudest(level_db: FloatArray, cells: int) -> int:
    """Where the `cells` values with the largest mean power begin."""
    if len(level_db) <= cells:
        return 0
    sums = np.concatenate([[0.0], np.cumsum(10.0 ** (np.asarray(level_db, np.float64) / 10.0))])
    return int(np.argmax(sums[cells:] - sums[:-cells]))

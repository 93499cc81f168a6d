"""A part of the song in memory, rendered again and again: what a plan makes of it, strip by strip."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.analysis.spectra import SpectrumMeter
from tonmeister.audio import Audio
from tonmeister.dsp.spectrum import THIRD_OCTAVE
from tonmeister.matching.numbers import number
from tonmeister.multitrack import Multitrack, Track
from tonmeister.plan import MixPlan
from tonmeister.render import Sink, render_blocks
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["Excerpt", "Heard", "loudest_start", "mid_side_powers"]

_CHUNK: Final = 1 << 16
_STEP_S: Final = 0.5


@dataclass(frozen=True, eq=False)
class Heard:
    """One render of the excerpt."""

    mix: FloatArray
    """Behind the master; (2, frames)."""
    strips: Mapping[str, DoubleArray]
    """Power of mid and side per third octave behind each track's fader and pan; (2, 30)."""
    bands: DoubleArray
    """The same of the mix."""


class Excerpt:
    """The tracks between `start` and `start + frames`, at the song's rate."""

    def __init__(
        self, multitrack: Multitrack, start: int, frames: int, *, threads: int | None = None
    ) -> None:
        self.start, self.frames = start, frames
        with ThreadPoolExecutor(threads) as pool:
            parts = list(
                pool.map(lambda t: _part(t, multitrack.sample_rate, start, frames), multitrack.tracks)
            )
        self._song = dataclasses.replace(multitrack, tracks=tuple(parts))
        self._threads = threads

    @staticmethod
    def length(multitrack: Multitrack) -> int:
        """Frames of an excerpt: less of a song with many tracks, so that memory is bounded."""
        each_s = number("excerpt.tracks") / max(len(multitrack.tracks), 1)
        return round(min(number("excerpt.length"), each_s) * multitrack.sample_rate)

    def plain_sum(self) -> FloatArray:
        """The tracks as they are, added up; (2, frames)."""
        total = np.zeros((2, self.frames))
        for track in self._song.tracks:
            assert track.audio is not None
            total += track.audio.samples
        return total.astype(np.float32)

    def render(self, plan: MixPlan) -> Heard:
        """What `plan` makes of the excerpt."""
        meters = {name: _Meters(self._song.sample_rate) for name in self._song.names}

        def tap(name: str, block: FloatArray) -> None:
            if name in meters:
                meters[name].update(block)

        mix = self.mix(plan, taps=tap)
        powers = {name: meter.powers() for name, meter in meters.items()}
        return Heard(mix, powers, mid_side_powers(mix, self._song.sample_rate))

    def mix(self, plan: MixPlan, *, taps: Sink | None = None) -> FloatArray:
        """Behind the master alone; (2, frames)."""
        return np.concatenate(list(render_blocks(self._song, plan, threads=self._threads, taps=taps)), axis=1)


def _part(track: Track, sample_rate: int, start: int, frames: int) -> Track:
    """A piece of a track, filled up with silence."""
    with track.open(sample_rate) as reader:
        for left in range(start, 0, -_CHUNK):
            reader.read(min(left, _CHUNK))
        samples = np.zeros((track.channels, frames), np.float32)
        reader.read_into(samples)
    return dataclasses.replace(track, sources=(), audio=Audio(samples, sample_rate), input_gain_db=0.0)


class _Meters:
    """Spectra of the middle and the side of a stereo signal."""

    def __init__(self, sample_rate: int) -> None:
        self._both = [
            SpectrumMeter(sample_rate, 1, dual_mono=False, shapes=False, series=False) for _ in range(2)
        ]

    def update(self, block: FloatArray) -> None:
        left, right = block
        for meter, signal in zip(self._both, (0.5 * (left + right), 0.5 * (left - right)), strict=True):
            meter.update(np.ascontiguousarray(signal[None], np.float32))

    def powers(self) -> DoubleArray:
        return np.array([meter.finish_mean()[THIRD_OCTAVE] for meter in self._both])


def mid_side_powers(samples: FloatArray, sample_rate: int) -> DoubleArray:
    """Mean power per third octave of (2, frames): of the middle and of the side; (2, 30)."""
    meters = _Meters(sample_rate)
    meters.update(samples)
    return meters.powers()


def loudest_start(samples: FloatArray, frames: int, sample_rate: int) -> int:
    """Where the `frames` with the most energy begin, in steps of half a second."""
    step = max(round(_STEP_S * sample_rate), 1)
    cells = samples.shape[1] // step
    wide = max(frames // step, 1)
    if cells <= wide:
        return 0
    energy = np.square(samples[:, : cells * step], dtype=np.float64).sum(0).reshape(cells, step).sum(1)
    sums = np.cumsum(np.concatenate([[0.0], energy]))
    return int(np.argmax(sums[wide:] - sums[:-wide])) * step

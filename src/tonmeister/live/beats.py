"""Beats where there is no score: onset strength every 10 ms, the period that it repeats with, and the next beats.

The onset strength is the rise of a logarithmic spectrum in 24 bands. Twice a second its autocorrelation over 6 s says
how long a beat is, with a preference for moderate tempi (a log-normal about 120 beats a minute, as in Ellis, JNMR 36(1),
2007); the beats lie where a comb of that period meets the most strength in the last 3 s, moved toward where the last
ones were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.live.timing import Prediction
from tonmeister.units import DoubleArray, FloatArray

__all__ = ["BeatPosition", "BeatTracker"]

CELL_S: Final = 0.01
BANDS: Final = 24
WINDOW_S: Final = 0.04
MEMORY_S: Final = 6.0
COMB_S: Final = 3.0
THINK_S: Final = 0.5
SLOWEST_BPM: Final = 50.0
FASTEST_BPM: Final = 200.0
CENTER_BPM: Final = 120.0
OCTAVES: Final = 0.9
STAY: Final = 1.25
"""A new period must beat the old one by this factor: beats do not hop between octaves."""
CONFIDENT: Final = 0.2
ONSET_RISE: Final = 0.12
"""Mean rise over the bands, nats, that an onset must stand above its surroundings."""
ONSET_GAP_S: Final = 0.05
DETECTION_S: Final = 0.013
FORGET: Final = 0.999
SILENCE: Final = 1e-5


@dataclass(frozen=True, slots=True)
class BeatPosition:
    """Where the music is in its beats at `time_s`."""

    beat: float
    """Beats since the first that was found; fractions between them."""
    beat_s: float
    """Seconds per beat; nan while none is known."""
    next_s: float
    """When the next beat is expected; nan while none is known."""
    confidence: float
    """0 to 1: how strongly the sound repeats with that period."""
    onset_s: float | None
    """When the last onset was heard; None before the first."""
    time_s: float = 0.0


class BeatTracker:
    """Follows the beat of any music; `update` takes blocks (channels, frames) of any length."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._hop = max(round(CELL_S * sample_rate), 1)
        self._length = max(2 ** round(math.log2(WINDOW_S * sample_rate)), 64)
        self._edges = _edges(sample_rate, self._length)
        self._window = np.hanning(self._length + 1)[:-1]
        self.cell_s = self._hop / sample_rate
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._buffer = np.zeros(self._length)
        self._pending = np.zeros(0)
        self._before = np.full(BANDS, math.log(SILENCE))
        self._strength = np.zeros(round(MEMORY_S / self.cell_s))
        self._cells = self._frames = 0
        self._maximum = SILENCE
        self._period = math.nan
        self._phase_s = math.nan
        self._confidence = 0.0
        self._count = 0.0
        self.onsets_s: list[float] = []

    def update(self, block: FloatArray) -> BeatPosition:
        """Take the next block; where the beat is at its end."""
        self._frames += block.shape[1]
        mono = np.nan_to_num(block.sum(axis=0, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        heard = np.concatenate((self._pending, mono))
        count = len(heard) // self._hop
        for k in range(count):
            self._cell(heard[k * self._hop : (k + 1) * self._hop])
        self._pending = heard[count * self._hop :]
        return self.position

    @property
    def position(self) -> BeatPosition:
        """Where the beat is after all blocks so far."""
        now_s = self._frames / self._rate
        last = self.onsets_s[-1] if self.onsets_s else None
        if not math.isfinite(self._period):
            return BeatPosition(0.0, math.nan, math.nan, 0.0, last, now_s)
        since = (now_s - self._phase_s) / self._period
        ahead = math.floor(since) + 1
        return BeatPosition(
            self._count + since,
            self._period,
            self._phase_s + ahead * self._period,
            self._confidence,
            last,
            now_s,
        )

    def upcoming(self, count: int) -> list[Prediction]:
        """The next `count` beats; their doubt grows by a hundredth of a beat each. Empty without a steady beat."""
        place = self.position
        if not math.isfinite(place.next_s) or place.confidence < CONFIDENT:
            return []
        first = math.floor(place.beat) + 1
        return [
            Prediction(first + k, place.next_s + k * self._period, 0.02 + 0.01 * (k + 1) * self._period)
            for k in range(count)
        ]

    def _cell(self, hop: DoubleArray) -> None:
        joined = np.concatenate((self._buffer, hop))
        self._buffer = joined[-self._length :]
        power = np.abs(np.fft.rfft(self._buffer * self._window)) ** 2
        bands = np.add.reduceat(power, self._edges)
        self._maximum = max(self._maximum * FORGET, float(bands.max()), SILENCE)
        level = np.log(bands + 1e-4 * self._maximum)
        rise = float(np.maximum(level - self._before, 0.0).mean()) if self._cells else 0.0
        self._before = level
        self._strength = np.concatenate((self._strength[1:], [rise]))
        self._cells += 1
        self._note_onset()
        if self._cells * self.cell_s >= COMB_S and self._cells % round(THINK_S / self.cell_s) == 0:
            self._think()

    def _note_onset(self) -> None:
        """An onset is the highest of three cells and stands above the last 200 ms; known one cell later."""
        recent = self._strength[-22:]
        if self._cells < 4 or recent[-2] < recent[-1] or recent[-2] < recent[-3]:
            return
        time_s = (self._cells - 1) * self.cell_s - DETECTION_S
        if recent[-2] > np.median(recent) + ONSET_RISE and (
            not self.onsets_s or time_s - self.onsets_s[-1] >= ONSET_GAP_S
        ):
            self.onsets_s.append(time_s)

    def _think(self) -> None:
        period = self._found_period()
        if period is None:
            self._confidence *= 0.5
            return
        last_s = self._comb(period)
        if math.isfinite(self._period):
            before = self._phase_s
            passed = max(round((last_s - before) / period), 0)
            self._count += passed
            wanted = last_s - before - passed * period
            near = abs(wanted) < 0.25 * period
            last_s = before + passed * period + (0.5 * wanted if near else wanted)
        self._period, self._phase_s = period, last_s

    def _found_period(self) -> float | None:
        """Seconds per beat by the autocorrelation of the strength; None where nothing repeats."""
        strength = self._strength[-min(self._cells, len(self._strength)) :]
        strength = strength - strength.mean()
        spectrum = np.fft.rfft(strength, 2 * len(strength))
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(strength)]
        if correlation[0] <= 1e-9:
            return None
        correlation = correlation / (correlation[0] * np.linspace(1, 1 / len(strength), len(strength)))
        lags = np.arange(
            math.ceil(60 / FASTEST_BPM / self.cell_s), math.floor(60 / SLOWEST_BPM / self.cell_s) + 1
        )
        lags = lags[lags < 0.75 * len(strength)]
        smooth = np.convolve(correlation, (0.5, 1.0, 0.5), "same")[lags] / 2
        bpm = 60 / (lags * self.cell_s)
        weighted = smooth * np.exp(-0.5 * (np.log2(bpm / CENTER_BPM) / OCTAVES) ** 2)
        if math.isfinite(self._period):
            weighted[np.abs(lags * self.cell_s / self._period - 1) < 0.08] *= STAY
        best = int(weighted.argmax())
        self._confidence = float(min(max(smooth[best], 0.0), 1.0))
        return self._sharpened(correlation, int(lags[best])) if smooth[best] > 0.5 * CONFIDENT else None

    def _sharpened(self, correlation: DoubleArray, lag: int) -> float:
        """The period to a fraction of a cell, from the peak near its largest multiple."""
        multiple = max(min(4, int(0.6 * len(correlation)) // lag), 1)
        low = max(multiple * lag - multiple - 1, 1)
        near = np.arange(low, min(multiple * lag + multiple + 2, len(correlation)))
        return float(near[correlation[near].argmax()]) / multiple * self.cell_s

    def _comb(self, period: float) -> float:
        """Time of the last beat: where the comb of that period meets the most strength in the last seconds."""
        cells = round(COMB_S / self.cell_s)
        strength = np.convolve(self._strength[-cells:], (0.5, 1.0, 0.5), "same")
        teeth = np.arange(max(int(COMB_S / period), 1)) * period / self.cell_s
        offsets = np.arange(0, period / self.cell_s, 0.5)
        where = len(strength) - 1 - offsets[:, None] - teeth[None, :]
        met = np.interp(where.ravel(), np.arange(len(strength)), strength, left=0.0).reshape(where.shape)
        weights = 0.85 ** np.arange(len(teeth))
        best = float(offsets[(met @ weights).argmax()])
        return (self._cells - best) * self.cell_s - DETECTION_S


def _edges(sample_rate: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """First bins of bands that are evenly spread from 50 Hz on in pitch, each at least one bin."""
    highest = min(0.45 * sample_rate, 12_000.0)
    bins = np.geomspace(50.0, highest, BANDS + 1)[:-1] * length / sample_rate
    edges = np.maximum.accumulate(np.round(bins).astype(np.int64))
    return np.maximum(edges, np.arange(BANDS) + 1)

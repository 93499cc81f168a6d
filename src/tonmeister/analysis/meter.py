"""The streaming meter: loudness (BS.1770-4, EBU R128), true peak, sample peak, level, in one pass.

Blocks of any size give the same bits, because all sums run over cells of 10 ms that do not move with the
blocks. Momentary and short-term maxima are taken over windows every 10 ms, ten times finer than EBU Tech 3341
asks; gating blocks and the momentary series start every 100 ms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.cell_kernels import CELL_VALUES, weighted_cells
from tonmeister.dsp.loudness import (
    CELLS_PER_S,
    MOMENTARY_CELLS,
    SHORT_TERM_CELLS,
    STEP_CELLS,
    channel_weights,
    integrated_lufs,
    k_weighting_coefficients,
    loudness_range_lu,
    lufs_of_power,
    window_powers,
)
from tonmeister.dsp.true_peak import (
    DELAY_FRAMES,
    TAPS,
    interpolated_peaks,
    interpolator_gain,
    polyphase_4x,
)
from tonmeister.units import DoubleArray, FloatArray, gain_to_db

__all__ = ["CellMeter", "LoudnessMeter", "TruePeakMeter", "cell_starts"]


def cell_starts(cells: int, sample_rate: int) -> NDArray[np.int64]:
    """First frame of each cell of 10 ms, and the end of the last; shape (cells + 1,)."""
    return np.arange(cells + 1, dtype=np.int64) * sample_rate // CELLS_PER_S


class CellMeter:
    """Collects K-weighted energy, energy, peak and sum per channel in cells of 10 ms; left times right for stereo."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.position = 0
        self._sections = np.array(k_weighting_coefficients(sample_rate))
        self._state = np.zeros((channels, 4))
        self.partial: DoubleArray = np.zeros((channels, CELL_VALUES))
        self._cross = np.zeros(1)
        self._cells: list[DoubleArray] = []
        self._products: list[DoubleArray] = []

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        frames = block.shape[1]
        if not frames:
            return
        room = frames * CELLS_PER_S // self.sample_rate + 2
        cells, products = np.zeros((room, self.channels, CELL_VALUES)), np.zeros(room)
        carried = (self._sections, self._state, self.partial, self._cross)
        count = weighted_cells(block, self.sample_rate, self.position, *carried, cells, products)
        self.position += frames
        self._cells.append(cells[:count])
        self._products.append(products[:count])

    def cells(self) -> DoubleArray:
        """All cells, the last perhaps not full; shape (cells, channels, 4)."""
        last = [self.partial[None].copy()] if self.position else []
        cells = np.concatenate([np.zeros((0, self.channels, CELL_VALUES)), *self._cells, *last])
        self._cells = [cells[: len(cells) - len(last)]]  # a view: the series is held once
        return cells

    @property
    def partial_product(self) -> float:
        """Left times right, summed over the cell that is not full yet."""
        return float(self._cross[0])

    def drained(self) -> tuple[DoubleArray, DoubleArray]:
        """The complete cells since the last call, (cells, channels, 4), and their products, (cells,); not kept here."""
        cells = np.concatenate([np.zeros((0, self.channels, CELL_VALUES)), *self._cells])
        products = np.concatenate([np.zeros(0), *self._products])
        self._cells.clear()
        self._products.clear()
        return cells, products

    def products(self) -> DoubleArray:
        """Left times right, summed per cell; shape (cells,), zero unless stereo."""
        last = [self._cross.copy()] if self.position else []
        return np.concatenate([np.zeros(0), *self._products, *last])

    def frames(self) -> NDArray[np.int64]:
        """How many frames each cell holds; shape (cells,)."""
        count = -(-self.position * CELLS_PER_S // self.sample_rate)
        return np.diff(np.minimum(cell_starts(count, self.sample_rate), self.position))

    def full_cells(self) -> int:
        """How many cells are complete."""
        return self.position * CELLS_PER_S // self.sample_rate


class TruePeakMeter:
    """Largest magnitude of the four times oversampled signal, over all channels."""

    _STRIDE = 4096

    def __init__(self, channels: int) -> None:
        self.peak = 0.0
        self._coefficients = polyphase_4x()
        self._gain = interpolator_gain(self._coefficients)
        self._history = np.zeros((channels, TAPS - 1), np.float32)

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames)."""
        padded = np.concatenate((self._history, block), axis=1)
        self._history = padded[:, padded.shape[1] - (TAPS - 1) :].copy()
        for start in range(0, block.shape[1], self._STRIDE):
            self._stride(padded[:, start : start + self._STRIDE + TAPS - 1])

    def finish(self) -> float:
        """Let the signal ring out; the true peak as an amplitude."""
        self.update(np.zeros((len(self._history), DELAY_FRAMES), np.float32))
        return self.peak

    def _stride(self, padded: FloatArray) -> None:
        if float(np.abs(padded).max()) * self._gain <= self.peak:
            return
        peaks = np.empty((padded.shape[0], padded.shape[1] - (TAPS - 1)))
        interpolated_peaks(np.ascontiguousarray(padded), self._coefficients, self._gain, self.peak, peaks)
        self.peak = max(self.peak, float(peaks.max()))


class LoudnessMeter:
    """All loudness measures of one signal; feed blocks with `update`, read the results at any time.

    Of every cell one number is kept, 3 MB an hour. A mono signal counts once, as BS.1770 has it, or twice with
    `dual_mono`: as it sounds from both speakers.
    Without `peaks` the true peak is left out, which saves more than half of the work.
    """

    def __init__(
        self,
        sample_rate: int,
        channels: int,
        *,
        dual_mono: bool = False,
        peaks: bool = True,
        weights: DoubleArray | None = None,
    ) -> None:
        """`weights` of the channels, where a layout gives others than their number does."""
        self.sample_rate = sample_rate
        self.channels = channels
        self._meter = CellMeter(sample_rate, channels)
        self._true_peak = TruePeakMeter(channels)
        self._peaks = peaks
        self._weights = channel_weights(channels, dual_mono=dual_mono) if weights is None else weights
        self._weighted: list[DoubleArray] = []
        self._sums: DoubleArray = np.zeros((channels, CELL_VALUES))
        self._product = 0.0
        self._peak = 0.0

    def update(self, block: FloatArray) -> None:
        """Take the next (channels, any number of frames) of float32."""
        block = np.ascontiguousarray(block, dtype=np.float32)
        self._meter.update(block)
        cells, products = self._meter.drained()
        if len(cells):
            self._weighted.append(np.asarray((cells[:, :, 0] * self._weights).sum(1)))
            # cell by cell, so that the order of the sums does not depend on the blocks
            self._sums = np.add.accumulate(np.concatenate([self._sums[None], cells]))[-1]
            self._product = float(np.add.accumulate(np.concatenate([[self._product], products]))[-1])
            self._peak = max(self._peak, float(cells[:, :, 2].max()))
        if self._peaks:
            self._true_peak.update(block)

    @property
    def frames(self) -> int:
        """How many frames there were so far."""
        return self._meter.position

    @property
    def energies(self) -> DoubleArray:
        """Sum of squares of each channel so far."""
        return np.asarray(self._sums[:, 1] + self._meter.partial[:, 1])

    @property
    def sums(self) -> DoubleArray:
        """Sum of the samples of each channel so far."""
        return np.asarray(self._sums[:, 3] + self._meter.partial[:, 3])

    @property
    def product(self) -> float:
        """Sum of left times right so far; 0 unless stereo."""
        return self._product + self._meter.partial_product

    def _windows(self, cells: int, step: int) -> DoubleArray:
        weighted = np.concatenate([np.zeros(0), *self._weighted])
        self._weighted = [weighted]
        last = np.asarray((self._meter.partial[:, 0] * self._weights).sum())
        full = self._meter.full_cells()  # of which the last may still wait for the next block
        return window_powers(
            np.append(weighted, last)[:full], self._meter.frames()[:full], cells=cells, step=step
        )

    @property
    def integrated_lufs(self) -> float | None:
        """Gated loudness of all so far; None when nothing passed -70 LUFS, or before 400 ms."""
        return integrated_lufs(self._windows(MOMENTARY_CELLS, STEP_CELLS))

    @property
    def loudness_range_lu(self) -> float | None:
        """Loudness range (EBU Tech 3342); None before 3 s or in silence."""
        return loudness_range_lu(self._windows(SHORT_TERM_CELLS, STEP_CELLS))

    def momentary_lufs(self) -> DoubleArray:
        """Loudness of 400 ms every 100 ms; value k ends at 0.4 s + k 0.1 s; floor -200."""
        return lufs_of_power(self._windows(MOMENTARY_CELLS, STEP_CELLS))

    def short_term_lufs(self) -> DoubleArray:
        """Loudness of 3 s every 100 ms; value k ends at 3 s + k 0.1 s; floor -200."""
        return lufs_of_power(self._windows(SHORT_TERM_CELLS, STEP_CELLS))

    @property
    def max_momentary_lufs(self) -> float | None:
        """Loudest 400 ms; None before 400 ms or in silence."""
        return _loudest(self._windows(MOMENTARY_CELLS, 1))

    @property
    def max_short_term_lufs(self) -> float | None:
        """Loudest 3 s; None before 3 s or in silence."""
        return _loudest(self._windows(SHORT_TERM_CELLS, 1))

    @property
    def sample_peak(self) -> float:
        """Largest magnitude of a sample."""
        return max(self._peak, float(self._meter.partial[:, 2].max(initial=0.0)))

    def true_peak(self) -> float:
        """Largest magnitude between the samples, as an amplitude; the signal ends here."""
        return self._true_peak.finish()

    def true_peak_dbtp(self) -> float | None:
        """True peak, 4x oversampled; None in silence; the signal ends here."""
        peak = self.true_peak()
        return gain_to_db(peak) if peak > 0 else None

    @property
    def sample_peak_db(self) -> float | None:
        """Sample peak; None in silence."""
        return gain_to_db(self.sample_peak) if self.sample_peak > 0 else None


def _loudest(powers: DoubleArray) -> float | None:
    power = float(powers.max(initial=0.0))
    return float(lufs_of_power(power)) if power > 0 else None

"""The processor of every effect that is second-order sections in series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tonmeister.units import DoubleArray, FloatArray


class SectionsProcessor:
    """Filters by the sections that `design` gives for a sample rate; float64 state."""

    latency_frames = 0

    def __init__(self, design: Callable[[int], DoubleArray]) -> None:
        self._design = design

    def prepare(self, sample_rate: int, channels: int, max_frames: int) -> None:
        from tonmeister.dsp.biquad import filter_cascade

        self._filter = filter_cascade
        self._coefficients = np.array(self._design(sample_rate), np.float64)
        self.state = np.zeros((channels, len(self._coefficients), 2))

    def process(self, block: FloatArray) -> FloatArray:
        block = np.ascontiguousarray(block)
        self._filter(block, block, self._coefficients, self.state)
        return block

    def reset(self) -> None:
        self.state.fill(0.0)

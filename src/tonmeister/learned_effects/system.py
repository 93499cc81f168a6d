"""Filter, curve, filter as equations: what it makes of many short excerpts at once, and how each number moves that."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.dsp import saaf
from tonmeister.dsp.oversampling import HALF_FRAMES, resampler
from tonmeister.effects.waveshaper import AHEAD_FRAMES, TAPS
from tonmeister.units import ComplexArray, DoubleArray

__all__ = ["EDGE", "EXCERPT", "PARTS", "Excerpts", "System"]

EXCERPT: Final = 4096
EDGE: Final = 160
"""Frames at both ends of an excerpt that the filters reach past: two filters ahead and behind, two resamplers."""
PRE_EMPHASIS: Final = 0.85
"""y[n] - 0.85 y[n - 1]: errors in the treble count; after A. Wright et al. (2020)."""
PARTS: Final = {"pre": slice(0, 64), "shaper": slice(64, 90), "post": slice(90, 154)}
"""Where the numbers stand: 64, v_1 with 25 curvatures, 64; v_0 follows from f(0) = 0."""
NUMBERS: Final = 154
_TOGETHER: Final = 4


@dataclass(frozen=True, eq=False)
class System:
    """y = post * f(pre * (scale x)) with f(0) = 0 and |pre| = 1."""

    pre: DoubleArray
    shaper: DoubleArray
    post: DoubleArray
    scale: float

    def numbers(self) -> DoubleArray:
        """The 154 free numbers."""
        return np.concatenate([self.pre, self.shaper[1:], self.post])

    def with_numbers(self, numbers: DoubleArray) -> System:
        """The same system with other numbers, brought to |pre| = 1 and f(0) = 0."""
        pre = numbers[PARTS["pre"]]
        shaper = np.concatenate([[0.0], numbers[PARTS["shaper"]]])
        shaper[0] = -float(saaf.curve(np.zeros(1), shaper)[0])
        return dataclasses.replace(
            self, pre=pre / np.linalg.norm(pre), shaper=shaper, post=numbers[PARTS["post"]].copy()
        )

    def balanced(self) -> System:
        """The same sound with |post| = 1: the size stands in the curve."""
        size = float(np.linalg.norm(self.post))
        if size == 0.0:
            return self
        return dataclasses.replace(self, shaper=self.shaper * size, post=self.post / size)


class Excerpts:
    """Dry and wet excerpts (excerpts, 4096), the curve at `factor` times the rate, errors with pre-emphasis.

    All filters are circular within an excerpt; its edges are not looked at.
    """

    def __init__(self, dry: DoubleArray, wet: DoubleArray, factor: int) -> None:
        self.factor = factor
        self._length = EXCERPT * factor
        turn = np.exp(-2j * np.pi * np.arange(self._length // 2 + 1) / EXCERPT)
        self._emphasis: ComplexArray = 1.0 - PRE_EMPHASIS * turn
        self._low = (
            self._response(resampler(factor).T.reshape(-1), HALF_FRAMES * factor, 1) if factor > 1 else 1.0
        )
        self._raised = self._up(dry)
        self._target = (wet[:, 1:] - PRE_EMPHASIS * wet[:, :-1])[:, EDGE - 1 : EXCERPT - EDGE - 1]
        self.energy = float(np.sum(self._target**2))

    @property
    def equations(self) -> int:
        return self._target.size

    def loss(self, system: System) -> float:
        """Error energy over the target's, both with pre-emphasis."""
        left = 0.0
        for raised, target in self._groups():
            left += float(np.sum((target - self._output(system, raised)) ** 2))
        return left / self.energy

    def normal_equations(
        self, system: System, *, parts: tuple[str, ...] = ("pre", "shaper", "post")
    ) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """J^T J, J^T r and J^T y over the numbers of `parts`, r = y - what the system makes; energy 1."""
        square: DoubleArray | None = None
        for raised, target in self._groups():
            columns, output = self._columns(system, raised, parts)
            flat = target.reshape(-1)
            found = columns @ columns.T, columns @ (flat - output), columns @ flat
            if square is None:
                square, error, whole = found
            else:
                square, error, whole = square + found[0], error + found[1], whole + found[2]
        assert square is not None
        return square / self.energy, error / self.energy, whole / self.energy

    def peak(self, pre: DoubleArray) -> float:
        """The largest value behind the first filter."""
        return max(float(np.abs(self._filtered(pre, raised)).max()) for raised, _ in self._groups())

    def _groups(self) -> list[tuple[DoubleArray, DoubleArray]]:
        starts = range(0, len(self._raised), _TOGETHER)
        return [(self._raised[s : s + _TOGETHER], self._target[s : s + _TOGETHER]) for s in starts]

    def _output(self, system: System, raised: DoubleArray) -> DoubleArray:
        bent = saaf.curve(system.scale * self._filtered(system.pre, raised), system.shaper)
        return self._down(bent, self._behind(system))[:, EDGE : EXCERPT - EDGE]

    def _behind(self, system: System) -> ComplexArray:
        """Everything behind the curve."""
        post = self._response(system.post, AHEAD_FRAMES, self.factor)
        return np.asarray(post * self._low * self._emphasis / self.factor)

    def _filtered(self, pre: DoubleArray, raised: DoubleArray) -> DoubleArray:
        response = self._response(pre, AHEAD_FRAMES, self.factor)
        return np.fft.irfft(np.fft.rfft(raised) * response, self._length)

    def _columns(
        self, system: System, raised: DoubleArray, parts: tuple[str, ...]
    ) -> tuple[DoubleArray, DoubleArray]:
        """Rows: how the output moves with each number; and the output; flat over the frames that count."""
        inner = slice(EDGE, EXCERPT - EDGE)
        level = system.scale * self._filtered(system.pre, raised)
        bent = saaf.curve(level, system.shaper)
        behind = self._behind(system)
        rows: list[DoubleArray] = []
        if "pre" in parts:
            rows += self._pre_rows(system, raised, level, behind)
        if "shaper" in parts:
            rows += self._shaper_rows(level, behind)
        if "post" in parts:
            plain = self._down(bent, np.asarray(self._low * self._emphasis / self.factor))
            rows += [_shifted(plain, j - AHEAD_FRAMES) for j in range(TAPS)]
        output = self._down(bent, behind)[:, inner].reshape(-1)
        return np.stack(rows), output

    def _pre_rows(
        self, system: System, raised: DoubleArray, level: DoubleArray, behind: ComplexArray
    ) -> list[DoubleArray]:
        """Steps along `pre` itself change nothing that the curve cannot: they are taken out."""
        rise = system.scale * saaf.slope(level, system.shaper)
        inner = slice(EDGE, EXCERPT - EDGE)
        moved = (np.roll(raised, self.factor * (j - AHEAD_FRAMES), axis=1) for j in range(TAPS))
        rows = np.stack([self._down(rise * m, behind)[:, inner].reshape(-1) for m in moved])
        return list(rows - np.outer(system.pre, system.pre @ rows))

    def _shaper_rows(self, level: DoubleArray, behind: ComplexArray) -> list[DoubleArray]:
        inner = slice(EDGE, EXCERPT - EDGE)
        rest = np.zeros(1)
        curves = [level, *(saaf.basis(level, k) - saaf.basis(rest, k) for k in range(saaf.INTERVALS))]
        return [self._down(c, behind)[:, inner].reshape(-1) for c in curves]

    def _response(self, taps: DoubleArray, ahead: int, step: int) -> ComplexArray:
        """Of taps `step` frames of the raised rate apart, the first `ahead` of them before time 0."""
        kernel = np.zeros(self._length)
        kernel[(np.arange(len(taps)) - ahead) * step % self._length] = taps
        return np.fft.rfft(kernel)

    def _up(self, dry: DoubleArray) -> DoubleArray:
        if self.factor == 1:
            return dry
        stuffed = np.zeros((len(dry), self._length))
        stuffed[:, :: self.factor] = dry
        return np.fft.irfft(np.fft.rfft(stuffed) * self._low, self._length)

    def _down(self, raised: DoubleArray, response: ComplexArray) -> DoubleArray:
        return np.fft.irfft(np.fft.rfft(raised) * response, self._length)[:, :: self.factor]


def _shifted(signal: DoubleArray, frames: int) -> DoubleArray:
    return signal[:, EDGE - frames : EXCERPT - EDGE - frames].reshape(-1)

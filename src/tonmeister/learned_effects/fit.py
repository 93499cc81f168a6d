"""Fitting filter, curve, filter to a pair: linear steps in turn, then Levenberg-Marquardt on all numbers.

Given the other two, each of the three parts is a linear least-squares problem; these in turn come near, and
Levenberg-Marquardt (D. Marquardt, 1963) goes the rest of the way. Several starts guard against the wrong valley.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.dsp import saaf
from tonmeister.effects.waveshaper import AHEAD_FRAMES, TAPS
from tonmeister.learned_effects.system import PARTS, Excerpts, System
from tonmeister.units import DoubleArray

__all__ = ["Fitted", "fit_system", "linear_fit"]

Progress = Callable[[str, float], None]

STARTS: Final = 4
TURNS: Final = 3
FIRST_STEPS: Final = 6
MOST_STEPS: Final = 40
PATIENCE: Final = 6
"""Steps without progress on the excerpts set aside."""
_RIDGE: Final = 1e-7
"""Of the mean of the diagonal: what the sound says nothing about stays at rest."""
_LINEAR_RIDGE: Final = 1e-4
_TRIES: Final = 6


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best system found, and its loss on the excerpts set aside."""

    system: System
    loss: float
    steps: int
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class Material:
    """Excerpts to learn from and others to judge by; the curve at the base rate, and as it will run."""

    plain: tuple[Excerpts, Excerpts]
    raised: tuple[Excerpts, Excerpts]

    @classmethod
    def of(
        cls, learned: tuple[DoubleArray, DoubleArray], judged: tuple[DoubleArray, DoubleArray], factor: int
    ) -> Material:
        """From dry and wet excerpts (excerpts, 4096)."""
        plain = Excerpts(*learned, 1), Excerpts(*judged, 1)
        if factor == 1:
            return cls(plain, plain)
        return cls(plain, (Excerpts(*learned, factor), Excerpts(*judged, factor)))


class _Best:
    """The best so far, whatever happens next."""

    def __init__(self, progress: Progress | None) -> None:
        self.system: System | None = None
        self.loss = np.inf
        self.steps = 0
        self._progress = progress

    def offer(self, system: System, loss: float) -> bool:
        """Whether it is better by more than a hair."""
        better = loss < self.loss * (1.0 - 1e-3)
        if loss < self.loss:
            self.system, self.loss = system, loss
        return better

    def step(self, most: int) -> None:
        self.steps += 1
        if self._progress is not None:
            self._progress("learn", min(self.steps / most, 1.0))


def fit_system(
    material: Material, generator: np.random.Generator, *, progress: Progress | None = None
) -> Fitted:
    """The system that explains the pair best; an interrupt ends the search and keeps the best so far."""
    most = STARTS * FIRST_STEPS + MOST_STEPS
    best = _Best(progress)
    interrupted = False
    try:
        for start in _starts(material.plain[0], generator):
            near = _in_turns(material.plain[0], start)
            best.offer(near, material.plain[1].loss(near))
            _descend(material.plain, near, best, FIRST_STEPS, most)
        assert best.system is not None
        best.loss = material.raised[1].loss(best.system)
        _descend(material.raised, best.system, best, MOST_STEPS, most)
    except KeyboardInterrupt:
        if best.system is None:
            raise
        interrupted = True
    assert best.system is not None
    return Fitted(best.system.balanced(), best.loss, best.steps, interrupted)


def linear_fit(excerpts: Excerpts) -> DoubleArray:
    """The 64 taps that come nearest without a curve: regularised least squares."""
    square, _, whole = excerpts.normal_equations(_straight(_impulse(), 1.0), parts=("post",))
    return _solved(square, whole, _LINEAR_RIDGE)


def _starts(excerpts: Excerpts, generator: np.random.Generator) -> Iterator[System]:
    """All of the filtering before the curve, all of it behind, and random sharings-out."""
    linear = linear_fit(excerpts)
    size = float(np.linalg.norm(linear))
    yield _scaled(excerpts, _impulse())
    yield _scaled(excerpts, linear / size if size > 0.0 else _impulse())
    for _ in range(STARTS - 2):
        decay = np.exp(-np.abs(np.arange(TAPS) - AHEAD_FRAMES) / generator.uniform(1.0, 8.0))
        taps = _impulse() + 0.3 * generator.standard_normal(TAPS) * decay
        yield _scaled(excerpts, taps / np.linalg.norm(taps))


def _impulse() -> DoubleArray:
    taps = np.zeros(TAPS)
    taps[AHEAD_FRAMES] = 1.0
    return taps


def _straight(pre: DoubleArray, scale: float) -> System:
    return System(pre, saaf.identity(), _impulse(), scale)


def _scaled(excerpts: Excerpts, pre: DoubleArray) -> System:
    """A straight curve whose range the sound just fills."""
    return _straight(pre, 1.0 / max(excerpts.peak(pre), 1e-9))


def _in_turns(excerpts: Excerpts, system: System) -> System:
    for _ in range(TURNS):
        for part in ("shaper", "post"):
            square, _, whole = excerpts.normal_equations(system, parts=(part,))
            numbers = system.numbers()
            numbers[PARTS[part]] = _solved(square, whole, _RIDGE)
            system = system.with_numbers(numbers).balanced()
    return system


def _solved(square: DoubleArray, right: DoubleArray, ridge: float) -> DoubleArray:
    lift = ridge * max(float(np.trace(square)) / len(square), 1e-30)
    return np.asarray(np.linalg.solve(square + lift * np.eye(len(square)), right))


def _descend(excerpts: tuple[Excerpts, Excerpts], system: System, best: _Best, steps: int, most: int) -> None:
    """Levenberg-Marquardt steps until the excerpts set aside get no better."""
    learned, judged = excerpts
    loss, damping, stale = learned.loss(system), 1e-3, 0
    for _ in range(steps):
        moved = _stepped(learned, system, loss, damping)
        best.step(most)
        if moved is None:
            return
        system, smaller, damping = moved
        stale = 0 if best.offer(system, judged.loss(system)) else stale + 1
        if stale >= PATIENCE or smaller > loss * (1.0 - 1e-4):
            return
        loss = smaller


def _stepped(
    learned: Excerpts, system: System, loss: float, damping: float
) -> tuple[System, float, float] | None:
    """One step downhill: (J^T J + damping diag) s = J^T r, with as little damping as goes; None at the bottom."""
    system = dataclasses.replace(system.balanced())
    square, error, _ = learned.normal_equations(system)
    diagonal = np.diag(square).copy()
    floor = _RIDGE * float(diagonal.mean()) + 1e-30
    for _ in range(_TRIES):
        lifted = square + np.diag(damping * diagonal + floor)
        tried = system.with_numbers(system.numbers() + np.linalg.solve(lifted, error))
        found = learned.loss(tried)
        if found < loss:
            return tried, found, max(damping / 5.0, 1e-9)
        damping *= 6.0
    return None

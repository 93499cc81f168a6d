"""From predicted features to moves of the ordinary strip: an equalizer and a compressor that bring a stem there.

    J = sum_f w_f ((f - target_f) / sigma_f)^2 / sum_f w_f + effort * mean (move / range)^2,  w_f = max(0, skill_f)

over six bounded parameters: low shelf, low-mid bell, a narrow cut on the highest resonance, high shelf, threshold and
ratio of the compressor. Coordinate search on one excerpt; loudness is brought back after each trial, so that levels
stay a matter of the fader. Nothing is done unless J falls by more than 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonmeister.effects.base import Effect
from tonmeister.effects.compressor import Compressor
from tonmeister.effects.equalizer import EqSection, Equalizer
from tonmeister.engines.autoencoder.domain import number, numbers
from tonmeister.engines.autoencoder.hearing import Excerpt, lost_db, through
from tonmeister.engines.autoencoder.measures import NAMES, measures
from tonmeister.engines.autoencoder.targets import Targets
from tonmeister.units import DoubleArray, db_to_gain, gain_to_db

__all__ = ["PARAMETERS", "Moves", "control"]

PARAMETERS: Final = ("low_shelf_db", "mid_low_db", "resonance_db", "high_shelf_db", "threshold_db", "ratio")
_RESTS: Final[Mapping[str, float]] = {name: 1.0 if name == "ratio" else 0.0 for name in PARAMETERS}
_FIRST_STEP: Final = 0.35
"""Of a parameter's range."""
_LEAST_STEP: Final = 0.06
_RESONANCE_HZ: Final = (120.0, 4000.0)
_WEIGHT_FROM: Final = 0.1
"""Features with less skill say nothing."""


@dataclass(frozen=True, eq=False)
class Moves:
    """What the search found; no effects when nothing was worth it."""

    equalizer: Equalizer | None
    compressor: Compressor | None
    level_db: float
    """What brings the loudness back, for one who uses no compressor."""
    before: float
    """J of leaving things as they are."""
    after: float
    evaluations: int
    moved: tuple[tuple[str, float, float, float, float], ...] = ()
    """(feature, before, after, target, skill) of what came nearest, best first."""

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(e for e in (self.equalizer, self.compressor) if e is not None)


class _Search:
    """The excerpt, the targets, and what trials have shown."""

    def __init__(self, excerpt: Excerpt, targets: Targets) -> None:
        self._excerpt, self._targets = excerpt, targets
        self._weight = np.where(targets.skill >= _WEIGHT_FROM, np.maximum(targets.skill, 0.0), 0.0)
        scale = np.maximum(targets.spread, 1e-9 + 1e-3 * np.abs(targets.values))
        self._sigma = scale
        peak = float(np.percentile(np.abs(excerpt.samples), 99.9))
        self._peak_db = gain_to_db(peak) if peak > 0 else -80.0
        self._resonance_hz = _highest_peak_hz(excerpt)
        self.evaluations = 0

    def distance(self, values: DoubleArray) -> float:
        """Without the price of the moves."""
        if not self._weight.any():
            return 0.0
        z = np.clip((values - self._targets.values) / self._sigma, -6.0, 6.0)
        return float((self._weight * z**2).sum() / self._weight.sum())

    def cost(self, state: Mapping[str, float]) -> tuple[float, DoubleArray]:
        """J of a state, and the measures there."""
        values = self._excerpt.values if state == _RESTS else self._tried(state)
        moves = [
            (state[n] - _RESTS[n]) / (b - a) for n in PARAMETERS for a, b in [numbers(f"controller.{n}")]
        ]
        return self.distance(values) + number("controller.effort") * float(np.mean(np.square(moves))), values

    def _tried(self, state: Mapping[str, float]) -> DoubleArray:
        self.evaluations += 1
        made = through(self.effects(state), self._excerpt.samples, self._excerpt.sample_rate)
        rate = self._excerpt.sample_rate
        return measures(made * np.float32(db_to_gain(lost_db(made, rate))), rate)

    def effects(self, state: Mapping[str, float]) -> list[Effect]:
        """The strip's effects in a state; those at rest are left out."""
        wanted = (
            ("low_shelf", 120.0, state["low_shelf_db"], 0.7),
            ("peak", 350.0, state["mid_low_db"], 0.8),
            ("peak", self._resonance_hz, state["resonance_db"], 3.0),
            ("high_shelf", 6000.0, state["high_shelf_db"], 0.7),
        )
        sections = tuple(
            EqSection(shape, round(hertz, 1), round(gain_db, 2), q)  # type: ignore[arg-type]
            for shape, hertz, gain_db, q in wanted
            if abs(gain_db) >= 0.1
        )
        chain: list[Effect] = [Equalizer(sections)] if sections else []
        if state["ratio"] > 1.05 and state["threshold_db"] < -0.1:
            threshold_db = float(np.clip(self._peak_db + state["threshold_db"], -80.0, 0.0))
            chain.append(Compressor(round(threshold_db, 2), round(state["ratio"], 2), 6.0, 10.0, 120.0))
        return chain


def control(excerpt: Excerpt, targets: Targets) -> Moves:
    """Search from the strip at rest; the result never has a larger J than that."""
    search = _Search(excerpt, targets)
    state = dict(_RESTS)
    before, _ = search.cost(state)
    if before <= 1e-12:
        return Moves(None, None, 0.0, before, before, 0)
    best, values = _descended(search, state, before)
    if best >= (1.0 - number("controller.least_gain")) * before:
        return Moves(None, None, 0.0, before, before, search.evaluations)
    effects = search.effects(state)
    made = through(effects, excerpt.samples, excerpt.sample_rate)
    level_db = lost_db(made, excerpt.sample_rate)
    equalizer = next((e for e in effects if isinstance(e, Equalizer)), None)
    compressor = next((e for e in effects if isinstance(e, Compressor)), None)
    moved = _nearest(excerpt.values, values, targets, search)
    return Moves(equalizer, compressor, level_db, before, best, search.evaluations, moved)


def _descended(search: _Search, state: dict[str, float], best: float) -> tuple[float, DoubleArray]:
    """Coordinate search with halving steps; `state` is moved to the best found."""
    most = int(number("controller.evaluations"))
    _, values = search.cost(state)
    step = _FIRST_STEP
    while step >= _LEAST_STEP and search.evaluations < most:
        improved = False
        for name in ("ratio", "threshold_db", "high_shelf_db", "low_shelf_db", "mid_low_db", "resonance_db"):
            low, high = numbers(f"controller.{name}")
            for direction in (-1.0, 1.0):
                tried = dict(state)
                tried[name] = float(np.clip(state[name] + direction * step * (high - low), low, high))
                if name == "ratio" and tried["ratio"] > 1.0 and tried["threshold_db"] == 0.0:
                    tried["threshold_db"] = 0.5 * numbers("controller.threshold_db")[0]
                if (
                    tried == state
                    or search.evaluations >= most
                    or search.effects(tried) == search.effects(state)
                ):
                    continue
                cost, heard = search.cost(tried)
                if cost < best:
                    best, values, improved = cost, heard, True
                    state.update(tried)
                    break
        if not improved:
            step /= 2
    return best, values


def _nearest(
    before: DoubleArray, after: DoubleArray, targets: Targets, search: _Search
) -> tuple[tuple[str, float, float, float, float], ...]:
    """The features that came nearer, those that counted most first."""
    sigma = np.maximum(targets.spread, 1e-9)
    weight = np.where(targets.skill >= _WEIGHT_FROM, targets.skill, 0.0)
    gained = weight * (((before - targets.values) / sigma) ** 2 - ((after - targets.values) / sigma) ** 2)
    rows = zip(NAMES, before, after, targets.values, targets.skill, strict=True)
    table = [(n, float(b), float(a), float(t), float(s)) for n, b, a, t, s in rows]
    return tuple(table[i] for i in np.argsort(-gained, kind="stable")[:6].tolist() if gained[i] > 0)


def _highest_peak_hz(excerpt: Excerpt) -> float:
    """Where the spectrum rises most above itself smoothed over two octaves."""
    size = 8192
    count = max(len(excerpt.samples) // size, 1)
    frames = np.resize(excerpt.samples, count * size).reshape(count, size)
    power = (np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2).mean(0)
    low, high = _RESONANCE_HZ
    centers = low * 2 ** (np.arange(int(np.log2(high / low) * 6)) / 6)
    width = excerpt.sample_rate / size
    level = np.array([
        10 * np.log10(power[int(c * 0.92 / width) : int(c * 1.08 / width) + 2].mean() + 1e-12) for c in centers
    ])  # fmt: skip
    smooth = np.convolve(np.pad(level, 6, mode="edge"), np.full(13, 1 / 13), mode="valid")
    return float(centers[int(np.argmax(level - smooth))])

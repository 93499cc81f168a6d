"""The moving controls of a running desk: straight lines from tick to tick, within safe limits.

A line once begun is never changed: what is heard of it would differ from what an automation curve through the same
points gives. So a control decides anew at every tick (20 ms, on a grid that blocks do not move), and a performance
and the offline render of its recorded curves are the same bits.

The level of a strip is its fader, less what the feedback guard ducks, less the fade of its mute:
level = fader + duck - 60 dB * fade, off when the fade is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from tonmeister.live.limits import limit
from tonmeister.strip import PARAMETERS, Curve, Strip
from tonmeister.units import DoubleArray

__all__ = ["Control", "Faders", "WINDOW", "controls_of", "tick_frames"]

WINDOW: Final = 16
"""Breakpoints that a curve remembers; strips that lag behind the inputs still need the older ones."""
_OFF_DB: Final = PARAMETERS["gain_db"].minimum


@dataclass(frozen=True, slots=True)
class Control:
    """A fader, pan or send: what an automation curve can move."""

    strip: str
    parameter: str
    start: float
    """Where it stands before anything moves: dB, or -1 to 1."""


def tick_frames(sample_rate: int) -> int:
    """Frames between two decisions of a control."""
    return round(limit("clock", "tick_s") * sample_rate)


def controls_of(strips: Sequence[Strip]) -> tuple[Control, ...]:
    """Every control of the strips; a curve of the plan stands where it begins."""
    found: list[Control] = []
    for strip in sorted(strips, key=lambda s: s.name):
        values = {"gain_db": strip.gain_db, "pan": strip.pan}
        values |= {f"send:{s.to}": s.gain_db for s in strip.sends}
        for parameter, value in values.items():
            curve = strip.automation.get(parameter)
            found.append(Control(strip.name, parameter, value if curve is None else curve.values[0]))
    return tuple(found)


@dataclass(eq=False)
class _LiveCurve:
    """Looks like a `Curve`; its numbers are replaced from tick to tick."""

    times_s: DoubleArray
    values: DoubleArray
    held: float | None = None


class Faders:
    """State of all controls; `tick` decides the next straight line of each."""

    def __init__(
        self,
        controls: Sequence[Control],
        sample_rate: int,
        *,
        leads: frozenset[str] = frozenset(),
        muted: frozenset[str] = frozenset(),
        single: frozenset[str] = frozenset(),
    ) -> None:
        """`leads` have a floor, `muted` begin so; curves of the strips in `single` say when they stand still."""
        self.controls = tuple(controls)
        self._rate = sample_rate
        self.tick_frames = tick_frames(sample_rate)
        self.start = np.array([c.start for c in controls])
        self.value = self.start.copy()
        self._target = self.start.copy()
        self._gains = np.array([c.parameter == "gain_db" for c in controls], np.bool_)
        pans = np.array([c.parameter == "pan" for c in controls], np.bool_)
        seconds = self.tick_frames / sample_rate
        self._fastest = np.where(pans, limit("pan", "rate_per_s"), limit("fader", "rate_db_per_s")) * seconds
        self._by_hand = (
            np.where(pans, limit("pan", "rate_per_s") * 4, limit("operator", "rate_db_per_s")) * seconds
        )
        self._step = self._fastest.copy()
        self._lowest, self._highest = self._bounds(leads, pans)
        self._fade = np.zeros(len(controls))
        self._fade_target = np.zeros(len(controls))
        self._fade_step = np.full(len(controls), seconds / limit("mute", "fade_s"))
        self._duck = np.zeros(len(controls))
        self._duck_target = np.zeros(len(controls))
        self._index = {(c.strip, c.parameter): i for i, c in enumerate(controls)}
        for name in muted:
            self._fade[self._index[name, "gain_db"]] = self._fade_target[self._index[name, "gain_db"]] = 1.0
        self.held = False
        self.bypassed = False
        self._ends = np.arange(WINDOW) - (WINDOW - 1)
        self.times_s: DoubleArray = self._ends * self.tick_frames / sample_rate
        self.values: DoubleArray = np.repeat(self.level()[:, np.newaxis], WINDOW, axis=1)
        self.curves = tuple(cast(Curve, _LiveCurve(self.times_s, row)) for row in self.values)
        self._single = [i for i, c in enumerate(controls) if c.strip in single]
        """Every control as an automation curve that moves by itself."""
        self._end = 0

    def _bounds(self, leads: frozenset[str], pans: NDArray[np.bool_]) -> tuple[DoubleArray, DoubleArray]:
        """No engine takes a control beyond these, nor a lead's fader below its floor; where it stands is allowed."""
        lowest = np.where(pans, -1.0, _OFF_DB)
        for i, control in enumerate(self.controls):
            if control.parameter == "gain_db" and control.strip in leads:
                lowest[i] = control.start + limit("lead", "floor_db")
        highest = np.where(pans, 1.0, np.maximum(limit("fader", "ceiling_db"), self.start))
        return lowest, highest

    def index(self, strip: str, parameter: str) -> int | None:
        """Number of a control, or None where there is no such control."""
        return self._index.get((strip, parameter))

    def level(self) -> DoubleArray:
        """What each control amounts to now."""
        level = self.value + np.where(
            self._gains, self._duck - limit("mute", "fade_depth_db") * self._fade, 0.0
        )
        level = np.where(self._gains & (self._fade >= 1.0), _OFF_DB, level)
        return np.asarray(np.maximum(level, np.where(self._gains, _OFF_DB, level)))

    # ------------------------------------------------------------- orders

    def move(self, index: int, value: float, ramp_frames: int, *, by_hand: bool = False) -> None:
        """Head for a value, in `ramp_frames` if the limits allow; a person may go faster and beyond them."""
        allowed = PARAMETERS["pan" if self.controls[index].parameter == "pan" else "gain_db"]
        low, high = (
            (allowed.minimum, allowed.maximum) if by_hand else (self._lowest[index], self._highest[index])
        )
        self._target[index] = min(max(value, low), high)
        ticks = max(ramp_frames / self.tick_frames, 1.0)
        fastest = (self._by_hand if by_hand else self._fastest)[index]
        self._step[index] = min(abs(self._target[index] - self.value[index]) / ticks, fastest)

    def mute(self, index: int, muted: bool, *, fade_s: float | None = None) -> None:
        """Fade a strip out and keep it off, or let it come back; `index` is its fader."""
        seconds = fade_s if fade_s is not None else limit("mute", "fade_s")
        self._fade_step[index] = self.tick_frames / self._rate / seconds
        self._fade_target[index] = float(muted)

    def duck(self, index: int, level_db: float) -> None:
        """Turn a strip down at once, as far as the feedback guard says; 0 lets it come back at the fader's pace."""
        self._duck_target[index] = level_db

    # ------------------------------------------------------------- time

    @property
    def end(self) -> int:
        """First frame for which no line is decided yet."""
        return self._end

    def tick(self) -> None:
        """Decide the next line of every control, `tick_frames` long."""
        if not self.held:
            target = self.start if self.bypassed else self._target
            step = np.maximum(self._step, self._fastest) if self.bypassed else self._step
            np.clip(target, self.value - step, self.value + step, out=self.value)
        self._approach(self._fade, self._fade_target, self._fade_step, self._fade_step)
        seconds = self.tick_frames / self._rate
        down, up = limit("feedback", "duck_db_per_s") * seconds, limit("fader", "rate_db_per_s") * seconds
        self._approach(self._duck, self._duck_target, up, down)
        self._end += self.tick_frames
        self.values[:, :-1] = self.values[:, 1:]
        self.values[:, -1] = self.level()
        self.times_s[:] = (self._ends * self.tick_frames + self._end) / self._rate

    def note_still(self) -> None:
        """Tell curves that are read one by one whether they stand still all over their window."""
        still = (self.values == self.values[:, -1:]).all(axis=1)
        for index in self._single:
            curve = cast(_LiveCurve, self.curves[index])
            curve.held = float(self.values[index, -1]) if still[index] else None

    def _approach(
        self, value: DoubleArray, target: DoubleArray, up: float | DoubleArray, down: float | DoubleArray
    ) -> None:
        np.clip(target, value - down, value + up, out=value)

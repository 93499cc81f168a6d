"""The channel strip: the one shape that tracks, buses, returns and the master share.

Signal order, written here and nowhere else::

    polarity -> delay -> inserts in order -> [pre-fader sends] -> fader -> pan -> [post-fader sends] -> output

Unity fader and center pan mean unity gain. The pan law is constant power scaled to unity at the center:
theta = (pan + 1) pi / 4, left = sqrt(2) cos(theta), right = sqrt(2) sin(theta); on a stereo strip the
same two gains act as a balance control.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from tonmeister.dsp.panning import PAN_LAW, pan_gains
from tonmeister.effects.base import Effect
from tonmeister.errors import PlanError
from tonmeister.units import Range

__all__ = [
    "AUTOMATABLE",
    "Curve",
    "Insert",
    "MASTER",
    "PAN_LAW",
    "PARAMETERS",
    "PLACE",
    "Place",
    "Send",
    "Strip",
    "pan_gains",
]

MASTER: Final = "master"

PARAMETERS: Final[Mapping[str, Range]] = {
    "gain_db": Range(-96.0, 24.0, "dB"),
    "pan": Range(-1.0, 1.0),
    "delay_ms": Range(0.0, 200.0, "ms"),
}
"""The numeric controls of a strip and what they may be; -96 dB on a fader is off."""

PLACE: Final[Mapping[str, Range]] = {
    "azimuth_deg": Range(-180.0, 180.0, "degrees"),
    "elevation_deg": Range(-90.0, 90.0, "degrees"),
    "spread_deg": Range(0.0, 360.0, "degrees"),
    "center": Range(0.0, 1.0),
    "ambience": Range(0.0, 1.0),
    "lfe_db": Range(-96.0, 10.0, "dB"),
}
"""The controls of a place and what they may be; -96 dB of LFE is off."""

AUTOMATABLE: Final = ("gain_db", "pan", "send:<strip>")
"""What a curve may move: the fader, the pan, the level of one send."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Breakpoints of a parameter: straight lines in the parameter's unit, held before and after."""

    times_s: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.values) or not self.times_s:
            raise PlanError(
                f"a curve needs as many times ({len(self.times_s)}) as values ({len(self.values)})"
            )
        if not all(math.isfinite(number) for number in (*self.times_s, *self.values)):
            raise PlanError("a curve has a time or a value that is not a number")
        if any(b <= a for a, b in zip(self.times_s, self.times_s[1:], strict=False)):
            raise PlanError("the times of a curve must rise")

    @property
    def held(self) -> float | None:
        """The value of a curve that has only one."""
        return self.values[0] if len(self.values) == 1 else None


@dataclass(frozen=True, slots=True)
class Insert:
    """An effect at a named place in a strip's chain; one slot holds one effect."""

    slot: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Send:
    """A copy of the strip's signal to a bus or return."""

    to: str
    gain_db: float = 0.0
    pre_fader: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a strip that feeds the master stands in a layout of more than two loudspeakers; stereo leaves it unread."""

    azimuth_deg: float = 0.0
    """Of its middle, positive to the left."""
    elevation_deg: float = 0.0
    spread_deg: float = 60.0
    """Angle between where its left and its right channel go; 60 is the stereo base."""
    center: float = 0.0
    """How much of what left and right have in common goes to the center loudspeaker."""
    ambience: float = 0.0
    """How much of its room goes to the surrounds and heights."""
    lfe_db: float = -96.0
    """Of its send to the channel of low effects."""


@dataclass(frozen=True, slots=True)
class Strip:
    """One strip of the console, as data."""

    name: str
    kind: Literal["track", "bus", "return", "master"] = "track"
    polarity_inverted: bool = False
    delay_ms: float = 0.0
    inserts: tuple[Insert, ...] = ()
    gain_db: float = 0.0
    pan: float = 0.0
    muted: bool = False
    sends: tuple[Send, ...] = ()
    output: str = MASTER
    """Name of the bus this strip feeds; the master feeds nothing and says ''."""
    automation: Mapping[str, Curve] = field(default_factory=dict)
    """Parameter (see `AUTOMATABLE`) -> curve; a curve replaces the static value."""
    place: Place = Place()

    def insert(self, slot: str) -> Effect | None:
        """The effect in a slot, or None."""
        return next((i.effect for i in self.inserts if i.slot == slot), None)

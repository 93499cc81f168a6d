"""A person's hands at times that are written down: to try a desk, an engine, a plan without a person.

``Lead Vox+=3@12`` takes the fader of Lead Vox at 12 s, moves it by +3 dB and lets go a second later; ``Kick=-6@20`` puts
it at -6 dB. What is let go belongs to the engine again, which may have learned from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tonmeister.decisions import SetGain
from tonmeister.errors import BadInputError, nearest
from tonmeister.live.controller import Controller
from tonmeister.live.limits import limit
from tonmeister.live.show import Show

__all__ = ["TimedHands", "Trim", "parse_trim"]

_TRIM: Final = re.compile(
    r"^(?P<strip>.+?)\s*(?P<how>\+=|-=|=)\s*(?P<value>[-+.\d]+)\s*@\s*(?P<time>[.\d]+)$"
)
HOLD_S: Final = 1.0
_LOWEST_DB: Final = -60.0


@dataclass(frozen=True, slots=True)
class Trim:
    """One hand on one fader."""

    strip: str
    value_db: float
    relative: bool
    time_s: float


def parse_trim(text: str) -> Trim:
    """Read ``STRIP+=DB@SECONDS`` or ``STRIP=DB@SECONDS``; raises `BadInputError`."""
    match = _TRIM.match(text.strip())
    try:
        if match is None:
            raise ValueError
        value, time_s = float(match["value"]), float(match["time"])
    except ValueError:
        raise BadInputError(f"trim={text!r} is not understood: write for example 'Lead Vox+=3@12'") from None
    sign = -1.0 if match["how"] == "-=" else 1.0
    return Trim(match["strip"], sign * value, match["how"] != "=", time_s)


class TimedHands:
    """Called before each hop, takes and lets go faders when their time has come."""

    def __init__(self, trims: Sequence[Trim], show: Show) -> None:
        for trim in trims:
            if trim.strip not in show.channels:
                raise BadInputError(
                    f"trim={trim.strip!r}: there is no such strip{nearest(trim.strip, list(show.channels))}"
                )
        self._waiting = sorted(trims, key=lambda trim: trim.time_s)
        self._held: list[tuple[float, str]] = []

    def __call__(self, controller: Controller) -> None:
        """Do what is due."""
        now_s = controller.time_s
        while self._held and self._held[0][0] <= now_s:
            controller.release(self._held.pop(0)[1])
        while self._waiting and self._waiting[0].time_s <= now_s:
            trim = self._waiting.pop(0)
            at_db = controller.fader_db(trim.strip) + trim.value_db if trim.relative else trim.value_db
            controller.touch(SetGain(trim.strip, min(max(at_db, _LOWEST_DB), limit("fader", "ceiling_db"))))
            self._held.append((now_s + HOLD_S, trim.strip))

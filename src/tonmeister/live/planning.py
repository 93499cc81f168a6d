"""Moves that wait for a place in the music: planned anew with every hop, carried out once, or handed back.

Times are seconds of the performance's own sound. A control moves in the sound it belongs to, so the latency of the
output is the same for both and does not count; what counts is how late the control side may still give an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tonmeister.decisions import Mute
from tonmeister.engines.base import LiveMove
from tonmeister.live.limits import limit
from tonmeister.live.scheduling import MoveScheduler, ScheduledMove
from tonmeister.live.timing import Prediction

__all__ = ["Due", "EventMoves"]

Name = tuple[tuple[str, str], int]
_EVERYTHING: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Due:
    """A move to make now, from `start_s` on and `ramp_s` long."""

    move: LiveMove
    start_s: float
    ramp_s: float
    scale: float = 1.0
    """Which share of the way to go: 0.5 where the time of the place is not sure."""


class EventMoves:
    """Moves by (strip, parameter) and number of the place; the newest one of a control at a place counts."""

    def __init__(self) -> None:
        self._scheduler = MoveScheduler(0.0)
        self._moves: dict[Name, LiveMove] = {}
        self._made: set[Name] = set()

    @property
    def reacting(self) -> bool:
        """Whether the place has been too doubtful for too long to rely on."""
        return self._scheduler.reacting

    def watch(self, now_s: float, confidence: float) -> None:
        """Take the confidence in the place; `reacting` follows it."""
        self._scheduler.replan(now_s, {}, confidence=confidence)

    def add(self, control: tuple[str, str], place: int, move: LiveMove, ramp_s: float) -> bool:
        """Take a move on for a place; False when the control has moved for that place already."""
        name = (control, place)
        if name in self._made:
            return False
        closes = isinstance(move.decision, Mute) and move.decision.muted
        if name not in self._moves:
            self._scheduler.add(ScheduledMove(control, place, ramp_s, is_mute=closes, holds=True))
        self._moves[name] = move
        return True

    def due(
        self, now_s: float, ahead_s: float, expected: Mapping[int, Prediction], place: int, confidence: float
    ) -> list[Due]:
        """What begins between `now_s` and `ahead_s` later; moves for places leapt over are due at once.

        `expected` has the places to come and those just reached, `place` is the last one reached.
        """
        self._scheduler.replan(now_s, expected, confidence=confidence)
        ready = [
            Due(self._taken((a.move.key, a.move.event)), a.start_s, a.ramp_s, a.scale)  # type: ignore[arg-type]
            for a in self._scheduler.due(now_s, ahead_s=ahead_s)
        ]
        shortest_s = limit("clock", "tick_s")
        passed = [m for m in self._scheduler.skip_to(place) if (m.key, m.event) in self._moves]
        return ready + [
            Due(self._taken((m.key, m.event)), now_s, max(m.ramp_s, shortest_s))  # type: ignore[arg-type]
            for m in passed
        ]

    def give_up(self) -> list[LiveMove]:
        """Hand back all moves that wait for places nobody knows any more."""
        self._scheduler.skip_to(_EVERYTHING)
        moves = list(self._moves.values())
        self._moves.clear()
        return moves

    def _taken(self, name: Name) -> LiveMove:
        self._made.add(name)
        return self._moves.pop(name)

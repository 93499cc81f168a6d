"""When to move: a move lands with its event because it starts before it.

For a ramp of r seconds and an output that is L_out late::

    t_fire = E[t_event] - L_out - r

A move is planned anew with every prediction until it fires, and fires once. It is never fired in the past: what comes
too late starts now, with the ramp that is left (20 ms at least). Where the prediction is uncertain the ramp is longer and
the move smaller; where it is more uncertain still, or the follower is lost, nothing is scheduled and the caller is told
to react to the sound instead. Mutes wait rather than hurry.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tonmeister.errors import BadInputError
from tonmeister.live.timing import Prediction

__all__ = ["Action", "MoveScheduler", "ScheduledMove", "RAMP_S", "SECTION_RAMP_S"]

RAMP_S: Final = 0.08
SECTION_RAMP_S: Final = 0.25
SHORTEST_RAMP_S: Final = 0.02
OVER_S: Final = 0.15
"""An event that is over by more than this is dropped, unless it changes a state that is held."""
UNSURE_SD_S: Final = 0.08
BLIND_SD_S: Final = 0.25
LOST_CONFIDENCE: Final = 0.3
LOST_AFTER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ScheduledMove:
    """A move that belongs to an event; `key` says what is moved, so that one event moves it once."""

    key: Hashable
    event: int
    ramp_s: float = RAMP_S
    is_mute: bool = False
    entry_ends: int | None = None
    """For a mute: the event with which the entry ends that must not be cut off."""
    holds: bool = False
    """Whether it changes a state that lasts, so that it is done late rather than not at all."""


@dataclass(frozen=True, slots=True)
class Action:
    """A move to carry out: start at `start_s` (never before the call that gave it), reach the end `ramp_s` later."""

    move: ScheduledMove
    start_s: float
    ramp_s: float
    scale: float
    """1, or 0.5 where the time of the event is not sure."""
    expected_s: float
    """When the event is expected to be."""


class MoveScheduler:
    """Holds the moves to come; `replan` with every new prediction, `due` with every block."""

    def __init__(self, output_latency_s: float) -> None:
        if not (math.isfinite(output_latency_s) and output_latency_s >= 0):
            raise BadInputError(f"output_latency_s={output_latency_s}: must be 0 or more seconds")
        self._latency_s = output_latency_s
        self._waiting: dict[tuple[Hashable, int], ScheduledMove] = {}
        self._planned: dict[tuple[Hashable, int], Action] = {}
        self._fired: set[tuple[Hashable, int]] = set()
        self._low_since_s: float | None = None
        self.reacting = False
        """Whether the caller should react to the sound instead."""
        self.dropped: list[ScheduledMove] = []
        """Moves whose event was over before they could be made."""

    def add(self, move: ScheduledMove) -> None:
        """Take a move on; one that was fired or is waiting under its key and event is not taken again."""
        name = (move.key, move.event)
        if name not in self._fired:
            self._waiting.setdefault(name, move)

    def replan(self, now_s: float, predictions: Mapping[int, Prediction], *, confidence: float) -> None:
        """Plan every waiting move anew; `predictions` by event, those just over with their observed times."""
        self._watch(now_s, confidence)
        for name, move in list(self._waiting.items()):
            expected = predictions.get(move.event)
            if expected is None:
                continue
            action = self._action(now_s, move, expected, predictions)
            if action is not None:
                self._planned[name] = action
            elif not self.reacting and expected.sd_s <= BLIND_SD_S:
                self._forget(name)
                self.dropped.append(move)
            else:
                self._planned.pop(name, None)

    def due(self, now_s: float, *, ahead_s: float = 0.0) -> list[Action]:
        """Moves to start now, or up to `ahead_s` later; each is given once, and none starts before `now_s`."""
        if self.reacting:
            return []
        ready = [name for name, action in self._planned.items() if action.start_s <= now_s + ahead_s]
        actions = sorted((self._fire(name, now_s) for name in ready), key=lambda a: a.expected_s)
        return [action for action in actions if action is not None]

    def skip_to(self, event: int) -> list[ScheduledMove]:
        """The band has leapt to `event`: moves before it that hold are due at once, the others are dropped."""
        passed = [name for name, move in self._waiting.items() if move.event < event]
        kept: list[ScheduledMove] = []
        for name in passed:
            move = self._waiting[name]
            self._forget(name)
            (kept if move.holds else self.dropped).append(move)
        return kept

    def _watch(self, now_s: float, confidence: float) -> None:
        if confidence >= LOST_CONFIDENCE:
            self._low_since_s = None
            self.reacting = False
            return
        self._low_since_s = now_s if self._low_since_s is None else self._low_since_s
        self.reacting = self.reacting or now_s - self._low_since_s >= LOST_AFTER_S

    def _action(
        self, now_s: float, move: ScheduledMove, expected: Prediction, predictions: Mapping[int, Prediction]
    ) -> Action | None:
        """The move as it should be carried out by what is known now; None for not at all."""
        if self.reacting or expected.sd_s > BLIND_SD_S or not math.isfinite(expected.time_s):
            return None
        if now_s - expected.time_s > OVER_S and not move.holds:
            return None
        unsure = expected.sd_s > UNSURE_SD_S
        ramp_s = max(2 * expected.sd_s, move.ramp_s) if unsure else move.ramp_s
        scale = 0.5 if unsure else 1.0
        if move.is_mute:
            start_s = expected.time_s - self._latency_s + expected.sd_s
            ended = predictions.get(move.entry_ends) if move.entry_ends is not None else None
            start_s = max(start_s, ended.time_s - self._latency_s) if ended is not None else start_s
            return Action(move, start_s, move.ramp_s, 1.0, expected.time_s)
        return Action(move, expected.time_s - self._latency_s - ramp_s, ramp_s, scale, expected.time_s)

    def _fire(self, name: tuple[Hashable, int], now_s: float) -> Action:
        action = self._planned[name]
        self._forget(name)
        self._fired.add(name)
        if action.start_s >= now_s:
            return action
        left_s = action.ramp_s if action.move.is_mute else action.expected_s - self._latency_s - now_s
        return replace(action, start_s=now_s, ramp_s=min(max(left_s, SHORTEST_RAMP_S), action.ramp_s))

    def _forget(self, name: tuple[Hashable, int]) -> None:
        self._waiting.pop(name, None)
        self._planned.pop(name, None)

"""Time as an argument: the wall clock of a performance, and one that only counts, for files and tests."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "CountingClock", "WallClock"]


class Clock(Protocol):
    """Tells time and waits."""

    def now_s(self) -> float: ...
    def wait_until(self, time_s: float) -> None: ...


class WallClock:
    """The time that passes."""

    def now_s(self) -> float:
        return time.monotonic()

    def wait_until(self, time_s: float) -> None:
        """Return at `time_s` or a little later; at once when it has passed."""
        if (left := time_s - time.monotonic()) > 0:
            time.sleep(left)


class CountingClock:
    """Passes only by waiting, and by `spend`: nothing takes time by itself."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        return self._now_s

    def wait_until(self, time_s: float) -> None:
        """Jump to `time_s`."""
        self._now_s = max(self._now_s, time_s)

    def spend(self, seconds: float) -> None:
        """Let something take its time."""
        self._now_s += seconds

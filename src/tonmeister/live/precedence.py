"""Precedence for the process that plays: before all other work of the machine, where the system grants it."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["take_precedence"]

_PRIORITY: Final = 30
"""Of the real-time class, 1 to 99: above ordinary work, below what drives the sound card."""


def take_precedence() -> bool:
    """Put this thread, and those it will start, into the real-time class; whether that was granted.

    Linux grants it to root and to users with an ``rtprio`` limit; other systems have ways of their own, which the
    library for sound cards takes.
    """
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except OSError:
        return False
    return True

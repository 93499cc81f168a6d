"""Keeping recursions away from denormal numbers, which are slow and mean nothing."""

from __future__ import annotations

from typing import Final

from tonmeister.dsp.jit import kernel

__all__ = ["NOTHING", "flush"]

NOTHING: Final = 1e-30
"""What counts as zero inside a recursion: -600 dB re full scale."""


@kernel
def flush(value: float) -> float:
    """The value, or exactly 0 below `NOTHING`; per sample, so that the cut into blocks never matters."""
    if -NOTHING < value < NOTHING:
        return 0.0
    return value

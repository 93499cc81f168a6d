"""Where compiled sound kernels are kept, and whether any are there yet."""

from __future__ import annotations

from pathlib import Path

__all__ = ["are_cold", "cache_folder"]


def cache_folder() -> Path:
    """The folder that numba keeps compiled kernels in; it may not exist yet."""
    from tonmeister.dsp.biquad import filter_cascade

    stats = getattr(filter_cascade, "stats", None)  # none when compiling is turned off
    return Path(stats.cache_path) if stats else Path()


def are_cold(folder: Path) -> bool:
    """Whether the kernels have yet to be compiled."""
    return not any(folder.glob("*.nbi"))

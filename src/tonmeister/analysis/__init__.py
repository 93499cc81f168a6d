"""Measuring: loudness, level, activity, spectrum, time, stereo and faults of every track, in one pass over each.

    features = analyze(multitrack)             every track, and what lies between them
    measurement = measure(blocks, 48000, 2)    a finished mix

`analysis.meter.LoudnessMeter` is the streaming meter by itself. Nothing heavy is imported before the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonmeister.analysis.mix import MixMeasurement
    from tonmeister.features import MultitrackFeatures
    from tonmeister.multitrack import Multitrack
    from tonmeister.units import FloatArray

__all__ = ["analyze", "measure"]


def analyze(
    multitrack: Multitrack,
    *,
    threads: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> MultitrackFeatures:
    """Measure every track once, block by block, `threads` tracks at a time (default: one per processor).

    `progress` is called with a track's name and the fraction of the whole work done. The result does not
    depend on the number of threads. Raises `AudioFileError` for samples that are not numbers.
    """
    from tonmeister.analysis.song import analyze_multitrack

    return analyze_multitrack(multitrack, threads=threads, progress=progress)


def measure(blocks: Iterable[FloatArray], sample_rate: int, channels: int) -> MixMeasurement:
    """Measure a finished mix from its blocks of (channels, frames)."""
    from tonmeister.analysis.mix import measure_mix

    return measure_mix(blocks, sample_rate, channels)

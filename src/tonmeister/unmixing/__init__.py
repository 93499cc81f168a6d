"""Unmixing: the gains over time, and the pans, that turn tracks into a given mix.

    found = unmix(load_multitrack(folder), Path("mix.wav"))
    found.tracks[0].gain_db, found.plan()

After J. Scott and Y. E. Kim, "Analysis of acoustic features for automated multi-track mixing", ISMIR 2011 (weights
by non-negative least squares on magnitude spectra), with two estimators beside it that use more of the signal.
Nothing heavy is imported before the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tonmeister.audio import Audio
    from tonmeister.multitrack import Multitrack
    from tonmeister.unmixing.result import Unmixed

__all__ = ["MODES", "unmix"]

MODES: Final = ("auto", "coherent", "power", "magnitude")


def unmix(
    multitrack: Multitrack,
    mix: Path | Audio,
    *,
    mode: str = "auto",
    hop_s: float = 0.25,
    window_s: float = 1.0,
    delay_ms: float | None = None,
    activity_db: float = -40.0,
    threads: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Unmixed:
    """Find the gain over time and the pan of every track in `mix`.

    The model is mix = sum of gain * track on each side; equalizers, dynamics and reverb stay in the residual.
    Frames of `window_s` seconds advance by `hop_s`. A track is active where its level is above `activity_db`
    relative to its loud frames; elsewhere its gain is missing. `delay_ms` is how late the mix is against the
    tracks (None: found). The mode ``auto`` takes the first of coherent, power, magnitude that fits.
    `progress` is told the stage and how much of it is done, 0 to 1.

    Raises `BadInputError` for a silent mix, silent tracks, or an option out of range.
    """
    from tonmeister.unmixing.estimate import Settings, unmix_multitrack

    settings = Settings(mode, hop_s, window_s, delay_ms, activity_db, threads)
    return unmix_multitrack(multitrack, mix, settings, progress)

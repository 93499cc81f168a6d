"""What is known about the sound of the tracks: data only, measured once, read by every engine.

Conventions. Levels are dB re full scale (a full-scale sine has a peak of 0 dB and an RMS of -3.01 dB).
Stereo powers are added over the channels, as in BS.1770, unless said. Loudness and band powers are those on
a stereo bus with the fader at unity: a mono track sounds from both speakers (dual mono) and reads 3.01 dB more
than its one channel alone, so that mono and stereo tracks compare. Levels (RMS, `level_db`) are means over the
channels, peaks maxima over the channels. A value that a silent track does not
have is None, never minus infinity. "Active" frames are those the hysteresis gate holds open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tonmeister.units import DoubleArray, FloatArray

__all__ = [
    "FRAME_HOP_S",
    "FRAME_WINDOW_S",
    "HOP_S",
    "CrossPower",
    "MicrophonePair",
    "MultitrackFeatures",
    "TrackFeatures",
]

HOP_S = 0.01
"""Hop of the short-time level series, seconds."""
FRAME_WINDOW_S = 1.0
FRAME_HOP_S = 0.25
"""Windows in which gains over time are found and learned (Scott & Kim, ISMIR 2011), seconds."""


@dataclass(frozen=True, eq=False)
class TrackFeatures:
    """Measurements of one track, at the multitrack's sample rate."""

    name: str
    sample_rate: int
    channels: int
    frames: int

    # Loudness, ITU-R BS.1770-4 and EBU R128
    integrated_lufs: float | None
    loudness_range_lu: float | None
    max_momentary_lufs: float | None
    max_short_term_lufs: float | None
    momentary_lufs: FloatArray
    """Momentary loudness (400 ms window) every 100 ms; shape (n,), floor -200."""

    # Level
    true_peak_dbtp: float | None
    sample_peak_db: float | None
    peak_p999_db: float | None
    """99.9th percentile of the 10 ms peaks: a peak that one stray click does not move."""
    rms_db: float | None
    """RMS over active frames."""
    crest_db: float | None
    """`peak_p999_db` minus `rms_db`."""
    level_db: FloatArray
    """RMS level (mean over channels) every 10 ms; shape (n,), floor -200."""
    peak_level_db: FloatArray
    """Peak level (maximum over channels) every 10 ms; shape (n,), floor -200."""

    # Activity
    active: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Gate per 10 ms frame; shape (n,)."""
    active_ratio: float

    # Spectrum over active frames
    octave_db: FloatArray
    """Power per octave band, dB re full scale; shape (10,), see `dsp.bands.OCTAVE_HZ`."""
    third_octave_db: FloatArray
    """Power per third-octave band; shape (30,)."""
    bark_db: FloatArray
    """Power per Bark band; shape (24,)."""
    centroid_hz: float | None
    spread_hz: float | None
    flatness: float | None
    rolloff_hz: float | None
    flux: float | None
    low_energy_ratio: float | None
    """Share of the power below 150 Hz."""

    # Time
    onset_times_s: FloatArray
    onset_rate_hz: float

    # Stereo; None for mono
    width: float | None
    """Energy of side over energy of mid."""
    imbalance: float | None
    """(right - left) / (right + left) in energy, -1 to 1."""
    correlation: float | None

    # Faults
    dc: float
    """Mean of the samples, the channel that is farther from zero."""
    clipped_at_s: tuple[float, ...]
    """Where runs of three or more samples at full scale begin; the first hundred."""
    clipped_runs: int
    checksum: str
    """Of the decoded samples: two tracks with one checksum are the same audio."""

    gated_third_octave_db: FloatArray | None = None
    """Power per third-octave band, mean over the 93 ms frames within 30 dB of the loud ones; shape (30,)."""

    band_frames: FloatArray | None = None
    """Power per third-octave band in windows of `FRAME_WINDOW_S` every `FRAME_HOP_S`; shape (windows, 30), linear."""

    @property
    def silent(self) -> bool:
        """Whether the track has no audible content (nothing passes the absolute gate of BS.1770)."""
        return self.integrated_lufs is None


@dataclass(frozen=True, slots=True)
class MicrophonePair:
    """Two tracks that carry one source: `other` lags `reference` by `delay_ms`, possibly inverted."""

    reference: str
    other: str
    delay_ms: float
    inverted: bool
    correlation: float
    """Normalised cross-correlation at that delay, 0 to 1 (sign removed)."""


@dataclass(frozen=True, eq=False)
class CrossPower:
    """How tracks that share bleed add up: their cross-spectra in third octaves, from excerpts of the song."""

    names: tuple[str, ...]
    """The tracks, in the order of the spectra."""
    third_octave: NDArray[np.complex128]
    """Mean of X_i times the conjugate of X_j per band, a mono track on both sides.

    Shape (2, names, names, 30): left and right.
    """


@dataclass(frozen=True)
class MultitrackFeatures:
    """Measurements of all tracks and of what lies between them."""

    sample_rate: int
    duration_s: float
    tracks: Mapping[str, TrackFeatures]
    masking: DoubleArray
    """Share of track i's band energy that track j hides; shape (tracks, tracks, 24), order of `tracks`."""
    pairs: tuple[MicrophonePair, ...] = ()
    duplicates: tuple[tuple[str, str], ...] = ()
    """(kept, same audio again)."""
    tempo_bpm: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    cross_power: CrossPower | None = None
    """Of the pieces of the drum kit, where there are two or more."""

    @cached_property
    def audible(self) -> tuple[str, ...]:
        """Names of the tracks that are not silent."""
        return tuple(name for name, track in self.tracks.items() if not track.silent)

    def __getitem__(self, name: str) -> TrackFeatures:
        return self.tracks[name]

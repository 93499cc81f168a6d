"""Makers of features without audio: what an engine reads, as a test wants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tonmeister.audio import Audio
from tonmeister.features import MicrophonePair, MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track

RATE = 48_000
SECONDS = 6


def track_features(
    name: str,
    *,
    lufs: float | None = -20.0,
    peak_db: float = -6.0,
    rms_db: float = -20.0,
    channels: int = 1,
    plays: tuple[float, float] = (0.0, 1.0),
    **changes: Any,
) -> TrackFeatures:
    """A track that plays evenly within a part of the song, with a pink spectrum; all values can be changed."""
    hops = SECONDS * 100
    time = np.arange(hops) / hops
    on = (time >= plays[0]) & (time < plays[1]) & (lufs is not None)
    momentary = np.full(SECONDS * 10 - 3, -200.0)
    if lufs is not None:
        middle = np.arange(len(momentary)) / len(momentary)
        momentary[(middle >= plays[0]) & (middle < plays[1])] = lufs
    loud = lufs is not None
    values: dict[str, Any] = {
        "name": name,
        "sample_rate": RATE,
        "channels": channels,
        "frames": SECONDS * RATE,
        "integrated_lufs": lufs,
        "loudness_range_lu": 0.0 if loud else None,
        "max_momentary_lufs": lufs,
        "max_short_term_lufs": lufs,
        "momentary_lufs": momentary.astype(np.float32),
        "true_peak_dbtp": peak_db if loud else None,
        "sample_peak_db": peak_db if loud else None,
        "peak_p999_db": peak_db if loud else None,
        "rms_db": rms_db if loud else None,
        "crest_db": peak_db - rms_db if loud else None,
        "level_db": np.where(on, rms_db, -200.0).astype(np.float32),
        "peak_level_db": np.where(on, peak_db, -200.0).astype(np.float32),
        "active": on,
        "active_ratio": float(on.mean()),
        "octave_db": np.full(10, rms_db - 10.0, np.float32),
        "third_octave_db": np.full(30, rms_db - 14.8, np.float32),
        "bark_db": np.full(24, rms_db - 13.8, np.float32),
        "centroid_hz": 1000.0,
        "spread_hz": 500.0,
        "flatness": 0.1,
        "rolloff_hz": 4000.0,
        "flux": 0.1,
        "low_energy_ratio": 0.05,
        "onset_times_s": np.zeros(0, np.float32),
        "onset_rate_hz": 1.0,
        "width": None if channels == 1 else 0.2,
        "imbalance": None if channels == 1 else 0.0,
        "correlation": None if channels == 1 else 0.7,
        "dc": 0.0,
        "clipped_at_s": (),
        "clipped_runs": 0,
        "checksum": name,
    }
    return TrackFeatures(**{**values, **changes})


def track(name: str, instrument: str = "other", role: str = "foreground", **changes: Any) -> Track:
    """A track whose audio no engine will ask for."""
    channels = changes.pop("channels", 1)
    audio = Audio(np.zeros((channels, 1), np.float32), RATE)
    return Track(name, audio=audio, instrument=instrument, role=role, **{"confidence": 1.0, **changes})


def song(
    *tracks: Track,
    features: Mapping[str, Mapping[str, Any]] | None = None,
    masking: np.ndarray[Any, np.dtype[np.float64]] | None = None,
    pairs: Iterable[MicrophonePair] = (),
    duplicates: Iterable[tuple[str, str]] = (),
    tempo_bpm: float | None = None,
    **changes: Any,
) -> tuple[Multitrack, MultitrackFeatures]:
    """Tracks and their features; `features` holds what differs from the maker's defaults, by track."""
    multitrack = Multitrack("song", tracks, RATE, tempo_bpm=tempo_bpm, **changes)
    measured = {
        t.name: track_features(t.name, channels=t.channels, **dict((features or {}).get(t.name, {})))
        for t in tracks
    }
    count = len(tracks)
    return multitrack, MultitrackFeatures(
        sample_rate=RATE,
        duration_s=float(SECONDS),
        tracks=measured,
        masking=np.zeros((count, count, 24)) if masking is None else masking,
        pairs=tuple(pairs),
        duplicates=tuple(duplicates),
    )

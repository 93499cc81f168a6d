"""`analyze`: every track in one pass, tracks in parallel, then what lies between the tracks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from tonmeister.analysis.cross_power import Moments, cross_power
from tonmeister.analysis.masking import masking_matrix
from tonmeister.analysis.pairs import find_pairs
from tonmeister.analysis.recording import BLOCK_FRAMES, Recording
from tonmeister.analysis.tempo import estimate_tempo_bpm
from tonmeister.analysis.tracks import TrackResult, track_result
from tonmeister.features import CrossPower, MicrophonePair, MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.vocabulary import is_a

__all__ = ["analyze_multitrack"]

Progress = Callable[[str, float], None]


class _Work:
    """How much of all frames has been measured, told to a callback one caller at a time."""

    def __init__(self, total_frames: int, progress: Progress | None) -> None:
        self._total = max(total_frames, 1)
        self._done = 0
        self._progress = progress
        self._lock = threading.Lock()

    def advance(self, name: str, frames: int) -> None:
        """Say that `frames` more of track `name` are done."""
        with self._lock:
            self._done += frames
            if self._progress is not None:
                self._progress(name, min(self._done / self._total, 1.0))


def analyze_multitrack(
    multitrack: Multitrack, *, threads: int | None = None, progress: Progress | None = None
) -> MultitrackFeatures:
    """See `tonmeister.analysis.analyze`."""
    work = _Work(sum(t.frames_at(multitrack.sample_rate) for t in multitrack.tracks), progress)
    count = max(1, min(threads or os.cpu_count() or 1, len(multitrack.tracks) or 1))
    executor = ThreadPoolExecutor(count, thread_name_prefix="analysis")
    try:
        kit = frozenset(_kit(multitrack))
        jobs = [executor.submit(_measure, t, multitrack, t.name in kit, work) for t in multitrack.tracks]
        results = [job.result() for job in jobs]
        return _together(multitrack, results, executor)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _kit(multitrack: Multitrack) -> list[str]:
    """Tracks whose microphones may hear one another: the pieces of the kit, where there are several."""
    pieces = [t.name for t in multitrack.tracks if is_a(t.instrument, "drums")]
    return pieces if len(pieces) > 1 else []


def _measure(track: Track, multitrack: Multitrack, in_kit: bool, work: _Work) -> TrackResult:
    sample_rate = multitrack.sample_rate
    recording = Recording(
        _where(track), sample_rate, track.channels, keep_excerpts=track.group is not None,
        moments=Moments(sample_rate, track.channels, multitrack.frames) if in_kit else None,
    )  # fmt: skip
    for block in track.blocks(sample_rate, BLOCK_FRAMES):
        recording.update(block)
        work.advance(track.name, block.shape[1])
    return track_result(track.name, recording)


def _where(track: Track) -> str:
    return track.name if track.file == track.name else f"{track.name} ({track.file})"


def _together(
    multitrack: Multitrack, results: Sequence[TrackResult], executor: Executor
) -> MultitrackFeatures:
    features = {r.features.name: r.features for r in results}
    duplicates = _duplicates(list(features.values()))
    loudness = {name: track.integrated_lufs for name, track in features.items()}
    estimate = None
    if multitrack.tempo_bpm is None:
        estimate = estimate_tempo_bpm([r.onset_strength_db for r in results])
    return MultitrackFeatures(
        sample_rate=multitrack.sample_rate,
        duration_s=max((r.features.frames for r in results), default=0) / multitrack.sample_rate,
        tracks=features,
        masking=masking_matrix({r.features.name: r.masking for r in results}, loudness, executor),
        pairs=_pairs(multitrack, results, duplicates),
        duplicates=duplicates,
        tempo_bpm=multitrack.tempo_bpm,
        extra={} if estimate is None else {"tempo_estimate_bpm": estimate},
        cross_power=_cross_power(results, multitrack.sample_rate),
    )


def _cross_power(results: Sequence[TrackResult], sample_rate: int) -> CrossPower | None:
    kept = {r.features.name: r.moments for r in results if r.moments is not None}
    return cross_power(kept, sample_rate) if len(kept) > 1 else None


def _duplicates(tracks: Sequence[TrackFeatures]) -> tuple[tuple[str, str], ...]:
    """(first, later) tracks with the same samples; silence is not a duplicate of silence."""
    first: dict[str, str] = {}
    pairs = []
    for track in tracks:
        if track.sample_peak_db is None:
            continue
        kept = first.setdefault(track.checksum, track.name)
        if kept != track.name:
            pairs.append((kept, track.name))
    return tuple(pairs)


def _pairs(
    multitrack: Multitrack, results: Sequence[TrackResult], duplicates: Sequence[tuple[str, str]]
) -> tuple[MicrophonePair, ...]:
    groups: dict[str, list[str]] = {}
    for track in multitrack.tracks:
        if track.group is not None:
            groups.setdefault(track.group, []).append(track.name)
    excerpts = {r.features.name: r.excerpts for r in results}
    same = frozenset(frozenset(pair) for pair in duplicates)
    return find_pairs(excerpts, list(groups.values()), multitrack.sample_rate, same)

"""What was noticed on loading, in words: every repair is said aloud."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tonmeister.multitrack import Excluded, Track
from tonmeister.vocabulary import is_a

__all__ = ["remarks"]

_NAMED = 3
"""Tracks a summarizing note names."""


def remarks(
    tracks: Sequence[Track], references: Sequence[Track], excluded: Sequence[Excluded], sample_rate: int
) -> Iterator[str]:
    """Notes on rates, lengths, time stamps, references, returns, buses and what was left out."""
    yield from (f"{item.file}: left out, {item.why}" for item in excluded)
    yield from (f"{t.file}: taken as a reference mix, not summed ({t.evidence})" for t in references)
    yield from (
        f"{t.file}: a printed effect, kept as a track ({t.evidence})" for t in tracks if t.kind == "return"
    )
    yield from _resampled(tracks, sample_rate)
    yield from _padded(tracks, sample_rate)
    yield from _time_stamps(tracks)
    yield from _buses(tracks)


def _resampled(tracks: Sequence[Track], sample_rate: int) -> Iterator[str]:
    for track in tracks:
        if track.native_rate != sample_rate:
            yield f"{track.file}: {track.native_rate} Hz, resampled to {sample_rate} Hz"


def _padded(tracks: Sequence[Track], sample_rate: int) -> Iterator[str]:
    """One note on tracks that end before the longest; a frame less is rounding."""
    lengths = {track.name: track.frames_at(sample_rate) for track in tracks}
    longest = max(lengths.values())
    short = [name for name, frames in lengths.items() if longest - frames > 1]
    if short:
        missing_s = (longest - min(lengths.values())) / sample_rate
        yield f"lengths differ by up to {missing_s:.3g} s: silence fills the end of {_listed(short)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more


def _time_stamps(tracks: Sequence[Track]) -> Iterator[str]:
    starts_s = [s.info.time_reference_frames / s.info.sample_rate for t in tracks for s in t.sources]
    if starts_s and max(starts_s) - min(starts_s) > 1 / min(t.native_rate for t in tracks):
        apart_s = max(starts_s) - min(starts_s)
        yield f"time stamps in the files lie up to {apart_s:.3g} s apart: they are not applied, all tracks start together"


def _buses(tracks: Sequence[Track]) -> Iterator[str]:
    """A printed bus beside its own tracks would be heard twice."""
    for track in tracks:
        members = [t for t in tracks if t is not track and is_a(t.instrument, track.instrument)]
        if "bus" in track.attributes and members and track.instrument != "other":
            yield f"{track.file}: named like a bus of {_listed([m.name for m in members])}: exclude one or the other"

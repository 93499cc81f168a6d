"""What is said aloud about an unmixing: what was repaired, and what the reader should not rely on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tonmeister.multitrack import Multitrack
from tonmeister.units import power_to_db
from tonmeister.unmixing.alignment import MAX_DELAY_S, Alignment
from tonmeister.unmixing.reading import MixSource
from tonmeister.unmixing.result import FLOOR_DB, FoundTrack

__all__ = ["about_alignment", "about_fit", "about_mix"]

UNEQUAL_S: Final = 0.5
POOR: Final = 0.5
UNSURE: Final = 0.3


def about_mix(song: Multitrack, mix: MixSource) -> list[str]:
    """Rate and length of the mix against those of the tracks."""
    return [*_rate(song, mix), *_length(song, mix)]


def _rate(song: Multitrack, mix: MixSource) -> Iterator[str]:
    if mix.native_rate != song.sample_rate:
        yield f"{mix.title}: at {mix.native_rate} Hz, resampled to the tracks' {song.sample_rate} Hz"


def _length(song: Multitrack, mix: MixSource) -> Iterator[str]:
    longer_s = (mix.frames_at(song.sample_rate) - song.frames) / song.sample_rate
    if longer_s > UNEQUAL_S:
        yield f"{mix.title}: {longer_s:.1f} s longer than the tracks; what is behind their end is left out"
    if longer_s < -UNEQUAL_S:
        yield f"{mix.title}: {-longer_s:.1f} s shorter than the tracks; gains behind its end are missing"


def about_alignment(alignment: Alignment, sample_rate: int) -> Iterator[str]:
    """Whether the tracks are in the mix at all, and when."""
    if not alignment.certain:
        yield (
            "the tracks are not recognized in the waveform of the mix: it may be another song or take, heavily "
            f"processed, or more than {MAX_DELAY_S:g} s early or late (then give the delay); "
            "take the gains for a guess"
        )
    elif not alignment.best_taken:
        yield f"the tracks fit the mix better at a delay of {alignment.best_frames * 1000 / sample_rate:.2f} ms"


def about_fit(
    mode: str,
    asked: str,
    share: float,
    alike: Sequence[tuple[int, int]],
    tracks: Sequence[FoundTrack],
) -> list[str]:
    """How well the tracks explain the mix, and which of them cannot be told apart."""
    return [
        *_quality(mode, asked, share, tracks),
        *(_pair(tracks[i], tracks[j]) for i, j in alike),
        *_single(tracks),
    ]


def _quality(mode: str, asked: str, share: float, tracks: Sequence[FoundTrack]) -> Iterator[str]:
    if asked == "auto" and mode != "coherent":
        yield f"the waveforms do not add up to the mix (effects, a master chain), so the {mode} spectra were compared"
    if share > POOR:
        yield f"low confidence: the tracks leave {share:.0%} of the mix ({power_to_db(share):.1f} dB) unexplained"
    elif any(t.gain_db is not None and t.confidence < UNSURE for t in tracks):
        names = ", ".join(t.name for t in tracks if t.gain_db is not None and t.confidence < UNSURE)
        yield f"low confidence: {names}"
    if mode == "magnitude":
        yield "magnitude mode reads low where tracks overlap: compare only with other magnitude results"


def _pair(one: FoundTrack, other: FoundTrack) -> str:
    return f"{one.name} and {other.name} sound so alike that their gains cannot be told apart"


def _single(tracks: Sequence[FoundTrack]) -> Iterator[str]:
    for track in tracks:
        if track.gain_db is None:
            yield f"{track.name}: silent where the mix is, so its gain is missing"
        elif track.gain_db <= FLOOR_DB:
            yield f"{track.name}: not found in the mix: muted, or changed beyond recognition"
        if track.inverted:
            yield f"{track.name}: polarity opposite to the other tracks"

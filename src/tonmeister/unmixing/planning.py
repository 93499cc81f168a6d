"""From gains that were found to decisions that say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tonmeister.decisions import Automate, Decision, Mute, Reason, SetGain, SetPan, SetPolarity
from tonmeister.engines.curves import to_curve
from tonmeister.multitrack import Track
from tonmeister.plan import MixPlan, TrackRecord
from tonmeister.strip import PARAMETERS
from tonmeister.unmixing.result import FLOOR_DB, FoundTrack, Unmixed

__all__ = ["ENGINE", "plan_of"]

ENGINE: Final = "unmix"
SOURCE: Final = "J. Scott and Y. E. Kim, ISMIR 2011: track weights measured from a finished mix"
TOLERANCE_DB: Final = 0.25
"""How far a drawn fader curve may be from the found one."""
PAN_TOLERANCE: Final = 0.02
_WORDS: Final = {
    "coherent": "the waveform of the mix",
    "power": "the power spectra of the mix",
    "magnitude": "the magnitude spectra of the mix",
}


def plan_of(found: Unmixed) -> MixPlan:
    """The plan that puts every fader and pan where the mix has it.

    Delay and polarity of the mix as a whole are no part of a balance and are left out; a track whose polarity
    differs from the others' is inverted.
    """
    song = found.multitrack
    decisions = [decision for track in found.tracks for decision in _decisions(found, track)]
    return MixPlan.of(
        decisions,
        title=song.title,
        sample_rate=song.sample_rate,
        tracks=[_record(track, song.sample_rate) for track in song.tracks],
        engine=ENGINE,
        options={"mode": found.mode},
        notes=found.notes,
    )


def _record(track: Track, sample_rate: int) -> TrackRecord:
    return TrackRecord(
        name=track.name,
        file=track.file,
        instrument=track.instrument,
        role=track.role,
        confidence=track.confidence,
        evidence=track.evidence,
        channels=track.channels,
        frames=track.frames_at(sample_rate),
        group=track.group,
    )


def _decisions(found: Unmixed, track: FoundTrack) -> Iterator[Decision]:
    if track.gain_db is None:
        return
    if track.inverted:
        text = "its polarity in the mix is opposite to that of the other tracks"
        yield SetPolarity(track.name, True, reason=_reason(found, track, text), by=ENGINE)
    if track.gain_db <= FLOOR_DB and not track.moves:
        text = f"not found in the mix: less than {FLOOR_DB:g} dB of it"
        yield Mute(track.name, reason=_reason(found, track, text), by=ENGINE)
        return
    yield _level(found, track)
    if track.pan is not None:
        yield _place(found, track)


def _level(found: Unmixed, track: FoundTrack) -> Decision:
    assert track.gain_db is not None
    where = f"in {_WORDS[found.mode]} this track stands at"
    if not track.moves:
        text = f"{where} {track.gain_db:+.1f} dB against its file"
        level = PARAMETERS["gain_db"].clip(round(track.gain_db, 3))
        return SetGain(track.name, level, reason=_reason(found, track, text), by=ENGINE)
    known = np.isfinite(track.curve_db)
    low, high = np.nanmin(track.curve_db), np.nanmax(track.curve_db)
    text = f"{where} {track.gain_db:+.1f} dB against its file and moves from {low:+.1f} to {high:+.1f} dB"
    values = np.clip(track.curve_db[known], PARAMETERS["gain_db"].minimum, PARAMETERS["gain_db"].maximum)
    curve = to_curve(found.times_s[known], values, TOLERANCE_DB)
    return Automate(track.name, "gain_db", curve, reason=_reason(found, track, text), by=ENGINE)


def _place(found: Unmixed, track: FoundTrack) -> Decision:
    assert track.pan is not None
    known = np.isfinite(track.pan_curve)
    if track.pans:
        text = "left and right of the mix hold this track in a changing ratio"
        curve = to_curve(found.times_s[known], track.pan_curve[known], PAN_TOLERANCE)
        return Automate(track.name, "pan", curve, reason=_reason(found, track, text), by=ENGINE)
    text = "from the levels of this track left and right in the mix"
    return SetPan(track.name, round(track.pan, 3), reason=_reason(found, track, text), by=ENGINE)


def _reason(found: Unmixed, track: FoundTrack, text: str) -> Reason:
    evidence = f"measured: residual {found.residual_db:.1f} dB in mode {found.mode}"
    return Reason(text, SOURCE, f"unmix.{found.mode}", evidence, round(track.confidence, 3))

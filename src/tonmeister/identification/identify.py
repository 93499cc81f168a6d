"""What every track of a song is: names, and where they leave doubt the sound.

A person's word (tonmeister.toml) stands before the name of a file, and the name before the sound. Listening costs a
pass over the file, so a mix listens only to the tracks whose names leave doubt; `identify` listens to all and says
where name and sound disagree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Literal

from tonmeister.errors import ModelError
from tonmeister.features import MultitrackFeatures
from tonmeister.identification.evidence import NameClaim, Verdict, weighed
from tonmeister.identification.numbers import number
from tonmeister.identification.sound_evidence import SoundEvidence
from tonmeister.loading import CONFIG_NAME
from tonmeister.loading.roles import settled_roles
from tonmeister.multitrack import Multitrack, Track
from tonmeister.naming import usual_role
from tonmeister.vocabulary import family, is_a

if TYPE_CHECKING:
    from tonmeister.identification.classifier import Classifier
    from tonmeister.identification.patches import Patch

__all__ = ["Heard", "Listen", "identified", "is_doubtful", "listener", "settled", "verdicts"]

Listen = Literal["no", "doubt", "all"]
"""Which tracks are listened to: none, those whose names leave doubt, or all."""

Progress = Callable[[str, float], None]
"""Told a track's name and how much of the work is done, 0 to 1."""


@dataclass(frozen=True)
class Heard:
    """What listening to a track found."""

    sound: SoundEvidence
    patches: tuple[Patch, ...] = ()


Listener = Callable[[Track], Heard]


def listener(classifier: Classifier | None = None) -> Listener | None:
    """What listens to tracks, or None where no model of sounds is installed."""
    from tonmeister.identification.classifier import load_classifier
    from tonmeister.identification.patches import loud_patches

    try:
        ears = classifier or load_classifier()
    except ModelError:
        if classifier is not None or _is_installed():
            raise
        return None

    def listen(track: Track) -> Heard:
        patches = loud_patches(track)
        return Heard(ears.judge(patches), patches)

    return listen


def _is_installed() -> bool:
    """Whether the shipped model is there at all: a damaged one is an error, a missing one leaves the names."""
    from tonmeister.model_files.store import model_path

    try:
        return model_path("identifier").is_file()
    except ModelError:
        return False


def is_doubtful(track: Track) -> bool:
    """Whether nobody has clearly said what the track is."""
    return track.known_by in ("", "hint") and track.kind == "source"


def identified(
    multitrack: Multitrack,
    *,
    listen: Listen = "doubt",
    ears: Listener | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Multitrack:
    """The multitrack with what its tracks are, how sure that is, and from what; conflicts stand in the notes.

    Without `ears` the shipped model listens, if it is there.
    """
    chosen = [t for t in multitrack.tracks if listen == "all" or (listen == "doubt" and is_doubtful(t))]
    if not chosen:
        return multitrack
    ears = ears or listener()
    if ears is None:
        return _without_ears(multitrack, chosen)
    found = dict(
        zip((t.name for t in chosen), verdicts(chosen, ears, threads=threads, progress=progress), strict=True)
    )
    tracks = [
        _with(track, *found[track.name]) if track.name in found else track for track in multitrack.tracks
    ]
    conflicts = tuple(
        f"{t.file}: {verdict.evidence}"
        for t in multitrack.tracks
        for verdict, _ in [found.get(t.name, _NOBODY)]
        if verdict.conflict
    )
    return replace(multitrack, tracks=tuple(settled_roles(tracks)), notes=(*multitrack.notes, *conflicts))


_NOBODY = (Verdict("other", 0.0, ""), None)


def _without_ears(multitrack: Multitrack, chosen: Sequence[Track]) -> Multitrack:
    doubtful = sum(map(is_doubtful, chosen))
    note = f"there is no model to listen with: names alone decided ({doubtful} of {len(chosen)} say little)"
    return replace(multitrack, notes=(*multitrack.notes, note))


def settled(multitrack: Multitrack, features: MultitrackFeatures) -> tuple[Multitrack, MultitrackFeatures]:
    """After the measuring: microphones of one source, and who of the voices and guitars leads."""
    from tonmeister.identification.parts import with_parts
    from tonmeister.identification.related import with_related

    if not any(track.known_by == "sound" for track in multitrack.tracks):
        return multitrack, features
    multitrack, features = with_related(multitrack, features)
    return with_parts(multitrack, features), features


def verdicts(
    tracks: Sequence[Track], ears: Listener, *, threads: int | None = None, progress: Progress | None = None
) -> list[tuple[Verdict, SoundEvidence]]:
    """What each track is and what was heard, several at a time; the result does not depend on how many."""
    lock, done = Lock(), 0

    def work(track: Track) -> tuple[Verdict, SoundEvidence]:
        nonlocal done
        heard = ears(track)
        made = weighed(_claim(track), heard.sound, _drum_type(track, heard))
        with lock:
            done += 1
            if progress is not None:
                progress(track.name, done / len(tracks))
        return made, heard.sound

    with ThreadPoolExecutor(max(1, min(threads or os.cpu_count() or 1, len(tracks)))) as pool:
        return list(pool.map(work, tracks))


def _claim(track: Track) -> NameClaim:
    return NameClaim(
        track.instrument, track.confidence, track.evidence, clear=track.known_by in ("person", "name")
    )


def _drum_type(track: Track, heard: Heard) -> dict[str, float] | None:
    """The drum-type stage, where the sound or the name is that of a drum."""
    from tonmeister.identification.drum_type import drum_posterior, measured

    named = is_a(track.instrument, "drums") and is_doubtful(track)
    if heard.sound.family != "drums" and not named:
        return None
    measures = measured(heard.patches, track.channels)
    return drum_posterior(measures) if measures is not None else None


def _with(track: Track, verdict: Verdict, sound: SoundEvidence | None) -> Track:
    """The track with its verdict; what a person said is left as it is."""
    if track.known_by == "person":
        return track
    known_by = "sound" if verdict.by_sound else track.known_by
    if track.evidence == CONFIG_NAME:
        return replace(track, instrument=verdict.instrument, known_by=known_by)
    return replace(
        track,
        instrument=verdict.instrument,
        role=_role(track, verdict, sound),
        confidence=round(verdict.probability, 3),
        evidence=verdict.evidence,
        known_by=known_by,
    )


def _role(track: Track, verdict: Verdict, sound: SoundEvidence | None) -> str:
    """The name's role for what the name knew; else what such an instrument usually does, or clearly does here."""
    if not verdict.by_sound or (track.known_by == "hint" and verdict.instrument == track.instrument):
        return (
            track.role
            if family(track.instrument) == family(verdict.instrument)
            else usual_role(verdict.instrument)
        )
    usual = usual_role(verdict.instrument)
    back = (sound.roles if sound is not None else {}).get("background", 0.0)
    held = family(verdict.instrument) in ("synth", "keys", "strings", "guitar", "winds")
    return "background" if held and back >= number("role.least_probability") else usual

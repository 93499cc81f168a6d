"""The audible tracks on their way through the engine: tags, inserts, and what these do to the loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tonmeister.decisions import Reason
from tonmeister.effects.base import Effect
from tonmeister.engines.textbook.matching import Entry, Subject, apply_rules
from tonmeister.engines.textbook.measures import track_lookup
from tonmeister.engines.textbook.rules import RuleSet
from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.units import FloatArray
from tonmeister.vocabulary import is_a

__all__ = ["Channel", "Chosen", "Style", "make_channels", "section_key"]


@dataclass(frozen=True, slots=True)
class Style:
    """How the rules are to be read."""

    profile: str = "improved"
    jarp: bool = False
    edition: str = "median"

    @property
    def improved(self) -> bool:
        return self.profile == "improved"


@dataclass(frozen=True, slots=True)
class Chosen:
    """An effect that the rules ask for, and why."""

    effect: Effect
    reason: Reason


@dataclass(frozen=True)
class Channel:
    """One audible track."""

    track: Track
    features: TrackFeatures
    subject: Subject
    role: str
    inserts: tuple[Chosen, ...] = ()
    change_db: float = 0.0
    """What the inserts do to the loudness, predicted."""
    notes: tuple[str, ...] = ()
    log: tuple[Entry, ...] = ()

    @property
    def name(self) -> str:
        return self.track.name

    @property
    def lufs(self) -> float:
        """Predicted loudness after the inserts, fader at unity."""
        return (self.features.integrated_lufs or 0.0) + self.change_db

    @property
    def momentary_lufs(self) -> FloatArray:
        """Predicted momentary loudness after the inserts, fader at unity; shape (n,)."""
        return np.asarray(self.features.momentary_lufs + np.float32(self.change_db), dtype=np.float32)

    @property
    def in_kit(self) -> bool:
        return is_a(self.track.instrument, "drums")

    def noted(self, entries: tuple[Entry, ...], *notes: str) -> Channel:
        """The channel with more to tell."""
        return replace(self, log=(*self.log, *entries), notes=(*self.notes, *notes))


def section_key(track: Track) -> tuple[str, str]:
    """Tracks with one key share a place: several microphones of one source, or several of one kind."""
    return ("group", track.group) if track.group else ("kind", f"{track.instrument}/{track.role}")


def make_channels(
    multitrack: Multitrack,
    features: MultitrackFeatures,
    rules: RuleSet,
    style: Style,
    left_out: frozenset[str],
) -> list[Channel]:
    """A channel for every track that is heard, its role settled by the rules of the stage ``tags``."""
    heard = [t for t in multitrack.tracks if t.name not in left_out]
    sizes: dict[tuple[str, str], int] = {}
    for track in heard:
        sizes[section_key(track)] = sizes.get(section_key(track), 0) + 1
    tempo_bpm = multitrack.tempo_bpm or features.tempo_bpm
    channels = []
    for track in heard:
        several = bool(track.group) and sizes[section_key(track)] > 1
        tags = _tags(multitrack, track, several)
        lookup = track_lookup(features[track.name], features, tempo_bpm, jarp=style.jarp)
        subject = Subject(track.name, tags, lookup, track.confidence)
        channels.append(_with_role(Channel(track, features[track.name], subject, track.role), rules, style))
    return channels


def _tags(multitrack: Multitrack, track: Track, several: bool) -> Mapping[str, frozenset[str]]:
    layout = "stereo" if track.channels > 1 else "mono"
    return {
        "instrument": frozenset((track.instrument,)),
        "role": frozenset((track.role,)),
        "genre": frozenset(multitrack.genre.casefold().replace(",", " ").split()),
        "kind": frozenset((*track.attributes, layout)),
        "section": frozenset(("several" if several else "single",)),
    }


def _with_role(channel: Channel, rules: RuleSet, style: Style) -> Channel:
    """Roles that a person has settled (confidence 1) stay."""
    settings = apply_rules(rules, "tags", channel.subject, profile=style.profile, jarp=style.jarp)
    if settings.role is None or channel.track.confidence >= 1.0:
        return channel
    role, rule = settings.role
    tags = {**channel.subject.tags, "role": frozenset((role,))}
    note = f"role {role} instead of {channel.role}: {rule.comment} ({rule.id})"
    changed = replace(channel, role=role, subject=replace(channel.subject, tags=tags))
    return changed.noted(settings.log, note)

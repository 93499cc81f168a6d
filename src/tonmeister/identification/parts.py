"""Who leads: voices and guitars whose names do not say, told by when they play and how loud.

Only tracks that the sound identified are touched: names and people have said what they had to say. The voice that sings
most leads, its level counting half; a voice that mostly sings along with it backs it, one that takes turns stays in the
foreground. Of several electric guitars the one that plays clearly less, and no softer, is the lead guitar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tonmeister.features import MultitrackFeatures, TrackFeatures
from tonmeister.identification.numbers import number
from tonmeister.loading.roles import settled_roles
from tonmeister.multitrack import Multitrack, Track
from tonmeister.vocabulary import is_a

__all__ = ["with_parts"]


def with_parts(multitrack: Multitrack, features: MultitrackFeatures) -> Multitrack:
    """The multitrack with the roles of voices and guitars that only the sound identified."""
    if not any(_is_open(track) for track in multitrack.tracks):
        return multitrack
    tracks = _with_voices(multitrack.tracks, features.tracks)
    tracks = _with_guitars(tracks, features.tracks)
    return replace(multitrack, tracks=tuple(settled_roles(tracks)))


def _is_open(track: Track) -> bool:
    return track.known_by == "sound"


def _changed(tracks: Sequence[Track], roles: Mapping[str, tuple[str, str]]) -> list[Track]:
    """Tracks with new roles, by name: (role, why)."""
    return [
        replace(t, role=roles[t.name][0], evidence=f"{t.evidence}; {roles[t.name][1]}")
        if t.name in roles
        else t
        for t in tracks
    ]


# ------------------------------------------------------------------ voices


def _with_voices(tracks: Sequence[Track], features: Mapping[str, TrackFeatures]) -> list[Track]:
    voices = [t for t in tracks if is_a(t.instrument, "voice") and not features[t.name].silent]
    open_ones = [t for t in voices if _is_open(t) and t.instrument != "choir"]
    if not open_ones:
        return list(tracks)
    leaders = [t for t in voices if t.role == "lead" and not _is_open(t)]
    roles: dict[str, tuple[str, str]] = {}
    if not leaders:
        leader = max(open_ones, key=lambda t: _lead_score_db(features[t.name]))
        leaders = [leader]
        roles[leader.name] = ("lead", "of the voices it sings most")
    for track in open_ones:
        if track.name not in roles:
            along = max(_overlap(features[track.name], features[lead.name]) for lead in leaders)
            backs = along >= number("parts.sings_along")
            why = f"{along:.0%} of its time it sings along with {leaders[0].name}"
            roles[track.name] = ("background" if backs else "foreground", why)
    return _changed(tracks, roles)


def _lead_score_db(features: TrackFeatures) -> float:
    """How much a voice sings, and half of how loud, dB."""
    level_db = features.rms_db if features.rms_db is not None else -100.0
    return 10.0 * math.log10(max(features.active_ratio, 1e-4)) + number("parts.level_weight") * level_db


def _overlap(features: TrackFeatures, lead: TrackFeatures) -> float:
    """Share of a track's time in which the lead sounds, too."""
    count = min(len(features.active), len(lead.active))
    own = float(np.count_nonzero(features.active))
    return float(np.count_nonzero(features.active[:count] & lead.active[:count])) / own if own else 0.0


# ------------------------------------------------------------------ guitars


def _with_guitars(tracks: Sequence[Track], features: Mapping[str, TrackFeatures]) -> list[Track]:
    guitars = [t for t in tracks if is_a(t.instrument, "guitar") and not features[t.name].silent]
    open_ones = [t for t in guitars if _is_open(t) and not is_a(t.instrument, "acoustic_guitar")]
    if len(guitars) < 2 or not open_ones or any(t.role == "lead" for t in guitars):
        return list(tracks)
    most = max(features[t.name].active_ratio for t in guitars)
    loudest_db = max(features[t.name].rms_db or -100.0 for t in guitars)
    share = number("parts.lead_guitar_share")
    leads = [
        t
        for t in open_ones
        if features[t.name].active_ratio <= share * most
        and (features[t.name].rms_db or -100.0) >= loudest_db - 1.0
    ]
    if len(leads) != 1:
        return list(tracks)
    return _changed(tracks, {leads[0].name: ("lead", "of the guitars it plays least, and not softly")})

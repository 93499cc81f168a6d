"""Roles seen across the song: one track carries it, and names do not always say which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tonmeister.loading.config import CONFIG_NAME
from tonmeister.multitrack import Track
from tonmeister.vocabulary import is_a

__all__ = ["settled_roles"]


def settled_roles(tracks: Sequence[Track]) -> list[Track]:
    """The only voice leads; instruments that are called lead stay behind a leading voice.

    Roles from tonmeister.toml stand.
    """
    voiced = _with_only_voice_leading(tracks)
    if not any(track.role == "lead" and is_a(track.instrument, "voice") for track in voiced):
        return voiced
    return [_behind_voice(track) for track in voiced]


def _with_only_voice_leading(tracks: Sequence[Track]) -> list[Track]:
    if any(_is_lead_voice(track) or _is_set_lead(track) for track in tracks):
        return list(tracks)
    plain = [t for t in tracks if t.instrument == "voice" and t.role == "foreground"]
    plain = plain or [t for t in tracks if t.instrument == "speech" and t.role == "foreground"]
    if len(plain) != 1 or plain[0].evidence == CONFIG_NAME:
        return list(tracks)
    leader = replace(
        plain[0], role="lead", evidence=f"{plain[0].evidence}; the only {plain[0].instrument} leads"
    )
    return [leader if track is plain[0] else track for track in tracks]


def _is_lead_voice(track: Track) -> bool:
    return track.role == "lead" and is_a(track.instrument, "voice")


def _is_set_lead(track: Track) -> bool:
    return track.role == "lead" and track.evidence == CONFIG_NAME


def _behind_voice(track: Track) -> Track:
    if track.role != "lead" or is_a(track.instrument, "voice") or track.evidence == CONFIG_NAME:
        return track
    return replace(track, role="foreground", evidence=f"{track.evidence}; a voice leads this song")

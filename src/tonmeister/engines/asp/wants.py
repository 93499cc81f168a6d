"""How loud every track is wanted, against equal loudness: two estimates, weighted by how sure they are.

Practice starts from equal loudness with steps for roles, s. The tables give a level t against the lead, with a spread
sigma between songs. Their mean, weighted by precision, is

    o = s + w (a + t - s),    w = sigma_0^2 / (sigma_0^2 + sigma^2)

where sigma_0 is how far equal loudness is taken to be off, and a is the step of the lead, or, in a song without one,
of where a lead would be above the ordinary foreground.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tonmeister.engines.asp.knowledge import RoleLevel, kind_of, number, role_level, role_step
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import TrackFeatures
from tonmeister.multitrack import Track
from tonmeister.vocabulary import is_a

__all__ = ["Want", "wanted_levels"]


@dataclass(frozen=True, slots=True)
class Want:
    """The wanted level of a track, and what it rests on."""

    offset_lu: float
    """Against equal loudness."""
    table_lu: float
    """What the table says against the lead, shared among the tracks of the source."""
    weight: float
    """Share of the table in the mean of both estimates."""
    source: str


def wanted_levels(tracks: Sequence[Track], measured: Sequence[TrackFeatures]) -> list[Want]:
    """The wanted level of every track, in their order."""
    has_lead_voice = any(t.role == "lead" and is_a(t.instrument, "voice") for t in tracks)
    anchor_lu = role_step("lead").level_lu if any(t.role == "lead" for t in tracks) else _above_foreground()
    excess_lu = _excess_of_all(tracks, measured)
    return [
        _want(track, anchor_lu, excess, has_lead_voice)
        for track, excess in zip(tracks, excess_lu, strict=True)
    ]


def _above_foreground() -> float:
    return role_step("foreground").level_lu - role_level("foreground").level_lu


def _want(track: Track, anchor_lu: float, excess_lu: float, has_lead_voice: bool) -> Want:
    table, step = _table(track, has_lead_voice), role_step(track.role)
    variance = number("level.first_guess_spread") ** 2
    weight = variance / (variance + table.spread_lu**2)
    level_lu = table.level_lu - excess_lu
    offset_lu = step.level_lu + weight * (anchor_lu + level_lu - step.level_lu)
    return Want(offset_lu, level_lu, weight, table.source)


def _table(track: Track, has_lead_voice: bool) -> RoleLevel:
    """The row of the instrument, else that of the role; the only lead there is, is the reference."""
    kind = kind_of(track.instrument)
    if track.role == "lead":
        beside = has_lead_voice and not is_a(track.instrument, "voice")
        return role_level("lead" if beside else "lead voice")
    if kind.level_lu is None:
        return role_level(track.role)
    return RoleLevel(kind.level_lu, kind.level_spread_lu, kind.level_source)


def _excess_of_all(tracks: Sequence[Track], measured: Sequence[TrackFeatures]) -> list[float]:
    """By how much the tracks that share a source are louder together than one of them."""
    sharing: dict[str, list[int]] = defaultdict(list)
    for index, track in enumerate(tracks):
        if key := _shared_by(track):
            sharing[key].append(index)
    excess_lu = [0.0] * len(tracks)
    for members in sharing.values():
        together_lu = _excess_lu([measured[i] for i in members])
        for i in members:
            excess_lu[i] = together_lu
    return excess_lu


def _shared_by(track: Track) -> str:
    """What shares one level: the tracks of a row of measured sources, or the microphones of a group."""
    kind = kind_of(track.instrument)
    if track.role != "lead" and kind.level_lu is not None:
        return f"row {kind.level_class}"
    return f"group {track.group}" if track.group else ""


def _excess_lu(measured: Sequence[TrackFeatures]) -> float:
    """How much louder equally loud tracks are together than one of them, as they play together."""
    if len(measured) < 2:
        return 0.0
    gains_db = [-(m.integrated_lufs or 0.0) for m in measured]
    return max(0.0, predicted_lufs([m.momentary_lufs for m in measured], gains_db) or 0.0)

"""How loud every track is wanted, against equal loudness: two estimates, weighted by how sure they are.

Practice starts from equal loudness with steps for roles, s. The tables give a level t against the lead, with a spread
sigma between songs. Their mean, weighted by precision, is

    o = s + w (a + t - s),    w = sigma_0^2 / (sigma_0^2 + sigma^2)

where sigma_0 is how far equal loudness is taken to be off, and a is the step of the lead, or, in a song without one,
of where a lead would be above the ordinary foreground. The kit is one source: its pieces stand to one another as the
tables have it, again weighted, and the kit as a whole stands to the lead.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tonmeister.engines.asp.knowledge import (
    Kind,
    RoleLevel,
    kind_of,
    number,
    role_level,
    role_of,
    role_step,
    whole_kit,
)
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import TrackFeatures
from tonmeister.multitrack import Track
from tonmeister.units import db_to_power, power_to_db
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
    kit = [i for i, t in enumerate(tracks) if t.role != "lead" and kind_of(t.instrument).of_kit]
    pieces = _kit(
        [tracks[i] for i in kit], [measured[i] for i in kit], [excess_lu[i] for i in kit], anchor_lu
    )
    of_kit = dict(zip(kit, pieces, strict=True))
    return [
        of_kit[i] if i in of_kit else _want(track, anchor_lu, excess_lu[i], has_lead_voice)
        for i, track in enumerate(tracks)
    ]


def _above_foreground() -> float:
    return role_step("foreground").level_lu - role_level("foreground").level_lu


def _want(track: Track, anchor_lu: float, excess_lu: float, has_lead_voice: bool) -> Want:
    table, step = _table(track, has_lead_voice), role_step(role_of(track.instrument, track.role))
    weight = _weight(table.spread_lu)
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
        return role_level(role_of(track.instrument, track.role))
    return RoleLevel(kind.level_lu, kind.level_spread_lu, kind.level_source)


def _weight(spread_lu: float) -> float:
    variance = number("level.first_guess_spread") ** 2
    return variance / (variance + spread_lu**2)


def _kit(
    tracks: Sequence[Track], measured: Sequence[TrackFeatures], excess_lu: Sequence[float], anchor_lu: float
) -> list[Want]:
    """The pieces of the kit: against one another, then all together against the lead."""
    if not tracks:
        return []
    kinds, kit = [kind_of(t.instrument) for t in tracks], whole_kit()
    lifted_lu = _lifted_lu(kinds)
    table = [
        (k.level_lu or 0.0) + (lifted_lu if k.of_rest else 0.0) - e
        for k, e in zip(kinds, excess_lu, strict=True)
    ]
    if len(tracks) == 1:
        weight = _weight(math.hypot(kinds[0].level_spread_lu, kit.spread_lu))
        level_lu = kit.level_lu + table[0]
        return [Want(weight * (anchor_lu + level_lu), level_lu, weight, kinds[0].level_source)]
    weights = [_weight(k.level_spread_lu) for k in kinds]
    deviations = [w * (t - fmean(table)) for w, t in zip(weights, table, strict=True)]
    together_lu = _sum_lu(measured, deviations)
    step_lu = _weight(kit.spread_lu) * (anchor_lu + kit.level_lu - together_lu)
    return [
        Want(step_lu + d, kit.level_lu + t, w, k.level_source)
        for d, t, w, k in zip(deviations, table, weights, kinds, strict=True)
    ]


def _lifted_lu(kinds: Sequence[Kind]) -> float:
    """What the pieces of the measured rest take over from those that are missing."""
    rows = {k.level_class: k.level_lu or 0.0 for k in kinds if k.of_rest}
    if not rows:
        return 0.0
    present_lu = power_to_db(sum(db_to_power(level) for level in rows.values()))
    return number("level.kit_rest_share") * max(0.0, number("level.kit_rest") - present_lu)


def _sum_lu(measured: Sequence[TrackFeatures], offsets_lu: Sequence[float]) -> float:
    """Loudness of tracks together, each at its offset from equal loudness, as they play together."""
    gains_db = [o - (m.integrated_lufs or 0.0) for m, o in zip(measured, offsets_lu, strict=True)]
    together = predicted_lufs([m.momentary_lufs for m in measured], gains_db)
    return power_to_db(sum(map(db_to_power, offsets_lu))) if together is None else together


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
    return max(0.0, _sum_lu(measured, [0.0] * len(measured))) if len(measured) > 1 else 0.0

"""The level from which faders are moved: equal loudness, drawn towards what is known of each kind of source.

The two estimates are combined as two normal distributions are: with equal loudness at 0 +- sigma_0 and a table at
t +- sigma (against the lead, which stands a step a above equal loudness),

    o = w (a + t),    w = sigma_0^2 / (sigma_0^2 + sigma^2)

The pieces of a kit stand to one another as the tables have it, weighted alike, and the kit as one to the lead. Tracks that
are microphones of one source, or several of one row, share its level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from tonmeister.engines.expert.knowledge import Knowledge, Reference
from tonmeister.engines.expert.numbers import number
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Track
from tonmeister.units import db_to_power, power_to_db
from tonmeister.vocabulary import parents

__all__ = ["Trim", "soundcheck"]


@dataclass(frozen=True, slots=True)
class Trim:
    """Where a track's fader stands before any event, and why."""

    gain_db: float
    """Against the file, around equal loudness at the mix's level."""
    offset_lu: float
    """Against equal loudness."""
    reference: Reference | None
    sharing: int = 1
    """How many tracks share the level."""


def soundcheck(
    tracks: Sequence[Track], features: MultitrackFeatures, known: Knowledge, *, faithful: bool = False
) -> dict[str, Trim]:
    """A trim for every track; the profile ``faithful`` knows equal loudness only."""
    rows = {t.name: None if faithful or t.role == "lead" else _reference(t, known) for t in tracks}
    excess_lu = dict.fromkeys(rows, 0.0) if faithful else _excess(tracks, features)
    offsets_lu = {n: _offset(row, -excess_lu[n]) for n, row in rows.items()}
    kit = {n: row for n, row in rows.items() if row is not None and row.of_kit}
    if kit:
        offsets_lu |= _kit(kit, excess_lu, features, known)
    return {t.name: _trim(t, offsets_lu[t.name], rows[t.name], features, _sharing(t, tracks)) for t in tracks}


def _trim(
    track: Track, offset_lu: float, row: Reference | None, features: MultitrackFeatures, sharing: int
) -> Trim:
    base_lufs, limit_db = number("soundcheck.mix_loudness"), number("soundcheck.largest_move")
    measured = features[track.name].integrated_lufs
    gain_db = (0.0 if measured is None else base_lufs - measured) + offset_lu
    return Trim(float(np.clip(gain_db, -limit_db, limit_db)), offset_lu, row, sharing)


def _reference(track: Track, known: Knowledge) -> Reference | None:
    return next((known.references[w] for w in parents(track.instrument) if w in known.references), None)


def _weight(spread_lu: float) -> float:
    variance = number("soundcheck.equal_loudness_spread") ** 2
    return variance / (variance + spread_lu**2)


def _offset(row: Reference | None, shared_lu: float) -> float:
    """Of a single source; equal loudness where no row speaks."""
    if row is None:
        return shared_lu
    return _weight(row.spread_lu) * (number("soundcheck.lead_step") + row.level_lu) + shared_lu


def _kit(
    kit: dict[str, Reference], excess_lu: dict[str, float], features: MultitrackFeatures, known: Knowledge
) -> dict[str, float]:
    """The pieces against one another, then all together against the lead."""
    whole, lead_lu = known.references["whole kit"], number("soundcheck.lead_step")
    lifted_lu = _lifted(kit)
    wanted = {n: row.level_lu + lifted_lu * row.of_rest - excess_lu[n] for n, row in kit.items()}
    if len(kit) == 1:
        ((name, row),) = kit.items()
        weight = _weight(float(np.hypot(row.spread_lu, whole.spread_lu)))
        return {name: weight * (lead_lu + whole.level_lu + wanted[name])}
    middle = fmean(wanted.values())
    deviations = {n: _weight(row.spread_lu) * (wanted[n] - middle) for n, row in kit.items()}
    together = _together(list(kit), features, deviations)
    step_lu = _weight(whole.spread_lu) * (lead_lu + whole.level_lu - together)
    return {n: step_lu + d for n, d in deviations.items()}


def _lifted(kit: dict[str, Reference]) -> float:
    """What the pieces of the measured rest take over from those that are missing."""
    rows = {row.level_lu for row in kit.values() if row.of_rest}
    present_lu = power_to_db(sum(map(db_to_power, rows))) if rows else 0.0
    missing_lu = max(0.0, number("soundcheck.kit_rest") - present_lu)
    return number("soundcheck.kit_rest_share") * missing_lu if rows else 0.0


def _together(names: Sequence[str], features: MultitrackFeatures, offsets_lu: dict[str, float]) -> float:
    """Loudness of tracks together, each at its offset from equal loudness, as they play together."""
    series = [features[n].momentary_lufs for n in names]
    found = predicted_lufs(series, [offsets_lu[n] - (features[n].integrated_lufs or 0.0) for n in names])
    return power_to_db(sum(db_to_power(offsets_lu[n]) for n in names)) if found is None else found


def _key(track: Track) -> str:
    """What shares one level: a source's microphones, or several of one kind."""
    return f"group {track.group}" if track.group else f"{track.instrument}/{track.role}"


def _sharing(track: Track, tracks: Sequence[Track]) -> int:
    return sum(_key(other) == _key(track) for other in tracks)


def _excess(tracks: Sequence[Track], features: MultitrackFeatures) -> dict[str, float]:
    """By how much the tracks that share a level are louder together than one of them."""
    shared: dict[str, list[str]] = defaultdict(list)
    for track in tracks:
        shared[_key(track)].append(track.name)
    result: dict[str, float] = {}
    for members in shared.values():
        excess = (
            max(0.0, _together(members, features, dict.fromkeys(members, 0.0))) if len(members) > 1 else 0.0
        )
        result |= dict.fromkeys(members, excess)
    return result

"""Who stands where in a layout: decisions about places from the table ``places.toml``, each with its reason."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from tonmeister.decisions import USER, Reason, SetPlace
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, PLACE, Place, Strip
from tonmeister.vocabulary import INSTRUMENTS, is_a, parents

__all__ = ["BY", "WHOLE", "feeding", "place_decisions", "unread_places", "with_places"]

BY: Final = "roma-upmix"
"""Who decides."""
WHOLE: Final = "master"
"""The kind of a strip that holds a finished mix."""

_CONFIDENCE: Final = 0.5
_CONDITIONS: Final = ("names", "kinds", "roles", "instruments")


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files("tonmeister.spatial").joinpath("places.toml").read_text("utf-8"))


def feeding(plan: MixPlan) -> tuple[Strip, ...]:
    """The strips that feed the master, which are those whose places count."""
    return tuple(s for s in plan.strips if MASTER in (s.output, *(send.to for send in s.sends)))


def with_places(plan: MixPlan, *, whole: Collection[str] = ()) -> MixPlan:
    """The plan with places from the table, where nobody has decided them; `whole` are strips that hold finished mixes."""
    others = [d for d in plan.decisions if d.by != BY]
    return dataclasses.replace(plan, log=()).with_decisions([*others, *place_decisions(plan, whole=whole)])


def place_decisions(plan: MixPlan, *, whole: Collection[str] = ()) -> list[SetPlace]:
    """What the table says about every strip that feeds the master."""
    made = []
    for strip in feeding(plan):
        about = _about(plan, strip, WHOLE if strip.name in whole else strip.kind)
        row = next(row for row in _table()["place"] if _matches(row, about))
        made += list(_decisions(strip.name, row))
    return made


def unread_places(plan: MixPlan) -> list[str]:
    """Notes about places that a person gave to strips behind a bus, where the bus's place is what counts."""
    heard = {s.name for s in feeding(plan)}
    placed = {d.strip for d in plan.decisions if isinstance(d, SetPlace) and d.by == USER}
    return [
        f"{name}: its place is not used, for it feeds {plan[name].output or 'nothing'}: place that instead"
        for name in sorted(placed - heard)
    ]


def _about(plan: MixPlan, strip: Strip, kind: str) -> dict[str, tuple[str, ...]]:
    """The words that describe a strip, for each list of a row."""
    records = {t.name: t for t in plan.tracks}
    record = records.get(strip.name)
    if record is None:
        below = [records[name] for name in _tracks_behind(plan, strip.name) if name in records]
        instruments = _common(t.instrument for t in below)
        roles = _same(t.role for t in below)
    else:
        instruments, roles = parents(record.instrument), (record.role,)
    return {"names": (strip.name,), "kinds": (kind,), "roles": roles, "instruments": instruments}


def _tracks_behind(plan: MixPlan, bus: str) -> list[str]:
    """Names of the tracks that a bus sums, directly or through other buses."""
    found = []
    for strip in plan.strips:
        if strip.output == bus:
            found += [strip.name] if strip.kind == "track" else _tracks_behind(plan, strip.name)
    return found


def _common(instruments: Iterable[str]) -> tuple[str, ...]:
    """What all of them are, the nearest common word first."""
    chains = [parents(i) for i in instruments if i in INSTRUMENTS]
    return tuple(word for word in chains[0] if all(word in c for c in chains)) if chains else ()


def _same(words: Iterable[str]) -> tuple[str, ...]:
    found = set(words)
    return tuple(found) if len(found) == 1 else ()


def _matches(row: Mapping[str, Any], about: Mapping[str, tuple[str, ...]]) -> bool:
    return all(
        any(
            word == wanted or (key == "instruments" and is_a(word, wanted))
            for word in about[key]
            for wanted in row[key]
        )
        for key in _CONDITIONS
        if key in row
    )


def _decisions(strip: str, row: Mapping[str, Any]) -> Iterable[SetPlace]:
    meta = _table()["meta"]
    reason = Reason(
        row["text"],
        source=meta["source"],
        rule=f"{BY}.{row['id']}",
        evidence=meta["evidence"],
        confidence=_CONFIDENCE,
    )
    for parameter in PLACE:
        if row.get(parameter, getattr(Place(), parameter)) != getattr(Place(), parameter):
            yield SetPlace(strip, parameter, float(row[parameter]), reason=reason, by=BY)

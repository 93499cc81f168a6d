"""Any plan seen through the rules: where its faders, pans, sends and equalizers put every track.

Buses count with their faders, filters and equalizers with their response. What compressors and other effects that
follow the signal do to a level cannot be said from a plan, so they count as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Final

import numpy as np

from tonmeister.effects.base import LinearEffect
from tonmeister.effects.gain import Gain
from tonmeister.engines.asp.bands import erb_bands
from tonmeister.engines.asp.checker import Finding, Standing, check
from tonmeister.engines.asp.facts import Facts, facts_of
from tonmeister.engines.asp.knowledge import number
from tonmeister.engines.prediction import filter_change_db
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, Strip

__all__ = ["judge", "standing_in"]

_OFF_DB: Final = -60.0


def judge(
    multitrack: Multitrack, features: MultitrackFeatures, plan: MixPlan, *, off: frozenset[str] = frozenset()
) -> list[Finding]:
    """Every rule, and whether it holds in `plan`; muted tracks are left out."""
    muted = frozenset(s.name for s in plan.strips if s.kind == "track" and (s.muted or s.gain_db <= _OFF_DB))
    facts = facts_of(multitrack, features, left_out=muted)
    return check(facts, standing_in(plan, facts, features), off=off)


def standing_in(plan: MixPlan, facts: Facts, features: MultitrackFeatures) -> Standing:
    """Where the tracks of `facts` stand in a plan."""
    strips = {s.number: plan[s.name] for s in facts.sources}
    levels = {s.number: _gain_db(plan, strips[s.number], features) - s.reference_db for s in facts.sources}
    shift_db = fmean(levels[s.number] - s.want_level for s in facts.sources) if levels else 0.0
    return Standing(
        levels,
        {n: _value(strip, "pan") * number("pan.scale") for n, strip in strips.items()},
        _depths(plan, facts, strips),
        _tone(facts, strips, features),
        exact=False,
        level_shift_db=shift_db if abs(shift_db) > 0.5 else 0.0,
    )


def _value(strip: Strip, parameter: str) -> float:
    """A control, or the mean of the curve that moves it."""
    curve = strip.automation.get(parameter)
    if curve is None:
        return float(getattr(strip, parameter))
    if len(curve.times_s) < 2:
        return curve.values[0]
    times, values = np.asarray(curve.times_s), np.asarray(curve.values)
    area = float(np.sum(np.diff(times) * (values[1:] + values[:-1]) / 2.0))
    return area / float(times[-1] - times[0])


def _gain_db(plan: MixPlan, strip: Strip, features: MultitrackFeatures) -> float:
    """What a track's fader, filters and trims and those of its buses and the master do to its loudness."""
    measured, gain_db, stop = features[strip.name], 0.0, 0
    at: Strip | None = strip
    while at is not None and stop <= len(plan.strips):
        gain_db += _value(at, "gain_db") + _trims_db(at)
        filters = _filters(at) if at.name != MASTER else []
        gain_db += filter_change_db(measured.third_octave_db, filters, measured.sample_rate)
        at = plan.by_name.get(at.output) if at.output else None
        stop += 1
    return gain_db


def _trims_db(strip: Strip) -> float:
    """Gains in the inserts; those of the master meet the loudness target and are no matter of balance."""
    if strip.name == MASTER:
        return 0.0
    return sum(i.effect.gain_db for i in strip.inserts if isinstance(i.effect, Gain))


def _filters(strip: Strip) -> list[LinearEffect]:
    return [i.effect for i in strip.inserts if isinstance(i.effect, LinearEffect) and i.effect.kind != "gain"]


def _depths(plan: MixPlan, facts: Facts, strips: Mapping[int, Strip]) -> dict[int, float]:
    """Sends to returns on the scale of depth; what all sends have in common is the amount of the room."""
    returns = {s.name for s in plan.strips if s.kind == "return" and not s.muted}
    sends_db = {
        n: max((x.gain_db - (_value(strip, "gain_db") if x.pre_fader else 0.0) for x in strip.sends if x.to in returns),
               default=-math.inf)
        for n, strip in strips.items()
    }  # fmt: skip
    wanted = {
        s.number: s.want_depth for s in facts.sources if s.want_depth > 0 and sends_db[s.number] > _OFF_DB
    }
    scale = number("depth.scale")
    common_db = (
        median([sends_db[n] - 20.0 * math.log10(w / scale) for n, w in wanted.items()]) if wanted else 0.0
    )
    return {n: min(scale * 10.0 ** ((db - common_db) / 20.0), 99.0) for n, db in sends_db.items()}


def _tone(
    facts: Facts, strips: Mapping[int, Strip], features: MultitrackFeatures
) -> dict[tuple[int, int], float]:
    """What the filters of each track do at the centers of the contested bands, in dB."""
    bands = sorted({c.band for c in facts.contests})
    if not bands:
        return {}
    centers = np.array([erb_bands()[b].center_hz for b in bands])
    tone: dict[tuple[int, int], float] = {}
    for n, strip in strips.items():
        response_db = _response_db(_filters(strip), centers, features.sample_rate)
        tone |= {(n, b): float(g) for b, g in zip(bands, response_db, strict=True) if abs(g) > 0.01}
    return tone


def _response_db(filters: Sequence[LinearEffect], centers: np.ndarray[tuple[int], np.dtype[np.float64]],
                 sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:  # fmt: skip
    total = np.zeros(len(centers))
    inside = np.minimum(centers, 0.49 * sample_rate)
    for effect in filters:
        total += 20.0 * np.log10(np.maximum(np.abs(effect.response(inside, sample_rate)), 1e-10))
    return total

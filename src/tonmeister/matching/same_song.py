"""A reference made of the same tracks: the faders, places and rides that unmixing finds in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from tonmeister.decisions import (
    AddInsert,
    Decision,
    Mute,
    SetDelay,
    SetGain,
    SetOutput,
    SetPolarity,
)
from tonmeister.dsp.bands import exact_centers_hz
from tonmeister.dsp.loudness import k_weighting_power
from tonmeister.matching.desk import BY, Desk, reason
from tonmeister.matching.excerpt import Heard
from tonmeister.matching.numbers import number
from tonmeister.plan import MixPlan
from tonmeister.strip import MASTER, PARAMETERS, Strip
from tonmeister.units import power_to_db
from tonmeister.unmixing.result import Unmixed

__all__ = ["bare", "found_moves", "match_levels"]


def match_levels(desk: Desk, found: Unmixed) -> None:
    """The better of two consoles: the bare one with the found faders, or the inserts kept and levels matched behind
    them. Where faders and pans alone explain the reference the second is not tried."""
    alone = [*bare(desk.plan), *found_moves(found)]
    start = desk.plan
    desk.try_moves("levels and pans of the reference", alone, worth=0.0)
    if found.residual_db <= number("bare.residual"):
        return
    goal = desk.render(start.with_decisions(alone))
    desk.try_moves(
        "the same behind the engine's inserts",
        [*_restored(start, desk.plan), *_behind(desk, start, goal, found)],
    )


def bare(plan: MixPlan) -> Iterator[Decision]:
    """Everything but faders and pans off: the reference shows these tracks as they are."""
    why = reason(
        "The reference is a mix of these very tracks; what it does to them beside faders and pans is found below, "
        "and nothing else is wanted.", "bare", "waveform of the reference", 0.9,
    )  # fmt: skip
    for strip in plan.strips:
        for insert in strip.inserts:
            yield AddInsert(strip.name, None, insert.slot, reason=why, by=BY)
        if strip.delay_ms:
            yield SetDelay(strip.name, 0.0, reason=why, by=BY)
        if strip.kind == "return" and not strip.muted:
            yield Mute(strip.name, reason=why, by=BY)
        if strip.kind == "track":
            yield from _straight(strip, why)
        elif strip.gain_db and strip.kind != "return":
            yield SetGain(strip.name, 0.0, reason=why, by=BY)


def _straight(strip: Strip, why: object) -> Iterator[Decision]:
    """A track heard, upright, and on its way to the master."""
    if strip.muted:
        yield Mute(strip.name, False, reason=why, by=BY)  # type: ignore[arg-type]
    if strip.polarity_inverted:
        yield SetPolarity(strip.name, False, reason=why, by=BY)  # type: ignore[arg-type]
    if strip.output != MASTER:
        yield SetOutput(strip.name, MASTER, reason=why, by=BY)  # type: ignore[arg-type]


def found_moves(found: Unmixed) -> list[Decision]:
    """What unmixing decided, in the name of matching."""
    return [
        dataclasses.replace(d, by=BY, reason=dataclasses.replace(d.reason, rule=f"match.{d.target}"))
        for d in found.plan().decisions
    ]


def _restored(start: MixPlan, now: MixPlan) -> Iterator[Decision]:
    """What brings back the console of `start` where matching laid it bare."""
    why = reason("Back to the engine's console.", "bare", "distance of a render", 0.7)
    for strip in start.strips:
        other = now[strip.name]
        if strip == other:
            continue
        for insert in strip.inserts:
            yield AddInsert(strip.name, insert.effect, insert.slot, reason=why, by=BY)
        if strip.muted != other.muted:
            yield Mute(strip.name, strip.muted, reason=why, by=BY)
        if strip.delay_ms != other.delay_ms:
            yield SetDelay(strip.name, strip.delay_ms, reason=why, by=BY)
        if strip.output and strip.output != other.output:
            yield SetOutput(strip.name, strip.output, reason=why, by=BY)
        if strip.kind != "track" and strip.gain_db != other.gain_db:
            yield SetGain(strip.name, strip.gain_db, reason=why, by=BY)


def _behind(desk: Desk, start: MixPlan, goal: Heard, found: Unmixed) -> Iterator[Decision]:
    """Faders that give each track behind the engine's inserts the loudness it has in the reference."""
    now = desk.render(start)
    for track in found.tracks:
        own, wanted = _level_db(now, track.name), _level_db(goal, track.name)
        strip = start[track.name]
        if own is None or wanted is None or strip.muted:
            continue
        level = PARAMETERS["gain_db"].clip(round(strip.gain_db + wanted - own, 2))
        text = f"Behind its inserts {own:.1f} dB, in the reference {wanted:.1f} dB."
        evidence = f"level {own:.1f} dB, target {wanted:.1f} dB"
        yield SetGain(track.name, level, reason=reason(text, "gain_db", evidence, track.confidence), by=BY)


def _level_db(heard: Heard, name: str) -> float | None:
    """K-weighted level of a track in the excerpt."""
    power = float((heard.strips[name].sum(0) * k_weighting_power(exact_centers_hz(3))).sum())
    return power_to_db(power) if power > 1e-12 and np.isfinite(power) else None

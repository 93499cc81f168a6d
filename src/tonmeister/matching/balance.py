"""Towards any reference: small moves of levels and tone, fitted on band powers, which add up without any audio.

    mix(b) = C(b) sum_i g_i P_i(b)        P_i: power of track i in third octave b behind its fader, in the excerpt

C is what the master, the returns and correlation make of the sum. In decibels a fader acts on a band in proportion to
the track's share of it, d mix(b) / d gain_i = P_i(b) / sum_j P_j(b), so a regularised least-squares step is in closed
form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tonmeister.decisions import AddInsert, Decision, SetGain
from tonmeister.effects.equalizer import Equalizer
from tonmeister.engines.predict.outputs import eq_basis_db, equalizer
from tonmeister.matching.desk import BY, Desk, reason
from tonmeister.matching.numbers import number
from tonmeister.strip import MASTER, PARAMETERS
from tonmeister.units import DoubleArray

__all__ = ["level_moves", "master_tone_moves", "track_tone_moves", "wanted_db"]

HEARD: Final = slice(3, 28)
"""Third octaves that count: 50 Hz to 12.5 kHz."""
SLOT: Final = "match equalizer"
_RIDGE: Final = 0.3
"""A decibel of a move against a decibel of one band: small, since a move acts on many bands."""
_LEVEL_RIDGE: Final = 1.0
_LEAST_SIDE: Final = 1e-3
"""Of all the power: with less a mix is as good as mono, and its side says nothing."""
_LEAST_SHARE: Final = 0.25
"""A track is asked to change a band only where it is at least this much of it."""


def wanted_db(desk: Desk) -> DoubleArray:
    """Reference minus mix per third octave, without the differences in loudness and width; (30,).

    Two parts middle and one part side, where both have one. Smoothed over an octave: single bands of two songs differ
    by their keys.
    """
    own, target = (10.0 * np.log10(b + 1e-14) for b in (desk.heard.bands, desk.target))
    difference = np.clip(target - own, -40.0, 40.0)
    difference = difference - difference[:, HEARD].mean(1, keepdims=True)
    two_sided = min(desk.heard.bands[1].sum(), desk.target[1].sum()) > _LEAST_SIDE * desk.target.sum()
    mixed = (2.0 * difference[0] + difference[1]) / 3.0 if two_sided else difference[0]
    smooth = np.convolve(np.pad(mixed, 1, mode="edge"), np.ones(3) / 3.0, mode="valid")
    return np.asarray(np.clip(smooth, -12.0, 12.0))


def _shares(desk: Desk) -> tuple[list[str], DoubleArray]:
    """Tracks that sound in the excerpt, and their share of each band; (tracks, 30)."""
    names = [n for n, powers in desk.heard.strips.items() if powers.sum() > 0]
    powers = np.array([desk.heard.strips[n].sum(0) for n in names]).reshape(len(names), -1)
    return names, powers / np.maximum(powers.sum(0), 1e-20)


def level_moves(desk: Desk, roles: dict[str, str]) -> Iterator[Decision]:
    """Faders, by a step or less; the lead hardly moves."""
    names, shares = _shares(desk)
    free = [i for i, n in enumerate(names) if desk.free(n, "gain_db") and _still(desk, n)]
    if not free:
        return
    aim = wanted_db(desk)[HEARD]
    slopes = shares[free][:, HEARD].T
    slopes = slopes - slopes.mean(0)
    most = np.array(
        [number("level.most_lead" if roles.get(names[i]) == "lead" else "level.most") for i in free]
    )
    ridge = _LEVEL_RIDGE * np.diag((number("level.most") / most) ** 2)
    steps = np.clip(np.linalg.solve(slopes.T @ slopes + ridge, slopes.T @ aim), -most, most)
    for i, step in zip(free, steps, strict=True):
        if abs(step) >= number("level.smallest"):
            yield _level(desk, names[i], float(step), aim, shares[i, HEARD])


def _still(desk: Desk, name: str) -> bool:
    return "gain_db" not in desk.plan[name].automation


def _level(desk: Desk, name: str, step_db: float, aim: DoubleArray, share: DoubleArray) -> Decision:
    fader = desk.plan[name].gain_db
    lacking = float((aim * share).sum() / max(share.sum(), 1e-9))
    text = (
        f"Where this track sounds the reference has {lacking:+.1f} dB against the mix: {step_db:+.1f} dB, "
        f"from {fader:+.1f} dB."
    )
    evidence = f"spectrum where it sounds {lacking:+.1f} dB from the reference, target 0"
    level = PARAMETERS["gain_db"].clip(round(fader + step_db, 2))
    return SetGain(name, level, reason=reason(text, "level", evidence, 0.5), by=BY)


def track_tone_moves(desk: Desk, roles: dict[str, str]) -> Iterator[Decision]:
    """Tone where a track is much of a band that differs; the lead keeps its own."""
    names, shares = _shares(desk)
    aim = wanted_db(desk)
    for name, share in zip(names, shares, strict=True):
        if roles.get(name) == "lead" or not desk.free(name, f"insert:{SLOT}"):
            continue
        wanted = np.where(share >= _LEAST_SHARE, aim * share, 0.0)
        gains = _fitted(wanted, number("tone.most_track"))
        if gains.any():
            yield _tone(name, equalizer(gains), wanted, "tone")


def master_tone_moves(desk: Desk) -> Iterator[Decision]:
    """One equalizer on everything for what is left."""
    if not desk.free(MASTER, f"insert:{SLOT}"):
        return
    wanted = wanted_db(desk)
    gains = _fitted(wanted, number("tone.most_master"))
    if gains.any():
        yield _tone(MASTER, equalizer(gains), wanted, "master_tone")


def _fitted(curve_db: DoubleArray, most_db: float) -> DoubleArray:
    """Gains of the six bands for a curve, by least squares with a little ridge; small ones are 0."""
    basis = eq_basis_db()[:, HEARD]
    normal = basis @ basis.T + _RIDGE * np.eye(len(basis))
    gains = np.clip(np.linalg.solve(normal, basis @ curve_db[HEARD]), -most_db, most_db)
    return np.where(np.abs(gains) >= number("tone.smallest"), np.round(gains, 1), 0.0)


def _tone(name: str, effect: Equalizer, wanted: DoubleArray, rule: str) -> Decision:
    bands = ", ".join(f"{s.gain_db:+.1f} dB at {s.frequency_hz:g} Hz" for s in effect.sections)
    worst = float(wanted[np.argmax(np.abs(wanted))])
    text = f"The reference differs by up to {worst:+.1f} dB here: {bands}."
    evidence = f"third-octave spectrum up to {worst:+.1f} dB from the reference, target 0"
    return AddInsert(name, effect, SLOT, reason=reason(text, rule, evidence, 0.6), by=BY)

"""Faders of separated tracks: where they must stand, and when they ask too much of a separation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.decisions import Decision, Mute, Reason, SetGain
from tonmeister.dsp.pcm import open_quickly
from tonmeister.engines.cited import cited_values
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.separation.base import RESIDUAL
from tonmeister.separation.remix_law import allowed_gains_db, expected_sdr_db, expected_share, fader_db
from tonmeister.strip import PARAMETERS

__all__ = ["ASKED", "BY", "expected_shares", "gain_decision", "number", "power_ratio", "warnings"]

BY: Final = "remix"
ASKED: Final = Reason("Asked for by a person.", source="user")
_BLOCK_FRAMES: Final = 1 << 16


def number(name: str) -> float:
    """One of the numbers in ``numbers.toml``."""
    return cited_values("tonmeister.remixing")[name].numbers[0]


def expected_shares(multitrack: Multitrack, song: Path) -> dict[str, float]:
    """How much of its source each track holds, from the tracks and the recording alone."""
    own, shared = dict.fromkeys(multitrack.names, 0.0), dict.fromkeys(multitrack.names, 0.0)
    with ExitStack() as stack:
        mixture = stack.enter_context(open_quickly(song))
        readers = {t.name: stack.enter_context(t.open(multitrack.sample_rate)) for t in multitrack.tracks}
        for block in mixture.blocks(_BLOCK_FRAMES):
            for name, reader in readers.items():
                part = reader.read(block.shape[1])
                own[name] += float(np.vdot(part, part))
                shared[name] += float(np.vdot(part, block))
    return {name: expected_share(own[name], shared[name]) for name in own if name != RESIDUAL}


def gain_decision(track: str, gain_db: float, stands_db: float, share: float) -> Decision:
    """A person's gain on the source, as a fader from where it stands; minus infinity turns the track off."""
    if gain_db == -math.inf:
        return Mute(track, True, reason=ASKED)
    allowed = PARAMETERS["gain_db"]
    fader = allowed.clip(stands_db + max(fader_db(gain_db, share), allowed.minimum))
    if share == 1.0 or gain_db == 0.0:
        return SetGain(track, fader, reason=ASKED)
    text = f"Asked for by a person: {gain_db:+g} dB. The track holds about {share:.0%} of what it is called after."
    return SetGain(track, fader, reason=Reason(text, source="user", rule="remix.share"))


def power_ratio(features: MultitrackFeatures, track: str) -> float | None:
    """rho: power of a track over that of all others; None where one of them is silent."""
    power = {
        name: float(np.mean(10.0 ** (np.asarray(t.level_db, np.float64) / 10.0))) if len(t.level_db) else 0.0
        for name, t in features.tracks.items()
    }
    own = power.pop(track)
    rest = sum(power.values())
    return own / rest if own > 1e-12 and rest > 1e-12 else None


def warnings(
    features: MultitrackFeatures, gains_db: Mapping[str, float], sdr_db: Mapping[str, float]
) -> list[str]:
    """What to say about gains that go further than the separation carries."""
    told = []
    floor, limit = number("guard.floor_db"), number("balance.limit_db")
    for track, gain_db in gains_db.items():
        ratio = power_ratio(features, track)
        if gain_db == 0.0 or ratio is None:
            continue
        if track in sdr_db:
            low, high = allowed_gains_db(sdr_db[track], ratio, floor)
            if not low <= gain_db <= high:
                expected = expected_sdr_db(max(gain_db, -200.0), sdr_db[track], ratio)
                told.append(
                    f"{track}: {_gain(gain_db)} is more than this separation carries: an SDR of about {expected:.0f} dB "
                    f"is to be expected, {floor:g} dB within {_gain(low)} to {_gain(high)}"
                )
        elif abs(gain_db) > limit:
            told.append(f"{track}: beyond {limit:g} dB what the separation missed may be heard")
    return told


def _gain(gain_db: float) -> str:
    allowed = PARAMETERS["gain_db"]
    return "off" if gain_db < allowed.minimum else f"{allowed.clip(gain_db):+.1f} dB"

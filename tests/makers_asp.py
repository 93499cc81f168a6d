"""Makers of songs for the answer-set engine: random tracks as features, seeded."""

from __future__ import annotations

from typing import Any

import numpy as np

from makers_features import song, track
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack
from tonmeister.vocabulary import INSTRUMENTS

USUAL = (
    "kick snare hihat tom overheads bass electric_guitar electric_guitar acoustic_guitar piano synth_pad synth_lead "
    "backing_voice backing_voice violin shaker trumpet other"
).split()


def spectrum(random: np.random.Generator, instrument: str) -> dict[str, Any]:
    """A hump somewhere, low for low instruments; powers per third octave, Bark and octave band."""
    center = 5.0 if instrument in ("kick", "bass") else random.uniform(8.0, 24.0)
    thirds = -30.0 - 0.25 * (np.arange(30) - center) ** 2 + random.normal(0.0, 1.5, 30)
    return {
        "third_octave_db": thirds.astype(np.float32),
        "bark_db": np.interp(np.linspace(0, 29, 24), np.arange(30), thirds).astype(np.float32),
    }


def random_song(
    seed: int, count: int, *, words: tuple[str, ...] = (), lead: bool = True
) -> tuple[Multitrack, MultitrackFeatures]:
    """`count` tracks of usual instruments (or of `words`), the first a lead voice if there is to be one."""
    random = np.random.default_rng(seed)
    chosen = words or tuple(USUAL)
    tracks, features = [], {}
    for index in range(count):
        first = lead and index == 0
        instrument = "lead_voice" if first else str(random.choice(chosen))
        assert instrument in INSTRUMENTS
        role = "lead" if first else str(random.choice(["foreground", "foreground", "background"]))
        name = f"{index} {instrument}"
        stereo, pair = random.random() < 0.15, random.random() < 0.15
        side = ("left", "right")[index % 2] if pair else None
        group = f"group {index // 3}" if random.random() < 0.2 else None
        tracks.append(
            track(
                name, instrument, role, channels=2 if stereo else 1, group=group,
                attributes=(side,) if side else (),
            )
        )  # fmt: skip
        lufs = float(random.uniform(-45.0, -8.0))
        features[name] = {
            "lufs": lufs, "peak_db": min(0.0, lufs + float(random.uniform(5.0, 25.0))), **spectrum(random, instrument),
        }  # fmt: skip
    masking = np.clip(random.random((count, count, 24)) ** 2, 0.0, 1.0)
    return song(*tracks, features=features, masking=masking)

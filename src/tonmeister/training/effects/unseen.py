"""What a learned effect does with instruments that it never heard: beside doing nothing, and as it is delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tonmeister.effects.learned_files import Device
from tonmeister.learned_effects.learn import played
from tonmeister.learned_effects.verdict import error_to_signal
from tonmeister.training.effects.devices import DEVICES
from tonmeister.training.effects.notes import INSTRUMENTS, notes

__all__ = ["Unseen", "unseen_table"]


@dataclass(frozen=True, slots=True)
class Unseen:
    """ESR on new notes of one instrument."""

    instrument: str
    network: float
    delivered: float
    """With the guard."""
    twin: float
    bypass: float


def unseen_table(
    device: Device, name: str, *, seed: int, count: int = 8, instruments: Iterable[str] = tuple(INSTRUMENTS)
) -> list[Unseen]:
    """New notes of each instrument through the made-up device `name` and through its model."""
    rate = device.sample_rate or 16000
    found = []
    for number, instrument in enumerate(instruments):
        generator = np.random.default_rng([seed, 9, number])
        dry = notes({instrument: count}, 0.7, rate, generator).reshape(1, -1)
        wet = DEVICES[name](dry, rate)
        twin = Device(device.waveshaper) if device.waveshaper else None
        made = [played(device, dry, rate, guard=guard) for guard in (False, True)]
        other = played(twin, dry, rate) if twin else dry
        errors = [error_to_signal(wet, y) for y in (*made, other, dry)]
        found.append(Unseen(instrument, *errors))
    return found

"""Parameters that follow features over time: the store is run over all blocks of the song.

One block is 50 ms. The same store, fed live block by block, gives the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tonmeister.constraints import Directed
from tonmeister.constraints.expressions import reads
from tonmeister.engines.semantic.situation import Situation, owner_of
from tonmeister.engines.semantic.terms import features
from tonmeister.features import HOP_S, MultitrackFeatures, TrackFeatures
from tonmeister.units import DoubleArray

__all__ = ["BLOCK_S", "Moves", "block_values", "moves_of", "moving_features"]

BLOCK_S: Final = 0.05
MOMENTARY_S: Final = 0.1

Moves = Mapping[tuple[str, str], DoubleArray]
"""(owner, parameter) -> its value in every block, (blocks,)."""


def moving_features(situation: Situation) -> frozenset[str]:
    """The features over time that any constraint reads."""
    known = {name for name, feature in features().items() if feature.moving}
    read = {
        r.property
        for instance in situation.instances
        for c in instance.constraints
        if isinstance(c, Directed)
        for e in (c.value, c.condition)
        if e is not None
        for r in reads(e)
    }
    return frozenset(known & read)


def moves_of(situation: Situation, measured: MultitrackFeatures, tracks: tuple[str, ...]) -> Moves:
    """Every parameter that moves while the song plays; what never changes is not there.

    The store is left as it is at the beginning of the song.
    """
    names = moving_features(situation)
    if not names:
        return {}
    count = max(1, int(np.ceil(measured.duration_s / BLOCK_S)))
    series = {(owner_of(t), n): _series(measured[t], n, count) for t in tracks for n in sorted(names)}
    written = {
        (c.target.owner, c.target.property)
        for instance in situation.instances
        for c in instance.constraints
        if isinstance(c, Directed)
    }
    moves = _followed(situation, series, written, count)
    situation.store.update({key: float(values[0]) for key, values in series.items()})
    return moves


def _followed(
    situation: Situation,
    series: Mapping[tuple[str, str], DoubleArray],
    written: set[tuple[str, str]],
    count: int,
) -> Moves:
    store = situation.store
    before = {key: store.number(*key) for key in written}
    found: dict[tuple[str, str], DoubleArray] = {}
    for block in range(count):
        now = {key: float(values[block]) for key, values in series.items() if _new(values, block)}
        for key, value in store.update(now).values.items():
            if key not in written or not isinstance(value, float):
                continue
            if key not in found:
                held = before[key]
                found[key] = np.full(count, value if held is None else held)
            found[key][block:] = value
    return {key: values for key, values in sorted(found.items()) if np.ptp(values) > 0}


def _new(values: DoubleArray, block: int) -> bool:
    return block == 0 or values[block] != values[block - 1]


def block_values(measured: TrackFeatures, name: str, block: int) -> float:
    """A moving feature in one block: what a live source would hand in."""
    return float(_series(measured, name, block + 1)[block])


def _series(measured: TrackFeatures, name: str, count: int) -> DoubleArray:
    """A moving feature at the middle of every block, (count,); held after its end."""
    source, step_s = {
        "momentaryLoudness": (measured.momentary_lufs, MOMENTARY_S),
        "level": (measured.level_db, HOP_S),
        "activity": (measured.active, HOP_S),
    }[name]
    values = np.asarray(source, dtype=np.float64)
    if not len(values):
        return np.full(count, -200.0 if name != "activity" else 0.0)
    at = ((np.arange(count) + 0.5) * BLOCK_S / step_s).astype(np.int64)
    return np.asarray(values[np.minimum(at, len(values) - 1)])

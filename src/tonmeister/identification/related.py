"""Microphones of one source whose names do not say so, found by the correlation of their waveforms.

Tracks of one instrument whose levels rise and fall together are looked at closely: their loudest stretches, read once
more, are correlated at every delay. Those that are clearly one source form a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from tonmeister.analysis.pairs import Excerpts, pair_of
from tonmeister.features import MicrophonePair, MultitrackFeatures, TrackFeatures
from tonmeister.identification.numbers import number
from tonmeister.multitrack import Multitrack, Track
from tonmeister.units import FloatArray
from tonmeister.vocabulary import is_a

__all__ = ["with_related"]

_BLOCK_FRAMES = 65536


def with_related(
    multitrack: Multitrack, features: MultitrackFeatures
) -> tuple[Multitrack, MultitrackFeatures]:
    """Groups and pairs of microphones among the tracks that names do not explain."""
    close = [pair for pair in combinations(multitrack.tracks, 2) if _may_be_one(*pair, features)]
    if not close:
        return multitrack, features
    excerpts = {
        t.name: _excerpts(t, multitrack.sample_rate) for t in {t.name: t for p in close for t in p}.values()
    }
    pairs = [
        pair
        for one, other in close
        if (
            pair := pair_of(
                one.name, other.name, excerpts[one.name], excerpts[other.name], multitrack.sample_rate
            )
        )
        and pair.correlation >= number("related.least_correlation")
    ]
    if not pairs:
        return multitrack, features
    tracks = _grouped(multitrack.tracks, pairs)
    return replace(multitrack, tracks=tracks), replace(features, pairs=(*features.pairs, *pairs))


def _may_be_one(one: Track, other: Track, features: MultitrackFeatures) -> bool:
    """Whether two tracks are worth a closer look: same kind of source, not explained by names, same envelope.

    Pieces of a kit hear one another and are no microphones of one source for that.
    """
    if "sound" not in (one.known_by, other.known_by) or one.group or other.group:
        return False
    if not (is_a(one.instrument, other.instrument) or is_a(other.instrument, one.instrument)):
        return False
    if "other" in (one.instrument, other.instrument) or _same_file(one, other, features):
        return False
    together = _envelope_correlation(features[one.name], features[other.name])
    return together >= number("related.envelope_correlation")


def _same_file(one: Track, other: Track, features: MultitrackFeatures) -> bool:
    return features[one.name].checksum == features[other.name].checksum


def _envelope_correlation(one: TrackFeatures, other: TrackFeatures) -> float:
    """Correlation of the levels over time, floored 60 dB under each maximum."""
    count = min(len(one.level_db), len(other.level_db))
    if count < 10 or one.silent or other.silent:
        return 0.0
    a, b = (np.maximum(f.level_db[:count], f.level_db.max() - 60.0).astype(np.float64) for f in (one, other))
    if a.std() == 0 or b.std() == 0:
        return 1.0
    return float(np.corrcoef(a, b)[0, 1])


def _excerpts(track: Track, sample_rate: int) -> Mapping[int, FloatArray]:
    kept = Excerpts(sample_rate)
    for block in track.blocks(sample_rate, _BLOCK_FRAMES):
        kept.update(block)
    return kept.finish()


def _grouped(tracks: Sequence[Track], pairs: Sequence[MicrophonePair]) -> tuple[Track, ...]:
    """Connected tracks under one group each, named after the first."""
    group = {t.name: t.name for t in tracks}
    for pair in pairs:
        old, new = group[pair.other], group[pair.reference]
        group = {name: new if held == old else held for name, held in group.items()}
    sizes = {held: list(group.values()).count(held) for held in group.values()}
    return tuple(
        replace(
            t,
            group=f"source of {group[t.name]}",
            evidence=f"{t.evidence}; one source with others, by correlation",
        )
        if sizes[group[t.name]] > 1
        else t
        for t in tracks
    )

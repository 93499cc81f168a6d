"""Which tracks are stems: alone, or several recordings of one source together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tonmeister.decisions import Automate, Decision, SetGain, SetOutput
from tonmeister.engines.autoencoder.domain import number
from tonmeister.engines.autoencoder.groups import group_of
from tonmeister.engines.prediction import predicted_lufs
from tonmeister.features import MultitrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.strip import MASTER

__all__ = ["Stem", "stems_of"]

_SAME: Final = 0.5
"""Correlation from which two microphones carry one source (`MicrophonePair`)."""


@dataclass(frozen=True)
class Stem:
    """A strip to work on."""

    strip: str
    """The track's own, or the bus of its recordings."""
    group: str
    tracks: tuple[str, ...]
    heard: str
    """The loudest of the tracks, which is listened to."""
    raise_db: float
    """From its loudness on the strip to the one the networks hear."""
    fader_db: float = 0.0
    """Of the track that is heard, where the strip lies behind the faders (a bus)."""


def stems_of(
    multitrack: Multitrack, features: MultitrackFeatures, groups: Sequence[str], standing: Sequence[Decision]
) -> tuple[list[Stem], list[str]]:
    """The stems of the wanted groups, and a note on tracks that nothing was made for."""
    strange: dict[str, list[str]] = {}
    wanted: list[Track] = []
    for track in multitrack.tracks:
        if features[track.name].silent:
            continue
        group = group_of(track.instrument)
        if group is None:
            strange.setdefault(track.instrument, []).append(track.name)
        elif group in groups:
            wanted.append(track)
    gains_db = _gains(standing)
    routed = {d.strip for d in standing if isinstance(d, SetOutput) and d.to != MASTER}
    taken = [*multitrack.names, MASTER]
    stems = []
    for members in _sources(wanted, features, routed):
        names = tuple(t.name for t in members)
        strip = names[0] if len(names) == 1 else _bus_name(members[0], taken)
        taken.append(strip)
        stems.append(_stem(strip, names, group_of(members[0].instrument) or "", features, gains_db))
    return stems, _left_alone(strange)


def _left_alone(strange: Mapping[str, Sequence[str]]) -> list[str]:
    """One note for all instruments that no network was made for."""
    if not strange:
        return []
    told = "; ".join(f"{word.replace('_', ' ')} ({', '.join(names)})" for word, names in strange.items())
    return [f"autoencoder: there is no network for {told}: left as they are"]


def _stem(
    strip: str,
    names: tuple[str, ...],
    group: str,
    features: MultitrackFeatures,
    gains_db: Mapping[str, float],
) -> Stem:
    alone = len(names) == 1
    faders = [0.0 if alone else gains_db.get(n, 0.0) for n in names]
    loud = [(features[n].integrated_lufs or -70.0) + g for n, g in zip(names, faders, strict=True)]
    heard = names[loud.index(max(loud))]
    together = predicted_lufs([features[n].momentary_lufs for n in names], faders)
    lufs = max(loud) if together is None else together
    fader_db = 0.0 if alone else gains_db.get(heard, 0.0)
    return Stem(strip, group, names, heard, number("hearing.loudness_lufs") - lufs, fader_db)


def _gains(standing: Sequence[Decision]) -> dict[str, float]:
    """Where the faders stand; the mean of those that move."""
    gains: dict[str, float] = {}
    for decision in standing:
        if isinstance(decision, SetGain):
            gains[decision.strip] = decision.gain_db
        elif isinstance(decision, Automate) and decision.parameter == "gain_db":
            gains[decision.strip] = sum(decision.curve.values) / len(decision.curve.values)
    return gains


def _sources(tracks: Sequence[Track], features: MultitrackFeatures, routed: set[str]) -> list[list[Track]]:
    """Tracks of one network group that are microphones of one source, together; those on a bus already stay alone."""
    linked = {frozenset((p.reference, p.other)) for p in features.pairs if abs(p.correlation) >= _SAME}
    sources: list[list[Track]] = []
    for track in tracks:
        home = next((s for s in sources if any(_one_source(track, t, linked) for t in s)), None)
        if home is None or track.name in routed or home[0].name in routed:
            sources.append([track])
        else:
            home.append(track)
    return sources


def _one_source(a: Track, b: Track, linked: set[frozenset[str]]) -> bool:
    same_kind = group_of(a.instrument) == group_of(b.instrument)
    return same_kind and (
        frozenset((a.name, b.name)) in linked or (a.group is not None and a.group == b.group)
    )


def _bus_name(track: Track, taken: Sequence[str]) -> str:
    folded = {name.casefold() for name in taken}
    name = f"{track.group or track.name} stem"
    while name.casefold() in folded:
        name += " bus"
    return name

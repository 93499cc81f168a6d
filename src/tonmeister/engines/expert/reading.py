"""From measurements to findings: what the network is told about the song, each of its parts and each track."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tonmeister.dsp.bands import BARK_EDGES_HZ
from tonmeister.engines.expert.evidence import hard, hardened
from tonmeister.engines.expert.knowledge import Knowledge
from tonmeister.engines.expert.model import Model
from tonmeister.engines.expert.numbers import number, numbers
from tonmeister.engines.expert.sections import SongPart
from tonmeister.features import HOP_S, MultitrackFeatures, TrackFeatures
from tonmeister.multitrack import Multitrack, Track
from tonmeister.units import DoubleArray
from tonmeister.vocabulary import parents

__all__ = ["Evidence", "Reader", "instrument_state"]

_MOMENTARY_HOP_S = 0.1
_MOMENTARY_S = 0.4


@dataclass(frozen=True)
class Evidence:
    """What is found about one track (or the song) in one part: likelihoods, and what was measured in words."""

    found: Mapping[str, DoubleArray] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def __or__(self, other: Evidence) -> Evidence:
        return Evidence(
            {**self.found, **other.found}, {**self.words, **other.words}, {**self.values, **other.values}
        )


def instrument_state(instrument: str, states: Sequence[str], aliases: Mapping[str, str]) -> str:
    """The state of the node ``Instrument`` that an instrument's word falls under."""
    words = (aliases.get(w, w) for w in parents(instrument))
    return next((w for w in words if w in states), "other" if "other" in states else states[-1])


class Reader:
    """Reads one song for one model."""

    def __init__(
        self, multitrack: Multitrack, features: MultitrackFeatures, known: Knowledge, model: Model, *,
        soft: bool = True, delivery: str = "unknown",
    ) -> None:  # fmt: skip
        self._multitrack, self._features = multitrack, features
        self._known, self._model, self._soft, self._delivery = known, model, soft, delivery
        self._heard = [n for n in multitrack.names if not features[n].silent]

    # The song

    def song(self) -> Evidence:
        """What holds for the whole song."""
        found = self._numbers("EnsembleSize", float(len(self._heard)), f"{len(self._heard)} tracks")
        tempo_bpm = self._multitrack.tempo_bpm or self._features.tempo_bpm
        if tempo_bpm:
            found |= self._numbers("TempoBand", tempo_bpm, f"{tempo_bpm:.0f} bpm")
        if self._delivery != "unknown":
            found |= self._state("Delivery", self._delivery, f"for {self._delivery}")
        return found | self._genre()

    def _genre(self) -> Evidence:
        words = self._multitrack.genre.casefold().replace(",", " ").split()
        if "Genre" not in self._model.network.nodes:
            return Evidence()
        states = self._model.network.node("Genre").states
        genre = next((s for w in words for s in states if s == w), None)
        if genre is None:
            return Evidence()
        return self._state("Genre", genre, f"genre {genre}")

    # A part of the song

    def part(self, part: SongPart, index: int, count: int) -> Evidence:
        """What holds for all tracks in one part."""
        if part.label:
            return self._state("Section", part.label, f"marked {part.label}")
        playing = [n for n in self._heard if self._share(self._features[n], part) > number("presence.share")]
        found = self._numbers("Density", len(playing) / max(len(self._heard), 1),
                              f"{len(playing)} of {len(self._heard)} tracks play")  # fmt: skip
        if count == 1:
            return found
        place = "first" if index == 0 else "last" if index == count - 1 else "middle"
        found |= self._state("SongPlace", place, f"{place} part" if place != "middle" else "inside the song")
        level_lu = self._level_lu(part)
        if level_lu is not None:
            found |= self._numbers("SectionLevel", level_lu, f"part {level_lu:+.1f} LU against the song")
        leads = [t.name for t in self._multitrack.tracks if t.role == "lead" and t.name in self._heard]
        if leads:
            there = max(self._share(self._features[n], part) for n in leads) > number("sections.lead_share")
            found |= self._state(
                "LeadPlays", "yes" if there else "no", "the lead plays" if there else "the lead rests"
            )
        return found

    def _level_lu(self, part: SongPart) -> float | None:
        """Loudness of all tracks in a part against the whole song, each track at equal loudness."""
        inside, whole = 0.0, 0.0
        for name in self._heard:
            track = self._features[name]
            power = _powers(track) / 10.0 ** ((track.integrated_lufs or 0.0) / 10.0)
            within = _within(power, part)
            inside += float(within.mean()) if within.size else 0.0
            whole += float(power.mean()) if power.size else 0.0
        return 10.0 * math.log10(inside / whole) if inside > 0.0 and whole > 0.0 else None

    # A track in a part

    def track(self, name: str) -> Evidence:
        """What holds for a track in the whole song."""
        track, measured = self._multitrack[name], self._features[name]
        found = self._instrument(track) | self._role(track)
        if measured.centroid_hz:
            octave = math.log2(measured.centroid_hz)
            found |= self._numbers("Brightness", octave, f"centroid {measured.centroid_hz:.0f} Hz")
        if measured.crest_db is not None:
            found |= self._numbers("Crest", measured.crest_db, f"crest {measured.crest_db:.0f} dB")
        return found | self._masked(name)

    def _instrument(self, track: Track) -> Evidence:
        """A doubtful tag leaves the other instruments possible."""
        node = self._model.network.node("Instrument")
        state = instrument_state(track.instrument, node.states, self._known.aliases)
        sure = track.confidence if self._soft else 1.0
        found = np.maximum(hard(node, state), (1.0 - sure) / len(node.states))
        return Evidence({"Instrument": found}, {"Instrument": f"{track.instrument.replace('_', ' ')}"})

    def _role(self, track: Track) -> Evidence:
        found = self._known.words.get(("Role", track.role))
        if found is None or "Role" not in self._model.network.nodes:
            return Evidence()
        return Evidence({"Role": self._kept(found)}, {"Role": f"role {track.role}"})

    def _masked(self, name: str) -> Evidence:
        """In which range others hide the track most, each weighing what the track has there."""
        features = self._features
        if not features.masking.size or "MaskedBy" not in self._model.network.nodes:
            return Evidence()
        row = list(features.tracks).index(name)
        hidden = np.delete(features.masking[row], row, axis=0).max(axis=0, initial=0.0)
        power = 10.0 ** (np.asarray(features[name].bark_db, dtype=np.float64) / 10.0)
        ends = [0, *(int(b) for b in numbers("mask.bands"))]
        shares = np.array([float(hidden[a:b] @ power[a:b]) for a, b in itertools.pairwise(ends)])
        shares /= max(float(power.sum()), 1e-300)
        masked = float(shares.sum())
        least = number("mask.least")
        over = max(0.0, (masked - least) / (1.0 - least))
        found = np.maximum(np.array([1.0 - over, *(over * shares / max(masked, 1e-300))]), 1e-3)
        worst = int(np.argmax(shares))
        edges = (BARK_EDGES_HZ[ends[worst]], BARK_EDGES_HZ[ends[worst + 1]])
        words = f"others hide {masked:.0%}, most from {edges[0]:.0f} to {edges[1]:.0f} Hz"
        return Evidence({"MaskedBy": self._kept(found)}, {"MaskedBy": words}, {"masked": masked})

    def loudness(
        self, part: SongPart, trims_db: Mapping[str, float], offsets_lu: Mapping[str, float]
    ) -> dict[str, Evidence]:
        """How loud each track is in a part against all that play there, at the soundcheck's levels."""
        levels: dict[str, float] = {}
        for name in self._heard:
            track = self._features[name]
            within = _within(_powers(track), part)
            playing = within[within > 1e-7]
            if playing.size and self._share(track, part) > number("presence.share"):
                lufs = 10.0 * math.log10(float(playing.mean())) + trims_db[name] - offsets_lu[name]
                levels[name] = lufs
        if len(levels) < 2:
            return {}
        total = sum(levels.values())
        against = {n: level - (total - level) / (len(levels) - 1) for n, level in levels.items()}
        return {
            n: self._numbers("Loudness", over, f"{over:+.1f} LU against the others")
            for n, over in against.items()
        }

    def _share(self, track: TrackFeatures, part: SongPart) -> float:
        """Share of a part in which a track plays."""
        inside: NDArray[np.bool_] = track.active[round(part.start_s / HOP_S) : round(part.end_s / HOP_S)]
        frames = max(round((part.end_s - part.start_s) / HOP_S), 1)
        return float(inside.sum()) / frames

    # Findings

    def _numbers(self, node: str, value: float, words: str) -> Evidence:
        if node not in self._model.network.nodes:
            return Evidence()
        found = self._model.find(node, value)
        return (
            Evidence() if found is None else Evidence({node: self._kept(found)}, {node: words}, {node: value})
        )

    def _state(self, node: str, state: str, words: str) -> Evidence:
        if node not in self._model.network.nodes:
            return Evidence()
        return Evidence({node: hard(self._model.network.node(node), state)}, {node: words})

    def _kept(self, found: DoubleArray) -> DoubleArray:
        return found if self._soft else hardened(found)


def _powers(track: TrackFeatures) -> DoubleArray:
    """Power of the momentary loudness, every 100 ms."""
    return np.asarray(10.0 ** (np.asarray(track.momentary_lufs, dtype=np.float64) / 10.0))


def _within(series: DoubleArray, part: SongPart) -> DoubleArray:
    """The momentary values whose window lies mostly inside a part."""
    first = max(0, math.ceil((part.start_s - _MOMENTARY_S / 2.0) / _MOMENTARY_HOP_S))
    last = max(first, math.floor((part.end_s - _MOMENTARY_S / 2.0) / _MOMENTARY_HOP_S) + 1)
    return series[first:last]

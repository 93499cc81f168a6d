"""A drum kit through microphones: every one hears every piece, later and weaker with distance.

A close microphone hears its own piece at `distance` d0 and piece j at distance d_j behind its pattern::

    x = own + low_pass(sum over j of piece_j delayed by d_j / c, times (d0 / d_j) 10^(-rejection / 20))

Overheads and room microphones hear all pieces by 1 / distance. Places are in ``kit.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from tonmeister.effects.filters import HighPass, LowPass
from tonmeister.training.synthesis.acoustics import apply_sections
from tonmeister.training.synthesis.performing import Performed
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.scores import no_notes
from tonmeister.units import DoubleArray, FloatArray, db_to_gain

__all__ = ["Microphone", "record_kit", "separate_kit"]

SPEED_OF_SOUND: Final = 343.0
_CLOSE: Final = ("kick", "snare", "tom", "hihat", "ride")
"""Pieces that may have a microphone of their own, most important first."""


@dataclass(frozen=True, eq=False)
class Microphone:
    """One track of the kit: what it is meant to pick up, and what it does."""

    own: Performed
    bleed: FloatArray | None = field(default=None, repr=False)
    """What else it hears, (1 or 2, frames), to be added; None for clean tracks."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = "drums"
    is_room: bool = False

    @property
    def heard(self) -> FloatArray:
        """What arrives at the microphone: float32 (channels, frames)."""
        return self.own.dry if self.bleed is None else self.own.dry + self.bleed


@lru_cache(maxsize=1)
def _places() -> Mapping[str, Any]:
    text = files("tonmeister.training.synthesis").joinpath("kit.toml").read_text("utf-8")
    return tomllib.loads(text)


def separate_kit(pieces: Sequence[Performed], seeds: Seeds) -> list[Microphone]:
    """Every piece as a track of its own without bleed (a drum machine), or all of them as one loop."""
    random = seeds.generator("separate")
    if random.random() < 0.15 and len(pieces) > 1:
        return [Microphone(_whole(pieces, "Drum Loop", "drum_loop"))]
    tracks = []
    for piece in pieces:
        stereo = len(piece.dry) == 2 and random.random() < 0.4
        dry = piece.dry if stereo else _mono(piece.dry)
        tracks.append(Microphone(replace(piece, dry=dry), group=None))
    return tracks


def record_kit(pieces: Sequence[Performed], seeds: Seeds, *, sample_rate: int) -> list[Microphone]:
    """Close microphones for some pieces, two overheads, perhaps a room: the tracks of a recorded kit."""
    random = seeds.generator("microphones")
    chosen = {word for word in _CLOSE if random.random() < _how_often(word)}
    heard = [_Heard(p.name, _place(p), _mono(p.dry)[0]) for p in pieces]
    tracks: list[Microphone] = []
    for piece in sorted((p for p in pieces if p.instrument in chosen), key=_rank):
        tracks += _close(piece, heard, seeds.child("microphone", piece.name), sample_rate)
    tracks.append(_distant("Overheads", "overheads", pieces, heard, seeds, sample_rate))
    if random.random() < 0.5:
        tracks.append(_distant("Room", "room", pieces, heard, seeds, sample_rate))
    return tracks


@dataclass(frozen=True, eq=False)
class _Heard:
    """A piece as all microphones hear it: where it stands, and its sound, (frames,)."""

    name: str
    where: DoubleArray
    sound: FloatArray


def _place(piece: Performed) -> DoubleArray:
    places = _places()["pieces"]
    return np.array(places.get(piece.name, places.get(piece.instrument, (0.0, 1.0, 1.0))))


def _rank(piece: Performed) -> tuple[int, str]:
    return _CLOSE.index(piece.instrument), piece.name


def _how_often(word: str) -> float:
    return {"kick": 1.0, "snare": 1.0, "tom": 0.9, "hihat": 0.75, "ride": 0.35}[word]


def _mono(dry: FloatArray) -> FloatArray:
    return dry if len(dry) == 1 else dry.mean(0, keepdims=True)


def _whole(pieces: Sequence[Performed], name: str, instrument: str) -> Performed:
    """All pieces in stereo, added up: what a stereo recording of the kit is meant to be."""
    dry = np.zeros((2, pieces[0].dry.shape[1]), np.float32)
    for piece in pieces:
        dry += piece.dry
    main = next((p for p in pieces if p.instrument == "kick"), pieces[0])
    return Performed(name, instrument, "foreground", dry, main.provenance, _all_notes(pieces))


def _all_notes(pieces: Sequence[Performed]) -> Any:
    notes = np.concatenate([no_notes(), *(p.notes for p in pieces)])
    return notes[np.argsort(notes["start_s"], kind="stable")]


def _close(piece: Performed, heard: Sequence[_Heard], seeds: Seeds, sample_rate: int) -> list[Microphone]:
    """The microphone at a piece, and now and then a second one: inside the kick, under the snare."""
    random, word = seeds.generator(), piece.instrument
    about = _places()["microphones"][word]
    own = replace(piece, dry=_mono(piece.dry))
    bleed, levels = _bleed(piece, heard, about, random, sample_rate)
    first = Microphone(own, bleed, {"bleed_db": levels})
    if word == "snare" and random.random() < 0.25:
        below = replace(own, name="Snare Bottom", dry=-_bright(own.dry, sample_rate))
        again, levels = _bleed(piece, heard, about, random, sample_rate)
        top = replace(first, own=replace(own, name="Snare Top"))
        return [top, Microphone(below, again, {"bleed_db": levels, "inverted": True})]
    if word == "kick" and random.random() < 0.2:
        outside = replace(own, name="Kick Out", dry=_delayed(own.dry, 0.6 / SPEED_OF_SOUND, sample_rate))
        again, levels = _bleed(piece, heard, {**about, "distance": 0.5}, random, sample_rate)
        inside = replace(first, own=replace(own, name="Kick In"))
        return [inside, Microphone(outside, again, {"bleed_db": levels, "delay_ms": 600 / SPEED_OF_SOUND})]
    return [first]


def _bleed(
    piece: Performed,
    heard: Sequence[_Heard],
    about: Mapping[str, Any],
    random: np.random.Generator,
    sample_rate: int,
) -> tuple[FloatArray, dict[str, float]]:
    """What the microphone at a piece hears of the others, (1, frames), and by how much each is weakened, dB."""
    rejection_db = random.uniform(*about["rejection_db"])
    total = np.zeros(piece.dry.shape[1], np.float32)
    levels: dict[str, float] = {}
    for other in heard:
        distance = float(np.linalg.norm(other.where - _place(piece)))
        if other.name != piece.name:
            level_db = 20 * np.log10(about["distance"] / max(distance, 0.1)) - rejection_db
            level_db += random.normal(0.0, 2.0)
            levels[other.name] = round(float(level_db), 2)
            _add_delayed(total, other.sound, distance, db_to_gain(level_db), sample_rate)
    return _dull(total[np.newaxis], about["bright_hz"], sample_rate), levels


def _distant(
    name: str,
    instrument: str,
    pieces: Sequence[Performed],
    all_heard: Sequence[_Heard],
    seeds: Seeds,
    sample_rate: int,
) -> Microphone:
    """A pair of microphones that hears the whole kit, its nearest piece at unity."""
    random = seeds.generator("microphone", instrument)
    places = _places()[instrument]
    pair = [np.array(places[side]) + random.normal(0, 0.1, 3) for side in ("left", "right")]
    heard = np.zeros((2, pieces[0].dry.shape[1]), np.float32)
    for one in all_heard:
        distances = [float(np.linalg.norm(spot - one.where)) for spot in pair]
        for channel, distance in enumerate(distances):
            _add_delayed(heard[channel], one.sound, distance, 1.0 / max(distance, 0.5), sample_rate)
    whole = replace(_whole(pieces, name, instrument), dry=heard)
    mono_room = instrument == "room" and random.random() < 0.4
    whole = replace(whole, dry=heard[:1]) if mono_room else whole
    return Microphone(whole, detail={"hears": "the whole kit"}, is_room=instrument == "room")


def _add_delayed(
    total: FloatArray, sound: FloatArray, distance: float, gain: float, sample_rate: int
) -> None:
    late = round(distance / SPEED_OF_SOUND * sample_rate)
    if late < len(total):
        total[late:] += np.float32(gain) * sound[: len(sound) - late]


def _delayed(sound: FloatArray, delay_s: float, sample_rate: int) -> FloatArray:
    late = round(delay_s * sample_rate)
    return np.pad(sound, ((0, 0), (late, 0)))[:, : sound.shape[1]]


def _dull(sound: FloatArray, cutoff_hz: float, sample_rate: int) -> FloatArray:
    return apply_sections(LowPass(min(cutoff_hz, 0.45 * sample_rate)).sections(sample_rate), sound)


def _bright(sound: FloatArray, sample_rate: int) -> FloatArray:
    return apply_sections(HighPass(350.0).sections(sample_rate), sound)

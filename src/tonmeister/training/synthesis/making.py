"""A song from beginning to end: score, arrangement, performance, recording, desk."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from tonmeister.effects.filters import LowPass
from tonmeister.errors import BadInputError
from tonmeister.training.synthesis.acoustics import apply_sections
from tonmeister.training.synthesis.composing import compose
from tonmeister.training.synthesis.drums import Microphone, record_kit, separate_kit
from tonmeister.training.synthesis.engineer import Desk, DeskTrack
from tonmeister.training.synthesis.instruments import kit_keys, melodic_sounds
from tonmeister.training.synthesis.midi import read_midi
from tonmeister.training.synthesis.performing import Band, Performed
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.recording import comes_by_cable, record
from tonmeister.training.synthesis.scores import Part, Score, arrange
from tonmeister.training.synthesis.songs import SynthesisOptions, SynthesizedSong, SynthesizedTrack
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["make_song"]

_TRIES: Final = 8
"""Scores that are tried until one holds something that can be heard."""
_INSTEAD: Final = (
    "saxophone",
    "electric_guitar",
    "trumpet",
    "flute",
    "violin",
    "piano",
    "clarinet",
    "harmonica",
    "synth_lead",
)
"""Who plays a melody for voice where nobody sings."""
_SUNG: Final = ("lead_voice", "backing_voice")
_SUNG_MIDI_SHARE: Final = 0.6
"""How many MIDI songs have their melody sung where there is anybody to sing."""
_LIVE_ROOM_SHARE: Final = 0.12
_ELECTRONIC: Final = "electronic"
_SEPARATE_SHARE: Final = 0.25
"""How many acoustic kits come as separate, clean tracks."""


@lru_cache(maxsize=4)
def _band(options: SynthesisOptions) -> Band:
    return Band(options)


def make_song(seed: int, options: SynthesisOptions) -> SynthesizedSong:
    """See `songs.synthesize`."""
    band = _band(options)
    notes: list[str] = []
    for attempt in range(_TRIES):
        seeds = Seeds.of(seed).child("song", attempt)
        score = _score(band, seeds, notes)
        if score is None:
            continue
        score = _with_singers(arrange(score, options, seeds.child("arranging")), band, seeds)
        heard = list(_recorded_parts(score, band, seeds))
        if heard:
            return _song(seed, options, score, heard, seeds, tuple(notes))
    raise BadInputError(
        f"seed={seed}: none of {_TRIES} songs held anything to hear: give other MIDI files or voices"
    )


def _score(band: Band, seeds: Seeds, notes: list[str]) -> Score | None:
    """A MIDI file or a new composition; None for a file that cannot be read, which is noted."""
    random, options, files = seeds.generator("score"), band.options, band.midi
    from_file = bool(files) and random.random() < options.share_of_midi
    if not from_file:
        return compose(seeds.child("composing"), length_s=options.duration_s, among=options.styles)
    path = files[int(random.integers(len(files)))]
    try:
        return read_midi(path)
    except BadInputError as error:
        if len(files) == 1:
            raise
        notes.append(f"left out: {error}")
        return None


def _with_singers(score: Score, band: Band, seeds: Seeds) -> Score:
    """Somebody to sing what is written for voices, or the melody of a MIDI song; else an instrument plays it."""
    random, options = seeds.generator("singers"), band.options
    sings = bool(band.voices) or random.random() < options.share_of_singers
    takes_melody = random.random() < _SUNG_MIDI_SHARE
    parts = [p if sings else _for_instrument(p, random) for p in score.parts]
    parts = [p for p in parts if sings or p.instrument not in _SUNG]
    if sings and takes_melody and score.style == "midi":
        parts = _with_melody_sung(parts)
    return dataclasses.replace(score, parts=tuple(parts))


def _for_instrument(part: Part, random: np.random.Generator) -> Part:
    """A lead voice's melody for an instrument, moved by octaves to where that lies; other parts as they are."""
    word = str(random.choice(_INSTEAD))
    if part.instrument != "lead_voice":
        return part
    sound, notes = melodic_sounds()[word], part.notes.copy()
    octaves = round((0.5 * (sound.lowest + sound.highest) - float(np.median(notes["pitch"]))) / 12)
    notes["pitch"] = np.clip(notes["pitch"] + 12 * octaves, 0, 127)
    return dataclasses.replace(part, instrument=word, notes=notes)


def _with_melody_sung(parts: Sequence[Part]) -> list[Part]:
    """The leading part for a voice; where none leads, a voice doubles the highest."""
    if any(p.role == "lead" for p in parts):
        return [_for_voice(p) if p.role == "lead" else p for p in parts]
    melodic = [p for p in parts if not p.percussion]
    highest = max(melodic, key=lambda p: float(np.median(p.notes["pitch"])), default=None)
    return [*parts, _for_voice(highest)] if highest else list(parts)


def _for_voice(part: Part) -> Part:
    return dataclasses.replace(part, name="Lead Voice", instrument="lead_voice", role="lead", program=None)


def _recorded_parts(score: Score, band: Band, seeds: Seeds) -> Iterator[Microphone]:
    """Every track of the song as it arrives at its microphone, drums first."""
    electronic = score.style == _ELECTRONIC
    for part in score.parts:
        of_part = seeds.child("part", part.name)
        if part.instrument == "drums":
            yield from _kit(part, score, band, of_part, electronic=electronic)
        elif part.percussion:
            for piece in band.play_percussion(part, score.origin, of_part, electronic=electronic):
                yield Microphone(_mono_often(piece, of_part), group=None)
        elif part.instrument in _SUNG:
            if sung := band.sing(part, score.origin, of_part):
                yield Microphone(sung, group=None)
        elif played := band.play(part, score.origin, of_part):
            yield Microphone(played, group=None)


def _kit(part: Part, score: Score, band: Band, seeds: Seeds, *, electronic: bool) -> list[Microphone]:
    pieces = band.play_percussion(part, score.origin, seeds, electronic=electronic)
    pieces = [p for p in pieces if p.instrument in kit_keys()]
    if not pieces:
        return []
    if electronic or seeds.generator("setup").random() < _SEPARATE_SHARE:
        return separate_kit(pieces, seeds)
    return record_kit(pieces, seeds, sample_rate=band.options.sample_rate)


def _mono_often(piece: Performed, seeds: Seeds) -> Performed:
    stereo = seeds.generator("channels").random() < 0.25
    return piece if stereo else dataclasses.replace(piece, dry=piece.dry.mean(0, keepdims=True))


def _song(
    seed: int,
    options: SynthesisOptions,
    score: Score,
    heard: Sequence[Microphone],
    seeds: Seeds,
    notes: tuple[str, ...],
) -> SynthesizedSong:
    made = []
    heard = _live_room(heard, seeds, options)
    names = _unique([m.own.name for m in heard])
    for name, microphone in zip(names, heard, strict=True):
        recorded = record(
            microphone.heard,
            microphone.own.instrument,
            seeds.child("recording", name),
            sample_rate=options.sample_rate,
            faults=options.faults,
            is_room=microphone.is_room,
        )
        made.append((name, microphone, recorded.raw, {**microphone.detail, **recorded.detail}))
    moving = bool(seeds.generator("moving").random() < options.moving_faders)
    on_desk = tuple(
        DeskTrack(name, m.own.instrument, m.own.role, raw, detail, m.group) for name, m, raw, detail in made
    )
    desk = Desk(score.title, options.sample_rate, score.tempo_bpm, on_desk, seeds.child("desk"), moving)
    tracks = tuple(
        SynthesizedTrack(
            name=name,
            instrument=m.own.instrument,
            role=m.own.role,
            dry=m.own.dry,
            raw=raw,
            provenance=m.own.provenance,
            notes=m.own.notes,
            recording=detail,
            group=m.group,
            desk=desk,
        )
        for name, m, raw, detail in made
    )
    return SynthesizedSong(
        score.title, options.sample_rate, seed, score.tempo_bpm, score.style, tracks, desk, notes
    )


def _live_room(heard: Sequence[Microphone], seeds: Seeds, options: SynthesisOptions) -> Sequence[Microphone]:
    """Now and then all play in one room: every microphone hears the others, dull and a little later."""
    random = seeds.generator("live room")
    if random.random() >= _LIVE_ROOM_SHARE * options.faults:
        return heard
    inside = [m for m in heard if not comes_by_cable(m.own.instrument)]
    total = np.sum([m.heard.mean(0, keepdims=True) for m in inside] or [0.0], axis=0)
    return [m if m not in inside else _overhearing(m, total, seeds, options.sample_rate) for m in heard]


def _overhearing(microphone: Microphone, total: FloatArray, seeds: Seeds, sample_rate: int) -> Microphone:
    """The microphone with some of what the others play, its own sound taken out of that."""
    random = seeds.generator("live room", microphone.own.name)
    level_db, late = float(random.uniform(-36, -20)), round(random.uniform(2, 5) / 343.0 * sample_rate)
    others = total - microphone.heard.mean(0, keepdims=True)
    if microphone.group:
        return microphone  # the kit overhears enough of itself
    dull = apply_sections(LowPass(float(random.uniform(2500, 6000))).sections(sample_rate), others)
    bleed = np.pad(dull, ((0, 0), (late, 0)))[:, : total.shape[1]] * np.float32(db_to_gain(level_db))
    detail = {**microphone.detail, "live_room_db": round(level_db, 2)}
    return dataclasses.replace(microphone, bleed=bleed, detail=detail)


def _unique(names: Sequence[str]) -> list[str]:
    """Names with numbers where one occurs more than once."""
    total, seen = Counter(names), Counter[str]()
    made = []
    for name in names:
        seen[name] += 1
        made.append(f"{name} {seen[name]}" if total[name] > 1 else name)
    return made

"""An endless, seeded stream of labelled sounds, one instrument each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tonmeister.training.identifier import tones
from tonmeister.training.identifier.clips import Clip
from tonmeister.training.identifier.fonts import RATE_HZ, Font
from tonmeister.training.identifier.kits import Kit
from tonmeister.training.identifier.phrases import Note, compose, groove, strokes
from tonmeister.training.identifier.spoiling import colored_noise, normalized, reverberant, spoiled
from tonmeister.training.identifier.taught import (
    CLASSES,
    DRUM_NOTES,
    PERCUSSION_NOTES,
    ROLE_OF_STYLE,
    TAUGHT,
    UNKNOWN,
)
from tonmeister.units import FloatArray, db_to_gain

__all__ = ["Example", "Sources", "draw"]

_EFFECT_PROGRAMS: Final = (119, 120, 121, 122, 123, 124, 125, 126, 127)
_SHARE_OF_PERCUSSION: Final = 0.12
_SHARE_LEFT_OUT: Final = 0.2
"""How often a loop has one kind of percussion, and lacks one of its pieces."""
_SHARE_OF_CLIPS: Final = 0.35
"""How often a recording is taken where there is one."""


@dataclass(frozen=True)
class Sources:
    """What sounds are made with."""

    fonts: Sequence[Font]
    kits: Sequence[Kit]
    clips: Sequence[Clip] = ()
    speech: Sequence[FloatArray] = field(default=())
    """Mono recordings of speech at `RATE_HZ`, made to sing."""


@dataclass(frozen=True, eq=False)
class Example:
    """One sound, (channels, frames) at `RATE_HZ`, its class, and its role where that can be known."""

    word: str
    samples: FloatArray
    role: str | None


def draw(
    sources: Sources, rng: np.random.Generator, *, word: str | None = None, clean: bool = False
) -> Example:
    """A random example; of a certain class if `word` says so, without spoiling if `clean`."""
    if word is None:
        weights = np.array([TAUGHT[name].weight for name in CLASSES])
        word = str(rng.choice(CLASSES, p=weights / weights.sum()))
    seconds = float(rng.uniform(2.5, 5.0))
    sound, role = _sound(word, seconds, sources, rng)
    return Example(word, normalized(sound) if clean else spoiled(sound, rng), role)


def _sound(
    word: str, seconds: float, sources: Sources, rng: np.random.Generator
) -> tuple[FloatArray, str | None]:
    taught = TAUGHT[word]
    clips = [clip for clip in sources.clips if clip.word == word]
    if clips and rng.random() < _SHARE_OF_CLIPS:
        return _from_clip(clips[int(rng.integers(len(clips)))], seconds, rng), None
    maker = str(rng.choice([m for m in taught.makers if m != "font" or sources.fonts]))
    if maker == "kit":
        return _struck(word, seconds, sources, rng), None
    if maker == "unknown":
        return _unknown(seconds, sources, rng), None
    style = str(rng.choice(taught.styles))
    notes = compose(style, taught.low, taught.high, seconds, rng)
    role = ROLE_OF_STYLE[style]
    if maker == "voice":
        return _voiced(word, notes, seconds, sources, rng), {"lead_voice": "lead"}.get(word, "background")
    if maker == "synth":
        return tones.play_synth(word, notes, seconds, rng), role
    if maker == "string":
        return tones.play_string(word, notes, seconds, rng), role
    font = sources.fonts[int(rng.integers(len(sources.fonts)))]
    having = [p for p in taught.programs if font.has(*p)] or list(taught.programs)
    bank, program = having[int(rng.integers(len(having)))]
    return font.play(bank, program, notes, seconds), role


def _from_clip(clip: Clip, seconds: float, rng: np.random.Generator) -> FloatArray:
    """A stretch of a long recording; a short one as it is, or struck again and again."""
    frames, length = clip.samples.shape[1], round(seconds * RATE_HZ)
    if frames > length:
        loud = [int(rng.integers(frames - length)) for _ in range(4)]
        start = max(loud, key=lambda at: float(np.abs(clip.samples[:, at : at + length]).mean()))
        return clip.samples[:, start : start + length]
    if frames > length / 2 or rng.random() < 0.5:
        return clip.samples
    out = np.zeros((len(clip.samples), length), np.float32)
    every = rng.uniform(0.2, 1.0) * RATE_HZ
    for at in np.arange(0, length - 1, max(every, frames * 0.3)).astype(int):
        piece = clip.samples[:, : length - at]
        out[:, at : at + piece.shape[1]] += np.float32(rng.uniform(0.5, 1)) * piece
    return out


def _struck(word: str, seconds: float, sources: Sources, rng: np.random.Generator) -> FloatArray:
    needed = set(DRUM_NOTES) if word in ("overheads", "room", "drum_loop") else {word}
    able = [kit for kit in sources.kits if len(needed & kit.pieces) >= min(len(needed), 3)]
    kit = able[int(rng.integers(len(able)))]
    if word in ("overheads", "room", "drum_loop"):
        return _whole_kit(word, kit, seconds, rng)
    sound = kit.play(strokes(word, seconds, rng), seconds, rng)
    if word in DRUM_NOTES and rng.random() < 0.4:
        others = [hit for hit in groove(seconds, rng) if hit.piece != word]
        bleed = kit.play(others, seconds, rng)
        sound = normalized(sound) + np.float32(db_to_gain(float(rng.uniform(-40, -14)))) * normalized(bleed)
    if rng.random() < 0.3:
        sound = sound[:1]
    return sound


def _whole_kit(word: str, kit: Kit, seconds: float, rng: np.random.Generator) -> FloatArray:
    """The kit from above, from afar, or as a loop, which may lack pieces and bring percussion."""
    if word == "drum_loop":
        extra = tuple(p for p in PERCUSSION_NOTES if p in kit.pieces and rng.random() < _SHARE_OF_PERCUSSION)
        hits = groove(seconds, rng, busy=float(rng.random()), extra=extra)
        pieces = {hit.piece for hit in hits}
        left = {piece for piece in pieces if rng.random() > _SHARE_LEFT_OUT}
        kept = [hit for hit in hits if hit.piece in (left if len(left) > 1 else pieces)]
        return kit.play(kept, seconds, rng)
    hits = groove(seconds, rng, busy=float(rng.random()))
    metal = [hit for hit in hits if hit.piece in ("hihat", "ride", "crash")]
    skins = [hit for hit in hits if hit.piece not in ("hihat", "ride", "crash")]
    shells, cymbals = kit.play(skins, seconds, rng), kit.play(metal, seconds, rng)
    if word == "overheads":
        quieter = db_to_gain(float(rng.uniform(-14, -2)))
        mixed = np.float32(quieter) * normalized(shells) + normalized(cymbals)
        return reverberant(
            mixed, rng, wet=float(rng.uniform(0.02, 0.25)), decay_s=float(rng.uniform(0.2, 0.6))
        )
    mixed = normalized(shells) + np.float32(db_to_gain(float(rng.uniform(-10, 0)))) * normalized(cymbals)
    return reverberant(mixed, rng, wet=float(rng.uniform(0.4, 0.9)), decay_s=float(rng.uniform(0.5, 1.8)))


def _voiced(
    word: str, notes: list[Note], seconds: float, sources: Sources, rng: np.random.Generator
) -> FloatArray:
    if word == "speech":
        return _spoken(seconds, sources, rng)
    count = {"lead_voice": 1, "backing_voice": int(rng.integers(2, 5)), "choir": int(rng.integers(4, 7))}[
        word
    ]
    mixed = np.zeros((2, round(seconds * RATE_HZ)), np.float32)
    source = _one_speech(sources, rng) if sources.speech and rng.random() < 0.5 else None
    for _ in range(count):
        shift = int(rng.choice([0, 0, -12, 3, 4, 5, 7])) if count > 1 else 0
        late = float(rng.normal(0, 0.02)) if count > 1 else 0.0
        sung = [
            Note(max(n.start_s + late, 0), max(n.length_s, 0.12), n.key + shift, n.velocity)
            for n in _one_line(notes)
        ]
        one = (
            tones.play_singer(sung, seconds, rng)
            if source is None
            else tones.revoice(source, sung, seconds, rng)
        )
        pan = float(rng.uniform(0.2, 0.8)) if count > 1 else 0.5
        mixed += np.array([[1 - pan], [pan]], np.float32) * normalized(one)
    return mixed[:1] if count == 1 and rng.random() < 0.5 else mixed


def _one_line(notes: list[Note]) -> list[Note]:
    """One note at a time: the highest of those that begin together."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda n: (round(n.start_s, 1), -n.key)):
        if not line or note.start_s > line[-1].start_s + 0.09:
            line.append(note)
    return line


def _spoken(seconds: float, sources: Sources, rng: np.random.Generator) -> FloatArray:
    if not sources.speech:  # a babble of very short, gliding syllables is what can be made without recordings
        low = int(rng.integers(40, 60))
        starts = np.cumsum(rng.uniform(0.1, 0.3, int(seconds * 4)))
        keys = low + np.cumsum(rng.integers(-2, 3, len(starts)))
        notes = [
            Note(float(s), float(rng.uniform(0.06, 0.2)), int(k), 100)
            for s, k in zip(starts, keys, strict=True)
        ]
        return tones.play_singer(notes, seconds, rng)
    speech = _one_speech(sources, rng)
    start = int(rng.integers(max(1, len(speech) - round(seconds * RATE_HZ))))
    return speech[None, start : start + round(seconds * RATE_HZ)]


def _one_speech(sources: Sources, rng: np.random.Generator) -> FloatArray:
    return sources.speech[int(rng.integers(len(sources.speech)))]


def _unknown(seconds: float, sources: Sources, rng: np.random.Generator) -> FloatArray:
    """Noise, an effect, or three to six instruments of different kinds at once."""
    choice = rng.random()
    if choice < 0.2:
        return _noise(seconds, rng)
    if choice < 0.4:
        font = sources.fonts[int(rng.integers(len(sources.fonts)))]
        program = int(rng.choice(_EFFECT_PROGRAMS))
        return font.play(0, program, compose("sustain", 40, 80, seconds, rng), seconds)
    return _several(seconds, sources, rng)


def _noise(seconds: float, rng: np.random.Generator) -> FloatArray:
    exponent, channels = float(rng.uniform(-1.5, 0.5)), int(rng.integers(1, 3))
    frames = round(seconds * RATE_HZ)
    noise = np.stack([colored_noise(frames, rng, exponent=exponent) for _ in range(channels)])
    if rng.random() < 0.5:  # moving: wind, sweeps, applause
        t = np.linspace(0, 1, noise.shape[1])
        noise = noise * np.asarray(
            0.3 + np.abs(np.sin(np.pi * rng.uniform(0.3, 20) * t + rng.uniform(0, 3))), np.float32
        )
    return noise


def _several(seconds: float, sources: Sources, rng: np.random.Generator) -> FloatArray:
    solo = [name for name in CLASSES if name != UNKNOWN]
    names = ["drum_loop", "electric_bass", *rng.choice(solo, size=int(rng.integers(2, 5)), replace=False)]
    if rng.random() < 0.4:
        names = [*names[2:], "piano" if rng.random() < 0.5 else "string_section", "lead_voice"]
    mixed = np.zeros((2, round(seconds * RATE_HZ)), np.float32)
    for name in names:
        sound = normalized(_sound(str(name), seconds, sources, rng)[0])
        length = min(sound.shape[1], mixed.shape[1])
        mixed[:, :length] += np.float32(db_to_gain(float(rng.uniform(-8, 0)))) * sound[:2, :length]
    return mixed

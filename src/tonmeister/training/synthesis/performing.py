"""Parts become sound: by a soundfont, a drum kit, a recorded voice or the built-in synthesizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tonmeister.errors import BadInputError
from tonmeister.training.synthesis.drum_patches import pieces_of, play_drum
from tonmeister.training.synthesis.drumkits import DrumKit
from tonmeister.training.synthesis.instruments import Sound, melodic_sounds, percussion_keys
from tonmeister.training.synthesis.midi import find_midi
from tonmeister.training.synthesis.patches import play_patch
from tonmeister.training.synthesis.randomness import Seeds
from tonmeister.training.synthesis.scores import Part
from tonmeister.training.synthesis.singer import sing
from tonmeister.training.synthesis.songs import NoteArray, Provenance, SynthesisOptions
from tonmeister.training.synthesis.soundfonts import DRUM_BANK, SoundFont, find_soundfonts, load_soundfont
from tonmeister.training.synthesis.voices import Voice, find_voices, sung_spans
from tonmeister.units import FloatArray

__all__ = ["Band", "Performed"]

_AUDIBLE: Final = 1e-4
"""A peak below this is nothing played: the font has no sample for these notes."""
_DRUM_PRESETS: Final = tuple(range(48))
"""Programs of the drum bank that are kits for songs; 48 on are orchestra and sound effects."""
_ELECTRONIC_KITS: Final = (24, 25)
_ELECTRONIC_SHARE: Final = 0.5
"""How often the built-in synthesizer plays an instrument that is electronic anyway."""
_BACKING_VOICES: Final = ("backing_voice", "choir")
_FLOOR_TOM_KEYS: Final = (41, 43)
_FLOOR_TOM_SHARE: Final = 0.5
_GENERAL: Final = "struck_string"
"""Patch for words without one of their own."""


@dataclass(frozen=True, eq=False)
class Performed:
    """The sound of one part, or of one piece of a kit, before anything records it; `dry` float32 (channels, n)."""

    name: str
    instrument: str
    role: str
    dry: FloatArray
    provenance: Provenance
    notes: NoteArray = field(repr=False)


class Band:
    """Who plays: everything the options name, opened when it is needed."""

    def __init__(self, options: SynthesisOptions) -> None:
        self.options = options
        fonts = find_soundfonts() if options.soundfonts is None else options.soundfonts
        if options.soundfonts is None and not fonts:
            raise BadInputError(
                "there is no soundfont on this machine: apt install libfluidsynth3 timgm6mb-soundfont, "
                "name one with soundfonts (--soundfont FILE), or give none (--no-soundfonts)"
            )
        self._font_paths = tuple(map(Path, fonts))
        for path in self._font_paths:
            self._font(path)
        self.kits = (
            DrumKit.found() if options.drumkits is None else tuple(map(DrumKit.read, options.drumkits))
        )
        self.voices = find_voices(options.voices)
        self.midi = find_midi(options.midi)

    def _font(self, path: Path) -> SoundFont:
        return load_soundfont(path, self.options.sample_rate)

    @property
    def fonts(self) -> list[SoundFont]:
        return [self._font(path) for path in self._font_paths]

    # -------------------------------------------------------------- melodic

    def play(self, part: Part, score: str, seeds: Seeds) -> Performed | None:
        """A melodic part; None when nothing of it can be heard."""
        sound = melodic_sounds().get(part.instrument)
        random = seeds.generator("source")
        wide = None if self._is_synthetic(sound, random) else self._from_font(part, sound, score, random)
        if wide is None:
            wide = self._from_patch(part, sound, score, seeds)
        dry, provenance = wide
        if float(np.abs(dry).max(initial=0.0)) < _AUDIBLE:
            return None
        stereo = random.random() < (sound.stereo if sound else 0.5)
        dry = dry if stereo else dry.mean(0, keepdims=True)
        return Performed(part.name, part.instrument, part.role, dry, provenance, part.notes)

    def _is_synthetic(self, sound: Sound | None, random: np.random.Generator) -> bool:
        """Whether the built-in synthesizer takes the part although a font could."""
        drawn = float(random.random())
        if sound is None:
            return False
        return drawn < (_ELECTRONIC_SHARE if sound.electronic else self.options.share_of_synthesizer)

    def _from_font(
        self, part: Part, sound: Sound | None, score: str, random: np.random.Generator
    ) -> tuple[FloatArray, Provenance] | None:
        """Through a preset of the instrument in one of the fonts that has one."""
        presets: Sequence[tuple[int, int]] = sound.presets if sound else ((0, part.program or 0),)
        fonts = self.fonts
        for number in random.permutation(len(fonts)):
            font = fonts[int(number)]
            there = [preset for preset in presets if font.preset(*preset)]
            if not there:
                continue
            bank, program = there[int(random.integers(len(there)))]
            frames = self.options.frames
            dry = font.play(part.notes, bank=bank, program=program, frames=frames)
            name = font.preset(bank, program)
            return dry, Provenance("soundfont", font.name, bank, program, name, score)
        return None

    def _from_patch(
        self, part: Part, sound: Sound | None, score: str, seeds: Seeds
    ) -> tuple[FloatArray, Provenance]:
        patch = sound.patch if sound else _GENERAL
        options = self.options
        random = seeds.generator("patch")
        rate = options.sample_rate
        dry = play_patch(patch, part.notes, frames=options.frames, sample_rate=rate, random=random)
        return dry, Provenance("synthesizer", patch, program=part.program, score=score)

    # -------------------------------------------------------------- voices

    def sing(self, part: Part, score: str, seeds: Seeds) -> Performed | None:
        """A part for a voice: a recording where there are any, else the synthetic singer, else nobody."""
        backing = part.instrument == "backing_voice"
        if self.voices:
            return self._from_recording(part, score, seeds, backing=backing)
        random = seeds.generator("singer")
        dry = sing(
            part.notes,
            frames=self.options.frames,
            sample_rate=self.options.sample_rate,
            random=random,
            players=3 if backing else 1,
        )
        dry = dry if backing else dry.mean(0, keepdims=True)
        about = Provenance("singer", "source and filter", score=score)
        return Performed(part.name, part.instrument, part.role, dry, about, part.notes)

    def _from_recording(self, part: Part, score: str, seeds: Seeds, *, backing: bool) -> Performed | None:
        """Phrases of one recording where the part sings; its label is what the recording is."""
        fitting = [v for v in self.voices if (v.instrument in _BACKING_VOICES) == backing]
        among = fitting or self.voices
        random = seeds.generator("voice")
        voice: Voice = among[int(random.integers(len(among)))]
        frames, rate = self.options.frames, self.options.sample_rate
        dry = voice.lay(sung_spans(part.notes), frames=frames, sample_rate=rate, random=random)
        if float(np.abs(dry).max(initial=0.0)) < _AUDIBLE:
            return None
        dry = dry if len(dry) == 2 and random.random() < 0.5 else dry.mean(0, keepdims=True)
        about = Provenance("voice", voice.path.name, score=score)
        return Performed(part.name, voice.instrument, part.role, dry, about, part.notes[:0])

    # -------------------------------------------------------------- drums

    def play_percussion(self, part: Part, score: str, seeds: Seeds, *, electronic: bool) -> list[Performed]:
        """The pieces of a kit or of percussion, each by itself, in stereo or mono; together they are the whole kit."""
        play = self._kit_source(score, seeds, electronic=electronic)
        made = []
        for name, piece, notes in _tracks_of(part.notes, seeds.generator("toms")):
            dry, provenance = play(piece, notes)
            if float(np.abs(dry).max(initial=0.0)) >= _AUDIBLE:
                role = "background" if piece in percussion_keys() else "foreground"
                made.append(Performed(name, piece, role, dry, provenance, notes))
        return made

    def _kit_source(self, score: str, seeds: Seeds, *, electronic: bool) -> _KitSource:
        """One kit for the whole song: a preset of a font, a sampled kit, or the synthesizer."""
        random = seeds.generator("kit")
        share = _ELECTRONIC_SHARE if electronic else self.options.share_of_synthesizer
        fonts = self.fonts
        if random.random() < share or not (fonts or self.kits):
            return _KitSource(self.options, score, seeds)
        if self.kits and (not fonts or random.random() < self.options.share_of_drumkits):
            return _KitSource(self.options, score, seeds, kit=self.kits[int(random.integers(len(self.kits)))])
        for number in random.permutation(len(fonts)):
            font = fonts[int(number)]
            wanted = _ELECTRONIC_KITS if electronic else _DRUM_PRESETS
            there = [p for p in wanted if font.preset(DRUM_BANK, p)]
            if there:
                program = there[int(random.integers(len(there)))]
                return _KitSource(self.options, score, seeds, font=font, program=program)
        return _KitSource(self.options, score, seeds)


def _tracks_of(notes: NoteArray, random: np.random.Generator) -> Iterator[tuple[str, str, NoteArray]]:
    """(name, word of the vocabulary, notes) of every piece; the floor tom sometimes by itself."""
    apart = random.random() < _FLOOR_TOM_SHARE
    for piece, struck in pieces_of(notes).items():
        low = np.isin(struck["pitch"], _FLOOR_TOM_KEYS)
        if piece == "tom" and apart and low.any() and not low.all():
            yield "Rack Tom", piece, struck[~low]
            yield "Floor Tom", piece, struck[low]
        else:
            yield piece.title(), piece, struck


@dataclass(frozen=True)
class _KitSource:
    """Plays the pieces of one kit."""

    options: SynthesisOptions
    score: str
    seeds: Seeds
    font: SoundFont | None = None
    program: int = 0
    kit: DrumKit | None = None

    def __call__(self, piece: str, notes: NoteArray) -> tuple[FloatArray, Provenance]:
        frames, rate = self.options.frames, self.options.sample_rate
        random = self.seeds.generator("piece", piece)
        if self.font is not None:
            dry = self.font.play(notes, bank=DRUM_BANK, program=self.program, frames=frames)
            preset = self.font.preset(DRUM_BANK, self.program)
            return dry, Provenance("soundfont", self.font.name, DRUM_BANK, self.program, preset, self.score)
        if self.kit is not None and piece in self.kit.pieces:
            dry, sample = self.kit.play(piece, notes, frames=frames, sample_rate=rate, random=random)
            about = self.kit.license
            return dry, Provenance("drumkit", self.kit.name, preset=sample, score=self.score, license=about)
        dry = play_drum(piece, notes, frames=frames, sample_rate=rate, random=random)
        return dry, Provenance("synthesizer", f"drum {piece}", score=self.score)

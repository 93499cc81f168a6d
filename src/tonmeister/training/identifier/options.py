"""What the classifier is made from, checked with and tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tonmeister.errors import BadInputError
from tonmeister.training.identifier.clips import read_clips
from tonmeister.training.identifier.examples import Sources
from tonmeister.training.identifier.fonts import Font
from tonmeister.training.identifier.kits import FontKit, Kit, PatchKit, read_kit
from tonmeister.training.identifier.learning import LearningOptions

__all__ = ["Progress", "RecipeOptions", "SoundFiles"]

Progress = Callable[[str, float], None]
"""Told a stage and how much of it is done, 0 to 1."""


@dataclass(frozen=True)
class SoundFiles:
    """Where sounds come from: soundfonts, drum kits, songs as MIDI files, a folder of labelled folders of recordings."""

    fonts: tuple[Path, ...] = ()
    kits: tuple[Path, ...] = ()
    midi: tuple[Path, ...] = ()
    clips: Path | None = None

    def open(self, *, machines: int = 0) -> Sources:
        """Load all; raises `BadInputError` without a soundfont: most instruments come from there.

        With `machines`, a synthesized kit is taken as often as so many others.
        """
        if not self.fonts:
            raise BadInputError("no soundfont given: most instruments are taught with one (--font FILE.sf2)")
        fonts = [Font(path) for path in self.fonts]
        kits: list[Kit] = [FontKit(font, program) for font in fonts for program in font.drum_programs()]
        kits += [read_kit(path) for path in self.kits]
        kits += [PatchKit()] * machines
        clips = read_clips(self.clips) if self.clips else []
        speech = [clip.samples.mean(axis=0) for clip in clips if clip.word == "speech"]
        return Sources(fonts, [kit for kit in kits if kit.pieces], clips, speech)


@dataclass(frozen=True)
class RecipeOptions:
    """What is learned from, checked with and tested on."""

    sounds: SoundFiles
    held: SoundFiles
    """For calibration."""
    test: SoundFiles
    """For the figures on synthetic sounds."""
    test_folders: tuple[Path, ...] = ()
    """Labelled folders of real tracks (see `evaluation.identification`), for the figures on real ones."""
    seed: int = 1
    examples: int = 20_000
    held_examples: int = 1_200
    songs: int = 1_000
    """Synthesized songs to learn from, beside the examples."""
    test_songs: int = 60
    learning: LearningOptions = field(default_factory=LearningOptions)
    cache: Path | None = None
    """Folder where pictures are kept between runs."""
    command: str = "tonmeister train identifier"
    created: str = ""
    """Date for the card, YYYY-MM-DD; today if empty."""

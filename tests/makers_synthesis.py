"""Makers for the tests of synthesized songs: a small soundfont where there is one, a small MIDI file."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from tonmeister.training.synthesis.soundfonts import find_soundfonts, fluidsynth_version


def smallest_font() -> Path | None:
    fonts = [p for p in find_soundfonts() if p.name == "TimGM6mb.sf2"]
    return fonts[0] if fonts and fluidsynth_version() else None


needs_font = pytest.mark.skipif(
    smallest_font() is None, reason="needs apt install libfluidsynth3 timgm6mb-soundfont"
)


def write_midi(path: Path, *, melody: bool = True) -> Path:
    """A bass drum on every beat, a piano melody; 120 beats a minute, from the third beat on 60."""
    file = mido.MidiFile(ticks_per_beat=100)
    tempo, drums, piano = mido.MidiTrack(), mido.MidiTrack(), mido.MidiTrack()
    tempo.append(mido.MetaMessage("set_tempo", tempo=500_000, time=0))
    tempo.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=200))
    for _ in range(4):
        drums.append(mido.Message("note_on", channel=9, note=36, velocity=100, time=50))
        drums.append(mido.Message("note_off", channel=9, note=36, time=50))
    drums.append(mido.Message("note_on", channel=9, note=54, velocity=80, time=0))
    piano.append(mido.Message("program_change", channel=0, program=0))
    for number in range(20 if melody else 0):
        piano.append(mido.Message("note_on", channel=0, note=60 + number % 5, velocity=90, time=10))
        piano.append(mido.Message("note_on", channel=0, note=60 + number % 5, velocity=0, time=10))
    file.tracks.extend([tempo, drums, piano])
    file.save(str(path))
    return path

"""Drum kits: out of soundfonts, out of folders of recorded strokes (Hydrogen's drum kits), and synthesized."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from tonmeister.audio import read_audio
from tonmeister.errors import TonmeisterError
from tonmeister.naming import identify_name
from tonmeister.training.identifier.fonts import RATE_HZ, Font
from tonmeister.training.identifier.phrases import Hit, Note
from tonmeister.training.identifier.taught import DRUM_NOTES, PERCUSSION_NOTES, taught_word
from tonmeister.training.synthesis.drum_patches import PIECES, play_drum
from tonmeister.training.synthesis.scores import note_array
from tonmeister.units import FloatArray

__all__ = ["FontKit", "Kit", "PatchKit", "SampleKit", "read_kit"]

_DRUM_BANK: Final = 128
_NOTES: Final = {**DRUM_NOTES, **PERCUSSION_NOTES}
_MAX_DESCRIPTION_BYTES: Final = 4 * 2**20
_MAX_STROKE_S: Final = 4.0


class Kit(Protocol):
    """Something that plays strokes."""

    @property
    def name(self) -> str: ...

    @property
    def pieces(self) -> frozenset[str]: ...

    def play(self, hits: Sequence[Hit], seconds: float, rng: np.random.Generator) -> FloatArray:
        """(2, frames) at `RATE_HZ`."""
        ...


class FontKit:
    """A kit of a soundfont; each piece keeps one or two of its notes for a phrase."""

    def __init__(self, font: Font, program: int) -> None:
        self.name = f"{font.name}:{program}"
        self.pieces = frozenset(_NOTES)
        self._font, self._program = font, program

    def play(self, hits: Sequence[Hit], seconds: float, rng: np.random.Generator) -> FloatArray:
        chosen = {piece: rng.choice(notes, size=2) for piece, notes in _NOTES.items()}
        notes = [Note(h.start_s, 0.1, int(rng.choice(chosen[h.piece])), h.velocity) for h in hits]
        return self._font.play(_DRUM_BANK, self._program, notes, seconds)


class PatchKit:
    """The drum machine of the song synthesis: another one for every phrase."""

    name = "synthesizer"
    pieces = frozenset(PIECES) & frozenset(_NOTES)

    def play(self, hits: Sequence[Hit], seconds: float, rng: np.random.Generator) -> FloatArray:
        out = np.zeros((2, round(seconds * RATE_HZ)), np.float32)
        for piece in sorted({hit.piece for hit in hits} & self.pieces):
            key = int(rng.choice(_NOTES[piece]))
            struck = [h for h in hits if h.piece == piece and h.start_s < seconds]
            notes = note_array((h.start_s, 0.1, key, h.velocity) for h in struck)
            out += play_drum(piece, notes, frames=out.shape[1], sample_rate=RATE_HZ, random=rng)
        return out


@dataclass(frozen=True)
class SampleKit:
    """Recorded strokes by piece; the harder a hit, the later in its row of layers."""

    name: str
    strokes: dict[str, list[list[FloatArray]]]
    """Piece -> sounds (a row of layers each) -> (channels, frames) at `RATE_HZ`."""

    @property
    def pieces(self) -> frozenset[str]:
        return frozenset(self.strokes)

    def play(self, hits: Sequence[Hit], seconds: float, rng: np.random.Generator) -> FloatArray:
        out = np.zeros((2, round(seconds * RATE_HZ)), np.float32)
        sounds = {piece: rng.choice(len(rows), size=2) for piece, rows in self.strokes.items()}
        for hit in hits:
            if hit.piece in sounds:
                layers = self.strokes[hit.piece][int(rng.choice(sounds[hit.piece]))]
                layer = layers[min(int(hit.velocity / 128 * len(layers)), len(layers) - 1)]
                at = round(hit.start_s * RATE_HZ)
                length = min(layer.shape[1], out.shape[1] - at)
                if length > 0:
                    out[:, at : at + length] += np.float32((hit.velocity / 127) ** 1.5) * layer[:, :length]
        return out


def read_kit(folder: Path) -> SampleKit:
    """A folder with ``drumkit.xml`` (Hydrogen); pieces are known by what they are called."""
    strokes: dict[str, list[list[FloatArray]]] = {}
    for name, files in _described(folder):
        word = taught_word(identify_name(name).instrument)
        layers = [sound for file in files if (sound := _stroke(folder / file)) is not None]
        if word in _NOTES and layers:
            strokes.setdefault(word, []).append(layers)
    return SampleKit(folder.name, strokes)


def _described(folder: Path) -> list[tuple[str, list[str]]]:
    """(name, files of its layers, soft to hard) of each sound of a kit."""
    path = folder / "drumkit.xml"
    if path.stat().st_size > _MAX_DESCRIPTION_BYTES:
        return []
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return []
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return [
        (sound.findtext("name") or "", [e.text for e in sound.iter("filename") if e.text])
        for sound in root.iter("instrument")
    ]


def _stroke(path: Path) -> FloatArray | None:
    if path.parent.resolve() != path.resolve().parent or not path.is_file():
        return None
    try:
        samples = read_audio(path, RATE_HZ).samples
    except TonmeisterError:
        return None
    samples = np.repeat(samples, 2, axis=0) if len(samples) == 1 else samples[:2]
    return samples[:, : round(_MAX_STROKE_S * RATE_HZ)]

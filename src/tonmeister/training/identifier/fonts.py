"""Instruments out of soundfonts, through FluidSynth, each font loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError, MissingExtraError
from tonmeister.training.identifier.phrases import Note
from tonmeister.units import FloatArray

__all__ = ["RATE_HZ", "Font", "Vibrato"]

RATE_HZ: Final = 44_100
_DRUM_BANK: Final = 128
_BLOCK_FRAMES: Final = 64
_PARTS: Final = 32_768.0
_BEND: Final = 8191


@dataclass(frozen=True, slots=True)
class Vibrato:
    """How a player's pitch moves: a vibrato that sets in, and a slight scoop up to the note."""

    depth: float
    """Semitones to either side."""
    rate_hz: float
    delay_s: float
    scoop: float
    """Semitones under the note at its beginning."""

    def bends(self, notes: Sequence[Note], seconds: float) -> list[tuple[float, int]]:
        """(when, bend of the MIDI wheel, whose range is two semitones) every 10 ms."""
        starts = np.array(sorted(note.start_s for note in notes))
        times = np.arange(0.0, seconds, 0.01)
        since = times - starts[np.maximum(np.searchsorted(starts, times, "right") - 1, 0)]
        swing = (
            self.depth
            * np.clip((since - self.delay_s) / 0.2, 0, 1)
            * np.sin(2 * np.pi * self.rate_hz * times)
        )
        bend = np.clip(swing - self.scoop * np.exp(-np.maximum(since, 0) / 0.03), -2, 2) / 2 * _BEND
        return list(zip(times.tolist(), np.rint(bend).astype(int).tolist(), strict=True))


class Font:
    """One soundfont, ready to play phrases; stateless between phrases."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._synth = _synth()
        if not path.is_file():
            raise BadInputError(f"{path}: no such soundfont")
        self._id = self._synth.sfload(str(path))
        if self._id < 0:
            raise BadInputError(f"{path}: not a soundfont that can be read")

    def has(self, bank: int, program: int) -> bool:
        """Whether the font has this very preset."""
        return bool(self._synth.sfpreset_name(self._id, bank, program))

    def drum_programs(self) -> tuple[int, ...]:
        """The drum kits a font has, of those that General MIDI level 2 and its relatives define."""
        return tuple(p for p in range(48) if self.has(_DRUM_BANK, p))

    def play(
        self,
        bank: int,
        program: int,
        notes: Sequence[Note],
        seconds: float,
        *,
        vibrato: Vibrato | None = None,
    ) -> FloatArray:
        """(2, frames) at `RATE_HZ`; with `vibrato` the pitch of all notes moves as a player's does."""
        synth = self._synth
        synth.system_reset()
        synth.program_select(0, self._id, bank if self.has(bank, program) else 0, program)
        events = [(n.start_s, 1, n.key, n.velocity) for n in notes]
        events += [(n.start_s + n.length_s, 0, n.key, 0) for n in notes]
        if vibrato is not None:
            events += [(at_s, 2, bend, 0) for at_s, bend in vibrato.bends(notes, seconds)]
        pieces, done, total = [], 0, round(seconds * RATE_HZ)
        for at_s, on, key, velocity in sorted(events):
            until = min(round(at_s * RATE_HZ) // _BLOCK_FRAMES * _BLOCK_FRAMES, total)
            if until > done:
                pieces.append(synth.get_samples(until - done))
                done = until
            if on == 2:
                synth.pitch_bend(0, key)
            elif on and at_s < seconds:
                synth.noteon(0, key, velocity)
            else:
                synth.noteoff(0, key)
        if total > done:
            pieces.append(synth.get_samples(total - done))
        samples = np.concatenate(pieces).reshape(-1, 2).T
        return np.ascontiguousarray(samples, np.float32) / np.float32(_PARTS)


def _synth() -> Any:
    try:
        import fluidsynth
    except ImportError:
        raise MissingExtraError("playing soundfonts", extra="train") from None
    synth = fluidsynth.Synth(samplerate=float(RATE_HZ), gain=0.4)
    for setting in ("synth.reverb.active", "synth.chorus.active"):
        synth.setting(setting, 0)
    return synth

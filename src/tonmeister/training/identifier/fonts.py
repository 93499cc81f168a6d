"""Instruments out of soundfonts, through FluidSynth, each font loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tonmeister.errors import BadInputError, MissingExtraError
from tonmeister.training.identifier.phrases import Note
from tonmeister.units import FloatArray

__all__ = ["RATE_HZ", "Font"]

RATE_HZ: Final = 44_100
_DRUM_BANK: Final = 128
_BLOCK_FRAMES: Final = 64
_PARTS: Final = 32_768.0
_REST_FRAMES: Final = 64 * _BLOCK_FRAMES
_REST_LEVEL: Final = 2
_MOST_REST_S: Final = 10


class Font:
    """One soundfont, ready to play phrases.

    A phrase is the same whatever was played before, but for the first millisecond of a note whose voice of the synthesizer
    was in use, and for dither: within 1 % (RMS).
    """

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

    def play(self, bank: int, program: int, notes: Sequence[Note], seconds: float) -> FloatArray:
        """(2, frames) at `RATE_HZ`."""
        synth = self._synth
        synth.system_reset()
        self._let_die_away()
        synth.program_select(0, self._id, bank if self.has(bank, program) else 0, program)
        events = [(n.start_s, 1, n.key, n.velocity) for n in notes]
        events += [(n.start_s + n.length_s, 0, n.key, 0) for n in notes]
        pieces, done, total = [], 0, round(seconds * RATE_HZ)
        for at_s, on, key, velocity in sorted(events):
            until = min(round(at_s * RATE_HZ) // _BLOCK_FRAMES * _BLOCK_FRAMES, total)
            if until > done:
                pieces.append(synth.get_samples(until - done))
                done = until
            if on and at_s < seconds:
                synth.noteon(0, key, velocity)
            else:
                synth.noteoff(0, key)
        whole = (
            -(-total // _BLOCK_FRAMES) * _BLOCK_FRAMES
        )  # else the next phrase would begin with a rest of this one
        if whole > done:
            pieces.append(synth.get_samples(whole - done))
        samples = np.concatenate(pieces).reshape(-1, 2).T[:, :total]
        return np.ascontiguousarray(samples, np.float32) / np.float32(_PARTS)

    def _let_die_away(self) -> None:
        """Until nothing of the phrase before can be heard in the next."""
        for _ in range(_MOST_REST_S * RATE_HZ // _REST_FRAMES):
            if np.abs(self._synth.get_samples(_REST_FRAMES)).max() <= _REST_LEVEL:
                return


def _synth() -> Any:
    try:
        import fluidsynth
    except ImportError:
        raise MissingExtraError("playing soundfonts", extra="train") from None
    synth = fluidsynth.Synth(samplerate=float(RATE_HZ), gain=0.4)
    for setting in ("synth.reverb.active", "synth.chorus.active"):
        synth.setting(setting, 0)
    return synth
